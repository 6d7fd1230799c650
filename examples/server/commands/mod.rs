//! The commands for operators: check a file, and list and change clients, grants and keys.

mod check;
mod clients;
mod grants;
mod keys;

use std::fmt::Display;
use std::io::Write;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::Subcommand;

pub(crate) use check::check;

use crate::config::Config;
use crate::setup;

/// Commands that run instead of the server. All but `check` work on the store of the file, also while servers
/// use it.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Reports every mistake of the configuration file, without touching its store.
    Check {
        /// The file, if it was not named before the command.
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Applications.
    #[command(subcommand)]
    Clients(clients::Command),
    /// What users and applications were granted.
    #[command(subcommand)]
    Grants(grants::Command),
    /// The signing keys.
    #[command(subcommand)]
    Keys(keys::Command),
}

impl Command {
    /// The configuration file in the arguments of the command.
    pub(crate) fn file(&self) -> Option<PathBuf> {
        match self {
            Self::Check { file } => file.clone(),
            Self::Clients(_) | Self::Grants(_) | Self::Keys(_) => None,
        }
    }
}

/// Runs the command.
///
/// # Errors
/// One line for each thing that is wrong.
pub(crate) async fn run(command: Command, config: Config) -> Result<(), Vec<String>> {
    if matches!(command, Command::Check { .. }) {
        config.warnings().iter().for_each(|warning| eprintln!("warning: {warning}"));
        return check(config, Vec::new()).await;
    }
    if config.store == "memory" {
        return Err(vec![
            "store: memory belongs to one process: name the store that the server uses".to_owned(),
        ]);
    }
    let address = config.listen;
    let app = setup::app(config, address).await?;
    let done = match command {
        Command::Check { .. } => Ok(()),
        Command::Clients(command) => clients::run(command, &app).await,
        Command::Grants(command) => grants::run(command, &app).await.map_err(|error| vec![error]),
        Command::Keys(command) => keys::run(command, &app).await.map_err(|error| vec![error]),
    };
    app.connections.close().await;
    done
}

/// A line of a table, with tabs between its columns. The reader may have closed the pipe.
fn line(columns: &[&dyn Display]) -> Result<(), String> {
    let columns: Vec<String> = columns.iter().map(|column| one_line(&column.to_string())).collect();
    writeln!(std::io::stdout(), "{}", columns.join("\t")).map_err(text)
}

/// Names come from strangers: they must not add a line or a column, or move the cursor of the terminal.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn moment(time: DateTime<Utc>) -> impl Display {
    time.format("%Y-%m-%dT%H:%M:%SZ")
}

fn text(error: impl Display) -> String {
    error.to_string()
}
