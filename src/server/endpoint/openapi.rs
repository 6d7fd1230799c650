//! The endpoints as an OpenAPI document, derived from the table.

use serde_json::{Map, Value, json};

use super::metadata::works;
use super::{AuthorizationServer, Endpoint, Inner, ROWS, Row};
use crate::client::GrantType;
use crate::http::Method;

/// What the document says about an endpoint beyond its row.
struct Shape {
    summary: &'static str,
    body: Body,
    answer: Answer,
    asks: Asks,
}

/// What a request carries.
enum Body {
    Nothing,
    /// A form: the required parameters, and optional ones.
    Form(&'static [&'static str], &'static [&'static str]),
    Json,
}

/// A successful response.
#[derive(Clone, Copy)]
enum Answer {
    Json(u16),
    Empty,
}

/// Who may call it.
#[derive(Clone, Copy)]
enum Asks {
    Anybody,
    /// A client, by the method that it registered.
    Client,
    /// The holder of a registration access token.
    Bearer,
    /// The holder of an access token, as at a resource.
    AccessToken,
    /// The holder of a token, or anyone, depending on the host's terms.
    MaybeBearer,
}

const GRANT: &[&str] = &[
    "code",
    "redirect_uri",
    "code_verifier",
    "refresh_token",
    "device_code",
    "username",
    "password",
    "assertion",
    "subject_token",
    "subject_token_type",
    "actor_token",
    "actor_token_type",
    "scope",
    "resource",
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
];
/// None of them is required, because a signed request has its parameters in the request object.
const AUTHORIZATION: &[&str] = &[
    "client_id",
    "client_secret",
    "response_type",
    "redirect_uri",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
    "resource",
    "nonce",
    "request",
];
const HINT: &[&str] = &["token_type_hint", "client_id", "client_secret"];

/// `None` if this server does not answer requests there itself.
fn shape(endpoint: Endpoint, method: &Method) -> Option<Shape> {
    use Body::{Form, Json, Nothing};
    let (summary, body, answer, asks) = match endpoint {
        Endpoint::Token => {
            ("Get tokens (RFC 6749)", Form(&["grant_type"], GRANT), Answer::Json(200), Asks::Client)
        }
        Endpoint::PushedAuthorizationRequest => (
            "Push an authorization request (RFC 9126)",
            Form(&[], AUTHORIZATION),
            Answer::Json(201),
            Asks::Client,
        ),
        Endpoint::DeviceAuthorization => {
            let more = &["client_id", "client_secret", "scope", "resource"];
            ("Begin to connect a device (RFC 8628)", Form(&[], more), Answer::Json(200), Asks::Client)
        }
        Endpoint::Revocation => {
            ("Revoke a token (RFC 7009)", Form(&["token"], HINT), Answer::Json(200), Asks::Client)
        }
        Endpoint::Introspection => {
            ("Introspect a token (RFC 7662)", Form(&["token"], HINT), Answer::Json(200), Asks::Client)
        }
        Endpoint::Metadata => {
            ("Metadata of this server (RFC 8414)", Nothing, Answer::Json(200), Asks::Anybody)
        }
        Endpoint::Jwks => {
            ("Public keys of this server (RFC 7517)", Nothing, Answer::Json(200), Asks::Anybody)
        }
        Endpoint::UserInfo => {
            ("Claims of the user (OpenID Connect)", Nothing, Answer::Json(200), Asks::AccessToken)
        }
        Endpoint::Registration => match method {
            Method::Post => ("Register a client (RFC 7591)", Json, Answer::Json(201), Asks::MaybeBearer),
            Method::Put => ("Change a registration (RFC 7592)", Json, Answer::Json(200), Asks::Bearer),
            Method::Delete => ("Delete a registration (RFC 7592)", Nothing, Answer::Empty, Asks::Bearer),
            Method::Get | Method::Head | Method::Options | Method::Other(_) => {
                ("Read a registration (RFC 7592)", Nothing, Answer::Json(200), Asks::Bearer)
            }
        },
        Endpoint::Authorization
        | Endpoint::DeviceVerification
        | Endpoint::EndSession
        | Endpoint::Resource
        | Endpoint::Host => return None,
    };
    Some(Shape { summary, body, answer, asks })
}

impl AuthorizationServer {
    /// The machine endpoints of this server, as it is configured, as an OpenAPI 3.1 document.
    ///
    /// `components.securitySchemes.oauth2` says how your API is protected: if you generate its document, for
    /// example with `utoipa`, put the same object there.
    ///
    /// ```
    /// use grantor::{AuthorizationServer, MemoryRegistry, MemoryStore};
    ///
    /// let server = AuthorizationServer::builder("https://as.example")
    ///     .clients(MemoryRegistry::default())
    ///     .store(MemoryStore::new())
    ///     .scopes(["notes"])
    ///     .build()?;
    /// let document = server.openapi();
    /// let flows = &document["components"]["securitySchemes"]["oauth2"]["flows"];
    /// assert_eq!(flows["clientCredentials"]["tokenUrl"], "https://as.example/token");
    /// # Ok::<(), grantor::server::ConfigErrors>(())
    /// ```
    #[must_use]
    pub fn openapi(&self) -> Value {
        let server = &*self.inner;
        let mut paths = Map::new();
        for row in ROWS.iter().filter(|row| row.is_served(server)) {
            for path in row.paths(server) {
                paths.insert(path, operations(row, server));
            }
        }
        // The paths begin at the root of the host, regardless of the issuer's path.
        let origin = server.rules.issuer.trim_end_matches('/');
        let origin = origin.strip_suffix(&*server.issuer_path).unwrap_or(origin);
        json!({
            "openapi": "3.1.0",
            "info": { "title": "OAuth 2.0 authorization server", "version": env!("CARGO_PKG_VERSION") },
            "servers": [{ "url": origin }],
            "paths": paths,
            "components": {
                "schemas": { "Error": error() },
                "securitySchemes": {
                    "oauth2": { "type": "oauth2", "flows": flows(server) },
                    "client": {
                        "type": "http",
                        "scheme": "basic",
                        "description": "client_secret_basic; a client may authenticate in its form instead, as it registered",
                    },
                    "bearer": { "type": "http", "scheme": "bearer" },
                },
            },
        })
    }
}

fn operations(row: &Row, server: &Inner) -> Value {
    let signed = signed_answer(row.endpoint, server);
    let operation = |method: &Method| {
        let shape = shape(row.endpoint, method)?;
        Some((method.as_str().to_ascii_lowercase(), shape.operation(signed)))
    };
    Value::Object(row.methods(server).iter().filter_map(operation).collect())
}

/// The media type of signed responses there, which a client registers or asks for.
fn signed_answer(endpoint: Endpoint, server: &Inner) -> Option<&'static str> {
    match endpoint {
        Endpoint::Introspection if server.rules.signed_answers.introspection => {
            Some("application/token-introspection+jwt")
        }
        Endpoint::UserInfo => Some("application/jwt"),
        _ => None,
    }
}

impl Shape {
    fn operation(&self, signed: Option<&'static str>) -> Value {
        let mut responses = Map::new();
        let done = match self.answer {
            Answer::Json(status) => {
                let mut any = json!({ "application/json": { "schema": { "type": "object" } } });
                if let Some(signed) = signed {
                    any[signed] = json!({ "schema": { "type": "string" } });
                }
                (status, json!({ "description": "Done", "content": any }))
            }
            Answer::Empty => {
                (if matches!(self.asks, Asks::Bearer) { 204 } else { 200 }, json!({ "description": "Done" }))
            }
        };
        responses.insert(done.0.to_string(), done.1);
        if !matches!(self.asks, Asks::Anybody) {
            let error = json!({ "$ref": "#/components/schemas/Error" });
            let refused = |schema: &Value| {
                let content = json!({ "application/json": { "schema": schema } });
                json!({ "description": "Refused", "content": content })
            };
            for status in ["400", "401", "429", "503"] {
                responses.insert(status.to_owned(), refused(&error));
            }
            if !matches!(self.asks, Asks::Client) {
                responses.insert("403".to_owned(), refused(&error));
            }
            if matches!(self.asks, Asks::AccessToken) {
                // RFC 6750 section 3.1: no error code if no token was sent.
                let nothing = json!({ "type": "object", "maxProperties": 0 });
                responses.insert("401".to_owned(), refused(&json!({ "anyOf": [error, nothing] })));
            }
        }
        let mut operation = json!({ "summary": self.summary, "responses": responses });
        let security = match self.asks {
            Asks::Anybody => json!([{}]),
            Asks::Client => json!([{ "client": [] }, {}]),
            Asks::Bearer | Asks::AccessToken => json!([{ "bearer": [] }]),
            Asks::MaybeBearer => json!([{ "bearer": [] }, {}]),
        };
        operation["security"] = security;
        let content = match self.body {
            Body::Nothing => return operation,
            Body::Json => json!({ "application/json": { "schema": { "type": "object" } } }),
            Body::Form(required, more) => {
                let text = |name: &&str| ((*name).to_owned(), json!({ "type": "string" }));
                let properties: Map<String, Value> = required.iter().chain(more).map(text).collect();
                let schema = json!({ "type": "object", "required": required, "properties": properties });
                json!({ "application/x-www-form-urlencoded": { "schema": schema } })
            }
        };
        operation["requestBody"] = json!({ "required": true, "content": content });
        operation
    }
}

/// RFC 6749 section 5.2.
fn error() -> Value {
    json!({
        "type": "object",
        "required": ["error"],
        "properties": { "error": { "type": "string" }, "error_description": { "type": "string" } },
    })
}

/// Those OAuth flows of OpenAPI 3.1 that this server supports.
fn flows(server: &Inner) -> Value {
    let url = |endpoint| server.endpoints.path(endpoint).map(|path| server.url(path));
    let scopes: Map<String, Value> =
        server.rules.scope.iter().map(|scope| (scope.to_owned(), Value::from(""))).collect();
    let page = ("authorizationUrl", url(Endpoint::Authorization));
    let token = ("tokenUrl", url(Endpoint::Token));
    let known = [
        (GrantType::AuthorizationCode, "authorizationCode", vec![&page, &token]),
        (GrantType::ClientCredentials, "clientCredentials", vec![&token]),
        (GrantType::Implicit, "implicit", vec![&page]),
        (GrantType::Password, "password", vec![&token]),
    ];
    let flows = known.into_iter().filter_map(|(grant_type, name, urls)| {
        let mut flow = json!({ "scopes": scopes });
        for (member, url) in urls {
            flow[*member] = url.as_deref()?.into();
        }
        works(&grant_type, server).then(|| (name.to_owned(), flow))
    });
    Value::Object(flows.collect())
}
