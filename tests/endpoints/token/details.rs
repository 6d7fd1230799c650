//! Authorization details, or rich authorization requests: RFC 9396.

use std::sync::Arc;

use grantor::http::Method;
use grantor::issuance::Fields;
use grantor::server::AuthorizationServerBuilder;
use grantor::{AuthorizationDetail, DetailType};
use grantor::{
    AuthorizationDetails, Client, GrantType, MemoryRegistry, Profile, Reason, Registration, Request, Resource,
};
use serde_json::{Value, json};

use crate::support::browser::Server;
use crate::support::{Answer, CALLBACK, Fixture, SECRET, clients, code_query, encode, redemption, request};

const RS1: &str = "https://rs1.example";
const RS2: &str = "https://rs2.example";

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Payment {
    amount: u32,
    creditor: String,
    #[serde(rename = "locations")]
    _locations: Option<Vec<String>>,
}

/// A list of files; it covers every shorter list of them.
struct Files;

impl DetailType for Files {
    fn accepts(&self, detail: &AuthorizationDetail) -> bool {
        detail.members().len() == 2 && !files(detail).is_empty()
    }

    fn covers(&self, granted: &AuthorizationDetail, asked: &AuthorizationDetail) -> bool {
        files(asked).iter().all(|file| files(granted).contains(file))
    }
}

fn files(detail: &AuthorizationDetail) -> Vec<&str> {
    let files = detail.get("files").and_then(Value::as_array);
    files.into_iter().flatten().filter_map(Value::as_str).collect()
}

fn with_types(builder: AuthorizationServerBuilder) -> AuthorizationServerBuilder {
    let payment =
        Fields::<Payment>::new().only_if(|payment| payment.amount > 0 && !payment.creditor.is_empty());
    builder.authorization_details_type("payment", payment).authorization_details_type("files", Files)
}

fn fixture() -> Fixture {
    Fixture::with(with_types)
}

fn fixture_without_resources() -> Fixture {
    Fixture::with(|builder| with_types(builder).device_verification("/device"))
}

fn payment() -> Value {
    json!({ "type": "payment", "amount": 12, "creditor": "Shop" })
}

fn asking<'a>(scope: &'a str, details: &'a str) -> Vec<(&'a str, &'a str)> {
    let mut query = code_query("conf", scope);
    query.push(("authorization_details", details));
    query
}

async fn refused(fixture: &Fixture, details: &str) -> (String, Reason) {
    let answer = fixture.approve(&asking("read", details)).await;
    let error = answer.location_parameter("error").unwrap_or_default();
    (error, fixture.log.last_reason().unwrap())
}

async fn tokens(fixture: &Fixture, details: &Value) -> Answer {
    let details = details.to_string();
    let code = fixture.approve(&asking("read", &details)).await.location_parameter("code").unwrap();
    fixture.redeem("conf", &code).await
}

const ERROR: &str = "invalid_authorization_details";

#[tokio::test]
async fn ra_01_details_are_an_array_of_objects_with_a_type() {
    let fixture = fixture();
    for bad in [
        "payment",
        "{\"type\":\"payment\",\"amount\":12,\"creditor\":\"Shop\"}",
        "[\"payment\"]",
        "[[]]",
        "[{}]",
        "[{\"amount\":12,\"creditor\":\"Shop\"}]",
        "[{\"type\":1}]",
        "[{\"type\":\"\"}]",
        "[{\"type\":\"payment\",\"amount\":12,\"creditor\":\"Shop\",\"locations\":\"https://rs1.example\"}]",
        "[{\"type\":\"payment\",\"amount\":12,\"amount\":99,\"creditor\":\"Shop\"}]",
        "[{\"type\":\"payment\",\"amount\":12,\"creditor\":\"Shop\"}",
    ] {
        assert_eq!(refused(&fixture, bad).await, (ERROR.to_owned(), Reason::DetailsMalformed), "{bad}");
    }
    let many = Value::Array(vec![payment(); 17]).to_string();
    assert_eq!(refused(&fixture, &many).await.1, Reason::DetailsMalformed);
    assert_eq!(tokens(&fixture, &Value::Array(vec![payment(); 16])).await.status(), 200);
    let repeated = [asking("read", "[]"), vec![("authorization_details", "[]")]].concat();
    assert_eq!(fixture.approve(&repeated).await.location_parameter("error").unwrap(), "invalid_request");
}

#[tokio::test]
async fn ra_02_a_detail_is_of_a_known_type_and_of_its_form() {
    let fixture = fixture();
    for (bad, reason) in [
        (json!({ "type": "account" }), Reason::DetailsTypeUnknown),
        (json!({ "type": "Payment", "amount": 12, "creditor": "Shop" }), Reason::DetailsTypeUnknown),
        (json!({ "type": "payment", "amount": 12, "creditor": "Shop", "tip": 1 }), Reason::DetailsRefused),
        (json!({ "type": "payment", "amount": "12", "creditor": "Shop" }), Reason::DetailsRefused),
        (json!({ "type": "payment", "amount": 0, "creditor": "Shop" }), Reason::DetailsRefused),
        (json!({ "type": "payment", "amount": 12 }), Reason::DetailsRefused),
        (json!({ "type": "files", "files": [] }), Reason::DetailsRefused),
    ] {
        let details = json!([payment(), bad]).to_string();
        assert_eq!(refused(&fixture, &details).await, (ERROR.to_owned(), reason), "{bad}");
    }
    let bare = Fixture::new();
    let details = json!([payment()]).to_string();
    assert_eq!(refused(&bare, &details).await, (ERROR.to_owned(), Reason::DetailsTypeUnknown));
}

/// A client may ask for the types that it registered; without a user, for no others.
#[tokio::test]
async fn ra_02_where_no_user_is_asked_a_type_has_to_be_registered() {
    let details = json!([payment()]).to_string();
    let form = [("grant_type", "client_credentials"), ("authorization_details", &*details)];
    let fixture = fixture();
    assert_eq!(fixture.token("conf", &form).await.error(), (400, ERROR.to_owned()));
    assert_eq!(fixture.log.last_reason(), Some(Reason::DetailsNotAllowed));
    let robot = Client::builder("payer")
        .secret(SECRET)
        .grant_types([GrantType::ClientCredentials, GrantType::AuthorizationCode])
        .redirect_uri(CALLBACK)
        .authorization_details_types(["payment"])
        .build()
        .unwrap();
    let registry = MemoryRegistry::new(clients().into_iter().chain([robot]));
    let fixture = Fixture::with(|builder| with_types(builder).clients(registry));
    let answer = fixture.token("payer", &form).await;
    assert_eq!(answer.json()["authorization_details"], json!([payment()]));
    let files = json!([{ "type": "files", "files": ["a"] }]).to_string();
    let mut query = code_query("payer", "read");
    query.push(("authorization_details", &files));
    assert_eq!(fixture.approve(&query).await.location_parameter("error").unwrap(), ERROR);
}

const DETAILS: &str = r#"
    [[authorization_details]]
    type = "payment"
    text = "Pay somebody"
    required = { amount = "text", creditor = "text" }
    optional = { reference = "text", confirmed = "boolean" }
"#;

#[test]
fn ra_03_the_consent_page_shows_scopes_and_details() {
    let server = Server::start_with("", DETAILS);
    let mut alice = server.signed_in("alice", "wonderland");
    let details = json!([
        { "type": "payment", "amount": "12.50 EUR", "creditor": "Shop" },
        { "type": "payment", "amount": "3 EUR", "creditor": "Café", "confirmed": true },
    ]);
    let page = alice.get(&format!("/consent?{}", encode(&asking("read write", &details.to_string()))));
    assert_eq!(page.status, 200, "{}", page.body);
    for shown in
        ["<code>read</code>", "<code>write</code>", "Pay somebody", "12.50 EUR", "Shop", "3 EUR", "Café"]
    {
        assert!(page.body.contains(shown), "{shown}: {}", page.body);
    }
}

#[tokio::test]
async fn ra_03_the_host_may_narrow_and_enrich_what_was_asked_for() {
    let fixture = fixture();
    let details = json!([payment(), { "type": "files", "files": ["a", "b"] }]).to_string();
    let query = Request::get(encode(&asking("read", &details)));
    let asked = fixture.server.authorize(&query).await.unwrap();
    let mut consent = asked.signed_in(fixture.alice()).await.consent().unwrap();
    assert_eq!(consent.details().as_slice().len(), 2);
    let reason = |set: Result<(), grantor::HostError>| set.err().map(|error| error.reason());
    let chosen = |json: &Value| AuthorizationDetails::parse(&json.to_string()).unwrap();
    let other = chosen(&json!([{ "type": "files", "files": [] }]));
    assert_eq!(reason(consent.set_details(other)), Some(Reason::DetailsRefused));
    let picked = json!([{ "type": "files", "files": ["a"] }]);
    consent.set_details(chosen(&picked)).unwrap();
    let never = chosen(&json!([payment()]));
    assert_eq!(reason(consent.set_details(never)), Some(Reason::DetailsExceeded), "it is gone by now");
    let code = Answer(consent.approve().await).location_parameter("code").unwrap();
    assert_eq!(fixture.redeem("conf", &code).await.json()["authorization_details"], picked);
}

#[tokio::test]
async fn ra_04_the_answer_tells_what_was_granted() {
    let fixture = fixture();
    let granted = json!([payment(), { "type": "files", "files": ["a", "b"] }]);
    let first = tokens(&fixture, &granted).await;
    assert_eq!(first.json()["authorization_details"], granted);
    let second = fixture.refresh("conf", &first.refresh_token()).await;
    assert_eq!(second.json()["authorization_details"], granted);
    assert_eq!(fixture.tokens("conf", "read").await.json().get("authorization_details"), None);
}

#[tokio::test]
async fn tk_13_a_token_request_narrows_and_never_widens() {
    let fixture = fixture();
    let granted = json!([payment(), { "type": "files", "files": ["a", "b"] }]);
    let details = granted.to_string();
    let code = fixture.approve(&asking("read", &details)).await.location_parameter("code").unwrap();
    let redeem = |details: &Value| {
        let text = details.to_string();
        let mut form = redemption(&code);
        form.push(("authorization_details", &text));
        request("conf", &form)
    };
    for more in [
        json!([{ "type": "payment", "amount": 13, "creditor": "Shop" }]),
        json!([{ "type": "files", "files": ["a", "c"] }]),
        json!([{ "type": "account" }]),
    ] {
        let answer = Answer(fixture.server.token(&redeem(&more)).await);
        assert_eq!(answer.error(), (400, ERROR.to_owned()), "{more}");
    }
    let less = json!([{ "type": "files", "files": ["b"] }]);
    let narrow = Answer(fixture.server.token(&redeem(&less)).await);
    assert_eq!(narrow.json()["authorization_details"], less);
    let seen = fixture.introspect("conf", &narrow.access_token()).await;
    assert_eq!(seen.json()["authorization_details"], less);
    let whole = fixture.refresh("conf", &narrow.refresh_token()).await;
    assert_eq!(whole.json()["authorization_details"], granted, "the grant kept all of it");
}

#[tokio::test]
async fn ra_04_a_lost_answer_is_repeated_with_its_details() {
    let fixture = fixture();
    let details = json!([payment()]).to_string();
    let mut query = code_query("pub", "read");
    query.push(("authorization_details", &details));
    let code = fixture.approve(&query).await.location_parameter("code").unwrap();
    let first = fixture.redeem("pub", &code).await;
    let once = fixture.refresh("pub", &first.refresh_token()).await;
    let again = fixture.refresh("pub", &first.refresh_token()).await;
    assert_eq!(once.json()["authorization_details"], json!([payment()]));
    assert_eq!(again.json()["authorization_details"], json!([payment()]));
    assert_eq!(once.access_token(), again.access_token());
    let differs = [
        ("grant_type", "refresh_token"),
        ("refresh_token", &*first.refresh_token()),
        ("authorization_details", &details),
    ];
    assert_eq!(fixture.token("pub", &differs).await.error().1, "invalid_grant", "another question");
}

/// Each resource has its own: by `locations`, and by the types that mean something there.
#[tokio::test]
async fn ra_05_a_resource_sees_only_its_part() {
    let fixture = Fixture::with(|builder| {
        with_types(builder).resource(Resource::new(RS1).introspection_clients(["other"])).resource(
            Resource::new(RS2).authorization_details_types(["files"]).introspection_clients(["other"]),
        )
    });
    let here = json!({ "type": "payment", "amount": 1, "creditor": "A", "locations": [RS1] });
    let files = json!({ "type": "files", "files": ["a"] });
    let details = json!([here, files]).to_string();
    let mut query = asking("read", &details);
    query.extend([("resource", RS1), ("resource", RS2)]);
    let code = fixture.approve(&query).await.location_parameter("code").unwrap();
    let mut form = redemption(&code);
    form.push(("resource", RS1));
    let first = fixture.token("conf", &form).await;
    let ask =
        [("grant_type", "refresh_token"), ("refresh_token", &*first.refresh_token()), ("resource", RS2)];
    let second = fixture.token("conf", &ask).await;
    for (answer, part) in [(&first, json!([here, files])), (&second, json!([files]))] {
        assert_eq!(answer.json()["authorization_details"], part);
        let seen = fixture.introspect("other", &answer.access_token()).await;
        assert_eq!(seen.json()["authorization_details"], part);
        let access = fixture.server.check(&answer.access_token()).await.unwrap();
        assert_eq!(json!(access.details()), part, "the guard in the same process");
    }
}

/// What the user approved is in the token, under the leniency of the profile, too.
#[tokio::test]
async fn ra_05_under_mcp_locations_may_be_spelt_as_a_resource_may() {
    let resources = |profile| {
        let builder = move |builder: AuthorizationServerBuilder| {
            with_types(builder).profile(profile).resource(Resource::new(RS1)).resource(Resource::new(RS2))
        };
        Fixture::with(builder)
    };
    let detail =
        json!({ "type": "payment", "amount": 1, "creditor": "A", "locations": ["HTTPS://rs1.example/"] });
    let details = json!([detail]).to_string();
    let mut query = asking("read", &details);
    query.push(("resource", RS1));
    assert_eq!(
        resources(Profile::OAuth21).approve(&query).await.location_parameter("error").as_deref(),
        Some(ERROR)
    );
    let fixture = resources(Profile::Mcp);
    let code = fixture.approve(&query).await.location_parameter("code").unwrap();
    let mut form = redemption(&code);
    form.push(("resource", RS1));
    assert_eq!(fixture.token("conf", &form).await.json()["authorization_details"], json!([detail]));
}

/// The user must not approve what no token can say.
#[tokio::test]
async fn ra_05_a_detail_that_no_resource_takes_is_refused_before_a_page() {
    let fixture = Fixture::with(|builder| {
        let files = Resource::new(RS2).authorization_details_types(["files"]);
        with_types(builder).device_verification("/device").resource(Resource::new(RS1)).resource(files)
    });
    let bare = fixture_without_resources();
    let at = |place: &str| json!({ "type": "payment", "amount": 1, "creditor": "A", "locations": [place] });
    for (fixture, detail, resource, is_taken) in [
        (&fixture, at(RS1), Some(RS1), true),
        (&fixture, at(RS1), None, false),
        (&fixture, at("https://rs3.example"), Some(RS1), false),
        (&fixture, at(RS1), Some(RS2), false),
        (&fixture, payment(), Some(RS2), false),
        (&fixture, payment(), None, true),
        (&bare, at("https://as.example"), None, true),
        (&bare, at(RS1), None, false),
    ] {
        let details = json!([detail]).to_string();
        let mut query = asking("read", &details);
        query.extend(resource.map(|resource| ("resource", resource)));
        let answer = fixture.approve(&query).await;
        let shown = format!("{detail} {resource:?}");
        assert_eq!(answer.location_parameter("code").is_some(), is_taken, "{shown}");
        if !is_taken {
            assert_eq!(answer.location_parameter("error").as_deref(), Some(ERROR), "{shown}");
            assert_eq!(fixture.log.last_reason(), Some(Reason::DetailsOfNoResource), "{shown}");
        }
        let mut form = vec![("scope", "read"), ("authorization_details", &*details)];
        form.extend(resource.map(|resource| ("resource", resource)));
        assert_eq!(fixture.begin("tv", &form).await.status() == 200, is_taken, "device: {shown}");
    }
}

#[tokio::test]
async fn ra_04_an_empty_list_in_a_token_request_does_not_mean_all() {
    let fixture = fixture();
    let details = json!([payment()]).to_string();
    let code = fixture.approve(&asking("read", &details)).await.location_parameter("code").unwrap();
    let mut form = redemption(&code);
    form.push(("authorization_details", "[]"));
    assert_eq!(fixture.token("conf", &form).await.error(), (400, ERROR.to_owned()));
    let all = fixture.redeem("conf", &code).await;
    assert_eq!(all.json()["authorization_details"], json!([payment()]));
}

#[tokio::test]
async fn ra_05_a_signed_token_carries_them() {
    use grantor::jose::Algorithm;
    use grantor::keys::{JwtSigner, KeySchedule, Keys, MemoryKeyStore};
    let keys = Keys::rotating(MemoryKeyStore::new(), KeySchedule::default(), &[Algorithm::EdDsa]).unwrap();
    let fixture = Fixture::with(|builder| {
        with_types(builder)
            .token_signer(JwtSigner::new(keys).unwrap())
            .access_tokens(grantor::AccessTokens::Jwt)
    });
    let answer = tokens(&fixture, &json!([payment()])).await;
    let access = fixture.server.check(&answer.access_token()).await.unwrap();
    assert_eq!(json!(access.claims().unwrap().authorization_details), json!([payment()]));
    assert_eq!(json!(access.details()), json!([payment()]));
    let seen = fixture.introspect("conf", &answer.access_token()).await;
    assert_eq!(seen.json()["authorization_details"], json!([payment()]));
}

#[test]
fn ra_06_what_a_detail_says_is_text_on_the_consent_page() {
    let server = Server::start_with("", DETAILS);
    let mut alice = server.signed_in("alice", "wonderland");
    let hostile = "<script>alert(1)</script>\"'><b>'; DROP TABLE grants;--\r\nSet-Cookie: a=b";
    let details = json!([{ "type": "payment", "amount": "1", "creditor": hostile }]).to_string();
    let page = alice.get(&format!("/consent?{}", encode(&asking("read", &details))));
    assert_eq!(page.status, 200);
    assert!(!page.body.contains("<script>alert") && !page.body.contains("<b>'"), "{}", page.body);
    assert!(page.body.contains("&lt;script&gt;alert(1)"), "{}", page.body);
    assert!(page.header("set-cookie").is_none_or(|cookie| !cookie.contains("a=b")));
    let debug = format!("{:?}", AuthorizationDetails::parse(&details).unwrap());
    assert_eq!(debug, "[AuthorizationDetail(\"payment\", ..)]", "no log shows whom somebody pays");
}

#[tokio::test]
async fn a_device_gets_what_its_user_saw() {
    let fixture = Fixture::with(|builder| with_types(builder).device_verification("/device"));
    let details = json!([payment()]).to_string();
    let codes = fixture.begin("tv", &[("scope", "read"), ("authorization_details", &details)]).await;
    assert_eq!(codes.status(), 200, "{}", codes.json());
    let claimant = grantor::BrowserSession::session("a session");
    let waiting = fixture.server.device(&codes.text("user_code"), &claimant, None).await.unwrap();
    let consent = waiting.signed_in(fixture.alice());
    assert_eq!(json!(consent.details()), json!([payment()]));
    consent.approve().await.unwrap();
    let poll = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("device_code", &*codes.text("device_code")),
    ];
    let answer = fixture.token("tv", &poll).await;
    assert_eq!(answer.json()["authorization_details"], json!([payment()]));
}

#[tokio::test]
async fn the_metadata_name_the_types() {
    let metadata = Answer(fixture().server.metadata());
    assert_eq!(metadata.json()["authorization_details_types_supported"], json!(["files", "payment"]));
    let errors = grantor::AuthorizationServer::builder("https://as.example")
        .clients(MemoryRegistry::default())
        .store(grantor::MemoryStore::new())
        .resource(Resource::new(RS1).authorization_details_types(["files"]))
        .build()
        .unwrap_err();
    assert_eq!(errors.all(), [grantor::server::ConfigError::DetailType("files".into())]);
}

#[tokio::test]
async fn a_client_that_registers_itself_names_its_types_and_has_no_others() {
    let registry = Arc::new(MemoryRegistry::new(clients()));
    let fixture = Fixture::with(|builder| {
        let builder = with_types(builder).clients(registry.clone()).registrar(registry);
        builder.registration(Registration::open())
    });
    let mut register = Request::new(Method::Post).header("content-type", "application/json");
    let types = ["payment", "payment", "unknown"];
    register.body = json!({
        "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "authorization_code"], "authorization_details_types": types,
    })
    .to_string()
    .into_bytes();
    let made = Answer(fixture.server.registration(&register).await);
    assert_eq!(made.json()["authorization_details_types"], json!(["payment"]));
    assert_eq!(made.json()["grant_types"], json!(["authorization_code"]));
    let id = made.text("client_id");
    for (details, error) in
        [(json!([payment()]), None), (json!([{ "type": "files", "files": ["a"] }]), Some(ERROR.to_owned()))]
    {
        let details = details.to_string();
        let mut query = code_query(&id, "read");
        query.push(("authorization_details", &details));
        assert_eq!(fixture.approve(&query).await.location_parameter("error"), error);
    }
}
