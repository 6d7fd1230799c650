//! The rule of [`AccessRights`]: a child never exceeds its parent.

use crate::base::{AccessRights, RightsRef};
use crate::error::{ProofFlaw, Reason};

impl AccessRights {
    /// These rights, if they do not exceed the ceiling: no more scope, no other resource, and every key that
    /// the ceiling has. A ceiling without a key allows any. Authorization details are not checked here,
    /// because only their types know how to compare them: see [`DetailTypes`](super::DetailTypes).
    ///
    /// # Errors
    /// [`Reason::ScopeExceeded`], [`Reason::TargetExceeded`], or a [`Reason::Proof`] for a missing proof or
    /// one with another key.
    pub(crate) fn within(self, ceiling: RightsRef<'_>) -> Result<Self, Reason> {
        if !self.scope.is_subset(ceiling.scope) {
            return Err(Reason::ScopeExceeded);
        }
        let exceeds = |id| !ceiling.resources.as_slice().contains(id);
        if self.resources.as_slice().iter().any(exceeds) {
            return Err(Reason::TargetExceeded);
        }
        if let Some(key) = ceiling.confirmation {
            ProofFlaw::check(key, self.confirmation.as_ref())?;
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Confirmation, ResourceId, ResourceIndicators, Scope, Thumbprint};

    fn rights(scope: &str, resource: &str, key: Option<u8>) -> Result<AccessRights, Reason> {
        Ok(AccessRights {
            scope: Scope::parse(scope)?,
            resources: ResourceIndicators::of([ResourceId::parse(resource)?])?,
            confirmation: key.map(|byte| Confirmation::Jkt(Thumbprint::new([byte; 32]))),
            ..AccessRights::default()
        })
    }

    #[test]
    fn a_child_never_exceeds_its_parent_nor_loses_its_key() -> Result<(), Reason> {
        let api = "https://api.example";
        let (free, bound) = (rights("read write", api, None)?, rights("read write", api, Some(1))?);
        for (child, parent, expected) in [
            (rights("read", api, None)?, &free, Ok(())),
            (rights("read", api, Some(1))?, &free, Ok(())),
            (rights("read", api, Some(1))?, &bound, Ok(())),
            (rights("read admin", api, None)?, &free, Err(Reason::ScopeExceeded)),
            (rights("read", "https://other.example", None)?, &free, Err(Reason::TargetExceeded)),
            (rights("read", api, None)?, &bound, Err(ProofFlaw::Missing.into())),
            (rights("read", api, Some(2))?, &bound, Err(ProofFlaw::OtherKey.into())),
        ] {
            assert_eq!(child.clone().within(parent.as_ref()).map(|_| ()), expected, "{child:?}");
        }
        Ok(())
    }
}
