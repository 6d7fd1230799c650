//! `keys`: list keys, rotate early, or replace a leaked key.

use chrono::Utc;
use clap::Subcommand;
use grantor::keys::{KeyStage, KeyView, Keys};

use super::{line, moment, text};
use crate::app::App;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Every key: its kid, algorithm and stage, and when it starts to sign.
    List,
    /// Announces a successor of each key that signs; it takes over once verifiers have had time to fetch it.
    Rotate,
    /// Invalidates a leaked key and every token that it signed, at once. Other nodes follow within a minute.
    Replace {
        #[arg(allow_hyphen_values = true)]
        kid: String,
    },
}

pub(crate) async fn run(command: Command, app: &App) -> Result<(), String> {
    let keys = app.keys.as_ref().ok_or("nothing is signed by this configuration, so there are no keys")?;
    let now = Utc::now();
    match command {
        Command::List => list(keys).await,
        Command::Rotate => {
            for algorithm in keys.algorithms() {
                keys.rotate_now(algorithm, now).await.map_err(text)?;
            }
            list_changed(keys).await
        }
        Command::Replace { kid } => {
            keys.replace(&kid, now).await.map_err(|error| format!("{kid}: {error}"))?;
            list_changed(keys).await
        }
    }
}

async fn list_changed(keys: &Keys) -> Result<(), String> {
    list(keys).await.map_err(|error| format!("this is done, but the keys could not be listed: {error}"))
}

async fn list(keys: &Keys) -> Result<(), String> {
    show(&*keys.current(Utc::now()).await.map_err(text)?)
}

fn show(view: &KeyView) -> Result<(), String> {
    for state in view.states() {
        let stage = match state.stage {
            KeyStage::Announced => "announced",
            KeyStage::Signing => "signing",
            KeyStage::Published => "published",
            _ => continue,
        };
        let kid = state.key.kid().unwrap_or_default();
        line(&[&kid, &state.algorithm.as_str(), &stage, &moment(state.signs)])?;
    }
    Ok(())
}
