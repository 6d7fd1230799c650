//! The redemption of a refresh token (RFC 6749 section 6).

use std::net::IpAddr;

use super::redemption::{Redeeming, RedemptionParameters, Row};
use crate::client::GrantType;
use crate::error::Reason;
use crate::grant::{Grant, Kind, RefreshUse, Verdict};

pub(super) static ROW: Row = Row {
    grant_type: GrantType::RefreshToken,
    parameter: "refresh_token",
    kind: Kind::Refresh,
    unknown: Reason::RefreshUnknown,
    is_code: false,
    read_parameters: |_, request, _| {
        Ok(RedemptionParameters::Refresh(RefreshParameters { peer: request.peer }))
    },
};

/// What the request has besides the refresh token.
#[derive(Debug)]
pub(super) struct RefreshParameters {
    /// The address that gets the response, for the audit of a later repeat.
    peer: Option<IpAddr>,
}

impl RefreshParameters {
    pub(super) fn redeem(&self, grant: Grant, redeeming: Redeeming<'_>) -> Verdict {
        let Redeeming { secret, gate, fresh, facts } = redeeming;
        let presented = RefreshUse { secret, gate, peer: self.peer };
        grant.rotate_refresh(presented, fresh, facts.now, &facts.rules.policy)
    }
}
