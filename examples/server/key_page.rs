//! `/keys`: the public keys, and the stage that each is in.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use grantor::keys::{KeyStage, KeyState};
use serde::Serialize;

use crate::app::{App, not_found};
use crate::applications::unavailable;
use crate::pages::Page;
use crate::session::Visitor;

/// `GET /keys`, for anyone: what it shows is public.
pub(crate) async fn list(State(app): State<App>, visitor: Visitor) -> Response {
    let Some(keys) = &app.keys else {
        return not_found(State(app)).await;
    };
    match keys.current(Utc::now()).await {
        Ok(view) => {
            let lines = view.states().iter().filter_map(KeyLine::of).collect();
            app.pages.show(visitor.session(), &KeysPage { keys: lines })
        }
        Err(fault) => unavailable(&app, &fault),
    }
}

#[derive(Serialize)]
struct KeysPage {
    keys: Vec<KeyLine>,
}

impl Page for KeysPage {
    const TEMPLATE: &'static str = "keys.html";
}

#[derive(Serialize)]
struct KeyLine {
    kid: String,
    algorithm: &'static str,
    stage: &'static str,
    text: &'static str,
    announced: Moment,
    signs: Moment,
    stops: Option<Moment>,
    gone: Option<Moment>,
}

impl KeyLine {
    /// `None` for a retired key, which is no longer in the key set.
    fn of(state: &KeyState) -> Option<Self> {
        let (stage, text) = match state.stage {
            KeyStage::Announced => ("Announced", "Verifiers may fetch it already. It does not sign yet."),
            KeyStage::Signing => ("Signing", "Every new token is signed with it."),
            KeyStage::Published => {
                ("Published", "It no longer signs. The tokens that it signed still verify.")
            }
            _ => return None,
        };
        Some(Self {
            kid: state.key.kid().unwrap_or_default().to_owned(),
            algorithm: state.algorithm.as_str(),
            stage,
            text,
            announced: Moment::of(state.announced),
            signs: Moment::of(state.signs),
            stops: state.stops.map(Moment::of),
            gone: state.gone.map(Moment::of),
        })
    }
}

/// A time in two forms, for people and for machines.
#[derive(Serialize)]
struct Moment {
    text: String,
    iso: String,
}

impl Moment {
    fn of(time: DateTime<Utc>) -> Self {
        Self {
            text: time.format("%-d %B %Y, %H:%M UTC").to_string(),
            iso: time.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        }
    }
}
