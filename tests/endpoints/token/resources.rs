//! Resource indicators: RFC 8707.

use grantor::grant::Grant;
use grantor::server::AuthorizationServerBuilder;
use grantor::{Profile, Request, Resource, TokenStore};

use crate::support::{Answer, Fixture, ISSUER, code_query, request};

const RS1: &str = "https://rs1.example";
const RS2: &str = "https://rs2.example";

/// Two resources; `read` means something at both, `write` at the first, `admin` at the second.
fn fixture() -> Fixture {
    with_resources(|builder| builder)
}

fn with_resources(
    configure: impl FnOnce(AuthorizationServerBuilder) -> AuthorizationServerBuilder,
) -> Fixture {
    Fixture::with(|builder| {
        let builder = builder
            .resource(Resource::new(RS1).scopes(["read", "write"]).introspection_clients(["conf"]))
            .resource(Resource::new(RS2).scopes(["read", "admin"]).introspection_clients(["robot"]));
        configure(builder)
    })
}

async fn code_for(fixture: &Fixture, client: &str, scope: &str, resources: &[&str]) -> Answer {
    let mut query = code_query(client, scope);
    query.extend(resources.iter().map(|resource| ("resource", *resource)));
    fixture.approve(&query).await
}

async fn redeem(fixture: &Fixture, client: &str, code: &str, resources: &[&str]) -> Answer {
    let mut form = crate::support::redemption(code);
    form.extend(resources.iter().map(|resource| ("resource", *resource)));
    fixture.token(client, &form).await
}

async fn audience(fixture: &Fixture, token: &str) -> String {
    fixture.server.check(token).await.unwrap().audience().map(ToString::to_string).unwrap_or_default()
}

#[tokio::test]
async fn h_04_a_request_may_name_several_resources() {
    let fixture = fixture();
    let code = code_for(&fixture, "other", "read", &[RS1, RS2]).await.location_parameter("code").unwrap();
    let first = redeem(&fixture, "other", &code, &[RS1]).await;
    assert_eq!(audience(&fixture, &first.access_token()).await, RS1);
    let ask = [("grant_type", "refresh_token"), ("refresh_token", &first.refresh_token()), ("resource", RS2)];
    let second = fixture.token("other", &ask).await;
    assert_eq!(audience(&fixture, &second.access_token()).await, RS2);
}

#[tokio::test]
async fn h_04_without_registered_resources_the_parameter_is_ignored() {
    let fixture = Fixture::new();
    let code = code_for(&fixture, "conf", "read", &[RS1, RS2]).await.location_parameter("code").unwrap();
    assert_eq!(redeem(&fixture, "conf", &code, &[RS1, RS2]).await.status(), 200);
}

#[tokio::test]
async fn ri_01_a_resource_is_an_absolute_uri_without_a_fragment() {
    let fixture = fixture();
    for bad in ["foo", "https://rs1.example#x", "//rs1.example", "https://rs3.example"] {
        let answer = code_for(&fixture, "conf", "read", &[bad]).await;
        assert_eq!(answer.location_parameter("error").unwrap(), "invalid_target", "{bad}");
        let form = [("grant_type", "client_credentials"), ("resource", bad)];
        assert_eq!(fixture.token("conf", &form).await.error(), (400, "invalid_target".into()), "{bad}");
    }
}

#[tokio::test]
async fn ri_02_an_access_token_is_for_the_resource_that_was_asked_for() {
    let fixture = fixture();
    for resource in [RS1, RS2] {
        let form = [("grant_type", "client_credentials"), ("resource", resource)];
        let token = fixture.token("conf", &form).await.access_token();
        assert_eq!(fixture.introspect("conf", &token).await.json()["aud"], resource);
    }
    let form = [("grant_type", "client_credentials"), ("resource", RS1), ("resource", RS2)];
    assert_eq!(fixture.token("conf", &form).await.error(), (400, "invalid_target".into()));
}

#[tokio::test]
async fn tk_12_a_resource_that_was_not_granted_is_refused_and_the_code_stays_good() {
    let fixture = fixture();
    let code = code_for(&fixture, "conf", "read", &[RS1]).await.location_parameter("code").unwrap();
    assert_eq!(redeem(&fixture, "conf", &code, &[RS2]).await.error(), (400, "invalid_target".into()));
    let answer = redeem(&fixture, "conf", &code, &[RS1]).await;
    assert_eq!(audience(&fixture, &answer.access_token()).await, RS1);
}

#[tokio::test]
async fn tk_12_one_granted_resource_needs_no_name_and_several_do() {
    let fixture = fixture();
    let code = code_for(&fixture, "conf", "read", &[RS1]).await.location_parameter("code").unwrap();
    let answer = redeem(&fixture, "conf", &code, &[]).await;
    assert_eq!(audience(&fixture, &answer.access_token()).await, RS1);
    let code = code_for(&fixture, "conf", "read", &[RS1, RS2]).await.location_parameter("code").unwrap();
    assert_eq!(redeem(&fixture, "conf", &code, &[]).await.error(), (400, "invalid_target".into()));
    assert_eq!(redeem(&fixture, "conf", &code, &[RS2]).await.status(), 200);
}

#[tokio::test]
async fn tk_12_the_default_audience_is_chosen_like_any_other() {
    let strict = fixture();
    let mcp = with_resources(|builder| builder.profile(Profile::Mcp));
    let code = async |fixture: &Fixture, resources: &[&str]| {
        code_for(fixture, "other", "read", resources).await.location_parameter("code").unwrap()
    };
    let of_both = code(&strict, &[ISSUER, RS1]).await;
    let ambiguous = (400, "invalid_target".to_owned());
    assert_eq!(redeem(&strict, "other", &of_both, &[]).await.error(), ambiguous);
    let tokens = redeem(&strict, "other", &of_both, &[ISSUER]).await;
    assert_eq!(audience(&strict, &tokens.access_token()).await, "");
    let of_others = code(&mcp, &[RS1, RS2]).await;
    assert_eq!(redeem(&mcp, "other", &of_others, &[]).await.error(), ambiguous, "the user did not see it");
    let of_none = code(&strict, &[]).await;
    let tokens = redeem(&strict, "other", &of_none, &[ISSUER]).await;
    assert_eq!(audience(&strict, &tokens.access_token()).await, "");
}

#[tokio::test]
async fn rt_10_a_resource_that_the_server_no_longer_has_gets_no_token() {
    let before = fixture();
    let code = code_for(&before, "other", "read", &[RS1]).await.location_parameter("code").unwrap();
    let tokens = redeem(&before, "other", &code, &[]).await;
    let after = Fixture::on(before.store.clone(), before.store.clone(), |builder| {
        builder.clock(before.clock.clone()).resource(Resource::new(RS2).scopes(["read"]))
    });
    let refused = after.refresh("other", &tokens.refresh_token()).await;
    assert_eq!(refused.error(), (400, "invalid_target".to_owned()));
}

#[tokio::test]
async fn tk_19_a_token_has_only_scopes_that_mean_something_to_its_resource() {
    let fixture = fixture();
    let code = code_for(&fixture, "other", "read write admin", &[RS1, RS2]).await;
    let code = code.location_parameter("code").unwrap();
    let first = redeem(&fixture, "other", &code, &[RS1]).await;
    assert_eq!(first.text("scope"), "read write");
    let ask = |scope| {
        request(
            "other",
            &[
                ("grant_type", "refresh_token"),
                ("refresh_token", &first.refresh_token()),
                ("resource", RS2),
                ("scope", scope),
            ],
        )
    };
    let second = Answer(fixture.server.token(&ask("read admin")).await);
    assert_eq!(second.text("scope"), "read admin");
    let neither = Answer(fixture.server.token(&ask("write")).await);
    assert_eq!(neither.error(), (400, "invalid_scope".into()));
}

/// RFC 6749 section 5.1: an answer without `scope` says that the client has what it asked for.
#[tokio::test]
async fn tk_19_a_scope_that_no_named_resource_knows_is_refused_at_once() {
    let fixture = fixture();
    let refused = code_for(&fixture, "other", "admin", &[RS1]).await;
    assert_eq!(refused.location_parameter("error").as_deref(), Some("invalid_scope"));
    let one_knows = code_for(&fixture, "other", "admin", &[RS1, RS2]).await;
    let code = one_knows.location_parameter("code").unwrap();
    assert_eq!(redeem(&fixture, "other", &code, &[RS1]).await.error(), (400, "invalid_scope".into()));
    assert_eq!(redeem(&fixture, "other", &code, &[RS2]).await.text("scope"), "admin");
}

#[tokio::test]
async fn tk_19_a_resource_without_scopes_has_tokens_without_scope() {
    let api = Resource::new(RS1).scopes(<[&str; 0]>::default());
    let fixture = Fixture::with(|builder| builder.resource(api));
    let form = [("grant_type", "client_credentials"), ("resource", RS1)];
    let answer = fixture.token("conf", &form).await;
    assert_eq!((answer.status(), answer.json().get("scope")), (200, None));
    let named = [&form[..], &[("scope", "read")]].concat();
    assert_eq!(fixture.token("conf", &named).await.error(), (400, "invalid_scope".into()));
    let refused = code_for(&fixture, "conf", "read", &[RS1]).await;
    assert_eq!(refused.location_parameter("error").as_deref(), Some("invalid_scope"));
}

#[tokio::test]
async fn tk_20_a_token_for_one_resource_is_refused_at_another() {
    let fixture = Fixture::with(|builder| {
        let [rs1, rs2] = [RS1, RS2].map(|id| Resource::new(id).scopes(["read"]));
        builder.resource(rs1).resource(rs2).audience(RS1)
    });
    for (resource, status) in [(RS1, 200), (RS2, 401)] {
        let form = [("grant_type", "client_credentials"), ("resource", resource)];
        let token = fixture.token("conf", &form).await.access_token();
        let call = Request::get("").header("authorization", format!("Bearer {token}"));
        let answer = fixture.server.protect(&call, &["read"]).await.map_or_else(|r| r.status, |_| 200);
        assert_eq!(answer, status, "{resource}");
    }
}

#[tokio::test]
async fn rt_10_a_refresh_for_another_resource_changes_nothing() {
    let fixture = fixture();
    let code = code_for(&fixture, "pub", "read", &[RS1]).await.location_parameter("code").unwrap();
    let tokens = redeem(&fixture, "pub", &code, &[]).await;
    let refresh = tokens.refresh_token();
    let ask = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str()), ("resource", RS2)];
    assert_eq!(fixture.token("pub", &ask).await.error(), (400, "invalid_target".into()));
    assert_eq!(fixture.refresh("pub", &refresh).await.status(), 200);
}

#[tokio::test]
async fn in_03_a_server_of_one_resource_sees_no_token_for_another() {
    let fixture = fixture();
    let form = [("grant_type", "client_credentials"), ("resource", RS1)];
    let token = fixture.token("other", &form).await.access_token();
    assert_eq!(fixture.introspect("conf", &token).await.json()["active"], true);
    assert_eq!(fixture.introspect("robot", &token).await.json()["active"], false);
}

#[tokio::test]
async fn a_repeated_answer_is_for_the_same_resource() {
    let fixture = fixture();
    let code = code_for(&fixture, "pub", "read", &[RS2]).await.location_parameter("code").unwrap();
    let refresh = redeem(&fixture, "pub", &code, &[]).await.refresh_token();
    let [first, again] = [fixture.refresh("pub", &refresh).await, fixture.refresh("pub", &refresh).await];
    assert_eq!(first.access_token(), again.access_token());
    assert_eq!(audience(&fixture, &again.access_token()).await, RS2);
}

#[tokio::test]
async fn the_resources_of_a_grant_survive_its_storage() {
    let fixture = fixture();
    let code = code_for(&fixture, "conf", "read", &[RS1, RS2]).await.location_parameter("code").unwrap();
    let token = redeem(&fixture, "conf", &code, &[RS2]).await.access_token();
    let id = fixture.server.check(&token).await.unwrap().grant_id().unwrap();
    let record = fixture.store.load(id).await.unwrap().unwrap();
    assert_eq!(&Grant::decode(id, &record.grant().encode()).unwrap(), record.grant());
}

#[tokio::test]
async fn ft_17_a_first_resource_gets_no_older_token_where_the_audience_was_named() {
    let store = std::sync::Arc::new(grantor::MemoryStore::new());
    let named =
        |builder: grantor::server::AuthorizationServerBuilder| builder.audience(crate::support::ISSUER);
    let before = Fixture::on(store.clone(), store.clone(), named);
    let token = before.tokens("conf", "read").await.access_token();
    let after = Fixture::on(store.clone(), store.clone(), |builder| {
        named(builder).resource(grantor::Resource::new("https://first.example"))
    });
    assert_eq!(after.introspect("conf", &token).await.text("aud"), crate::support::ISSUER);
}
