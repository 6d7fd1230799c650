//! Codes, tokens and the guard under a profile.

use std::sync::Arc;
use std::time::Duration;

use grantor::assertions::{AssertionIssuer, JwtBearer};
use grantor::client::{RequestObjects, X509Certificates};
use grantor::dpop::ProofFlaw;
use grantor::error::AssertionFlaw;
use grantor::jose::{Algorithm, Signer as _, SigningKey};
use grantor::resource::StaticKeys;
use grantor::{
    AuthMethod, Client, ClientBuilder, GrantType, MemoryRegistry, Policy, Profile, Reason, Request,
};
use serde_json::{Value, json};

use crate::support::asserting::{Asserting, by_assertion, claims, jwks, set_of, signing};
use crate::support::banking::{BOTH, Bank, Of};
use crate::support::certificates::Identity;
use crate::support::guarded::{call, forged, set};
use crate::support::objects::asking;
use crate::support::proving::{PAR, Prover, TOKEN, dpop, with_nonces};
use crate::support::vouching::{Accounts, JWT_BEARER, PARTNER};
use crate::support::{Answer, Fixture, ISSUER, clients, encode, redemption};

#[tokio::test]
async fn tk_21_a_token_needs_a_client_with_a_key_and_a_key_of_its_own() {
    for of in BOTH {
        let bank = Bank::new(of);
        let credentials = [("grant_type", "client_credentials")];
        assert_eq!(bank.token(&credentials, Some(&bank.proof())).await.text("token_type"), "DPoP", "{of:?}");
        assert_eq!(
            bank.token(&credentials, None).await.error(),
            (400, "invalid_dpop_proof".to_owned()),
            "{of:?}"
        );
        let unproven = Request::post_form(encode(&[("client_id", "bank"), credentials[0]]));
        let unproven = Answer(bank.server.fixture.server.token(&unproven).await);
        assert_eq!(unproven.error(), (401, "invalid_client".to_owned()), "{of:?}");
    }
}

#[tokio::test]
async fn fp_04_no_token_is_without_a_key_and_a_refusal_spends_nothing() {
    for of in BOTH {
        let bank = Bank::new(of);
        let code = bank.code().await;
        let bare = bank.token(&redemption(&code), None).await;
        assert_eq!(bare.error(), (400, "invalid_dpop_proof".to_owned()), "{of:?}");
        let tokens = bank.redeem(&code).await;
        assert_eq!((tokens.status(), tokens.text("token_type")), (200, "DPoP".to_owned()), "{of:?}");
        let bare = bank.refresh(&tokens.refresh_token(), None).await;
        assert_eq!(bare.error(), (400, "invalid_dpop_proof".to_owned()), "{of:?}");
        assert_eq!(bank.refresh(&tokens.refresh_token(), Some(&bank.proof())).await.status(), 200, "{of:?}");
    }
}

#[tokio::test]
async fn fp_04_a_certificate_is_a_key_too() {
    // A client that registered nothing has the key that it shows.
    for (of, registers) in BOTH.into_iter().flat_map(|of| [(of, true), (of, false)]) {
        let bank = Bank::with(
            of,
            Profile::Fapi2Security,
            |client| client.certificate_bound_access_tokens(registers),
            |builder| builder.certificate_bound_access_tokens(),
        );
        let own = Identity::self_signed("bank");
        let ask = |shows: Option<&Identity>| {
            let form = [("grant_type", "client_credentials")];
            let request = by_assertion(&bank.assertion(json!({})), &form);
            let shown = shows.map(Identity::shown);
            shown.into_iter().fold(request, |request, shown| request.with_certificate(shown))
        };
        let server = &bank.server.fixture.server;
        let bound = Answer(server.token(&ask(Some(&own))).await);
        assert_eq!(bound.text("token_type"), "Bearer", "{of:?}");
        assert_eq!(Answer(server.token(&ask(None)).await).status(), 400, "{of:?}");
        let guarded = || call(&bound.access_token());
        assert!(server.protect(&guarded().with_certificate(own.shown()), &[]).await.is_ok(), "{of:?}");
        let refused = server.protect(&guarded(), &[]).await.unwrap_err();
        assert_eq!(refused.status, 401, "{of:?}");
        let schemes: Vec<_> =
            refused.headers.iter().filter(|(name, _)| *name == "www-authenticate").collect();
        assert!(schemes.iter().any(|(_, challenge)| challenge.starts_with("Bearer ")), "{schemes:?}");
        let guard = grantor::Guard::builder(ISSUER).local(server.clone()).build().unwrap();
        let told: Value = serde_json::from_slice(&guard.metadata().body).unwrap();
        assert_ne!(told["dpop_bound_access_tokens_required"], true, "a certificate is enough");
    }
}

#[tokio::test]
async fn fp_04_without_dpop_the_missing_key_is_a_certificate() {
    let server = Asserting::with(
        |_| Vec::new(),
        |builder| builder.profile(Profile::Fapi2Security).certificate_bound_access_tokens(),
    );
    let answer = server.asks(&server.assertion(json!({}))).await;
    assert_eq!(answer.error(), (400, "invalid_request".to_owned()));
    let missing = Reason::Proof(ProofFlaw::CertificateMissing);
    assert_eq!(server.fixture.log.last_reason(), Some(missing));
}

/// A bank of a server whose policy allowed more, which is then held to the profile.
fn with_policy(of: Of, change: impl FnOnce(&mut Policy)) -> Bank {
    let mut policy = Policy::default();
    change(&mut policy);
    Bank::with(of, Profile::Fapi2Security, |client| client, |builder| builder.policy(policy))
}

#[tokio::test]
async fn fp_07_refresh_tokens_do_not_rotate() {
    for of in BOTH {
        let bank = Bank::new(of);
        let token = bank.tokens().await.refresh_token();
        for seconds in [0, 31, 3600] {
            bank.server.fixture.after(seconds);
            let again = bank.refresh(&token, Some(&bank.proof())).await;
            assert_eq!((again.status(), again.refresh_token()), (200, token.clone()), "{of:?} {seconds}");
        }
    }
}

#[tokio::test]
async fn rt_12_one_that_was_rotated_before_works_for_30_seconds_more() {
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let store = Arc::new(grantor::MemoryStore::new());
    let client = |rotates: bool| -> Client {
        let client = signing("bank").jwks(set_of(&key));
        if rotates { client.rotate_refresh(true) } else { client.profile(Profile::Fapi2Security) }
            .build()
            .unwrap()
    };
    let serve = |own: Client, fixture: Option<&Fixture>| {
        let registry = MemoryRegistry::new(clients().into_iter().chain([own]));
        let clock = fixture.map(|fixture| fixture.clock.clone()).unwrap_or_default();
        let mut served = Fixture::on(store.clone(), store.clone(), |builder| {
            let builder = builder.clients(registry).replay_guard(store.clone()).dpop(dpop());
            builder.client_signatures(grantor::client::ClientJwts::new()).clock(clock.clone())
        });
        served.clock = clock;
        served
    };
    let prover = Prover::new();
    let asks = async |fixture: &Fixture, jti: &str, form: &[(&str, &str)]| {
        let now = fixture.clock_seconds();
        let own = claims("bank", json!({ "jti": jti, "iat": now, "exp": now + 60 }));
        let assertion = forged(&key, r#"{"alg":"ES256"}"#, &own.to_string());
        let proof = prover.proof("POST", TOKEN, json!({ "iat": now }));
        Answer(fixture.server.token(&by_assertion(&assertion, form).header("dpop", proof)).await)
    };
    let before = serve(client(true), None);
    let code = before.code("bank", "read").await;
    let first = asks(&before, "1", &redemption(&code)).await.refresh_token();
    let send = async |fixture: &Fixture, jti: &str, token: &str| {
        asks(fixture, jti, &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    };
    let second = send(&before, "2", &first).await.refresh_token();
    assert_ne!(first, second, "it rotated");
    let held = serve(client(false), Some(&before));
    held.after(30);
    let late = send(&held, "3", &first).await;
    assert_eq!((late.status(), late.refresh_token()), (200, second.clone()), "{}", late.json());
    let now = send(&held, "4", &second).await;
    assert_eq!((now.status(), now.refresh_token()), (200, second), "from now on it does not");
}

#[tokio::test]
async fn fp_08_a_code_lives_for_60_seconds_at_most() {
    for (of, lifetime) in [(Of::Server, 60), (Of::Client, 60), (Of::Client, 600)] {
        for (seconds, status) in [(59, 200), (62, 400)] {
            let bank = with_policy(of, |policy| policy.code_lifetime = Duration::from_secs(lifetime));
            let code = bank.code().await;
            bank.server.fixture.after(seconds);
            let answer = bank.redeem(&code).await;
            assert_eq!(answer.status(), status, "{of:?} {lifetime} {seconds}");
            if status == 400 {
                assert_eq!(answer.text("error"), "invalid_grant");
            }
        }
    }
}

#[tokio::test]
async fn fp_09_a_code_is_bound_to_the_key_of_its_request() {
    for of in BOTH {
        let bank = Bank::new(of);
        let other = Prover::new();
        let jkt = bank.prover.thumbprint();
        let by_name = bank.push(&[("dpop_jkt", Some(&jkt))]).await;
        for pushed in [by_name, bank.push_proven().await] {
            let code = bank.approve(&pushed.text("request_uri")).await.location_parameter("code").unwrap();
            let wrong = bank.token(&redemption(&code), Some(&other.for_token())).await;
            assert_eq!(wrong.error(), (400, "invalid_grant".to_owned()), "{of:?}");
            assert_eq!(bank.redeem(&code).await.status(), 200, "{of:?}");
        }
        let request = by_assertion(&bank.assertion(json!({})), &[("dpop_jkt", "x")]);
        let proof = bank.prover.proof("POST", PAR, json!({}));
        assert_eq!(bank.push_request(request.header("dpop", proof)).await.status(), 400, "the two differ");
    }
}

#[tokio::test]
async fn fp_10_one_clock_rule_holds_for_assertions_proofs_and_request_objects() {
    for of in BOTH {
        let taken = |builder: grantor::server::AuthorizationServerBuilder| {
            builder.request_objects(RequestObjects::accepted())
        };
        let bank = Bank::with(of, Profile::Fapi2Security, |client| client, taken);
        let credentials = [("grant_type", "client_credentials")];
        for (ahead, is_taken) in [(0, true), (8, true), (10, true), (61, false), (600, false)] {
            let at = bank.now() + ahead;
            let assertion = bank.assertion(json!({ "iat": at, "nbf": at, "exp": at + 60 }));
            let request = by_assertion(&assertion, &credentials).header("dpop", bank.proof());
            let asked = Answer(bank.server.fixture.server.token(&request).await);
            assert_eq!(asked.status() == 200, is_taken, "{of:?} assertion {ahead}");
            let proof = bank.prover.proof("POST", TOKEN, json!({ "iat": at }));
            let asked = bank.token(&credentials, Some(&proof)).await;
            assert_eq!(asked.status() == 200, is_taken, "{of:?} proof {ahead}");
            let object = bank.object(json!({ "nbf": at, "iat": at, "exp": at + 300 }));
            let asked = bank.push_form(&[("request", &object)]).await;
            assert_eq!(asked.status() == 201, is_taken, "{of:?} object {ahead}");
        }
    }
}

#[tokio::test]
async fn fp_10_a_nonce_does_not_excuse_a_proof_that_is_a_minute_ahead() {
    let bank = Bank::with(
        Of::Server,
        Profile::Fapi2Security,
        |client| client,
        |builder| builder.dpop(with_nonces()),
    );
    let credentials = [("grant_type", "client_credentials")];
    let nonce = bank.token(&credentials, Some(&bank.proof())).await;
    let nonce = nonce.0.header("dpop-nonce").unwrap().to_owned();
    for (name, ahead, is_taken) in
        [("iat", 60, true), ("iat", 61, false), ("iat", -300, true), ("nbf", 60, true), ("nbf", 61, false)]
    {
        let mut claims = json!({ "iat": bank.now(), "nonce": nonce });
        claims[name] = json!(bank.now() + ahead);
        let proof = bank.prover.proof("POST", TOKEN, claims);
        assert_eq!(bank.token(&credentials, Some(&proof)).await.status() == 200, is_taken, "{name} {ahead}");
    }
}

#[tokio::test]
async fn fp_06_an_assertion_is_for_the_issuer_as_a_string() {
    let legacy = |of: Of| {
        Bank::with(
            of,
            Profile::Fapi2Security,
            |client| client,
            |builder| match of {
                Of::Server => builder,
                Of::Client => builder.legacy_assertion_audience(),
            },
        )
    };
    for of in BOTH {
        let bank = legacy(of);
        let form = [("grant_type", "client_credentials")];
        for (audience, is_taken) in [
            (json!(ISSUER), true),
            (json!([ISSUER]), false),
            (json!(TOKEN), false),
            (json!(PAR), false),
            (json!([ISSUER, TOKEN]), false),
            (json!(format!("{ISSUER}/")), false),
        ] {
            let request = by_assertion(&bank.assertion(json!({ "aud": audience })), &form);
            let answer =
                Answer(bank.server.fixture.server.token(&request.header("dpop", bank.proof())).await);
            assert_eq!(answer.status() == 200, is_taken, "{of:?} {audience}");
        }
    }
    let other = legacy(Of::Client).server;
    assert_eq!(other.asks(&other.assertion(json!({ "aud": TOKEN }))).await.status(), 200, "the switch is on");
}

/// The header of a JWT that is signed by RS256 or PS256.
fn signed_by(key: &SigningKey, typ: &str, claims: &Value) -> String {
    let algorithm = key.key().algorithm().unwrap().as_str();
    forged(key, &json!({ "alg": algorithm, "typ": typ }).to_string(), &claims.to_string())
}

#[tokio::test]
async fn fp_18_nothing_that_a_client_signs_is_taken_by_rs256() {
    for of in BOTH {
        for (algorithm, is_taken) in
            [(Algorithm::Rs256, false), (Algorithm::Ps256, true), (Algorithm::EdDsa, true)]
        {
            let key = SigningKey::generate(algorithm).unwrap();
            let both = |own: &SigningKey, more: &SigningKey| jwks([own.key(), more.key()]);
            let first = SigningKey::generate(Algorithm::Es256).unwrap();
            let bank = Bank::with(
                of,
                Profile::Fapi2Security,
                |client| client.jwks(both(&first, &key)),
                |builder| builder.request_objects(RequestObjects::accepted()),
            );
            let proofs = Prover::with(algorithm);
            let asked = async |by: &SigningKey, jti: &str, proof: &str| {
                let own = signed_by(by, "JWT", &claims("bank", json!({ "jti": jti })));
                let form = [("grant_type", "client_credentials")];
                let answer =
                    bank.server.fixture.server.token(&by_assertion(&own, &form).header("dpop", proof)).await;
                Answer(answer)
            };
            let name = format!("{of:?} {algorithm}");
            let assertion = asked(&key, "1", &bank.proof()).await;
            assert_eq!(assertion.status() == 200, is_taken, "assertion {name}");
            if !is_taken {
                let flaw = Reason::ClientAssertion(AssertionFlaw::AlgorithmRefused);
                assert_eq!(bank.server.fixture.log.last_reason(), Some(flaw));
            }
            let proof = asked(&first, "2", &proofs.for_token()).await;
            assert_eq!(proof.status() == 200, is_taken, "proof {name}");
            if !is_taken {
                assert_eq!(proof.error(), (400, "invalid_dpop_proof".to_owned()));
                assert_eq!(bank.server.fixture.log.last_reason(), Some(ProofFlaw::AlgorithmRefused.into()));
            }
            let own = signed_by(&first, "JWT", &claims("bank", json!({ "jti": "3" })));
            let object = signed_by(&key, "oauth-authz-req+jwt", &asking("bank", json!({})));
            let pushed = bank.push_request(by_assertion(&own, &[("request", &object)])).await;
            assert_eq!(pushed.status() == 201, is_taken, "object {name}");
            let own = signed_by(&first, "JWT", &claims("bank", json!({ "jti": "4" })));
            let proven = proofs.proof("POST", PAR, json!({}));
            let form = crate::support::code_query("bank", "read");
            let pushed = bank.push_request(by_assertion(&own, &form).header("dpop", proven)).await;
            assert_eq!(pushed.status() == 201, is_taken, "proof of a push {name}");
        }
    }
}

#[tokio::test]
async fn fp_18_no_issuer_of_assertions_vouches_by_rs256() {
    for of in BOTH {
        for (algorithm, is_taken) in [(Algorithm::Rs256, false), (Algorithm::Ps256, true)] {
            let key = SigningKey::generate(algorithm).unwrap();
            let partner = AssertionIssuer::new(PARTNER, StaticKeys::new(&set([&key])));
            let bank = Bank::with(
                of,
                Profile::Fapi2Security,
                |client| client.grant_types([GrantType::jwt_bearer()]),
                |builder| builder.jwt_bearer(JwtBearer::new(Accounts::default()).issuer(partner)),
            );
            let about_carol = json!({
                "iss": PARTNER, "sub": "7", "aud": ISSUER, "jti": "1", "iat": bank.now(), "exp": bank.now() + 60,
            });
            let assertion = signed_by(&key, "JWT", &about_carol);
            let form = [("grant_type", JWT_BEARER), ("assertion", assertion.as_str())];
            let answer = bank.token(&form, Some(&bank.proof())).await;
            assert_eq!(answer.status() == 200, is_taken, "{of:?} {algorithm}");
            if !is_taken {
                let flaw = Reason::Assertion(AssertionFlaw::AlgorithmRefused);
                assert_eq!(bank.server.fixture.log.last_reason(), Some(flaw));
            }
        }
    }
}

/// It authenticates by this certificate, or by an assertion.
fn by_certificate(client: ClientBuilder, shows: bool, own: &Identity) -> ClientBuilder {
    match shows {
        true => client.auth_method(AuthMethod::SelfSignedTlsClientAuth).jwks(own.x5c()),
        false => client,
    }
}

fn authenticated(bank: &Bank, shows: bool, form: &[(&str, &str)]) -> Request {
    match shows {
        true => Request::post_form(encode(&[form, &[("client_id", "bank")]].concat())),
        false => by_assertion(&bank.assertion(json!({})), form),
    }
}

/// A bank whose client authenticates by a certificate, or by an assertion, and whose tokens are bound to the
/// certificate, or to a proof.
fn variant(of: Of, shows: bool, binds: bool, own: &Identity) -> Bank {
    Bank::with(
        of,
        Profile::Fapi2Security,
        |client| {
            let client = client.certificate_bound_access_tokens(binds);
            by_certificate(client.dpop_bound_access_tokens(!binds), shows, own)
        },
        |builder| builder.client_certificates(X509Certificates::new()),
    )
}

#[tokio::test]
async fn fp_27_each_of_the_four_variants_works() {
    for (of, shows, binds) in BOTH.into_iter().flat_map(|of| {
        [(false, false), (false, true), (true, false), (true, true)].map(|(shows, binds)| (of, shows, binds))
    }) {
        let what = format!("{of:?}: by certificate {shows}, bound to it {binds}");
        let own = Identity::self_signed("bank");
        let bank = variant(of, shows, binds, &own);
        let asks = |form: &[(&str, &str)], url: &str| {
            let request = authenticated(&bank, shows, form);
            let request = if binds {
                request
            } else {
                request.header("dpop", bank.prover.proof("POST", url, json!({})))
            };
            if shows || binds { request.with_certificate(own.shown()) } else { request }
        };
        let form = crate::support::pushing::asking("bank");
        let pushed = bank.push_request(asks(&form, PAR)).await;
        assert_eq!(pushed.status(), 201, "{what}: {}", pushed.json());
        let answer = bank.approve(&pushed.text("request_uri")).await;
        let code = answer.location_parameter("code").expect("a code");
        let server = &bank.server.fixture.server;
        let tokens = Answer(server.token(&asks(&redemption(&code), TOKEN)).await);
        assert_eq!(tokens.status(), 200, "{what}: {}", tokens.json());
        assert_eq!(tokens.text("token_type"), if binds { "Bearer" } else { "DPoP" }, "{what}");
        let token = tokens.access_token();
        let calls = match binds {
            true => call(&token).with_certificate(own.shown()),
            false => bank.prover.call(&token, ISSUER, "/me"),
        };
        assert!(server.protect(&calls, &[]).await.is_ok(), "{what}");
        assert_eq!(server.protect(&call(&token), &[]).await.unwrap_err().status, 401, "{what}");
    }
}

#[tokio::test]
async fn fp_27_where_dpop_alone_binds_a_certificate_is_no_key() {
    for (of, shows) in BOTH.into_iter().flat_map(|of| [(of, false), (of, true)]) {
        let what = format!("{of:?}: by certificate {shows}");
        let own = Identity::self_signed("bank");
        let bank = Bank::with(
            of,
            Profile::Fapi2Security,
            |client| by_certificate(client, shows, &own),
            |builder| {
                let builder = builder.client_certificates(X509Certificates::new());
                builder.without_certificate_bound_access_tokens()
            },
        );
        let asks = || {
            let request = authenticated(&bank, shows, &[("grant_type", "client_credentials")]);
            request.with_certificate(own.shown())
        };
        let server = &bank.server.fixture.server;
        let unproven = Answer(server.token(&asks()).await);
        assert_eq!(unproven.error(), (400, "invalid_dpop_proof".to_owned()), "{what}");
        let proven = Answer(server.token(&asks().header("dpop", bank.proof())).await);
        assert_eq!((proven.status(), proven.text("token_type")), (200, "DPoP".to_owned()), "{what}");
        assert_eq!(bank.metadata().get("tls_client_certificate_bound_access_tokens"), None, "{what}");
    }
}
