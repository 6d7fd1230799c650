//! What is raced for, and what must have come of it.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{TimeDelta, Utc};
use grantor::client::RegistryError;
use grantor::store::ReplayKey;
use grantor::{
    Client, ClientId, GrantType, MemoryStore, Registrar as _, ReplayGuard as _, Request, SystemClock,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::worker::nanoseconds;
use crate::places::AnyStore;
use crate::support::{Answer, Fixture, basic, clients, encode};

/// A server of this process on the store that all share.
#[derive(Clone)]
pub struct Node {
    fixture: Fixture,
    store: AnyStore,
}

impl Node {
    pub async fn new(store: AnyStore) -> Self {
        for client in clients() {
            match store.insert(client).await {
                Ok(()) | Err(RegistryError::Exists) => {}
                Err(error) => panic!("{error}"),
            }
        }
        let fixture = Fixture::on(Arc::new(MemoryStore::new()), store.clone(), |builder| {
            let builder = builder.clients(store.clone()).registrar(store.clone());
            builder.clock(SystemClock::default()).device_verification("/device")
        });
        Self { fixture, store }
    }

    async fn is_live(&self, access_token: &Value) -> bool {
        self.fixture.is_live(access_token.as_str().unwrap()).await
    }
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum Race {
    /// All redeem one code.
    Code,
    /// All poll with one device code whose user has said yes.
    DeviceCode,
    /// All use one refresh token.
    Refresh,
    /// All show one one-time identifier.
    FirstUse,
    /// Some revoke what the others refresh.
    Revocation,
    /// One deletes the client for which the others ask for tokens.
    ClientDeletion,
}

impl Race {
    pub const ALL: [Self; 6] =
        [Self::Code, Self::DeviceCode, Self::Refresh, Self::FirstUse, Self::Revocation, Self::ClientDeletion];

    /// Makes what the tasks of one round are given.
    pub async fn prepare(self, node: &Node) -> Value {
        let fixture = &node.fixture;
        fixture.clock.set(Utc::now());
        match self {
            Self::Code => json!(fixture.code("conf", "read").await),
            Self::DeviceCode => {
                let codes = fixture.waits().await;
                fixture.says_yes(&codes).await;
                json!(codes.device)
            }
            Self::Refresh | Self::Revocation => {
                let first = fixture.tokens("pub", "read").await;
                json!({ "access": first.access_token(), "refresh": first.refresh_token() })
            }
            Self::FirstUse => json!(format!("assertion {}", nanoseconds())),
            Self::ClientDeletion => {
                let service = Client::application().grant_types([GrantType::ClientCredentials]);
                let made = fixture.server.register(service.scope("read")).await.unwrap();
                json!({ "id": made.client.id().as_str(), "secret": made.secret.unwrap().reveal() })
            }
        }
    }

    /// One task, and what it saw.
    pub async fn run(self, node: &Node, prize: &Value, task: usize) -> Value {
        let fixture = &node.fixture;
        match self {
            Self::Code => patiently(|| fixture.redeem("conf", prize.as_str().unwrap())).await,
            Self::DeviceCode => patiently(|| fixture.poll("tv", prize.as_str().unwrap())).await,
            Self::Refresh => patiently(|| fixture.refresh("pub", text(prize, "refresh"))).await,
            Self::FirstUse => {
                let key = ReplayKey::new("race", prize.as_str().unwrap());
                let now = Utc::now();
                json!(node.store.first_use(&key, now + TimeDelta::minutes(5), now).await.ok())
            }
            Self::Revocation if task % 4 == 3 => {
                patiently(|| fixture.revoke("pub", text(prize, "refresh"))).await
            }
            Self::Revocation => patiently(|| fixture.refresh("pub", text(prize, "refresh"))).await,
            Self::ClientDeletion if task == 0 => delete_client(node, prize).await,
            Self::ClientDeletion => ask_until_refused(fixture, prize).await,
        }
    }

    /// What is wrong with the end of a round.
    pub async fn judge(self, node: &Node, prize: &Value, outcomes: &[Value]) -> Result<(), String> {
        match self {
            Self::Code => judge_code(node, outcomes).await,
            Self::DeviceCode => judge_device_code(node, outcomes).await,
            Self::Refresh => judge_refresh(node, outcomes).await,
            Self::FirstUse => {
                let first = outcomes.iter().filter(|outcome| **outcome == json!(true)).count();
                // The first may not have been told, and then no one is.
                let told = outcomes.iter().all(|outcome| !outcome.is_null());
                if first == 1 || first == 0 && !told {
                    Ok(())
                } else {
                    Err(format!("{first} were the first"))
                }
            }
            Self::Revocation => judge_revocation(node, prize, outcomes).await,
            Self::ClientDeletion => judge_deletion(node, prize, outcomes).await,
        }
    }
}

/// One redemption won, the others were refused, and as replays they ended what it won.
async fn judge_code(node: &Node, outcomes: &[Value]) -> Result<(), String> {
    let won = answered(outcomes, 200);
    all_refused(outcomes, won.len())?;
    let hindered = outcomes.iter().any(|outcome| outcome["again"] != 0);
    match won.len() {
        1 => {}
        // The winner was told to ask again, and others were there before its retry.
        0 if hindered => return Ok(()),
        wins => return Err(format!("{wins} redemptions won")),
    }
    match node.is_live(&won[0]["access_token"]).await {
        true => Err("the replays did not end the grant".to_owned()),
        false => Ok(()),
    }
}

/// One poll won, and the others, which were refused, did it no harm.
async fn judge_device_code(node: &Node, outcomes: &[Value]) -> Result<(), String> {
    let won = answered(outcomes, 200);
    all_refused(outcomes, won.len())?;
    let hindered = outcomes.iter().any(|outcome| outcome["again"] != 0);
    match won.len() {
        1 if node.is_live(&won[0]["access_token"]).await => Ok(()),
        1 => Err("what was issued is of no use".to_owned()),
        // The winner was told to ask again, and its code was spent.
        0 if hindered => Ok(()),
        wins => Err(format!("{wins} polls won")),
    }
}

/// There is one successor, and everybody got it.
async fn judge_refresh(node: &Node, outcomes: &[Value]) -> Result<(), String> {
    let won = answered(outcomes, 200);
    let successors: HashSet<String> = won.iter().map(|body| body["refresh_token"].to_string()).collect();
    if won.len() != outcomes.len() || successors.len() != 1 {
        let others = outcomes.iter().filter(|outcome| outcome["status"] != 200).collect::<Vec<_>>();
        return Err(format!("{} got {} successors, and others {others:?}", won.len(), successors.len()));
    }
    let next = node.fixture.refresh("pub", text(won[0], "refresh_token")).await;
    match (node.is_live(&won[0]["access_token"]).await, next.status()) {
        (true, 200) => Ok(()),
        end => Err(format!("what was issued is of no use: {end:?}")),
    }
}

/// Nothing lives, in any order of arrival.
async fn judge_revocation(node: &Node, prize: &Value, outcomes: &[Value]) -> Result<(), String> {
    let answered = answered(outcomes, 200);
    all_refused(outcomes, answered.len())?;
    if node.is_live(&prize["access"]).await {
        return Err("the first access token survived".to_owned());
    }
    for tokens in answered.iter().filter(|body| body["access_token"].is_string()) {
        if node.is_live(&tokens["access_token"]).await {
            return Err("an access token survived".to_owned());
        }
        let again = node.fixture.refresh("pub", text(tokens, "refresh_token")).await;
        if again.status() != 400 {
            return Err(format!("a refresh token survived: {}", again.status()));
        }
    }
    Ok(())
}

/// Every request after the deletion was refused; what was issued before it ended with it; and what was under
/// way meanwhile ends when the host ends it again.
async fn judge_deletion(node: &Node, prize: &Value, outcomes: &[Value]) -> Result<(), String> {
    let removed = outcomes.iter().find_map(|outcome| outcome["removed"].as_u64()).unwrap();
    let issued: Vec<&Value> = outcomes.iter().filter_map(Value::as_array).flatten().collect();
    let time = |token: &Value, name: &str| token[name].as_u64().unwrap();
    if issued.iter().any(|token| time(token, "asked") > removed) {
        return Err("a deleted client got a token".to_owned());
    }
    for token in issued.iter().filter(|token| time(token, "answered") < removed) {
        if node.is_live(&token["token"]).await {
            return Err("a token of before the deletion survived".to_owned());
        }
    }
    end_all_of(node, &ClientId::new(text(prize, "id"))).await;
    for token in issued {
        if node.is_live(&token["token"]).await {
            return Err("a token survived the second end".to_owned());
        }
    }
    Ok(())
}

async fn delete_client(node: &Node, prize: &Value) -> Value {
    let id = ClientId::new(text(prize, "id"));
    ask(&node.fixture, prize).await;
    node.store.remove(&id).await.unwrap();
    let removed = nanoseconds();
    end_all_of(node, &id).await;
    json!({ "removed": removed })
}

/// On a busy machine it may run into its deadline midway; then it is asked again, as its documentation says.
async fn end_all_of(node: &Node, client: &ClientId) {
    for _ in 0..20 {
        if node.fixture.server.revoke_client(client).await.is_ok() {
            return;
        }
    }
    panic!("the grants of a client cannot be ended");
}

/// The tokens that came, and when.
async fn ask_until_refused(fixture: &Fixture, prize: &Value) -> Value {
    let mut issued = Vec::new();
    for _ in 0..10 {
        let asked = nanoseconds();
        let answer = ask(fixture, prize).await;
        match answer.status() {
            200 => {
                let token = answer.access_token();
                issued.push(json!({ "asked": asked, "answered": nanoseconds(), "token": token }));
            }
            401 => break,
            503 => {}
            status => panic!("{status}: {}", answer.json()),
        }
    }
    json!(issued)
}

async fn ask(fixture: &Fixture, prize: &Value) -> Answer {
    let form = encode(&[("grant_type", "client_credentials")]);
    let credentials = basic(text(prize, "id"), text(prize, "secret"));
    let request = Request::post_form(form).header("authorization", credentials);
    Answer(fixture.server.token(&request).await)
}

/// The answer, and how often the server was too busy for one: then the client asks again, as it is told to.
async fn patiently<F: Future<Output = Answer>>(ask: impl Fn() -> F) -> Value {
    let mut again = 0;
    loop {
        let answer = ask().await;
        if answer.status() != 503 || again == 50 {
            return json!({ "status": answer.status(), "body": answer.json(), "again": again });
        }
        again += 1;
    }
}

/// The bodies of the answers of this status.
fn answered(outcomes: &[Value], status: u16) -> Vec<&Value> {
    outcomes.iter().filter(|outcome| outcome["status"] == status).map(|outcome| &outcome["body"]).collect()
}

/// All but this many were refused as they should be.
fn all_refused(outcomes: &[Value], but: usize) -> Result<(), String> {
    let refused = answered(outcomes, 400);
    match refused.len() + but == outcomes.len() && refused.iter().all(|body| body["error"] == "invalid_grant")
    {
        true => Ok(()),
        false => Err(format!("answers that nobody should get: {outcomes:?}")),
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}
