//! What the user of a browser allowed clients that get no code. A code leaves a grant, in which grantor finds
//! what was allowed before; a response of the implicit flow leaves none.

use std::sync::Mutex;
use std::time::Instant;

use grantor::{ClientId, Consent, Scope};

use crate::expiring::Expiring;
use crate::session::{SIGNED_IN, lock};

const CLIENTS: usize = 32;

/// By client; it lasts as long as a sign-in.
pub(crate) struct Remembered(Mutex<Expiring<ClientId, Allowed>>);

#[derive(Clone)]
struct Allowed {
    scope: Scope,
    claims: Vec<String>,
}

impl Default for Remembered {
    fn default() -> Self {
        Self(Mutex::new(Expiring::new(SIGNED_IN, CLIENTS)))
    }
}

impl Remembered {
    /// What to keep if the user allows this.
    pub(crate) fn keep(&self, consent: &Consent) {
        if consent.response_type().has_code() {
            return;
        }
        let claims = consent.claims().into_iter().map(str::to_owned).collect();
        let allowed = Allowed { scope: consent.scope().clone(), claims };
        lock(&self.0).insert(consent.client().id().clone(), allowed, Instant::now());
    }

    /// Adds what this browser's user allowed the client before.
    pub(crate) fn add_to(&self, consent: Consent) -> Consent {
        let allowed = lock(&self.0).get(consent.client().id(), Instant::now()).cloned();
        match allowed {
            Some(Allowed { scope, claims }) => {
                consent.granted_before(&scope, &claims.iter().map(String::as_str).collect::<Vec<_>>())
            }
            None => consent,
        }
    }

    /// The user wants to be asked again.
    pub(crate) fn forget(&self, client: &ClientId) {
        lock(&self.0).remove(client);
    }
}
