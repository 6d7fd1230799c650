//! `grants`: list and revoke.

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use grantor::grant::Grant;
use grantor::store::{Filter, Record};
use grantor::{ClientId, GrantId, Subject};

use super::{line, moment, text};
use crate::app::App;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Every active grant: id, application, user (`-` if the application acts for itself), scope, when it
    /// began, and how long it is kept if it is not used. Requests that wait for their user are no grants yet.
    List(Of),
    /// Ends grants and their tokens. Where a signed token is not looked up, it is accepted until it expires.
    Revoke {
        /// One grant.
        #[arg(required_unless_present_any = ["user", "client"], conflicts_with_all = ["user", "client"])]
        #[arg(allow_hyphen_values = true)]
        grant: Option<String>,
        #[command(flatten)]
        of: Of,
    },
}

/// Whose grants.
#[derive(Args)]
pub(crate) struct Of {
    /// Only this user's, by `sub`.
    #[arg(long, value_name = "SUB", allow_hyphen_values = true)]
    user: Option<String>,
    /// Only this application's.
    #[arg(long, value_name = "CLIENT_ID", allow_hyphen_values = true)]
    client: Option<String>,
}

impl Of {
    fn filter(self) -> Filter {
        match (self.user.map(Subject::user), self.client.map(ClientId::new)) {
            (None, None) => Filter::default(),
            (Some(user), None) => Filter::subject(user),
            (None, Some(client)) => Filter::client(client),
            (Some(user), Some(client)) => Filter::pair(user, client),
        }
    }
}

pub(crate) async fn run(command: Command, app: &App) -> Result<(), String> {
    match command {
        Command::List(of) => list(app, &of.filter()).await,
        Command::Revoke { grant: Some(grant), of: _ } => {
            let id: GrantId = grant.parse().map_err(text)?;
            match app.server.revoke_grant(id).await.map_err(text)? {
                true => ended(1),
                false => Err(format!("there is no grant {grant}, or it has ended")),
            }
        }
        Command::Revoke { grant: None, of } => {
            ended(app.server.revoke_all(&of.filter()).await.map_err(text)?)
        }
    }
}

fn ended(grants: u64) -> Result<(), String> {
    line(&[&grants]).map_err(|error| format!("ended {grants}, but this could not be printed: {error}"))
}

async fn list(app: &App, filter: &Filter) -> Result<(), String> {
    let mut from = None;
    loop {
        let page = app.server.grants(filter, from.as_ref(), 200).await.map_err(text)?;
        let now = Utc::now();
        for record in page.records.iter().filter(|record| is_active(record.grant(), now)) {
            show(record)?;
        }
        for damaged in &page.damaged {
            let user = user(&damaged.subject);
            line(&[&damaged.id, &damaged.client.as_str(), &user, &"unreadable", &"", &""])?;
        }
        match page.next {
            Some(next) => from = Some(next),
            None => return Ok(()),
        }
    }
}

/// A pushed request and a device that wait for their user have no user and no token yet.
fn is_active(grant: &Grant, now: DateTime<Utc>) -> bool {
    let waits = grant.subject().as_user().is_none() && !grant.is_redeemed(now);
    grant.is_live(now) && !waits
}

fn user(subject: &Subject) -> &str {
    subject.as_user().unwrap_or("-")
}

fn show(record: &Record) -> Result<(), String> {
    let grant = record.grant();
    let (began, kept_until) = (moment(grant.created()), moment(grant.expires()));
    line(&[
        &grant.id(),
        &grant.client().as_str(),
        &user(grant.subject()),
        &grant.scope().as_str(),
        &began,
        &kept_until,
    ])
}
