//! What a proof opens: the answer that was sealed for that very write, and no other.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use grantor::base::FreshSecrets;
use grantor::flow::authorize::{self, AwaitConsent, Resolved, SignedIn};
use grantor::flow::token::{self, Authenticated, RedemptionDecision, Sealed};
use grantor::flow::{Checked, Facts, Finished, OpenedRedirect, device, pushed};
use grantor::issuance::Rules;
use grantor::store::{Record, Tombstone, Write};
use grantor::{AccountStatus, AuthMethod, Client, GrantType, Login, Reason, Refusal, Request, Scope};

use crate::support::{CHALLENGE, VERIFIER};

const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

fn rules() -> Rules {
    Rules::new("https://as.example", Scope::parse("read").unwrap())
}

fn app() -> Arc<Client> {
    let client = Client::builder("app").redirect_uri("https://app.example/cb").auth_method(AuthMethod::None);
    let grants = [GrantType::AuthorizationCode, GrantType::RefreshToken, GrantType::DeviceCode];
    Arc::new(client.grant_types(grants).build().unwrap())
}

/// The state that has the client of a request.
macro_rules! known {
    ($flow:expr, $facts:expr) => {
        match $flow.with_client(Some(app()), $facts).unwrap() {
            Checked::Ready(next) => next,
            other => panic!("a public client, {other:?}"),
        }
    };
}

fn query() -> String {
    format!(
        "response_type=code&client_id=app&scope=read&code_challenge={CHALLENGE}&code_challenge_method=S256"
    )
}

fn consent(facts: &Facts<'_>) -> Box<AwaitConsent> {
    let flow = authorize::AwaitClient::parse(&Request::get(query()), facts).unwrap();
    let Resolved::Direct(flow) = flow.with_client(Some(app()), facts).unwrap() else {
        panic!("nothing was pushed")
    };
    match flow.with_login(Login::new("alice", NOW), facts) {
        SignedIn::Consent(consent) => consent,
        other => panic!("{other:?}"),
    }
}

/// The write of a redeemed code, and the answer that it opens.
fn redeemed(offered: &Write, code: &str, seed: &str, facts: &Facts<'_>) -> (Write, Sealed) {
    let form = format!("grant_type=authorization_code&client_id=app&code={code}&code_verifier={VERIFIER}");
    let flow = token::AwaitClient::parse(&Request::post_form(form), facts).unwrap();
    let Authenticated::Grant(flow) = known!(flow, facts) else { panic!("a code") };
    let record = Record::new(offered.next().grant().clone(), offered.next().version());
    let state = flow.with_record(Some(record)).unwrap();
    match state.decide(AccountStatus::Active, FreshSecrets::fixed(seed), facts) {
        RedemptionDecision::Commit(write, sealed) => (write, sealed),
        other => panic!("{other:?}"),
    }
}

/// A grant whose code is out, and the code.
fn offered(facts: &Facts<'_>) -> (Write, String) {
    let (write, sealed) = consent(facts).approve(FreshSecrets::fixed("grant"), facts).unwrap();
    let opened = sealed.open(write.committed()).unwrap();
    let OpenedRedirect::Ready(redirect) = opened else { panic!("a code needs no signature") };
    let Finished::Ready(response) = redirect.finish(|| facts.now) else {
        panic!("no signature was asked for")
    };
    let code = response.header("location").unwrap().split(['=', '&']).nth(1).unwrap().to_owned();
    (write, code)
}

#[track_caller]
fn stays_shut<T>(opened: Result<T, Refusal>) {
    let refusal = opened.err().expect("it opened");
    assert_eq!(refusal.reason(), Reason::ProofOfAnotherWrite);
    assert_eq!(refusal.reason().status(), 500);
}

#[test]
fn the_proof_of_its_own_write_opens_an_answer() {
    let rules = rules();
    let facts = Facts::new(NOW, &rules);
    let (write, code) = offered(&facts);
    let (redemption, sealed) = redeemed(&write, &code, "1", &facts);
    assert!(sealed.open(redemption.committed()).is_ok());
}

#[test]
fn the_proof_of_an_earlier_version_opens_no_tokens() {
    let rules = rules();
    let facts = Facts::new(NOW, &rules);
    let (write, code) = offered(&facts);
    let (_, sealed) = redeemed(&write, &code, "1", &facts);
    stays_shut(sealed.open(write.committed()));
}

#[test]
fn the_proof_that_the_grant_ended_opens_no_tokens() {
    let rules = rules();
    let facts = Facts::new(NOW, &rules);
    let (write, code) = offered(&facts);
    let (redemption, sealed) = redeemed(&write, &code, "1", &facts);
    let end = Tombstone::of(redemption.next().grant().clone(), NOW);
    stays_shut(sealed.open(end.committed()));
}

#[test]
fn the_proof_of_another_grant_opens_no_redirect() {
    let rules = rules();
    let facts = Facts::new(NOW, &rules);
    let (_, sealed) = consent(&facts).approve(FreshSecrets::fixed("1"), &facts).unwrap();
    let (other, _) = consent(&facts).approve(FreshSecrets::fixed("2"), &facts).unwrap();
    stays_shut(sealed.open(other.committed()));
}

#[test]
fn the_proof_of_another_grant_opens_no_device_code() {
    let rules = rules();
    let facts = Facts::new(NOW, &rules);
    let flow = device::AwaitClient::parse(&Request::post_form("client_id=app"), &facts).unwrap();
    let flow = known!(flow, &facts);
    let (_, sealed) = flow.decide(FreshSecrets::fixed("1"), &facts);
    let (other, opens) = flow.decide(FreshSecrets::fixed("2"), &facts);
    stays_shut(sealed.open(other.committed()));
    assert!(opens.open(other.committed()).is_ok());
}

#[test]
fn the_proof_of_another_grant_opens_no_request_uri_and_no_visit() {
    let rules = rules();
    let facts = Facts::new(NOW, &rules);
    let flow = pushed::AwaitClient::parse(&Request::post_form(query()), &facts).unwrap();
    let flow = known!(flow, &facts);
    let pushed::Pushed::Plain(flow) = flow else { panic!("plain") };
    let (_, sealed) = flow.decide(FreshSecrets::fixed("1"), &facts);
    let (pushed, opens) = flow.decide(FreshSecrets::fixed("2"), &facts);
    stays_shut(sealed.open(pushed.committed()));
    let response = opens.open(pushed.committed()).unwrap().into_response(&rules.policy);
    let json: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
    let query = format!("client_id=app&request_uri={}", json["request_uri"].as_str().unwrap());
    let flow = authorize::AwaitClient::parse(&Request::get(query), &facts).unwrap();
    let Resolved::Pushed(flow) = flow.with_client(Some(app()), &facts).unwrap() else { panic!("pushed") };
    let visit = |record| match flow.with_record(Some(record), &facts).unwrap() {
        authorize::Visited::First(visit) => visit,
        authorize::Visited::Again(_) => panic!("the first visit"),
    };
    stays_shut(visit(pushed.next().clone()).with_proof(pushed.committed()));
    let visit = visit(pushed.next().clone());
    let proof = visit.write().committed();
    assert!(visit.with_proof(proof).is_ok());
}
