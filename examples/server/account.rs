//! `/account/grants`: lists and revokes what applications may do for the user.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use grantor::grant::Grant;
use grantor::store::Filter;
use grantor::{ClientId, ClientRegistry, HostError, Subject};
use serde::Serialize;

use crate::app::App;
use crate::applications::{Chosen, name_of, unavailable};
use crate::details::{self, DetailLines};
use crate::forms::{PostedBy, see_other};
use crate::login::sign_in_first;
use crate::pages::Page;
use crate::scopes::ScopeLine;
use crate::session::Visitor;

const PATH: &str = "/account/grants";

/// `GET /account/grants`
pub(crate) async fn list(State(app): State<App>, visitor: Visitor) -> Response {
    let Some(signed_in) = visitor.signed_in() else {
        return sign_in_first(&app, &app.site.path(PATH));
    };
    match grants_of(&app, &signed_in.user.sub).await {
        Ok(page) => app.pages.show(visitor.session(), &page),
        Err(error) => unavailable(&app, &error),
    }
}

/// `POST /account/grants/revoke`: revokes everything that the user has ever allowed this application.
pub(crate) async fn revoke(State(app): State<App>, posted: PostedBy<Chosen>) -> Response {
    let subject = Subject::user(posted.by.user.sub.as_str());
    let client = ClientId::new(posted.fields.client_id);
    posted.session.browser().remembered.forget(&client);
    let filter = Filter::pair(subject, client);
    match app.server.revoke_all(&filter).await {
        Ok(_) => see_other(&app.site.path(PATH)),
        Err(error) => unavailable(&app, &error),
    }
}

async fn grants_of(app: &App, sub: &str) -> Result<GrantsPage, HostError> {
    let mut allowed: BTreeMap<ClientId, Allowed> = BTreeMap::new();
    for record in app.server.grants_of(&Subject::user(sub)).await? {
        let grant = record.grant();
        allowed.entry(grant.client().clone()).or_default().add(app, grant);
    }
    let mut grants = Vec::new();
    for (id, allowed) in allowed {
        let client = app.registry.client(&id).await?;
        grants.push(GrantLine {
            client_name: client.map_or_else(|| id.to_string(), |client| name_of(&client)),
            client_id: id.to_string(),
            since: allowed.since.map(|since| since.format("%-d %B %Y").to_string()).unwrap_or_default(),
            count: allowed.count,
            scopes: app.scopes.lines(allowed.scope.iter().map(String::as_str)),
            details: allowed.details,
            resources: allowed.resources,
        });
    }
    Ok(GrantsPage { grants })
}

/// What one application was allowed, in all of its grants.
#[derive(Default)]
struct Allowed {
    since: Option<DateTime<Utc>>,
    count: usize,
    scope: BTreeSet<String>,
    details: Vec<DetailLines>,
    resources: BTreeSet<String>,
}

impl Allowed {
    fn add(&mut self, app: &App, grant: &Grant) {
        let created = grant.created();
        self.since = Some(self.since.map_or(created, |since| since.min(created)));
        self.count += 1;
        self.scope.extend(grant.scope().iter().map(str::to_owned));
        for lines in details::lines(&app.details, grant.details()) {
            if !self.details.contains(&lines) {
                self.details.push(lines);
            }
        }
        self.resources.extend(grant.resources().as_slice().iter().map(ToString::to_string));
    }
}

#[derive(Serialize)]
struct GrantsPage {
    grants: Vec<GrantLine>,
}

impl Page for GrantsPage {
    const TEMPLATE: &'static str = "grants.html";
}

#[derive(Serialize)]
struct GrantLine {
    client_name: String,
    client_id: String,
    since: String,
    count: usize,
    scopes: Vec<ScopeLine>,
    details: Vec<DetailLines>,
    /// The resources where the access can be used, if the grants name any.
    resources: BTreeSet<String>,
}
