//! `clients`: list, disable, enable, and a new secret.

use std::time::Duration;

use clap::Subcommand;
use grantor::client::{ClientPage, ClientState};
use grantor::{Client, ClientId};

use super::{line, text};
use crate::app::App;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Every application: id, where it was registered, whether it is served, how it authenticates, its name.
    List,
    /// Stops serving an application, at all nodes at once. What it was granted stays: see `grants revoke`.
    Disable { client_id: String },
    /// Serves it again.
    Enable { client_id: String },
    /// Makes a new secret and prints it; the former one works for a while more.
    RotateSecret {
        client_id: String,
        /// How long the former secret works; 0 for one that has leaked.
        #[arg(long, value_name = "HOURS", default_value_t = 24)]
        former: u32,
    },
}

pub(crate) async fn run(command: Command, app: &App) -> Result<(), String> {
    match command {
        Command::List => list(app).await,
        Command::Disable { client_id } => put(app, &client_id, ClientState::Disabled).await,
        Command::Enable { client_id } => put(app, &client_id, ClientState::Active).await,
        Command::RotateSecret { client_id, former } => {
            let id = registered(app, &client_id)?;
            let overlap = Duration::from_secs(u64::from(former) * 60 * 60);
            let secret = app.server.rotate_client_secret(&id, overlap).await.map_err(text)?;
            line(&[&secret.ok_or_else(|| unknown(&client_id))?.reveal()])
        }
    }
}

async fn list(app: &App) -> Result<(), String> {
    for client in app.registry.of_file() {
        show(&client, "file")?;
    }
    let mut page = ClientPage::first(200);
    loop {
        let listing = app.registry.registered.clients(&page).await.map_err(text)?;
        for client in &listing.clients {
            show(client, if client.is_self_registered() { "itself" } else { "registered" })?;
        }
        for id in &listing.damaged {
            line(&[&id.as_str(), &"registered", &"unreadable", &"", &""])?;
        }
        match listing.next {
            Some(last) => page = page.after(last),
            None => return Ok(()),
        }
    }
}

fn show(client: &Client, origin: &str) -> Result<(), String> {
    let state = match client.state() {
        ClientState::Active => "active",
        ClientState::Disabled => "disabled",
        _ => "ending",
    };
    let name = client.name().unwrap_or_default();
    line(&[&client.id().as_str(), &origin, &state, &client.auth_method().as_str(), &name])
}

async fn put(app: &App, id: &str, state: ClientState) -> Result<(), String> {
    match app.server.set_client_state(&registered(app, id)?, state).await.map_err(text)? {
        true => Ok(()),
        false => Err(unknown(id)),
    }
}

/// An application that is not one of the file.
fn registered(app: &App, id: &str) -> Result<ClientId, String> {
    let id = ClientId::new(id);
    match app.registry.of_file().iter().any(|client| *client.id() == id) {
        true => Err(format!("{:?} is in the configuration file: change it there", id.as_str())),
        false => Ok(id),
    }
}

fn unknown(id: &str) -> String {
    format!("there is no application {id:?}")
}
