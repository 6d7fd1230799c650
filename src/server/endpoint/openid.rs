//! The members of the metadata that OpenID Connect Discovery 1.0 section 3 adds.

use super::super::Inner;
use super::metadata::Members;
use crate::client::SubjectIdentifierType;
use crate::flow::authorize::Prompt;
use crate::openid::Wanted;

pub(super) fn members(server: &Inner, members: &mut Members) {
    let (Some(openid), Some(source)) = (&server.rules.openid, &server.claims) else { return };
    let subjects = [SubjectIdentifierType::Public, SubjectIdentifierType::Pairwise];
    let subjects = subjects.into_iter().take(if openid.pairwise.is_some() { 2 } else { 1 });
    members.list("subject_types_supported", subjects.map(SubjectIdentifierType::as_str));
    members.list("id_token_signing_alg_values_supported", openid.algorithm_names());
    members.list("userinfo_signing_alg_values_supported", openid.algorithm_names());
    let mut names: Vec<String> = OF_PROTOCOL.iter().map(|name| (*name).to_owned()).collect();
    match source.supported() {
        none if none.is_empty() => names.extend(Wanted::of_scope(&server.rules.scope).map(str::to_owned)),
        known => names.extend(known),
    }
    members.list("claims_supported", names.iter().map(String::as_str));
    members.flag("claims_parameter_supported", true);
    let shown =
        Prompt::ALL.iter().copied().filter(|prompt| *prompt != Prompt::Create || server.rules.signs_up);
    members.list("prompt_values_supported", shown.map(Prompt::as_str));
    members.list("acr_values_supported", openid.acr_values.iter().map(String::as_str));
    members.list("display_values_supported", openid.display_values.iter().map(String::as_str));
    if let Some(sessions) = &openid.sessions {
        members.flag("backchannel_logout_supported", sessions.back_channel);
        members.flag("backchannel_logout_session_supported", sessions.back_channel);
        members.flag("frontchannel_logout_supported", sessions.front_channel);
        members.flag("frontchannel_logout_session_supported", sessions.front_channel);
    }
}

/// The claims of an `id_token` about itself and the login.
const OF_PROTOCOL: &[&str] = &["iss", "sub", "aud", "exp", "iat", "auth_time", "acr", "amr"];
