//! The logout members of a registration (OpenID Connect RP-Initiated, Back-Channel and Front-Channel Logout).

use serde::Deserialize;

use super::member::{Flag, List, Member, Text};
use crate::client::{ClientMetadata, LogoutUris};
use crate::error::Reason;
use crate::issuance::Rules;

/// The members, from untrusted input.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct LogoutMembers {
    post_logout_redirect_uris: List,
    backchannel_logout_uri: Text,
    backchannel_logout_session_required: Flag,
    frontchannel_logout_uri: Text,
    frontchannel_logout_session_required: Flag,
}

impl LogoutMembers {
    /// The members of a software statement override the client's own.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            post_logout_redirect_uris: self.post_logout_redirect_uris.or(other.post_logout_redirect_uris),
            backchannel_logout_uri: self.backchannel_logout_uri.or(other.backchannel_logout_uri),
            backchannel_logout_session_required: self
                .backchannel_logout_session_required
                .or(other.backchannel_logout_session_required),
            frontchannel_logout_uri: self.frontchannel_logout_uri.or(other.frontchannel_logout_uri),
            frontchannel_logout_session_required: self
                .frontchannel_logout_session_required
                .or(other.frontchannel_logout_session_required),
        }
    }

    /// Adds the accepted members to the metadata. If the server does not support a kind of logout, its
    /// members are ignored, like unknown ones, unless the client requires them.
    ///
    /// # Errors
    /// A logout URI that cannot be registered, or a required `sid` that is not supported.
    pub(super) fn check(self, metadata: ClientMetadata, rules: &Rules) -> Result<ClientMetadata, Reason> {
        let are_wrong = !self.post_logout_redirect_uris.is_of_texts()
            || self.backchannel_logout_uri.is_of_another_type()
            || self.backchannel_logout_session_required.is_of_another_type()
            || self.frontchannel_logout_uri.is_of_another_type()
            || self.frontchannel_logout_session_required.is_of_another_type();
        if are_wrong {
            return Err(Reason::RegistrationLogoutUri);
        }
        let sessions = rules.openid.as_ref().and_then(|openid| openid.sessions.as_ref());
        let is_back = sessions.is_some_and(|sessions| sessions.back_channel);
        let is_front = sessions.is_some_and(|sessions| sessions.front_channel);
        let needs = |flag: &Flag| *flag == Member::Is(true);
        if (needs(&self.backchannel_logout_session_required) && !is_back)
            || (needs(&self.frontchannel_logout_session_required) && !is_front)
        {
            return Err(Reason::RegistrationLogoutUri);
        }
        let after = if sessions.is_some() { self.post_logout_redirect_uris.texts() } else { Vec::new() };
        let metadata = ClientMetadata {
            post_logout_redirect_uris: after,
            backchannel_logout_uri: self.backchannel_logout_uri.boxed().filter(|_| is_back),
            backchannel_logout_session_required: self
                .backchannel_logout_session_required
                .value()
                .filter(|_| is_back),
            frontchannel_logout_uri: self.frontchannel_logout_uri.boxed().filter(|_| is_front),
            frontchannel_logout_session_required: self
                .frontchannel_logout_session_required
                .value()
                .filter(|_| is_front),
            ..metadata
        };
        match LogoutUris(&metadata).mistakes().is_empty() && is_of_strangers(&metadata) {
            true => Ok(metadata),
            false => Err(Reason::RegistrationLogoutUri),
        }
    }
}

/// Only the host itself may register an address of this machine.
fn is_of_strangers(metadata: &ClientMetadata) -> bool {
    let told = [&metadata.backchannel_logout_uri, &metadata.frontchannel_logout_uri];
    told.into_iter().flatten().all(|uri| uri.starts_with("https://"))
}
