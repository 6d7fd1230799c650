//! The redemption of a device code (RFC 8628 section 3.4).

use super::redemption::{Redeeming, RedemptionParameters, Row};
use crate::client::GrantType;
use crate::error::Reason;
use crate::grant::{DeviceCodeUse, Grant, Kind, Verdict};

pub(super) static ROW: Row = Row {
    grant_type: GrantType::DeviceCode,
    parameter: "device_code",
    kind: Kind::Device,
    unknown: Reason::DeviceCodeUnknown,
    is_code: true,
    read_parameters: |_, _, _| Ok(RedemptionParameters::Device),
};

pub(super) fn redeem(grant: Grant, redeeming: Redeeming<'_>) -> Verdict {
    let Redeeming { secret, gate, fresh, facts } = redeeming;
    let presented = DeviceCodeUse { secret, gate, unanswered: facts.unanswered };
    grant.redeem_device_code(presented, fresh, facts.now, &facts.rules.policy)
}
