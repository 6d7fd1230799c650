//! A complete authorization server, configured by one file: sign-in, consent, applications, and every
//! endpoint that grantor has.
//!
//! ```text
//! cargo run -p grantor-server                    # the demonstration configuration
//! cargo run -p grantor-server -- my-server.toml
//! cargo run -p grantor-server -- my-server.toml --store sqlite:grants.db
//! cargo run -p grantor-server -- check my-server.toml
//! cargo run -p grantor-server -- my-server.toml clients list
//! cargo run -p grantor-server -- my-server.toml clients add application.toml
//! ```
//!
//! Its log goes to standard error. By default it has every refusal, revocation and replay;
//! `RUST_LOG=grantor=debug` adds every issued token.
//!
//! The OAuth part is grantor's. This folder has what a host provides: users and their sessions, pages, and
//! the address to listen on. The two meet in `authorize.rs`.

mod account;
mod api;
mod app;
mod applications;
mod asking;
mod assertions;
mod authorize;
mod capabilities;
mod clients;
mod commands;
mod config;
mod cookies;
mod decisions;
mod details;
mod device;
mod dpop;
mod ended_sessions;
mod exchange;
mod expiring;
mod fapi;
mod forms;
mod health;
mod key_page;
mod login;
mod logout;
mod mistakes;
mod openid;
mod outbound;
mod pages;
mod password;
mod playground;
mod registration;
mod remembered;
mod scopes;
mod session;
mod setup;
mod site;
mod step_up;
mod stores;
mod tls;
mod tokens;
mod toml_reader;
mod users;
mod vault;
mod visitors;

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use grantor::adapter::axum::Connection;
use tokio::net::TcpListener;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::app::App;
use crate::config::Config;
use crate::tls::TlsServer;

/// An OAuth authorization server with its pages, configured by one file.
#[derive(Parser)]
#[command(name = "grantor-server", version)]
struct Arguments {
    /// The configuration file (TOML); without one, a demonstration on http://127.0.0.1:9400.
    config: Option<PathBuf>,
    /// The configuration file, as a named option.
    #[arg(long = "config", value_name = "FILE", conflicts_with = "config")]
    config_file: Option<PathBuf>,
    /// Where grants, registered applications and signing keys are kept: memory, sqlite:PATH,
    /// postgres://USER:PASSWORD@HOST/DATABASE, redis://HOST or redis-cluster://HOST:PORT,HOST:PORT. It
    /// overrides `store` in the file.
    #[arg(long, value_name = "ADDRESS")]
    store: Option<String>,
    /// Reads a password from standard input and prints the hash to put into the file.
    #[arg(long)]
    hash_password: bool,
    #[command(subcommand)]
    command: Option<commands::Command>,
}

/// The configuration or another input is wrong, or the address is in use: a restart would not help.
const MISCONFIGURED: u8 = 2;

/// How often expired grants and sessions are removed.
const SWEEP: Duration = Duration::from_secs(60);

/// How long requests in progress may still take when the server is told to stop.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.hash_password {
        return hash_password();
    }
    log_to_stderr();
    match run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(mistakes) => {
            for mistake in mistakes {
                // It may repeat a text of the file that has line breaks.
                eprintln!("error: {}", mistake.replace(char::is_control, " "));
            }
            ExitCode::from(MISCONFIGURED)
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Vec<String>> {
    let named = arguments.command.as_ref().and_then(commands::Command::file);
    let (mut config, mistakes) = match named.or(arguments.config).or(arguments.config_file) {
        None => (Config::demo()?, Vec::new()),
        Some(path) => {
            let text = std::fs::read_to_string(&path)
                .map_err(|error| vec![format!("{}: {error}", path.display())])?;
            let in_file = |mistakes: Vec<String>| {
                mistakes.into_iter().map(|m| format!("{}: {m}", path.display())).collect::<Vec<_>>()
            };
            let (config, mistakes) = Config::read(&text).map_err(in_file)?;
            (config.in_folder(path.parent().unwrap_or(Path::new(""))), in_file(mistakes))
        }
    };
    config.store = arguments.store.unwrap_or(config.store);
    if !mistakes.is_empty() {
        return commands::check(config, mistakes).await;
    }
    if let Some(command) = arguments.command {
        return commands::run(command, config).await;
    }
    config.warnings().iter().for_each(|warning| tracing::warn!("{warning}"));
    let tls = match config.tls.as_ref().map(tls::Tls::open).transpose() {
        Ok(tls) => tls,
        Err(mistake) => {
            commands::check(config, Vec::new()).await?;
            return Err(vec![mistake.to_string()]);
        }
    };
    let wanted = config.listen;
    let cannot_listen = |error: std::io::Error| vec![format!("listen: {wanted}: {error}")];
    let listener = match TcpListener::bind(wanted).await {
        Ok(listener) => listener,
        Err(error) => return commands::check(config, cannot_listen(error)).await,
    };
    let address = listener.local_addr().map_err(cannot_listen)?;
    let app = setup::app(config, address).await?;
    let sweeping = tokio::spawn(sweep(app.clone()));
    let served = serve(listener, address, app.clone().router(), tls).await;
    sweeping.abort();
    // It may be in a call of the store.
    let _ = sweeping.await;
    ended_sessions::end_all(&app).await;
    app.connections.close().await;
    served.map_err(|error| vec![error.to_string()])
}

/// What has expired goes, and what began in sessions that are gone.
async fn sweep(app: App) {
    tokio::join!(app.server.clone().keep_sweeping(SWEEP), ended_sessions::keep_ending(&app, SWEEP));
}

async fn serve(
    listener: TcpListener,
    address: SocketAddr,
    router: axum::Router,
    tls: Option<TlsServer>,
) -> std::io::Result<()> {
    let asked_to_stop = asked_to_stop()?;
    // Printed only now, when connections are accepted: the program that started this one waits for the line.
    let mut out = std::io::stdout();
    let scheme = if tls.is_some() { "https" } else { "http" };
    writeln!(out, "grantor example server listening on {scheme}://{address}")?;
    out.flush()?;
    let (stopping, stopped) = tokio::sync::oneshot::channel();
    let until = async move {
        asked_to_stop.await;
        let _ = stopping.send(());
    };
    let serving = async {
        match tls {
            None => {
                let service = router.into_make_service_with_connect_info::<SocketAddr>();
                axum::serve(listener, service).with_graceful_shutdown(until).await
            }
            Some(tls) => {
                let service = router.into_make_service_with_connect_info::<Connection>();
                axum::serve(tls.listener(listener), service).with_graceful_shutdown(until).await
            }
        }
    };
    let out_of_time = async move {
        if stopped.await.is_ok() {
            tokio::time::sleep(LAST_ANSWERS).await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        ended = serving => ended,
        () = out_of_time => Ok(()),
    }
}

/// Waits for SIGINT, SIGTERM or SIGHUP; the signals are caught from this call on. There is nothing to reload,
/// so a terminal that closes, or a script that asks for it, ends the server like any other signal.
#[cfg(unix)]
fn asked_to_stop() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn asked_to_stop() -> std::io::Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}

/// `RUST_LOG` has the form `info` or `grantor=debug,info`.
fn log_to_stderr() {
    let wanted = std::env::var("RUST_LOG").ok().and_then(|text| text.parse::<Targets>().ok());
    // PostgreSQL notices at the start which tables exist already.
    let usual = || {
        let all = Targets::new().with_default(tracing::Level::INFO);
        all.with_target("sqlx::postgres::notice", tracing::Level::WARN)
    };
    let filter = wanted.unwrap_or_else(usual);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    tracing_subscriber::registry().with(lines).with(filter).init();
}

fn hash_password() -> ExitCode {
    let mut password = String::new();
    let read = std::io::stdin().read_line(&mut password).map_err(|error| error.to_string());
    match read.and_then(|_| users::hash(password.trim_end_matches(['\r', '\n']))) {
        Ok(phc) => {
            println!("{phc}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(MISCONFIGURED)
        }
    }
}
