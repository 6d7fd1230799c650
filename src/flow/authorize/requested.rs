//! What an authorization request says about how its user signs in (OpenID Connect Core section 3.1.2.1).

use std::fmt;

use serde_json::Value;

use crate::client::ClientMetadata;
use crate::error::Reason;
use crate::http::form::Form;
use crate::openid::{ClaimTerms, ClaimsRequest};

/// The longest text that is passed to a host, in characters; a longer one counts as absent.
pub const MAX_HINT: usize = 2048;

/// The maximum number of values that are passed to a host from each list: `acr_values`, `ui_locales` and
/// `claims_locales`.
pub const MAX_HINTS: usize = 16;

/// One value of `prompt`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Prompt {
    /// `none`: no page may be shown.
    None,
    /// `login`: the user signs in again, even if they are signed in.
    Login,
    /// `consent`: the user is asked again, even for what they granted before.
    Consent,
    /// `select_account`: the user chooses one of their accounts.
    SelectAccount,
    /// `create`: the user would like to sign up (Initiating User Registration section 4.1).
    Create,
}

impl Prompt {
    /// The values that this version knows.
    pub const ALL: &'static [Prompt] =
        &[Self::None, Self::Login, Self::Consent, Self::SelectAccount, Self::Create];

    /// The value in a request.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Login => "login",
            Self::Consent => "consent",
            Self::SelectAccount => "select_account",
            Self::Create => "create",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// The values of `prompt` that a request has.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Prompts(u8);

/// The bit of all values that this version does not know.
const UNKNOWN: u8 = 1 << 7;

impl Prompts {
    /// Reads the parameter, and checks it: `none` excludes every other value. Even a malformed parameter keeps
    /// its `none`, so the refusal shows no page.
    ///
    /// # Errors
    /// [`Reason::PromptMalformed`]
    pub(super) fn parse(text: Option<&str>) -> (Self, Result<(), Reason>) {
        let Some(text) = text else { return (Self::default(), Ok(())) };
        let known = |word| Prompt::ALL.iter().copied().find(|known| known.as_str() == word);
        let bit = |word| known(word).map_or(UNKNOWN, Prompt::bit);
        let prompts = Self(text.split(' ').fold(0, |bits, word| bits | bit(word)));
        match prompts.has(Prompt::None) && text != "none" {
            true => (prompts, Err(Reason::PromptMalformed)),
            false => (prompts, Ok(())),
        }
    }

    pub(super) fn has(self, prompt: Prompt) -> bool {
        self.0 & prompt.bit() != 0
    }

    /// Whether there is a value that this version does not know.
    pub(super) fn has_unknown(self) -> bool {
        self.0 & UNKNOWN != 0
    }
}

/// What the request says about the user's sign-in. All of it is untrusted: a host must escape it, and must
/// not let it choose a user. Each text has at most [`MAX_HINT`] characters and no control characters; any
/// other text counts as absent, and is not an error.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct AuthenticationRequest {
    pub(super) prompts: Prompts,
    pub(super) max_age: Option<u32>,
    acr_values: Option<Box<str>>,
    login_hint: Option<Box<str>>,
    ui_locales: Option<Box<str>>,
    claims_locales: Option<Box<str>>,
    display: Option<Box<str>>,
}

impl AuthenticationRequest {
    /// A repeated parameter counts as absent; the request is refused for it later.
    pub(super) fn parse(form: &Form<'_>, prompts: Prompts, max_age: Option<u32>) -> Self {
        let named = |name| form.one(name).ok().flatten();
        let text = |name| named(name).filter(fits).map(Box::from);
        Self {
            prompts,
            max_age,
            // `acr_values` is a condition and not a hint: if its text cannot be passed on, it is still not
            // met.
            acr_values: named("acr_values").map(|text| Some(text).filter(fits).unwrap_or_default().into()),
            login_hint: text("login_hint"),
            ui_locales: text("ui_locales"),
            claims_locales: text("claims_locales"),
            display: text("display"),
        }
    }

    /// Adds the `acr` of the parameter `claims`, which means the same as `acr_values` (OpenID Connect Core
    /// section 5.5.1.1); an essential one replaces them. If the request has neither, adds the defaults that
    /// the client registered (OpenID Connect Registration section 2).
    pub(super) fn complete(&mut self, claims: Option<&ClaimsRequest>, client: &ClientMetadata) {
        self.max_age = self.max_age.or(client.default_max_age);
        let terms = claims.and_then(|claims| claims.terms("acr"));
        let values = terms.map(classes).filter(|values| !values.is_empty());
        match (values, &self.acr_values) {
            (Some(values), _) if terms.is_some_and(|terms| terms.essential) => self.acr_values = Some(values),
            (_, Some(_)) => {}
            (Some(values), None) => self.acr_values = Some(values),
            (None, None) if claims.is_some_and(|claims| claims.names("acr")) => {}
            (None, None) => {
                self.acr_values = client.default_acr_values.as_ref().map(|values| values.join(" ").into());
            }
        }
    }

    /// Whether `prompt` has this value.
    #[must_use]
    pub fn has_prompt(&self, prompt: Prompt) -> bool {
        self.prompts.has(prompt)
    }

    /// The known values of `prompt`.
    pub fn prompts(&self) -> impl Iterator<Item = Prompt> + use<> {
        let prompts = self.prompts;
        Prompt::ALL.iter().copied().filter(move |prompt| prompts.has(*prompt))
    }

    /// `max_age`, in seconds: the maximum age of the user's last active sign-in.
    #[must_use]
    pub fn max_age(&self) -> Option<u32> {
        self.max_age
    }

    /// `acr_values`: the authentication context classes that the client wants, the preferred one first (RFC
    /// 9470 section 4). In OpenID Connect they can also be those of an `acr` in the parameter `claims`, or
    /// the client's `default_acr_values`.
    pub fn acr_values(&self) -> impl Iterator<Item = &str> {
        values(self.acr_values.as_deref())
    }

    /// `login_hint`: what the client thinks the user signs in as.
    #[must_use]
    pub fn login_hint(&self) -> Option<&str> {
        self.login_hint.as_deref()
    }

    /// `ui_locales`: the languages that the pages should have, as BCP 47 tags, the preferred one first.
    pub fn ui_locales(&self) -> impl Iterator<Item = &str> {
        values(self.ui_locales.as_deref())
    }

    /// `claims_locales`: the languages of the claims about the user, likewise.
    pub fn claims_locales(&self) -> impl Iterator<Item = &str> {
        values(self.claims_locales.as_deref())
    }

    /// `display`: `page`, `popup`, `touch`, `wap`, or anything else.
    #[must_use]
    pub fn display(&self) -> Option<&str> {
        self.display.as_deref()
    }

    /// Whether the request names classes, and this is none of them.
    pub(super) fn is_unmet_by(&self, acr: Option<&str>) -> bool {
        self.acr_values.is_some() && !self.acr_values().any(|wanted| Some(wanted) == acr)
    }
}

/// Whether a text may be passed to a host.
fn fits(text: &&str) -> bool {
    text.chars().nth(MAX_HINT).is_none() && !text.chars().any(char::is_control)
}

/// The classes that a requested `acr` names, as a list. A class is a text without spaces.
fn classes(terms: &ClaimTerms) -> Box<str> {
    let texts = terms.values.iter().filter_map(Value::as_str).filter(fits);
    texts.filter(|text| !text.contains(' ')).collect::<Vec<_>>().join(" ").into()
}

fn values(list: Option<&str>) -> impl Iterator<Item = &str> {
    list.unwrap_or_default().split(' ').filter(|value| !value.is_empty()).take(MAX_HINTS)
}

impl fmt::Debug for Prompts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(Prompt::ALL.iter().copied().filter(|prompt| self.has(*prompt))).finish()
    }
}

/// Omits the texts, which may identify a person.
impl fmt::Debug for AuthenticationRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("AuthenticationRequest");
        shown.field("prompts", &self.prompts).field("max_age", &self.max_age).finish_non_exhaustive()
    }
}
