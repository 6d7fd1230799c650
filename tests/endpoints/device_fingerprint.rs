//! What the page for a device showed, and what changes while it is open.

use std::sync::Arc;

use grantor::{
    AuthorizationDetail, Client, DetailType, DeviceConsent, GrantType, Login, MemoryRegistry, Registrar,
    Replacement, Resource,
};
use serde_json::json;

use crate::support::Fixture;

const API: &str = "https://api.example";

fn television(name: &str) -> Client {
    let client = Client::builder("tv").auth_method(grantor::AuthMethod::None).name(name);
    client.grant_types([GrantType::DeviceCode]).build().unwrap()
}

/// Details of any form.
struct Anything;

impl DetailType for Anything {
    fn accepts(&self, _: &AuthorizationDetail) -> bool {
        true
    }
}

struct Bench {
    fixture: Fixture,
    registry: Arc<MemoryRegistry>,
}

impl Bench {
    fn new() -> Self {
        let registry = Arc::new(MemoryRegistry::new([television("Television")]));
        let fixture = Fixture::with(|builder| {
            let builder = builder.clients(Arc::clone(&registry)).device_verification("/device");
            builder.resource(Resource::new(API)).authorization_details_type("payment", Anything)
        });
        Self { fixture, registry }
    }

    /// The user code of a device that waits.
    async fn waits(&self, more: &[(&str, &str)]) -> String {
        self.fixture.begin("tv", &[&[("scope", "read write")], more].concat()).await.text("user_code")
    }

    async fn consent(&self, user_code: &str, login: Login) -> DeviceConsent {
        let session = grantor::BrowserSession::session("a session");
        self.fixture.server.device(user_code, &session, None).await.unwrap().signed_in(login)
    }

    async fn fingerprint(&self, user_code: &str) -> String {
        self.consent(user_code, self.fixture.alice()).await.fingerprint()
    }
}

#[tokio::test]
async fn a_device_that_changes_its_registration_changes_the_fingerprint() {
    let bench = Bench::new();
    let code = bench.waits(&[]).await;
    let shown = bench.fingerprint(&code).await;
    assert_eq!(bench.fingerprint(&code).await, shown, "nothing has changed");
    let change = Replacement::of(&television("Television"), television("Another"));
    bench.registry.replace(change).await.unwrap();
    assert_ne!(bench.fingerprint(&code).await, shown);
}

#[tokio::test]
async fn each_part_that_a_device_s_page_shows_counts() {
    let bench = Bench::new();
    let code = bench.waits(&[]).await;
    let bob = Login::new("bob", bench.fixture.alice().authentication().auth_time);
    let mut seen = vec![bench.fingerprint(&code).await, bench.consent(&code, bob).await.fingerprint()];
    let details = json!([{ "type": "payment" }]).to_string();
    for more in [&[][..], &[("resource", API)], &[("authorization_details", &*details)]] {
        let other = bench.waits(more).await;
        seen.push(bench.fingerprint(&other).await);
    }
    let distinct: std::collections::HashSet<_> = seen.iter().collect();
    assert_eq!(distinct.len(), seen.len(), "{seen:?}");
}
