//! Authorization server metadata (RFC 8414), derived from the configuration, so that every advertised
//! endpoint works.

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::{Inner, has_users};
use crate::audit::Endpoint;
use crate::client::{GrantType, ResponseMode, ResponseType};
use crate::error::{Fault, Refusal};
use crate::http::Response;
use crate::issuance::SignedAnswers;
use crate::server::{AuthorizationServer, EventSubject};
use crate::signing::Unsigned;

/// The functions that add members to the document. A feature with its own members adds a function.
const ADVERTISE: &[fn(&Inner, &mut Members)] = &[
    issuer,
    super::members,
    super::mtls_aliases,
    scopes,
    grant_types,
    authorization_requests,
    details,
    proofs,
    client_documents,
    request_objects,
    signed_answers,
    super::openid::members,
];

/// The order in the document: that of RFC 8414 section 2. Members that are not listed here follow in the
/// order in which they were added.
const ORDER: &[&str] = &[
    "issuer",
    "authorization_endpoint",
    "token_endpoint",
    "userinfo_endpoint",
    "end_session_endpoint",
    "registration_endpoint",
    "jwks_uri",
    "scopes_supported",
    "response_types_supported",
    "response_modes_supported",
    "grant_types_supported",
    "authorization_grant_profiles_supported",
    "token_endpoint_auth_methods_supported",
    "token_endpoint_auth_signing_alg_values_supported",
    "revocation_endpoint",
    "revocation_endpoint_auth_methods_supported",
    "revocation_endpoint_auth_signing_alg_values_supported",
    "introspection_endpoint",
    "introspection_endpoint_auth_methods_supported",
    "introspection_endpoint_auth_signing_alg_values_supported",
    "introspection_signing_alg_values_supported",
    "device_authorization_endpoint",
    "pushed_authorization_request_endpoint",
    "require_pushed_authorization_requests",
    "request_parameter_supported",
    "request_uri_parameter_supported",
    "request_object_signing_alg_values_supported",
    "require_signed_request_object",
    "code_challenge_methods_supported",
    "dpop_signing_alg_values_supported",
    "authorization_details_types_supported",
    "authorization_response_iss_parameter_supported",
    "authorization_signing_alg_values_supported",
    "client_id_metadata_document_supported",
];

/// The members of the document. RFC 8414 section 3.2 forbids empty lists, and a switch that is off is the
/// default.
#[derive(Default)]
pub(in crate::server) struct Members(Vec<(Cow<'static, str>, Value)>);

impl Members {
    pub(in crate::server) fn text(&mut self, name: impl Into<Cow<'static, str>>, text: impl Into<String>) {
        self.add(name, Value::String(text.into()));
    }

    /// A list that is left out if it is empty.
    pub(in crate::server) fn list<'a>(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        items: impl IntoIterator<Item = &'a str>,
    ) {
        let items: Vec<Value> = items.into_iter().map(Value::from).collect();
        if !items.is_empty() {
            self.add(name, Value::Array(items));
        }
    }

    /// A list that is present even if it is empty.
    pub(in crate::server) fn required_list<'a>(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        items: impl IntoIterator<Item = &'a str>,
    ) {
        self.add(name, Value::Array(items.into_iter().map(Value::from).collect()));
    }

    /// An object of strings.
    pub(in crate::server) fn object<'a>(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        texts: impl IntoIterator<Item = (&'a str, String)>,
    ) {
        let texts = texts.into_iter().map(|(name, text)| (name.to_owned(), Value::String(text)));
        self.add(name, Value::Object(texts.collect()));
    }

    /// A boolean that is present even if it is false, because true is its default.
    pub(in crate::server) fn flag(&mut self, name: impl Into<Cow<'static, str>>, is_on: bool) {
        self.add(name, Value::Bool(is_on));
    }

    /// A boolean that is left out if it is false.
    pub(in crate::server) fn switch(&mut self, name: impl Into<Cow<'static, str>>, is_on: bool) {
        if is_on {
            self.add(name, Value::Bool(true));
        }
    }

    fn add(&mut self, name: impl Into<Cow<'static, str>>, value: Value) {
        self.0.push((name.into(), value));
    }

    fn in_order(mut self) -> Self {
        self.0.sort_by_key(|(name, _)| ORDER.iter().position(|own| own == name).unwrap_or(ORDER.len()));
        self
    }
}

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl AuthorizationServer {
    /// The metadata document (RFC 8414), without `signed_metadata`, which only [`handle`](Self::handle) adds.
    pub fn metadata(&self) -> Response {
        document(&self.members())
    }

    /// The document, with `signed_metadata` if it is signed.
    pub(super) async fn served_metadata(&self) -> Response {
        if !self.rules().signed_answers.metadata {
            return self.metadata();
        }
        let mut members = self.members();
        match self.signed_metadata(&members).await {
            Ok(jwt) => {
                members.text("signed_metadata", jwt);
                document(&members)
            }
            Err(refusal) => self.refuse(refusal, Endpoint::Metadata, EventSubject::default()),
        }
    }

    /// The members as a JWT whose `iss` is this server (RFC 8414 section 2.1).
    async fn signed_metadata(&self, members: &Members) -> Result<String, Refusal> {
        #[derive(Serialize)]
        struct Claims<'a> {
            iss: &'a str,
            iat: i64,
            #[serde(flatten)]
            members: &'a Members,
        }
        let claims = Claims { iss: &self.rules().issuer, iat: self.now().timestamp(), members };
        let unsigned = Unsigned::new(SIGNED_METADATA, &claims, None).map_err(Fault::from)?;
        self.sign(&unsigned).await
    }

    fn members(&self) -> Members {
        let mut members = Members::default();
        ADVERTISE.iter().for_each(|add| add(&self.inner, &mut members));
        members.in_order()
    }
}

/// The `typ` of `signed_metadata`. No standard names one; without one of its own, the JWT could pass as
/// another kind (RFC 8725 section 3.11).
const SIGNED_METADATA: &str = "signed-metadata+jwt";

fn document(members: &Members) -> Response {
    serde_json::to_vec(members).map_or_else(|_| Response::empty(500), |json| Response::public_json(json, 300))
}

fn issuer(server: &Inner, members: &mut Members) {
    members.text("issuer", &*server.rules.issuer);
}

fn scopes(server: &Inner, members: &mut Members) {
    members.list("scopes_supported", server.rules.scope.iter());
}

fn grant_types(server: &Inner, members: &mut Members) {
    let extensions = server.rules.extensions.iter();
    let own = extensions.clone().map(|own| &own.grant_type);
    let grant_types = GrantType::BUILT_IN.iter().chain(own).filter(|grant_type| works(grant_type, server));
    members.required_list("grant_types_supported", grant_types.map(GrantType::as_str));
    let profiles = extensions.flat_map(|own| own.terms.profiles.iter().copied());
    members.list("authorization_grant_profiles_supported", profiles);
}

/// Whether a client can get tokens with this grant type here.
pub(super) fn works(grant_type: &GrantType, server: &Inner) -> bool {
    let has_users = has_users(server);
    let has_devices = super::has_devices(server);
    let has_owner = server.owner.is_some();
    let rules = &server.rules;
    rules.serves(grant_type)
        && match grant_type {
            GrantType::AuthorizationCode | GrantType::Implicit => has_users,
            GrantType::DeviceCode => has_devices,
            GrantType::Password => has_owner,
            GrantType::TokenExchange => server.exchange.is_some(),
            GrantType::RefreshToken => {
                has_users
                    || has_devices
                    || (has_owner && rules.profile.knows(&GrantType::Password))
                    || rules.extensions.iter().any(|own| own.terms.refresh_tokens)
            }
            GrantType::ClientCredentials | GrantType::Extension(_) => true,
        }
}

fn authorization_requests(server: &Inner, members: &mut Members) {
    let answers = ResponseType::ALL.iter().filter(|answer| {
        let can_be_had = !answer.has_id_token() || server.rules.openid.is_some();
        can_be_had && answer.grant_types().iter().all(|grant_type| works(grant_type, server))
    });
    members.required_list("response_types_supported", answers.map(|answer| answer.as_str()));
    if has_users(server) {
        let signs = server.rules.signed_answers.authorization;
        let always =
            server.rules.profile.switches().signed_messages && server.rules.message_signing.responses;
        let modes = ResponseMode::ALL.iter().filter(|mode| if mode.is_signed() { signs } else { !always });
        members.list("response_modes_supported", modes.map(|mode| mode.as_str()));
        members.list("code_challenge_methods_supported", ["S256"]);
    }
    members.switch("require_pushed_authorization_requests", has_users(server) && server.rules.requires_push);
    members.switch("authorization_response_iss_parameter_supported", has_users(server));
}

/// RFC 9101 section 9. For clients, `request_uri_parameter_supported` is true if it is omitted.
fn request_objects(server: &Inner, members: &mut Members) {
    let taken = server.rules.request_objects.filter(|_| has_users(server));
    let Some(terms) = taken else {
        if server.rules.openid.is_some() {
            members.flag("request_parameter_supported", false);
            members.flag("request_uri_parameter_supported", false);
        }
        return;
    };
    members.flag("request_parameter_supported", true);
    members.flag("request_uri_parameter_supported", false);
    let verified = server.rules.assertions.iter().flat_map(|own| own.algorithms.iter().copied());
    members.list("request_object_signing_alg_values_supported", verified);
    members.switch("require_signed_request_object", terms.required);
}

/// JARM section 4 and RFC 9701 section 7.
fn signed_answers(server: &Inner, members: &mut Members) {
    let SignedAnswers { algorithms, authorization, introspection, metadata: _ } =
        &server.rules.signed_answers;
    let names = algorithms.iter().map(|algorithm| algorithm.as_str());
    if *authorization && has_users(server) {
        members.list("authorization_signing_alg_values_supported", names.clone());
    }
    if *introspection {
        members.list("introspection_signing_alg_values_supported", names);
    }
}

fn details(server: &Inner, members: &mut Members) {
    members.list("authorization_details_types_supported", server.rules.detail_types.names());
}

fn proofs(server: &Inner, members: &mut Members) {
    let algorithms = server.dpop.as_ref().map(|dpop| dpop.algorithms()).unwrap_or_default();
    members.list("dpop_signing_alg_values_supported", algorithms);
}

fn client_documents(server: &Inner, members: &mut Members) {
    let are_taken = has_users(server) && server.documents.is_some();
    members.switch("client_id_metadata_document_supported", are_taken);
}

/// Where the document is: the well-known name goes before the issuer's path (RFC 8414 section 3.1), and also
/// after it, for clients that follow OpenID Connect Discovery. Some profiles add OpenID Connect's own
/// well-known name.
pub(super) fn paths(server: &Inner) -> Vec<String> {
    let base = &server.issuer_path;
    let mut names = vec!["oauth-authorization-server"];
    if server.rules.profile.switches().openid_alias || server.rules.openid.is_some() {
        names.push("openid-configuration");
    }
    let spellings = |name| [format!("/.well-known/{name}{base}"), format!("{base}/.well-known/{name}")];
    let mut paths: Vec<String> = names.into_iter().flat_map(spellings).collect();
    paths.dedup();
    paths
}
