//! Every grant type binds alike (RFC 9449 section 5).

use grantor::flow::token::{Exchange, ExchangeAsk, ExtensionTerms};
use grantor::server::ExchangePolicy;
use grantor::{BackendError, Client, GrantType, MemoryRegistry, MemoryStore, Profile, async_trait};
use serde_json::json;

use crate::support::device::DEVICE_CODE;
use crate::support::extending::{Extending, VOUCHER};
use crate::support::proving::{Prover, configured, dpop, fixture};
use crate::support::{Answer, Fixture, SECRET, clients};

/// The key that an answer's token is bound to, and how it is to be presented.
async fn key_of(fixture: &Fixture, answer: &Answer) -> (String, Option<String>) {
    assert_eq!(answer.status(), 200, "{}", answer.json());
    let access = fixture.server.check(&answer.access_token()).await.unwrap();
    let key = access.confirmation().and_then(|key| key.jkt()).map(ToString::to_string);
    (answer.text("token_type"), key)
}

fn bound(prover: &Prover) -> (String, Option<String>) {
    ("DPoP".to_owned(), Some(prover.thumbprint()))
}

#[tokio::test]
async fn dp_17_client_credentials_passwords_and_devices_bind_alike() {
    let prover = Prover::new();
    let fixture = configured(|builder| builder.profile(Profile::Rfc6749));
    let robot = fixture.token_by("robot", &[("grant_type", "client_credentials")], &prover.for_token()).await;
    assert_eq!(key_of(&fixture, &robot).await, bound(&prover));
    let form = [("grant_type", "password"), ("username", "alice"), ("password", "wonderland")];
    let password = fixture.token_by("legacy", &form, &prover.for_token()).await;
    assert_eq!(key_of(&fixture, &password).await, bound(&prover));

    let codes = fixture.waits().await;
    let poll = [("grant_type", DEVICE_CODE), ("device_code", codes.device.as_str())];
    let early = fixture.token_by("tv", &poll, &prover.for_token()).await;
    assert_eq!(early.error(), (400, "authorization_pending".to_owned()));
    fixture.says_yes(&codes).await;
    fixture.after(5);
    let proof =
        prover.proof("POST", crate::support::proving::TOKEN, json!({ "iat": fixture.clock_seconds() }));
    let device = fixture.token_by("tv", &poll, &proof).await;
    assert_eq!(key_of(&fixture, &device).await, bound(&prover));
    let refused = fixture.refresh("tv", &device.refresh_token()).await;
    assert_eq!(refused.error(), (400, "invalid_dpop_proof".to_owned()), "a public client's are bound, too");
}

#[tokio::test]
async fn dp_17_a_grant_type_of_the_host_binds_alike() {
    let prover = Prover::new();
    let replays = MemoryStore::new();
    let extending =
        Extending::with(ExtensionTerms::default(), |builder| builder.replay_guard(replays).dpop(dpop()));
    let fixture = &extending.fixture;
    let answer = fixture.token_by("shop", &[("grant_type", VOUCHER)], &prover.for_token()).await;
    assert_eq!(key_of(fixture, &answer).await, bound(&prover));
    let free = extending.redeem("shop", &[]).await;
    assert_eq!(key_of(fixture, &free).await, ("Bearer".to_owned(), None));
}

/// Everyone may exchange everything.
struct Anything;

#[async_trait]
impl ExchangePolicy for Anything {
    async fn exchange(&self, ask: &ExchangeAsk<'_>) -> Result<Exchange, BackendError> {
        Ok(if ask.actor.is_some() { Exchange::Delegation } else { Exchange::Impersonation })
    }
}

#[tokio::test]
async fn dp_17_a_bound_token_is_exchanged_by_its_holder_alone() {
    const TYPE: &str = "urn:ietf:params:oauth:token-type:access_token";
    let prover = Prover::new();
    let orders = Client::builder("orders").grant_types([GrantType::TokenExchange]).secret(SECRET);
    let registry = MemoryRegistry::new(clients().into_iter().chain([orders.build().unwrap()]));
    let fixture = configured(|builder| builder.clients(registry).token_exchange(Anything));
    let token = fixture.tokens_by("conf", "read", &prover).await.access_token();
    let free = fixture.tokens("conf", "read").await.access_token();
    let of_subject = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token", token.as_str()),
        ("subject_token_type", TYPE),
    ];
    let of_actor = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token", free.as_str()),
        ("subject_token_type", TYPE),
        ("actor_token", token.as_str()),
        ("actor_token_type", TYPE),
    ];
    for form in [&of_subject[..], &of_actor[..]] {
        let unproven = fixture.token("orders", form).await;
        assert_eq!(unproven.error(), (400, "invalid_dpop_proof".to_owned()));
        let thief = fixture.token_by("orders", form, &Prover::new().for_token()).await;
        assert_eq!(thief.error(), (400, "invalid_request".to_owned()));
        let own = fixture.token_by("orders", form, &prover.for_token()).await;
        assert_eq!(key_of(&fixture, &own).await, bound(&prover));
    }
}

#[tokio::test]
async fn without_a_proof_nothing_is_bound() {
    let fixture = fixture();
    let answer = fixture.tokens("pub", "read").await;
    assert_eq!(key_of(&fixture, &answer).await, ("Bearer".to_owned(), None));
    let again = fixture.refresh("pub", &answer.refresh_token()).await;
    assert_eq!(key_of(&fixture, &again).await, ("Bearer".to_owned(), None));
}
