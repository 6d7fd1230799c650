//! What every consent page shows about an application and its request.

use grantor::base::ResourceIndicators;
use grantor::{AuthorizationDetails, Client, ResourceId, Scope};
use serde::Serialize;

use crate::app::App;
use crate::applications::name_of;
use crate::details::{self, DetailLines};
use crate::scopes::ScopeLine;

#[derive(Serialize)]
pub(crate) struct Asking<'a> {
    client_name: String,
    initial: String,
    developer: Option<String>,
    /// The host of its metadata document.
    host: Option<&'a str>,
    home: Option<&'a str>,
    /// Its privacy policy and its terms, which the user is to be able to read (OpenID Connect Registration
    /// section 2). Not its logo: a stranger could show that of somebody else.
    links: Vec<(&'static str, &'a str)>,
    scopes: Vec<ScopeLine>,
    details: Vec<DetailLines>,
    /// Individual claims about the user, by their OpenID Connect names.
    claims: Vec<&'a str>,
    /// The resources where it will use the access, if it names any.
    resources: Vec<&'a str>,
    warnings: Vec<&'static str>,
}

impl<'a> Asking<'a> {
    pub(crate) fn new(
        app: &App,
        client: &'a Client,
        scope: &Scope,
        details: &AuthorizationDetails,
        resources: &'a ResourceIndicators,
    ) -> Self {
        let client_name = name_of(client);
        let developer = client.owner().and_then(|sub| Some(app.users.by_sub(sub)?.username.clone()));
        let initial = client_name.chars().find(|c| c.is_alphanumeric());
        Self {
            initial: initial.into_iter().flat_map(char::to_uppercase).collect(),
            client_name,
            warnings: warnings(client, developer.is_some()),
            developer,
            host: client.document_host(),
            home: client.metadata().client_uri.as_deref(),
            links: links(client),
            scopes: app.scopes.lines(scope.iter()),
            details: details::lines(&app.details, details),
            claims: Vec::new(),
            resources: resources.as_slice().iter().map(ResourceId::as_str).collect(),
        }
    }

    /// Marks what is new, compared to what the user granted this client before.
    pub(crate) fn since(mut self, before: &Scope) -> Self {
        self.scopes.iter_mut().for_each(|line| line.compare(before));
        self
    }

    /// Sets the claims about the user that it requests beyond its scopes.
    pub(crate) fn claims(self, claims: Vec<&'a str>) -> Self {
        Self { claims, ..self }
    }

    /// Adds whatever else a careful person would want to know before allowing anything.
    pub(crate) fn warn(mut self, warnings: impl IntoIterator<Item = &'static str>) -> Self {
        self.warnings.extend(warnings);
        self
    }
}

fn links(client: &Client) -> Vec<(&'static str, &str)> {
    let metadata = client.metadata();
    let links = [("Privacy policy", &metadata.policy_uri), ("Terms of service", &metadata.tos_uri)];
    let is_page = |url: &&str| url.starts_with("https://") || url.starts_with("http://");
    links.into_iter().filter_map(|(text, url)| Some((text, url.as_deref().filter(is_page)?))).collect()
}

/// What a careful person would want to know about an application.
fn warnings(client: &Client, registered_by_a_user: bool) -> Vec<&'static str> {
    [
        (client.is_self_registered(), SELF_REGISTERED),
        (client.document_host().is_some(), BY_DOCUMENT),
        (registered_by_a_user, UNREVIEWED),
    ]
    .into_iter()
    .filter_map(|(applies, text)| applies.then_some(text))
    .collect()
}

const SELF_REGISTERED: &str =
    "This application registered itself. Nobody has checked its name, or anything else that it says.";
const BY_DOCUMENT: &str =
    "Nobody here knows this application. The site named below vouches for it, but its name is its own claim.";
const UNREVIEWED: &str = "Its name was chosen by the person who registered it. Nobody has checked it.";
