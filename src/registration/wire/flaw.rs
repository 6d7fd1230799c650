//! Members of the wrong type that are refused by name.

use serde_json::Value;

use super::{MetadataBody, Text};
use crate::error::MetadataFlaw;

impl MetadataBody {
    /// The first member with the wrong type, except those that only inform. Of a list with some strings, the
    /// other entries are dropped; a list without any is of the wrong type.
    pub(super) fn flaw(&self) -> Option<MetadataFlaw> {
        use MetadataFlaw as F;
        let subjects = [
            &self.tls_client_auth_subject_dn,
            &self.tls_client_auth_san_dns,
            &self.tls_client_auth_san_uri,
            &self.tls_client_auth_san_ip,
            &self.tls_client_auth_san_email,
        ];
        let are_no_keys = self.jwks_uri.is_of_another_type() || !self.jwks.iter().all(Value::is_object);
        let wrong = [
            (self.redirect_uris.has_no_text(), F::RedirectUrisType),
            (self.grant_types.has_no_text(), F::GrantTypesType),
            (self.response_types.has_no_text(), F::ResponseTypesType),
            (self.response_modes.has_no_text(), F::ResponseModesType),
            (self.client_name.is_of_another_type(), F::NameType),
            (self.scope.is_of_another_type(), F::ScopeType),
            (self.token_endpoint_auth_method.is_of_another_type(), F::AuthMethodType),
            (self.token_endpoint_auth_methods_supported.has_no_text(), F::AuthMethodsType),
            (self.token_endpoint_auth_signing_alg.is_of_another_type(), F::AuthSigningAlgType),
            (self.application_type.is_of_another_type(), F::ApplicationType),
            (self.authorization_details_types.has_no_text(), F::DetailTypesType),
            (self.require_pushed_authorization_requests.is_of_another_type(), F::RequirePushedType),
            (self.tls_client_certificate_bound_access_tokens.is_of_another_type(), F::BoundTokensType),
            (self.use_mtls_endpoint_aliases.is_of_another_type(), F::UseAliasesType),
            (subjects.into_iter().any(Text::is_of_another_type), F::CertificateSubjectType),
            (are_no_keys, F::KeysType),
            (self.openid.default_max_age.is_of_another_type(), F::DefaultMaxAgeType),
            (self.openid.require_auth_time.is_of_another_type(), F::RequireAuthTimeType),
            (self.openid.default_acr_values.has_no_text(), F::DefaultAcrValuesType),
            (self.require_signed_request_object.is_of_another_type(), F::RequireSignedType),
            (self.dpop_bound_access_tokens.is_of_another_type(), F::DpopBoundType),
            (self.client_id.is_of_another_type(), F::ClientIdType),
            (self.client_secret.is_of_another_type(), F::ClientSecretType),
        ];
        wrong.into_iter().find_map(|(is_wrong, flaw)| is_wrong.then_some(flaw))
    }
}
