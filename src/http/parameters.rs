//! [`Parameters`]: the parameters of a request, kept after the request itself.

use std::fmt;

use super::form::Form;
use crate::base::query;

/// The parameters of a request without the client's credentials, each with a value; only `resource` and
/// `audience` may be repeated. Its `Debug` shows only the names.
pub struct Parameters(Form<'static>);

/// Client credentials are removed: only client authentication may read them.
const CREDENTIALS: [&str; 4] = ["client_id", "client_secret", "client_assertion", "client_assertion_type"];

impl Parameters {
    /// The parameters of a form whose [repeats were checked](Form::check_repeats).
    pub(crate) fn of(form: &Form<'_>) -> Self {
        Self(form.owned_without(&CREDENTIALS))
    }

    /// The value of a parameter; never empty.
    #[must_use]
    pub fn one(&self, name: &str) -> Option<&str> {
        self.0.one(name).ok().flatten()
    }

    /// Every value of a parameter that may repeat.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.all(name)
    }

    /// Adds a parameter that is not present.
    pub(crate) fn insert(&mut self, name: &'static str, value: String) {
        self.0.push(name, value);
    }

    /// The parameters as a form.
    pub(crate) fn form(&self) -> &Form<'static> {
        &self.0
    }

    /// Encodes the parameters; the result parses to the same parameters.
    pub(crate) fn encode(&self) -> String {
        query::form(self.0.iter())
    }
}

impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
