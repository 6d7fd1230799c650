//! The members for signed requests and signed responses, from untrusted input.

use super::{Member, MetadataBody, Text, known};
use crate::base::Algorithm;
use crate::client::auth::Credentials;
use crate::client::{ClientMetadata, ResponseMode, ResponseType};
use crate::error::{MetadataFlaw, Reason};
use crate::issuance::{Rules, SignedAnswers};

impl MetadataBody {
    /// The algorithms of its authorization responses and introspection responses. An unsupported value is
    /// refused, because the client must not get less protection than it asked for.
    pub(super) fn signed_answers(&self, rules: &Rules) -> Result<[Option<Algorithm>; 2], Reason> {
        let encrypted = [
            &self.authorization_encrypted_response_alg,
            &self.authorization_encrypted_response_enc,
            &self.introspection_encrypted_response_alg,
            &self.introspection_encrypted_response_enc,
        ];
        if encrypted.iter().any(|member| member.is_some()) {
            return Err(Reason::RegistrationSignedAnswers);
        }
        let SignedAnswers { algorithms, authorization, introspection, metadata: _ } = &rules.signed_answers;
        let known = |member: &Text, is_on: bool| match member {
            Member::Absent => Ok(None),
            Member::Is(name) => {
                let known = Algorithm::parse(name).filter(|known| is_on && algorithms.contains(known));
                known.map(Some).ok_or(Reason::RegistrationSignedAnswers)
            }
            Member::Other => Err(Reason::RegistrationSignedAnswers),
        };
        Ok([
            known(&self.authorization_signed_response_alg, *authorization)?,
            known(&self.introspection_signed_response_alg, *introspection)?,
        ])
    }

    /// The response modes to which the client restricts itself. Those that the server does not have are
    /// dropped, which restricts it further; a client without any left is refused, because it must not get
    /// less protection than it asked for.
    pub(super) fn response_modes(&self, rules: &Rules) -> Result<Option<Box<[ResponseMode]>>, Reason> {
        let named = match &self.response_modes {
            Member::Is(named) if !named.is_empty() => named,
            Member::Is(_) | Member::Absent | Member::Other => return Ok(None),
        };
        let signs = rules.signed_answers.authorization;
        let mut modes: Vec<ResponseMode> = Vec::new();
        for mode in named.iter().filter_map(Text::as_str).filter_map(known::<ResponseMode>) {
            if (signs || !mode.is_signed()) && !modes.contains(&mode) {
                modes.push(mode);
            }
        }
        match modes.is_empty() {
            true => Err(MetadataFlaw::ResponseModes.into()),
            false => Ok(Some(modes.into_boxed_slice())),
        }
    }

    /// Whether the client signs requests, and with which algorithm. An unsupported value is refused, because
    /// an unsigned request must not be accepted if the client asked for signed ones.
    pub(super) fn request_objects(&self, rules: &Rules) -> Result<Option<Box<str>>, Reason> {
        let has_keys = self.jwks.is_some() || self.jwks_uri != Member::Absent;
        let is_required = self.require_signed_request_object == Member::Is(true);
        if self.request_object_encryption_alg.is_some() || self.request_object_encryption_enc.is_some() {
            return Err(Reason::RegistrationRequestObject);
        }
        let (Some(signed), Some(_)) = (&rules.assertions, rules.request_objects) else {
            return if is_required { Err(Reason::RegistrationRequestObject) } else { Ok(None) };
        };
        let is_known = match &self.request_object_signing_alg {
            Member::Absent => true,
            Member::Is(name) => signed.algorithms.contains(&name.as_str()),
            Member::Other => false,
        };
        let names_one = self.request_object_signing_alg != Member::Absent;
        match is_known && (has_keys || !(names_one || is_required)) {
            true => Ok(self.request_object_signing_alg.as_str().map(Into::into)),
            false => Err(Reason::RegistrationRequestObject),
        }
    }
}

/// Whether a client whose authorization requests have to be signed has keys for that. A profile that signs
/// messages requires it of all clients, too.
pub(super) fn check_requests(
    metadata: &ClientMetadata,
    response_types: &[ResponseType],
    rules: &Rules,
) -> Result<(), Reason> {
    let is_required = metadata.require_signed_request_object == Some(true)
        || rules.request_objects.is_some_and(|objects| objects.required);
    let has_keys = metadata.jwks.is_some() || metadata.jwks_uri.is_some();
    match is_required && !has_keys && !response_types.is_empty() {
        true => Err(Reason::RegistrationRequestObject),
        false => Ok(()),
    }
}

/// Whether one of its response modes fits one of its response types.
pub(super) fn check_modes(metadata: &ClientMetadata, response_types: &[ResponseType]) -> Result<(), Reason> {
    let Some(modes) = metadata.response_modes.as_deref().filter(|_| !response_types.is_empty()) else {
        return Ok(());
    };
    let fits = |mode: &ResponseMode| {
        response_types.iter().any(|own| ResponseMode::choose(Some(Ok(*mode)), *own).is_ok())
    };
    match modes.iter().any(fits) {
        true => Ok(()),
        false => Err(MetadataFlaw::ResponseModes.into()),
    }
}

/// Whether a client with assertions could ever authenticate.
pub(super) fn check_assertions(metadata: &ClientMetadata, rules: &Rules) -> Result<(), Reason> {
    match metadata.auth_method().credentials() {
        Credentials::Keys => {}
        Credentials::CertifiedKeys => {
            let can_be_had = rules.certificates.fetches || metadata.jwks_uri.is_none();
            return if can_be_had { Ok(()) } else { Err(Reason::RegistrationKeys) };
        }
        Credentials::Nothing | Credentials::Secret | Credentials::SealedSecret | Credentials::Certificate => {
            return Ok(());
        }
    }
    let signed = rules.assertions.as_ref().ok_or(Reason::RegistrationAuthMethod)?;
    let algorithm = metadata.token_endpoint_auth_signing_alg.as_deref();
    let is_known = algorithm.is_none_or(|name| signed.algorithms.contains(&name));
    match is_known && (signed.fetches || metadata.jwks_uri.is_none()) {
        true => Ok(()),
        false => Err(Reason::RegistrationKeys),
    }
}
