//! Single values of client metadata: names and links for people.

use fluent_uri::Uri;

use super::member::{List, Text};
use super::wire::known;
use crate::base::redirect_uri::has_port_that_exists;
use crate::client::{ApplicationType, MAX_URI, is_readable_name};
use crate::error::{MetadataFlaw, Reason};
use crate::outbound::address::Host;

/// Further contacts are dropped.
const MAX_CONTACTS: usize = 8;
/// The maximum length of a name, in characters.
const MAX_NAME: usize = 128;
const MAX_TEXT: usize = 256;

pub(super) fn application_type(name: Option<&str>) -> Result<Option<ApplicationType>, Reason> {
    let known = |name| known(name).ok_or(MetadataFlaw::ApplicationType.into());
    name.map(known).transpose()
}

pub(super) fn text(value: Option<String>) -> Option<String> {
    value.filter(|text| !text.trim().is_empty())
}

/// The name that people read on a consent page: [`is_readable_name`] is the rule.
pub(super) fn name(name: String) -> Result<Option<Box<str>>, Reason> {
    if name.chars().nth(MAX_NAME).is_some() {
        return Err(MetadataFlaw::NameTooLong.into());
    }
    let Some(name) = text(Some(name)) else { return Ok(None) };
    match is_readable_name(&name) {
        true => Ok(Some(name.into_boxed_str())),
        false => Err(MetadataFlaw::NameCharacters.into()),
    }
}

/// A short informational text; any other value is dropped.
pub(super) fn short(value: Option<String>) -> Option<String> {
    let value = text(value)?;
    let fits = value.chars().nth(MAX_TEXT).is_none() && !value.chars().any(char::is_control);
    fits.then_some(value)
}

pub(super) fn contacts(contacts: List) -> Option<Box<[String]>> {
    let contacts = contacts.texts().into_iter().filter_map(|one| short(Some(one)));
    Some(contacts.take(MAX_CONTACTS).collect::<Box<[_]>>()).filter(|contacts| !contacts.is_empty())
}

/// Whether the host and the port of a URL can exist, so that it is no mistake that each later fetch repeats.
pub(super) fn can_be_fetched(uri: &str) -> bool {
    let is_host = |authority: fluent_uri::component::Authority<'_>| Host::parse(authority.host()).is_some();
    Uri::parse(uri).is_ok_and(|uri| uri.authority().is_some_and(is_host) && has_port_that_exists(&uri))
}

/// The URL of a page or logo, which a host may show as a link: http or https, never a script. Any other one
/// is dropped.
pub(super) fn page(uri: Text) -> Option<Box<str>> {
    let uri = text(uri.value()).filter(|uri| uri.len() <= MAX_URI)?;
    let is_page = Uri::parse(uri.as_str()).is_ok_and(|uri| {
        let http = ["https", "http"].iter().any(|scheme| uri.scheme().as_str().eq_ignore_ascii_case(scheme));
        let is_safe =
            |a: fluent_uri::component::Authority<'_>| !a.host().is_empty() && a.userinfo().is_none();
        http && uri.authority().is_some_and(is_safe) && has_port_that_exists(&uri)
    });
    is_page.then_some(uri.into_boxed_str())
}
