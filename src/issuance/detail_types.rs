//! The types of details that a server understands, and who may ask for them.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::base::details::MAX_DETAILS;
use crate::base::{AuthorizationDetail, AuthorizationDetails};
use crate::client::Client;
use crate::error::Reason;

/// A type of authorization details.
///
/// Details are untrusted. A wrong `true` shows the user, and sends to your resource servers, values that your
/// type does not allow.
pub trait DetailType: Send + Sync {
    /// Whether this detail is valid for its type: no unknown member, none missing, each with the right type
    /// and an allowed value (RFC 9396 section 5).
    fn accepts(&self, detail: &AuthorizationDetail) -> bool;

    /// Whether `asked` does not exceed `granted`, for a token request with details (RFC 9396 section 6). By
    /// default they must be equal. One granted detail covers one requested detail, not several.
    fn covers(&self, granted: &AuthorizationDetail, asked: &AuthorizationDetail) -> bool {
        granted == asked
    }
}

impl<T: DetailType + ?Sized> DetailType for Arc<T> {
    fn accepts(&self, detail: &AuthorizationDetail) -> bool {
        (**self).accepts(detail)
    }

    fn covers(&self, granted: &AuthorizationDetail, asked: &AuthorizationDetail) -> bool {
        (**self).covers(granted, asked)
    }
}

/// Details whose members, except `type`, deserialise into `T`. Let `T` deny unknown fields.
///
/// ```
/// use grantor::issuance::Fields;
/// #[derive(serde::Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct Payment {
///     amount: u32,
///     creditor: String,
/// }
/// let payments = Fields::<Payment>::new().only_if(|payment| payment.amount > 0 && !payment.creditor.is_empty());
/// ```
#[must_use]
pub struct Fields<T> {
    check: Option<Box<Check<T>>>,
    of: PhantomData<fn() -> T>,
}

type Check<T> = dyn Fn(&T) -> bool + Send + Sync;

impl<T: DeserializeOwned> Fields<T> {
    /// Accepts every detail that deserialises.
    pub fn new() -> Self {
        Self { check: None, of: PhantomData }
    }

    /// Accepts only details that also satisfy `check`.
    pub fn only_if(mut self, check: impl Fn(&T) -> bool + Send + Sync + 'static) -> Self {
        self.check = Some(Box::new(check));
        self
    }
}

impl<T: DeserializeOwned> Default for Fields<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: DeserializeOwned> DetailType for Fields<T> {
    fn accepts(&self, detail: &AuthorizationDetail) -> bool {
        let mut members = detail.members().clone();
        members.remove("type");
        let read: Option<T> = serde_json::from_value(Value::Object(members)).ok();
        read.is_some_and(|read| self.check.as_ref().is_none_or(|check| check(&read)))
    }
}

impl<T> fmt::Debug for Fields<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fields").finish_non_exhaustive()
    }
}

/// The types of a server, by name.
#[derive(Clone, Default)]
pub(crate) struct DetailTypes(BTreeMap<String, Arc<dyn DetailType>>);

impl DetailTypes {
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(crate) fn knows(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Whether a client may request all of these. If no user is asked, it must have registered their types.
    pub(crate) fn check(
        &self,
        asked: &AuthorizationDetails,
        client: &Client,
        asks_a_user: bool,
    ) -> Result<(), Reason> {
        if asked.as_slice().len() > MAX_DETAILS {
            return Err(Reason::DetailsMalformed);
        }
        let registered = client.metadata().authorization_details_types.as_deref();
        for detail in asked.as_slice() {
            let of = self.0.get(detail.kind()).ok_or(Reason::DetailsTypeUnknown)?;
            if !registered.map_or(asks_a_user, |types| types.iter().any(|name| name == detail.kind())) {
                return Err(Reason::DetailsNotAllowed);
            }
            if !of.accepts(detail) {
                return Err(Reason::DetailsRefused);
            }
        }
        Ok(())
    }

    /// The details of a token: all granted ones, or those that the request names.
    pub(crate) fn narrow(
        &self,
        granted: &AuthorizationDetails,
        asked: &AuthorizationDetails,
    ) -> Result<AuthorizationDetails, Reason> {
        if asked.is_empty() {
            return Ok(granted.clone());
        }
        let covers = |granted: &AuthorizationDetail, asked: &AuthorizationDetail| {
            let of = self.0.get(asked.kind());
            granted == asked
                || (granted.kind() == asked.kind()
                    && of.is_some_and(|of| of.accepts(asked) && of.covers(granted, asked)))
        };
        match each_has_its_own(asked.as_slice(), granted.as_slice(), covers) {
            true => Ok(asked.clone()),
            false => Err(Reason::DetailsExceeded),
        }
    }
}

/// Whether each requested detail can be matched to a separate granted one that covers it: a granted payment
/// covers only one payment. Uses augmenting paths, so the order of the lists does not matter.
fn each_has_its_own<T>(asked: &[T], granted: &[T], covers: impl Fn(&T, &T) -> bool) -> bool {
    fn find(
        of: usize,
        holders: &mut [Option<usize>],
        tried: &mut [bool],
        covers: &impl Fn(usize, usize) -> bool,
    ) -> bool {
        for one in 0..holders.len() {
            if tried[one] || !covers(one, of) {
                continue;
            }
            tried[one] = true;
            if holders[one].is_none_or(|holder| find(holder, holders, tried, covers)) {
                holders[one] = Some(of);
                return true;
            }
        }
        false
    }
    let mut holders = vec![None; granted.len()];
    let covers = |one: usize, of: usize| covers(&granted[one], &asked[of]);
    asked.len() <= granted.len()
        && (0..asked.len()).all(|of| find(of, &mut holders, &mut vec![false; granted.len()], &covers))
}

/// If two types have the same name, the later one is used.
impl FromIterator<(String, Arc<dyn DetailType>)> for DetailTypes {
    fn from_iter<I: IntoIterator<Item = (String, Arc<dyn DetailType>)>>(types: I) -> Self {
        Self(types.into_iter().collect())
    }
}

impl fmt::Debug for DetailTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::each_has_its_own;

    #[test]
    fn ft_08_a_granted_one_is_used_up_by_what_it_covers() {
        let covers = |granted: &u32, asked: &u32| asked <= granted;
        for (granted, asked, fits) in [
            (&[5][..], &[5][..], true),
            (&[5], &[5, 5], false),
            (&[5], &[1, 1], false),
            (&[5, 5], &[5, 5], true),
            (&[5, 3], &[3, 5], true),
            (&[3, 5], &[5, 3], true),
            (&[5, 3], &[5, 4], false),
            (&[9, 5, 3], &[3, 3, 3], true),
            (&[9, 5, 3], &[3, 5, 9], true),
            (&[9, 5, 3], &[6, 6], false),
            (&[], &[], true),
        ] {
            assert_eq!(each_has_its_own(asked, granted, covers), fits, "{granted:?} {asked:?}");
        }
    }
}
