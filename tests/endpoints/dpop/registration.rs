//! `dpop_bound_access_tokens` of clients that register themselves (RFC 9449 section 5.2, RFC 7591, RFC 7592).

use grantor::http::Method;
use grantor::{MemoryStore, Reason, Registration, Request};
use serde_json::json;

use crate::support::proving::{Prover, dpop};
use crate::support::registering::{Own, Registering, app_with};
use crate::support::{Answer, redemption};

fn server() -> Registering {
    Registering::configured(Registration::open(), |builder| {
        builder.replay_guard(MemoryStore::new()).dpop(dpop())
    })
}

#[tokio::test]
async fn dp_18_a_client_registers_itself_for_bound_tokens_and_gets_no_others() {
    let (server, prover) = (server(), Prover::new());
    let answer = server.post(&app_with(json!({ "dpop_bound_access_tokens": true }))).await;
    assert_eq!((answer.status(), &answer.json()["dpop_bound_access_tokens"]), (201, &json!(true)));
    let own = Own(answer.json());
    let read = server.send(own.asks(Request::new(Method::Get))).await;
    assert_eq!(read.json()["dpop_bound_access_tokens"], json!(true));
    let code = server.code(&own, "read").await;
    let form = redemption(&code);
    assert_eq!(server.token(&own, &form).await.error(), (400, "invalid_dpop_proof".to_owned()));
    let asked = own.signs(&form).header("dpop", prover.for_token());
    let answer = Answer(server.fixture.server.token(&asked).await);
    assert_eq!((answer.status(), answer.text("token_type").as_str()), (200, "DPoP"));
}

#[tokio::test]
async fn a_server_without_dpop_registers_no_client_for_it() {
    let strict = app_with(json!({ "dpop_bound_access_tokens": true }));
    let plain = Registering::on(Registration::open());
    assert_eq!(plain.post(&strict).await.error(), (400, "invalid_client_metadata".to_owned()));
    assert_eq!(plain.fixture.log.last_reason(), Some(Reason::RegistrationDpop));
    let free = app_with(json!({ "dpop_bound_access_tokens": false }));
    assert_eq!(plain.post(&free).await.status(), 201);
    for wrong in [json!("true"), json!(1), json!([true])] {
        let answer = server().post(&app_with(json!({ "dpop_bound_access_tokens": wrong }))).await;
        assert_eq!(answer.error(), (400, "invalid_client_metadata".to_owned()), "{wrong}");
    }
}
