//! The claims of a software statement in place of the client's own metadata.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Member, MetadataBody};
use crate::error::Reason;

impl MetadataBody {
    /// The claims of a software statement override the client's own metadata (RFC 7591 section 2.3). Members
    /// that exclude each other, or choose together, are overridden together.
    pub(crate) fn overridden_by(self, claims: Map<String, Value>) -> Result<Self, Reason> {
        let claims = Value::Object(claims);
        let read = || {
            let openid = Deserialize::deserialize(&claims).ok()?;
            let logout = Deserialize::deserialize(&claims).ok()?;
            Some(Self { openid, logout, ..Self::deserialize(&claims).ok()? })
        };
        let over = read().ok_or(Reason::SoftwareStatementInvalid)?;
        if over.flaw().is_some() {
            return Err(Reason::SoftwareStatementInvalid);
        }
        let names_method = over.token_endpoint_auth_method != Member::Absent
            || over.token_endpoint_auth_methods_supported != Member::Absent;
        let (method, methods) = match names_method {
            true => (over.token_endpoint_auth_method, over.token_endpoint_auth_methods_supported),
            false => (self.token_endpoint_auth_method, self.token_endpoint_auth_methods_supported),
        };
        let (jwks, jwks_uri) = match over.jwks.is_some() || over.jwks_uri != Member::Absent {
            true => (over.jwks, over.jwks_uri),
            false => (self.jwks, self.jwks_uri),
        };
        let over_subjects = [
            over.tls_client_auth_subject_dn,
            over.tls_client_auth_san_dns,
            over.tls_client_auth_san_uri,
            over.tls_client_auth_san_ip,
            over.tls_client_auth_san_email,
        ];
        let own_subjects = [
            self.tls_client_auth_subject_dn,
            self.tls_client_auth_san_dns,
            self.tls_client_auth_san_uri,
            self.tls_client_auth_san_ip,
            self.tls_client_auth_san_email,
        ];
        let names_subject = over_subjects.iter().any(|name| *name != Member::Absent);
        let [subject_dn, san_dns, san_uri, san_ip, san_email] =
            if names_subject { over_subjects } else { own_subjects };
        Ok(Self {
            redirect_uris: over.redirect_uris.or(self.redirect_uris),
            token_endpoint_auth_method: method,
            token_endpoint_auth_methods_supported: methods,
            grant_types: over.grant_types.or(self.grant_types),
            response_types: over.response_types.or(self.response_types),
            response_modes: over.response_modes.or(self.response_modes),
            client_name: over.client_name.or(self.client_name),
            client_uri: over.client_uri.or(self.client_uri),
            logo_uri: over.logo_uri.or(self.logo_uri),
            scope: over.scope.or(self.scope),
            authorization_details_types: over
                .authorization_details_types
                .or(self.authorization_details_types),
            contacts: over.contacts.or(self.contacts),
            tos_uri: over.tos_uri.or(self.tos_uri),
            policy_uri: over.policy_uri.or(self.policy_uri),
            token_endpoint_auth_signing_alg: over
                .token_endpoint_auth_signing_alg
                .or(self.token_endpoint_auth_signing_alg),
            jwks_uri,
            jwks,
            tls_client_auth_subject_dn: subject_dn,
            tls_client_auth_san_dns: san_dns,
            tls_client_auth_san_uri: san_uri,
            tls_client_auth_san_ip: san_ip,
            tls_client_auth_san_email: san_email,
            tls_client_certificate_bound_access_tokens: over
                .tls_client_certificate_bound_access_tokens
                .or(self.tls_client_certificate_bound_access_tokens),
            use_mtls_endpoint_aliases: over.use_mtls_endpoint_aliases.or(self.use_mtls_endpoint_aliases),
            openid: over.openid.or(self.openid),
            logout: over.logout.or(self.logout),
            software_id: over.software_id.or(self.software_id),
            software_version: over.software_version.or(self.software_version),
            application_type: over.application_type.or(self.application_type),
            require_pushed_authorization_requests: over
                .require_pushed_authorization_requests
                .or(self.require_pushed_authorization_requests),
            request_object_signing_alg: over.request_object_signing_alg.or(self.request_object_signing_alg),
            authorization_signed_response_alg: over
                .authorization_signed_response_alg
                .or(self.authorization_signed_response_alg),
            introspection_signed_response_alg: over
                .introspection_signed_response_alg
                .or(self.introspection_signed_response_alg),
            require_signed_request_object: over
                .require_signed_request_object
                .or(self.require_signed_request_object),
            request_object_encryption_alg: over
                .request_object_encryption_alg
                .or(self.request_object_encryption_alg),
            request_object_encryption_enc: over
                .request_object_encryption_enc
                .or(self.request_object_encryption_enc),
            authorization_encrypted_response_alg: over
                .authorization_encrypted_response_alg
                .or(self.authorization_encrypted_response_alg),
            authorization_encrypted_response_enc: over
                .authorization_encrypted_response_enc
                .or(self.authorization_encrypted_response_enc),
            introspection_encrypted_response_alg: over
                .introspection_encrypted_response_alg
                .or(self.introspection_encrypted_response_alg),
            introspection_encrypted_response_enc: over
                .introspection_encrypted_response_enc
                .or(self.introspection_encrypted_response_enc),
            dpop_bound_access_tokens: over.dpop_bound_access_tokens.or(self.dpop_bound_access_tokens),
            // No statement says these. All members are listed, so that none is forgotten.
            software_statement: self.software_statement,
            client_id: self.client_id,
            client_secret: self.client_secret,
            registration_access_token: self.registration_access_token,
            registration_client_uri: self.registration_client_uri,
            client_secret_expires_at: self.client_secret_expires_at,
            client_id_issued_at: self.client_id_issued_at,
        })
    }
}
