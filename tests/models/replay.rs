//! A request to the real server, up to its next call of the store: a value that can be stored, compared and
//! continued.
//!
//! The future of a request cannot be copied. But its only inputs are its clock, its random source and its
//! store. So for each step the request is run again from the start, gets the same answers as before, and
//! stops at the next call.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::hash::Hash;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use chrono::{DateTime, Utc};
use grantor::grant::{Handle, Kind, Prefixes};
use grantor::store::{
    CommitError, Committed, Filter, Listing, Page, Record, Tombstone, UserCodeDigest, Write,
};
use grantor::{
    AuthMethod, AuthorizationServer, BackendError, Client, Clock, Entropy, GrantId, GrantType, Login,
    MemoryRegistry, MemoryStore, Policy, SignedIn, TokenStore, async_trait,
};
use serde_json::Value;

/// Seconds since the start.
pub type Moment = u32;

/// A code or a token, as its holder has it.
pub type Text = Arc<str>;

const START: i64 = 1_800_000_000;

/// How long a lost answer is repeated on request.
pub const LEEWAY: Moment = 60;

/// A version of the grant in the store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Row {
    pub version: u64,
    pub body: Arc<str>,
    pub is_ended: bool,
}

impl Row {
    fn of(record: &Record) -> Self {
        let grant = record.grant();
        Self { version: record.version(), body: grant.encode().into(), is_ended: grant.is_ended() }
    }
}

/// A call of the store that the server waits for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    Load,
    Commit {
        expect: Option<u64>,
        next: Row,
    },
    /// The model sets the version, one after that of the row which it ends.
    End(Row),
}

/// The answer to a call.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Heard {
    Loaded(Row),
    Written,
    Conflict,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Next {
    Call(Call),
    Answer(Answer),
}

/// What the client gets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Answer {
    pub status: u16,
    pub tokens: Option<Tokens>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tokens {
    pub access: Text,
    pub refresh: Text,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    Token,
    Revocation,
}

/// A request that presents a refresh token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Request {
    pub endpoint: Endpoint,
    pub token: Text,
    pub begun: Moment,
    /// Determines everything that it draws.
    pub seed: u8,
}

/// The answers that a request got, each with its time.
pub type History = Vec<(Heard, Moment)>;

struct Script {
    heard: VecDeque<(Heard, Moment)>,
    now: Moment,
    seed: u8,
    drawn: u8,
    /// Where the script ends.
    call: Option<Call>,
}

thread_local! {
    static SCRIPT: RefCell<Script> = const {
        RefCell::new(Script { heard: VecDeque::new(), now: 0, seed: 0, drawn: 0, call: None })
    };
}

/// The clock, the random source and the store of a server, all played from the script.
#[derive(Clone, Copy)]
struct Scripted;

impl Clock for Scripted {
    fn now(&self) -> DateTime<Utc> {
        time(SCRIPT.with_borrow(|script| script.now))
    }
}

impl Entropy for Scripted {
    fn fill(&self, bytes: &mut [u8]) {
        SCRIPT.with_borrow_mut(|script| {
            script.drawn += 1;
            let pair = [script.seed, script.drawn];
            bytes.iter_mut().zip(pair.into_iter().cycle()).for_each(|(byte, of_pair)| *byte = of_pair);
        });
    }
}

async fn hear(call: Call) -> Heard {
    poll_fn(|_| {
        SCRIPT.with_borrow_mut(|script| match script.heard.pop_front() {
            Some((heard, at)) => {
                script.now = at;
                Poll::Ready(heard)
            }
            None => {
                script.call = Some(call.clone());
                Poll::Pending
            }
        })
    })
    .await
}

#[async_trait]
impl TokenStore for Scripted {
    async fn load(&self, id: GrantId) -> Result<Option<Record>, BackendError> {
        match hear(Call::Load).await {
            Heard::Loaded(row) => Record::decode(id, row.version, &row.body).map(Some),
            Heard::Written | Heard::Conflict => panic!("not what a load hears"),
        }
    }

    async fn commit(&self, write: &Write) -> Result<Committed, CommitError> {
        match hear(Call::Commit { expect: write.expect(), next: Row::of(write.next()) }).await {
            Heard::Written => Ok(write.committed()),
            Heard::Conflict => Err(CommitError::Conflict),
            Heard::Loaded(_) => panic!("not what a commit hears"),
        }
    }

    async fn end(&self, tombstone: &Tombstone) -> Result<Committed, BackendError> {
        match hear(Call::End(Row::of(&tombstone.record(0)))).await {
            Heard::Written => Ok(tombstone.committed()),
            Heard::Conflict | Heard::Loaded(_) => panic!("an end has no condition"),
        }
    }

    async fn find_by_user_code(&self, _: &UserCodeDigest) -> Result<Option<Record>, BackendError> {
        panic!("no device")
    }

    async fn list(&self, _: &Filter, _: Page) -> Result<Listing, BackendError> {
        panic!("no listing")
    }

    async fn purge(&self, _: DateTime<Utc>, _: u32) -> Result<u64, BackendError> {
        panic!("no sweep")
    }
}

/// The server, and the memoised results of its replays.
pub struct Replay {
    server: AuthorizationServer,
    id: GrantId,
    nexts: Mutex<HashMap<(Request, History), Next>>,
    holds: Mutex<HashMap<(Row, Tokens), bool>>,
}

impl Replay {
    /// With a grant whose code was redeemed: its first version, and its first refresh token.
    pub fn begin() -> (Self, Row, Text) {
        let store = Arc::new(MemoryStore::new());
        let tokens = redeemed(&server(Arc::clone(&store)));
        let id = refresh_handle(&tokens.refresh).grant;
        let record = store.try_load(id).flatten().expect("the grant of the code");
        let (nexts, holds) = (Mutex::default(), Mutex::default());
        (Self { server: server(Scripted), id, nexts, holds }, Row::of(&record), tokens.refresh)
    }

    /// What the server does after these answers.
    pub fn next(&self, request: &Request, heard: &History) -> Next {
        remembered(&self.nexts, (request.clone(), heard.clone()), || self.replay(request, heard))
    }

    /// Whether this version of the grant accepts the tokens.
    pub fn holds(&self, row: &Row, tokens: &Tokens) -> bool {
        remembered(&self.holds, (row.clone(), tokens.clone()), || {
            let record = Record::decode(self.id, row.version, &row.body).unwrap();
            let access = Handle::parse(&tokens.access, Kind::Access, &Prefixes::default()).unwrap();
            let (grant, now) = (record.grant(), time(0));
            grant.access(&access.secret, now).is_some()
                && grant.refresh_expires(&refresh_handle(&tokens.refresh).secret, now).is_some()
        })
    }

    fn replay(&self, request: &Request, heard: &History) -> Next {
        let Request { endpoint, token, begun, seed } = request;
        let script = Script { heard: heard.clone().into(), now: *begun, seed: *seed, drawn: 0, call: None };
        SCRIPT.set(script);
        let response = match endpoint {
            Endpoint::Token => {
                let form = format!("grant_type=refresh_token&client_id=app&refresh_token={token}");
                poll_once(self.server.token(&grantor::Request::post_form(form)))
            }
            Endpoint::Revocation => {
                let form = format!("client_id=app&token={token}");
                poll_once(self.server.revoke(&grantor::Request::post_form(form)))
            }
        };
        SCRIPT.with_borrow(|script| assert!(script.heard.is_empty(), "{request:?} heard too much"));
        match response {
            Some(response) => {
                Next::Answer(Answer { status: response.status, tokens: tokens(&response.body) })
            }
            None => Next::Call(SCRIPT.with_borrow_mut(|script| script.call.take()).expect("a call")),
        }
    }
}

fn server(store: impl TokenStore + 'static) -> AuthorizationServer {
    let app = Client::builder("app")
        .redirect_uri("https://app.example/cb")
        .grant_types([GrantType::AuthorizationCode, GrantType::RefreshToken])
        .auth_method(AuthMethod::None);
    let mut policy = Policy::default();
    policy.leeway = std::time::Duration::from_secs(LEEWAY.into());
    AuthorizationServer::builder("https://as.example")
        .clients(MemoryRegistry::new([app.build().unwrap()]))
        .store(store)
        .scopes(["read"])
        .authorization_endpoint("/authorize")
        .policy(policy)
        .clock(Scripted)
        .entropy(Scripted)
        .build()
        .unwrap()
}

/// The first tokens of a grant of alice. The challenge is that of RFC 7636 appendix B.
fn redeemed(server: &AuthorizationServer) -> Tokens {
    let query = "response_type=code&client_id=app&scope=read&code_challenge_method=S256\
         &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    let approved = poll_once(async {
        let Ok(asked) = server.authorize(&grantor::Request::get(query)).await else {
            panic!("the client is known")
        };
        match asked.signed_in(Login::new("alice", time(0))).await {
            SignedIn::Consent(consent) => consent.approve().await,
            SignedIn::Reauthenticate(_) | SignedIn::Answered(_) => panic!("alice is asked"),
        }
    });
    let approved = approved.expect("a store in memory");
    let code = approved.header("location").unwrap().split(['=', '&']).nth(1).unwrap();
    let form = format!(
        "grant_type=authorization_code&client_id=app&code={code}\
         &code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    );
    let redeemed = poll_once(server.token(&grantor::Request::post_form(form)));
    tokens(&redeemed.expect("a store in memory").body).expect("tokens")
}

fn tokens(body: &[u8]) -> Option<Tokens> {
    let json: Value = serde_json::from_slice(body).unwrap();
    let member = |name| json[name].as_str().map(Text::from);
    Some(Tokens { access: member("access_token")?, refresh: member("refresh_token")? })
}

fn refresh_handle(token: &str) -> Handle {
    Handle::parse(token, Kind::Refresh, &Prefixes::default()).unwrap()
}

fn time(moment: Moment) -> DateTime<Utc> {
    DateTime::from_timestamp(START + i64::from(moment), 0).unwrap()
}

/// The output of a future, if it is ready without waiting.
fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

fn remembered<K: Eq + Hash, V: Clone>(all: &Mutex<HashMap<K, V>>, key: K, make: impl FnOnce() -> V) -> V {
    if let Some(known) = all.lock().unwrap().get(&key) {
        return known.clone();
    }
    let made = make();
    all.lock().unwrap().insert(key, made.clone());
    made
}
