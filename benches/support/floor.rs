//! The work that no authorization server can leave out, and nothing else.
//!
//! Straight-line code without any of the rules of OAuth: parse the form, SHA-256 of the client secret and a
//! constant-time comparison, random bytes, SHA-256 of each new token, one map write that drops what it
//! replaces, the JSON body. It panics instead of sending errors, logs nothing, does not repeat lost
//! responses, and detects no replay.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::iter::repeat_n;
use std::sync::{Arc, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use rand::Rng as _;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::random_key::RandomKey;
use super::{Contender, Job, Population};

type GrantId = [u8; 16];
type Secret = [u8; 32];
type Digest = [u8; 32];

const ACCESS_SECONDS: u64 = 600;
const CODE_SECONDS: u64 = 60;
const SHARDS: usize = 64;

pub struct Floor {
    clients: HashMap<String, Arc<Client>>,
    shards: Vec<RwLock<HashMap<GrantId, Grant, BuildHasherDefault<RandomKey>>>>,
}

struct Client {
    secret: Digest,
    redirect_uri: String,
    scope: Arc<str>,
}

enum Grant {
    Offered(Box<Offered>),
    Live(Live),
}

struct Offered {
    code: Digest,
    challenge: Digest,
    client: Arc<Client>,
    subject: Arc<str>,
    scope: Arc<str>,
    redirect_uri: Box<str>,
    expires: u64,
}

struct Live {
    client: Arc<Client>,
    scope: Arc<str>,
    access: Digest,
    expires: u64,
    user: Option<Box<User>>,
}

/// Fields that only a user's grant has.
struct User {
    subject: Arc<str>,
    refresh: Digest,
}

/// The result of a bearer token check.
pub struct Access {
    pub subject: Option<Arc<str>>,
    pub scope: Arc<str>,
    pub expires: u64,
}

impl Floor {
    pub fn new() -> Self {
        let client = Client {
            secret: Sha256::digest(super::CLIENT_SECRET).into(),
            redirect_uri: super::REDIRECT_URI.to_owned(),
            scope: super::SCOPE.into(),
        };
        Self {
            clients: HashMap::from([(super::CLIENT_ID.to_owned(), Arc::new(client))]),
            shards: (0..SHARDS).map(|_| RwLock::new(roomy())).collect(),
        }
    }

    pub fn client_credentials(&self, body: &[u8]) -> Vec<u8> {
        let form = Form::parse(body);
        assert_eq!(form.grant_type, "client_credentials");
        let client = self.authenticated(&form);
        let scope = granted(client, &form.scope);
        let now = now();
        let id = GrantId::random();
        let (access, digest) = fresh_secrets(id, b"gat_");
        let answer = token_answer(&access, None, &scope);
        self.put(
            id,
            Grant::Live(Live {
                client: Arc::clone(client),
                scope,
                access: digest,
                expires: now + ACCESS_SECONDS,
                user: None,
            }),
        );
        answer
    }

    /// `subject` comes from the host's session.
    pub fn authorize(&self, query: &str, subject: &Arc<str>) -> String {
        let form = Form::parse(query.as_bytes());
        assert_eq!((&*form.response_type, &*form.code_challenge_method), ("code", "S256"));
        let client = &self.clients[&*form.client_id];
        assert_eq!(form.redirect_uri, client.redirect_uri);
        let mut challenge = Digest::default();
        assert_eq!(BASE64URL.decode_slice(&*form.code_challenge, &mut challenge), Ok(32));
        let id = GrantId::random();
        let (code, digest) = fresh_secrets(id, b"gac_");
        self.put(
            id,
            Grant::Offered(Box::new(Offered {
                code: digest,
                challenge,
                client: Arc::clone(client),
                subject: Arc::clone(subject),
                scope: granted(client, &form.scope),
                redirect_uri: form.redirect_uri.into(),
                expires: now() + CODE_SECONDS,
            })),
        );
        let mut location = String::with_capacity(256);
        location.push_str(&client.redirect_uri);
        location.push_str("?code=");
        location.push_str(code.as_str());
        location.push_str("&state=");
        location.extend(form_urlencoded::byte_serialize(form.state.as_bytes()));
        location.push_str("&iss=");
        location.extend(form_urlencoded::byte_serialize(super::ISSUER.as_bytes()));
        location
    }

    pub fn redeem(&self, body: &[u8]) -> Vec<u8> {
        let form = Form::parse(body);
        assert_eq!(form.grant_type, "authorization_code");
        let client = self.authenticated(&form);
        let (id, presented) = decode(&form.code, b"gac_");
        let now = now();
        let mut shard = self.shard(&id).write().unwrap();
        let grant = shard.get_mut(&id).unwrap();
        let Grant::Offered(offered) = &*grant else { panic!("a code works once") };
        assert!(matches(&offered.code, &presented));
        assert!(Arc::ptr_eq(&offered.client, client));
        assert_eq!(*offered.redirect_uri, *form.redirect_uri);
        assert!(now < offered.expires);
        let challenge: Digest = Sha256::digest(form.code_verifier.as_bytes()).into();
        assert!(matches(&offered.challenge, &challenge));
        let (access, access_digest) = fresh_secrets(id, b"gat_");
        let (refresh, refresh_digest) = fresh_secrets(id, b"grt_");
        let answer = token_answer(&access, Some(&refresh), &offered.scope);
        *grant = Grant::Live(Live {
            client: Arc::clone(client),
            scope: Arc::clone(&offered.scope),
            access: access_digest,
            expires: now + ACCESS_SECONDS,
            user: Some(Box::new(User { subject: Arc::clone(&offered.subject), refresh: refresh_digest })),
        });
        answer
    }

    pub fn refresh(&self, body: &[u8]) -> Vec<u8> {
        let form = Form::parse(body);
        assert_eq!(form.grant_type, "refresh_token");
        let client = self.authenticated(&form);
        let (id, presented) = decode(&form.refresh_token, b"grt_");
        let now = now();
        let mut shard = self.shard(&id).write().unwrap();
        let Some(Grant::Live(live)) = shard.get_mut(&id) else { panic!("no such grant") };
        let user = live.user.as_mut().unwrap();
        assert!(matches(&user.refresh, &presented));
        assert!(Arc::ptr_eq(&live.client, client));
        let (access, access_digest) = fresh_secrets(id, b"gat_");
        let (refresh, refresh_digest) = fresh_secrets(id, b"grt_");
        live.access = access_digest;
        user.refresh = refresh_digest;
        live.expires = now + ACCESS_SECONDS;
        token_answer(&access, Some(&refresh), &live.scope)
    }

    pub fn introspect(&self, body: &[u8]) -> Vec<u8> {
        let form = Form::parse(body);
        let client = self.authenticated(&form);
        let (id, presented) = decode(&form.token, b"gat_");
        let shard = self.shard(&id).read().unwrap();
        let Some(Grant::Live(live)) = shard.get(&id) else { panic!("no such grant") };
        assert!(matches(&live.access, &presented));
        assert!(Arc::ptr_eq(&live.client, client));
        assert!(now() < live.expires);
        json(&Introspection {
            active: true,
            scope: &live.scope,
            client_id: &form.client_id,
            token_type: "Bearer",
            exp: live.expires,
            iat: live.expires - ACCESS_SECONDS,
            sub: live.user.as_ref().map_or(&form.client_id, |user| &user.subject),
            aud: super::ISSUER,
            iss: super::ISSUER,
        })
    }

    pub fn bearer(&self, token: &str) -> Option<Access> {
        let (id, presented) = decode(token, b"gat_");
        let shard = self.shard(&id).read().unwrap();
        let Some(Grant::Live(live)) = shard.get(&id) else {
            return None;
        };
        (matches(&live.access, &presented) && now() < live.expires).then(|| Access {
            subject: live.user.as_ref().map(|user| Arc::clone(&user.subject)),
            scope: Arc::clone(&live.scope),
            expires: live.expires,
        })
    }

    fn authenticated(&self, form: &Form<'_>) -> &Arc<Client> {
        let client = &self.clients[&*form.client_id];
        let presented: Digest = Sha256::digest(form.client_secret.as_bytes()).into();
        assert!(matches(&client.secret, &presented));
        client
    }

    fn put(&self, id: GrantId, grant: Grant) {
        self.shard(&id).write().unwrap().insert(id, grant);
    }

    fn shard(&self, id: &GrantId) -> &RwLock<HashMap<GrantId, Grant, BuildHasherDefault<RandomKey>>> {
        &self.shards[usize::from(id[15]) % SHARDS]
    }
}

/// A shard with enough capacity not to grow while it is measured.
fn roomy() -> HashMap<GrantId, Grant, BuildHasherDefault<RandomKey>> {
    HashMap::with_capacity_and_hasher(3_584, BuildHasherDefault::default())
}

trait Random {
    fn random() -> Self;
}

impl<const N: usize> Random for [u8; N] {
    fn random() -> Self {
        let mut bytes = [0; N];
        rand::rng().fill_bytes(&mut bytes);
        bytes
    }
}

/// The parameters of all requests; a repeated parameter is an error (RFC 6749 section 3.1).
#[derive(Default)]
struct Form<'a> {
    client_id: Cow<'a, str>,
    client_secret: Cow<'a, str>,
    code: Cow<'a, str>,
    code_challenge: Cow<'a, str>,
    code_challenge_method: Cow<'a, str>,
    code_verifier: Cow<'a, str>,
    grant_type: Cow<'a, str>,
    redirect_uri: Cow<'a, str>,
    refresh_token: Cow<'a, str>,
    response_type: Cow<'a, str>,
    scope: Cow<'a, str>,
    state: Cow<'a, str>,
    token: Cow<'a, str>,
}

impl<'a> Form<'a> {
    fn parse(body: &'a [u8]) -> Self {
        let mut form = Self::default();
        for (name, value) in form_urlencoded::parse(body) {
            let place = match &*name {
                "client_id" => &mut form.client_id,
                "client_secret" => &mut form.client_secret,
                "code" => &mut form.code,
                "code_challenge" => &mut form.code_challenge,
                "code_challenge_method" => &mut form.code_challenge_method,
                "code_verifier" => &mut form.code_verifier,
                "grant_type" => &mut form.grant_type,
                "redirect_uri" => &mut form.redirect_uri,
                "refresh_token" => &mut form.refresh_token,
                "response_type" => &mut form.response_type,
                "scope" => &mut form.scope,
                "state" => &mut form.state,
                "token" => &mut form.token,
                _ => continue,
            };
            assert!(place.is_empty(), "repeated {name}");
            *place = value;
        }
        form
    }
}

/// Here the requested scope is the registered one, so no new set has to be built.
fn granted(client: &Client, asked: &str) -> Arc<str> {
    assert_eq!(asked, &*client.scope);
    Arc::clone(&client.scope)
}

/// The text of a token, on the stack: a prefix, then base64url of the grant id and the secret.
struct Handle([u8; 68]);

impl Handle {
    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap()
    }
}

fn fresh_secrets(id: GrantId, prefix: &[u8; 4]) -> (Handle, Digest) {
    let mut raw = [0; 48];
    let secret = Secret::random();
    raw[..16].copy_from_slice(&id);
    raw[16..].copy_from_slice(&secret);
    let mut text = [0; 68];
    text[..4].copy_from_slice(prefix);
    assert_eq!(BASE64URL.encode_slice(raw, &mut text[4..]), Ok(64));
    (Handle(text), digest(prefix, &secret))
}

fn decode(text: &str, prefix: &[u8; 4]) -> (GrantId, Digest) {
    let (head, tail) = text.as_bytes().split_first_chunk().unwrap();
    assert_eq!(head, prefix);
    let mut raw = [0; 48];
    assert_eq!(BASE64URL.decode_slice(tail, &mut raw), Ok(48));
    let (id, secret) = raw.split_first_chunk().unwrap();
    (*id, digest(prefix, secret))
}

/// The kind of a token is part of its digest, so a code is never accepted as a token.
fn digest(kind: &[u8; 4], secret: &[u8]) -> Digest {
    Sha256::new().chain_update(kind).chain_update(secret).finalize().into()
}

fn matches(kept: &Digest, presented: &Digest) -> bool {
    kept.ct_eq(presented).into()
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

#[derive(Serialize)]
struct TokenAnswer<'a> {
    access_token: &'a str,
    token_type: &'a str,
    expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    scope: &'a str,
}

#[derive(Serialize)]
struct Introspection<'a> {
    active: bool,
    scope: &'a str,
    client_id: &'a str,
    token_type: &'a str,
    exp: u64,
    iat: u64,
    sub: &'a str,
    aud: &'a str,
    iss: &'a str,
}

fn token_answer(access: &Handle, refresh: Option<&Handle>, scope: &str) -> Vec<u8> {
    json(&TokenAnswer {
        access_token: access.as_str(),
        token_type: "Bearer",
        expires_in: ACCESS_SECONDS,
        refresh_token: refresh.map(Handle::as_str),
        scope,
    })
}

fn json(document: &impl Serialize) -> Vec<u8> {
    let mut body = Vec::with_capacity(320);
    serde_json::to_writer(&mut body, document).unwrap();
    body
}

/// The floor as a contender.
pub struct Contestant {
    floor: Floor,
    subject: Arc<str>,
    refresh_tokens: Vec<String>,
    population: Population,
}

impl Contestant {
    pub fn new() -> Self {
        Self {
            floor: Floor::new(),
            subject: super::SUBJECT.into(),
            refresh_tokens: Vec::new(),
            population: Population::default(),
        }
    }

    fn code(&self) -> String {
        super::code_of(&self.floor.authorize(super::AUTHORIZE, &self.subject))
    }

    fn access_token(&self) -> String {
        let body = self.floor.client_credentials(super::CLIENT_CREDENTIALS.as_bytes());
        super::member(&body, "access_token")
    }
}

impl Contender for Contestant {
    fn name(&self) -> &'static str {
        "floor"
    }

    fn has(&self, _: Job) -> bool {
        true
    }

    fn reset(&mut self) {
        *self = Self::new();
        self.population = Population::issued_by(|| self.access_token());
    }

    fn chunk(&mut self, job: Job, times: usize) -> Duration {
        let floor = &self.floor;
        match job {
            Job::ClientCredentials => {
                let body = super::CLIENT_CREDENTIALS.as_bytes();
                let (spent, answer) =
                    super::timed(repeat_n(body, times), |body| floor.client_credentials(body));
                super::member(&answer, "access_token");
                spent
            }
            Job::Authorize => {
                let (spent, answer) = super::timed(repeat_n(super::AUTHORIZE, times), |query| {
                    floor.authorize(query, &self.subject)
                });
                super::code_of(&answer);
                spent
            }
            Job::Redeem => {
                let bodies: Vec<_> = (0..times).map(|_| super::redeem_body(&self.code())).collect();
                let (spent, answer) = super::timed(&bodies, |body| floor.redeem(body.as_bytes()));
                super::member(&answer, "refresh_token");
                spent
            }
            Job::Refresh => {
                while self.refresh_tokens.len() < times {
                    let body = floor.redeem(super::redeem_body(&self.code()).as_bytes());
                    self.refresh_tokens.push(super::member(&body, "refresh_token"));
                }
                let tokens = self.refresh_tokens.drain(..times);
                let bodies: Vec<_> = tokens.map(|token| super::refresh_body(&token)).collect();
                let (spent, answers) = super::timed_keeping(&bodies, |body| floor.refresh(body.as_bytes()));
                let rotated = answers.iter().map(|body| super::member(body, "refresh_token"));
                self.refresh_tokens.extend(rotated);
                spent
            }
            Job::Introspect => {
                let tokens = self.population.sample(times);
                let bodies: Vec<_> = tokens.iter().map(|token| super::introspect_body(token)).collect();
                let (spent, answer) = super::timed(&bodies, |body| floor.introspect(body.as_bytes()));
                super::member(&answer, "client_id");
                spent
            }
            Job::Bearer => {
                let tokens = self.population.sample(times);
                super::timed(&tokens, |token| floor.bearer(token).unwrap()).0
            }
        }
    }
}
