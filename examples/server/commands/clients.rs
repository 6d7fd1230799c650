//! `clients`: list, add, disable, enable, and rotate the secret.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Subcommand;
use grantor::client::{ClientPage, ClientState};
use grantor::{AuthMethod, Client, ClientBuilder, ClientId, ClientMetadata, ClientRegistry};
use toml::Table;

use super::{line, text};
use crate::app::App;
use crate::toml_reader::{Reader, syntax_error};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Every application: id, where it was registered, whether it is served, how it authenticates, its name.
    List,
    /// Registers applications. Prints the id of each and, unless it is public, its secret, which is shown
    /// this once. All files are checked first; if one has a mistake, none is registered. If the store fails
    /// midway, the applications that were printed are registered.
    Add {
        /// One application, with the member names of RFC 7591, or several as `[[clients]]`; without
        /// `client_id` and `client_secret` in both cases. `-` is standard input. A `sector_identifier_uri`
        /// is not fetched: you vouch for its list.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Stops serving an application, on all nodes at once. Its grants remain: see `grants revoke`.
    Disable {
        #[arg(allow_hyphen_values = true)]
        client_id: String,
    },
    /// Serves it again.
    Enable {
        #[arg(allow_hyphen_values = true)]
        client_id: String,
    },
    /// Makes a new secret and prints it; the former one works for a while longer. Refused for an application
    /// that registered itself. `id_token`s with HS256 are signed with the new one at once.
    RotateSecret {
        #[arg(allow_hyphen_values = true)]
        client_id: String,
        /// How long the former secret works; 0 for one that has leaked.
        #[arg(long, value_name = "HOURS", default_value_t = 24)]
        former: u32,
    },
}

pub(crate) async fn run(command: Command, app: &App) -> Result<(), Vec<String>> {
    let done = match command {
        Command::List => list(app).await,
        Command::Add { files } => add(app, read_all(app, &files)?).await,
        Command::Disable { client_id } => put(app, &client_id, ClientState::Disabled).await,
        Command::Enable { client_id } => put(app, &client_id, ClientState::Active).await,
        Command::RotateSecret { client_id, former } => rotate(app, &client_id, former).await,
    };
    done.map_err(|error| vec![error])
}

async fn rotate(app: &App, client_id: &str, former: u32) -> Result<(), String> {
    let id = registered(app, client_id)?;
    let client = app.registry.registered.client(&id).await.map_err(text)?;
    let client = client.ok_or_else(|| unknown(client_id))?;
    if client.is_self_registered() {
        return Err(format!("{client_id:?} registered itself, so only it can change its secret"));
    }
    check_openable(app, client.metadata()).map_err(|mistake| format!("{client_id:?}: {mistake}"))?;
    let overlap = Duration::from_secs(u64::from(former) * 60 * 60);
    let secret = app.server.rotate_client_secret(&id, overlap).await.map_err(text)?;
    let secret = secret.ok_or_else(|| unknown(client_id))?;
    line(&[&secret.reveal()]).map_err(|error| {
        format!(
            "{client_id:?} has a new secret, but it could not be printed, so rotate it once more: {error}"
        )
    })
}

/// Checks that a server process can open the secret of this application.
fn check_openable(app: &App, metadata: &ClientMetadata) -> Result<(), &'static str> {
    if metadata.token_endpoint_auth_method == Some(AuthMethod::ClientSecretJwt) {
        return Err("client_secret_jwt is only for clients of the server's file");
    }
    match metadata.needs_sealed_secret() && !app.keeps_sealed_secrets {
        true => Err("without a sealing_key, HS256 is only for clients of the server's file"),
        false => Ok(()),
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

/// The applications in all files, or the mistakes of all.
fn read_all(app: &App, files: &[PathBuf]) -> Result<Vec<ClientBuilder>, Vec<String>> {
    let (mut applications, mut mistakes) = (Vec::new(), Vec::new());
    for file in files {
        match read(app, file) {
            Ok(described) => applications.extend(described),
            Err(found) => mistakes.extend(found),
        }
    }
    if mistakes.is_empty() { Ok(applications) } else { Err(mistakes) }
}

async fn add(app: &App, applications: Vec<ClientBuilder>) -> Result<(), String> {
    for application in applications {
        let registered = app.server.register(application).await.map_err(text)?;
        let id = registered.client.id().as_str();
        match &registered.secret {
            Some(secret) => line(&[&id, &secret.reveal()]).map_err(|error| {
                format!("{id:?} is registered, but its secret could not be printed, so rotate it: {error}")
            })?,
            None => line(&[&id])
                .map_err(|error| format!("{id:?} is registered, but could not be printed: {error}"))?,
        }
    }
    Ok(())
}

/// The applications in a file, after checking that each can be registered.
fn read(app: &App, file: &Path) -> Result<Vec<ClientBuilder>, Vec<String>> {
    let in_file = |mistake: String| format!("{}: {mistake}", file.display());
    let text = match file.to_str() {
        Some("-") => std::io::read_to_string(std::io::stdin()),
        Some(_) | None => std::fs::read_to_string(file),
    };
    let text = text.map_err(|error| vec![in_file(error.to_string())])?;
    let mut table = text.parse::<Table>().map_err(|error| vec![in_file(syntax_error(&text, &error))])?;
    let mut reader = Reader::default();
    let described = if table.contains_key("clients") {
        let several = reader.each(&mut table, "clients", metadata);
        for key in table.keys() {
            reader.mistakes.push(format!("unknown key `{key}` beside [[clients]]"));
        }
        several
    } else {
        metadata(&mut reader, "application", table).into_iter().collect()
    };
    let mut applications = Vec::new();
    for (place, metadata) in described {
        match application(app, metadata) {
            Ok(application) => applications.push(application),
            Err(found) => reader.mistakes.extend(found.iter().map(|mistake| format!("{place}: {mistake}"))),
        }
    }
    match reader.mistakes.is_empty() {
        true => Ok(applications),
        false => Err(reader.mistakes.into_iter().map(in_file).collect()),
    }
}

fn application(app: &App, metadata: ClientMetadata) -> Result<ClientBuilder, Vec<String>> {
    check_openable(app, &metadata).map_err(|mistake| vec![mistake.to_owned()])?;
    let mistakes = app.capabilities.mistakes(&metadata);
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let application = Client::application().metadata(metadata);
    app.server.check_registration(application.clone()).map_err(|error| vec![text(error)])?;
    Ok(application)
}

/// One application, and its place in the file.
fn metadata(reader: &mut Reader, place: &str, entry: Table) -> Option<(String, ClientMetadata)> {
    let made = ["client_id", "client_secret"].into_iter().find(|key| entry.contains_key(*key));
    if let Some(key) = made {
        reader.mistakes.push(format!("{place}: {key} is made by the server, so leave it out"));
        return None;
    }
    let before = reader.mistakes.len();
    let metadata = reader.settings(place, entry)?;
    (reader.mistakes.len() == before).then(|| (place.to_owned(), metadata))
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

/// The id of an application that is not in the configuration file.
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
