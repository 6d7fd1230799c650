//! RFC 9470 from the challenge to the answer: a guard asks for another sign-in, and the authorization server
//! knows how the user signed in, then and after a refresh.

use std::time::Duration;

use grantor::http::{Request, Response};
use grantor::keys::JwtSigner;
use grantor::resource::{Guard, Requirement};
use grantor::{AccessTokens, Login, Resource, SignedIn};

use crate::support::guarded::{API, call, parameter};
use crate::support::provider::keys;
use crate::support::{Answer, Fixture, code_query, encode};

/// A server that gives out such tokens, and a guard in its process.
fn local(format: AccessTokens) -> (Fixture, Guard) {
    let fixture = Fixture::with(|builder| {
        let builder = builder.resource(Resource::new(API)).access_tokens(format);
        builder.token_signer(JwtSigner::new(keys()).unwrap())
    });
    let guard = fixture.guard(API);
    (fixture, guard)
}

/// The tokens after a request with these parameters, which this login answers.
async fn tokens(fixture: &Fixture, more: &[(&str, &str)], login: Login) -> Result<Answer, SignedIn> {
    let query = [code_query("conf", "read"), vec![("resource", API)], more.to_vec()].concat();
    let ask = fixture.server.authorize(&Request::get(encode(&query))).await.unwrap();
    match ask.signed_in(login).await {
        SignedIn::Consent(consent) => {
            let code = Answer(consent.approve().await).location_parameter("code").expect("a code");
            Ok(fixture.redeem("conf", &code).await)
        }
        other => Err(other),
    }
}

/// What a client adds to its next authorization request.
fn answered(challenge: &Response) -> [(&'static str, String); 3] {
    assert_eq!(challenge.status, 401);
    assert_eq!(parameter(challenge, "error").as_deref(), Some("insufficient_user_authentication"));
    ["acr_values", "max_age", "scope"].map(|name| (name, parameter(challenge, name).expect(name)))
}

#[tokio::test]
async fn rs_20_a_challenge_leads_to_a_token_that_passes() {
    let step_up = Requirement::scopes(["read"]).acr(["mfa", "hwk"]).max_age(60);
    for format in [AccessTokens::Opaque, AccessTokens::Jwt] {
        let (fixture, guard) = local(format);
        let weak = fixture.alice().with_acr("pwd");
        let old = tokens(&fixture, &[], weak.clone()).await.unwrap().access_token();
        fixture.clock.advance(Duration::from_secs(90));
        let challenge = guard.check(&call(&old), &step_up).await.unwrap_err();
        let asks = answered(&challenge);
        assert_eq!(asks.each_ref().map(|(_, value)| value.as_str()), ["mfa hwk", "60", "read"]);
        let asks = [0, 1].map(|at| (asks[at].0, asks[at].1.as_str()));

        // The user's session is of the wrong class and too old: no code, but another sign-in.
        let again = tokens(&fixture, &asks, weak).await;
        assert!(matches!(again, Err(SignedIn::Reauthenticate(_))));
        let new = tokens(&fixture, &asks, fixture.alice().with_acr("hwk")).await.unwrap().access_token();
        let access = guard.check(&call(&new), &step_up).await.expect("one round is enough");
        assert_eq!((access.acr(), access.auth_time()), (Some("hwk"), Some(fixture.clock_seconds())));
        let still = guard.check(&call(&old), &step_up).await.unwrap_err();
        assert_eq!(still.status, 401, "the old token is as weak as before");

        // A client that ignores the class gets the same challenge once more.
        let ignored = tokens(&fixture, &[], fixture.alice().with_acr("pwd")).await.unwrap().access_token();
        let challenge = guard.check(&call(&ignored), &step_up).await.unwrap_err();
        assert_eq!(answered(&challenge)[0].1, "mfa hwk");
    }
}

#[tokio::test]
async fn rs_21_a_refreshed_token_is_of_the_login_and_not_of_the_refresh() {
    for format in [AccessTokens::Opaque, AccessTokens::Jwt] {
        let (fixture, guard) = local(format);
        let login = fixture.alice().with_acr("hwk").with_amr(["hwk", "user"]);
        let (signed_in_at, begun) = (fixture.clock_seconds(), tokens(&fixture, &[], login).await.unwrap());
        fixture.clock.advance(Duration::from_secs(3600));
        let token = fixture.refresh("conf", &begun.refresh_token()).await.access_token();
        let access = guard.check(&call(&token), &Requirement::scopes(["read"])).await.unwrap();
        assert_eq!((access.acr(), access.auth_time()), (Some("hwk"), Some(signed_in_at)));
        let seen = fixture.introspect("conf", &token).await.json();
        assert_eq!((seen["acr"].as_str(), seen["auth_time"].as_i64()), (Some("hwk"), Some(signed_in_at)));
        assert_eq!(seen["iat"].as_i64(), Some(fixture.clock_seconds()));
        if format == AccessTokens::Jwt {
            let (_, claims) = fixture.opened(&token).await;
            assert_eq!(
                (claims["acr"].as_str(), claims["auth_time"].as_i64()),
                (Some("hwk"), Some(signed_in_at))
            );
        }
        let recent = guard.check(&call(&token), &Requirement::any().max_age(60)).await.unwrap_err();
        answered_age(&recent);
    }
}

/// A refresh is no sign-in.
fn answered_age(challenge: &Response) {
    assert_eq!(parameter(challenge, "error").as_deref(), Some("insufficient_user_authentication"));
    assert_eq!(parameter(challenge, "max_age").as_deref(), Some("60"));
}
