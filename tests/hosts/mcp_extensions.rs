//! The extensions of the authorization part of the Model Context Protocol: client credentials, and
//! authorization that an enterprise manages (ID-JAG).

use grantor::resource::Requirement;
use grantor::{Profile, Request, Resource};
use serde_json::{Value, json};

use crate::support::asserting::Asserting;
use crate::support::extending::API;
use crate::support::guarded::call;
use crate::support::site::DOCUMENT;
use crate::support::vouching::{JWT_BEARER, Vouching};
use crate::support::{Answer, SECRET, encode};

const MCP: &str = "https://mcp.example/mcp";
const OTHER: &str = "https://other.example/mcp";

#[tokio::test]
async fn mc_14_a_program_gets_a_token_by_its_key_or_by_its_secret_in_the_form() {
    let server = Asserting::with(
        |_| Vec::new(),
        |builder| builder.profile(Profile::Mcp).resource(Resource::new(MCP)).resource(Resource::new(OTHER)),
    );
    let own = [("grant_type", "client_credentials"), ("scope", "read"), ("resource", MCP)];
    let by_key = server.asks_with(&server.assertion(json!({})), &own).await;
    let secret = [("client_id", "post"), ("client_secret", SECRET)];
    let form = Request::post_form(encode(&[&own[..], &secret].concat()));
    let by_secret = Answer(server.fixture.server.token(&form).await);
    let guard = server.fixture.guard(MCP);
    for (answer, client) in [(by_key, "pkj"), (by_secret, "post")] {
        assert_eq!(answer.status(), 200, "{client}: {}", answer.json());
        let token = answer.access_token();
        let access = guard.check(&call(&token), &Requirement::scopes(["read"])).await.unwrap();
        assert_eq!((access.client().as_str(), access.user()), (client, None));
        let elsewhere = server.fixture.guard(OTHER).check(&call(&token), &Requirement::any()).await;
        assert_eq!(elsewhere.unwrap_err().status, 401, "{client}: for the resource that was named alone");
    }
    let foreign = [("grant_type", "client_credentials"), ("resource", "https://unknown.example")];
    let answer = server.asks_with(&server.assertion(json!({ "jti": "2" })), &foreign).await;
    assert_eq!(answer.error(), (400, "invalid_target".to_owned()));
    let metadata = Answer(server.fixture.server.metadata()).json();
    let lists = |member: &str, value: &str| {
        let list = metadata[member].as_array().unwrap_or_else(|| panic!("{member}"));
        assert!(list.contains(&json!(value)), "{member}: {value}");
    };
    lists("grant_types_supported", "client_credentials");
    lists("token_endpoint_auth_methods_supported", "private_key_jwt");
    lists("token_endpoint_auth_methods_supported", "client_secret_post");
    for algorithm in ["ES256", "RS256"] {
        lists("token_endpoint_auth_signing_alg_values_supported", algorithm);
    }
}

#[tokio::test]
async fn mc_15_an_enterprise_vouches_to_a_client_that_is_known_and_proves_itself() {
    let bench = Vouching::with(|grant| grant, |builder| builder.profile(Profile::Mcp));
    let jag = |changes: Value| bench.jag(changes);
    let named = jag(json!({ "resource": API, "scope": "read", "jti": "named" }));
    let answer = bench.bring(&named).await;
    assert_eq!(answer.status(), 200, "{}", answer.json());
    assert_eq!((answer.text("scope"), answer.json().get("refresh_token")), ("read".to_owned(), None));
    let guard = bench.fixture.guard(API);
    let access = guard.check(&call(&answer.access_token()), &Requirement::scopes(["read"])).await.unwrap();
    assert_eq!((access.client().as_str(), access.user()), ("wiki", Some("alice")));

    let good = jag(json!({ "resource": API }));
    let form = |more: &[(&str, &str)]| {
        Request::post_form(encode(&[&[("grant_type", JWT_BEARER), ("assertion", &good)], more].concat()))
    };
    for (what, request, error) in [
        ("nobody", form(&[]), (401, "invalid_client")),
        ("not registered", form(&[("client_id", DOCUMENT)]), (401, "invalid_client")),
        ("not authenticated", form(&[("client_id", "wiki")]), (401, "invalid_client")),
        ("public", form(&[("client_id", "app")]), (400, "unauthorized_client")),
    ] {
        let answer = Answer(bench.fixture.server.token(&request).await);
        assert_eq!(answer.error(), (error.0, error.1.to_owned()), "{what}");
    }
    let stolen = bench.bring_as("desk", &good, &[]).await;
    assert_eq!(stolen.error(), (400, "invalid_grant".to_owned()), "another client");
    assert_eq!(bench.bring(&good).await.status(), 200, "and its own");
}
