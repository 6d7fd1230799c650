//! The device authorization grant: RFC 8628.

use std::net::IpAddr;
use std::time::Duration;

use grantor::store::{Filter, Page};
use grantor::{BrowserSession, ClientId, EventKind, Policy, Reason, Request, Resource, Subject, TokenStore};
use serde_json::json;

use crate::support::device::Codes;
use crate::support::http::{bare, post, send};
use crate::support::{Answer, Fixture, SECRET, basic, request};

fn fixture() -> Fixture {
    Fixture::with(|builder| builder.device_verification("/device"))
}

fn browser(name: &str) -> BrowserSession {
    BrowserSession::session(name)
}

#[tokio::test]
async fn dg_01_a_client_authenticates_as_at_the_token_endpoint() {
    let fixture = fixture();
    assert_eq!(fixture.begin("tv", &[]).await.status(), 200);
    assert_eq!(fixture.begin("conf", &[]).await.status(), 200);
    assert_eq!(fixture.begin("post", &[]).await.status(), 200);
    let written = fixture.store.len();
    for (body, authorization, error) in [
        ("client_id=conf", None, (401, "invalid_client")),
        ("client_id=nobody", None, (401, "invalid_client")),
        ("scope=read", None, (401, "invalid_client")),
        ("", Some(basic("conf", "wrong")), (401, "invalid_client")),
        ("client_id=tv", Some(basic("conf", SECRET)), (400, "invalid_request")),
        ("", Some(basic("robot", SECRET)), (400, "unauthorized_client")),
        ("client_id=tv&scope=read&scope=read", None, (400, "invalid_request")),
        ("client_id=tv&scope=everything", None, (400, "invalid_scope")),
        ("client_id=tv&scope=%22", None, (400, "invalid_scope")),
        ("client_id=tv&scope=%", None, (400, "invalid_request")),
    ] {
        let mut request = Request::post_form(body);
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let answer = Answer(fixture.server.device_authorization(&request).await);
        assert_eq!(answer.error(), (error.0, error.1.to_owned()), "{body}");
    }
    assert_eq!(fixture.store.len(), written, "nothing waits of what was refused");
}

#[tokio::test]
async fn dg_02_the_answer_has_all_codes_and_addresses_and_no_cache_keeps_it() {
    let fixture = fixture();
    let reply = send(&fixture.server, post("/device_authorization", &[("scope", "read")])).await;
    assert_eq!((reply.status, reply.header("cache-control")), (200, Some("no-store")));
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let mut body = reply.json();
    let device_code = body["device_code"].take();
    let user_code = body["user_code"].take();
    let user_code = user_code.as_str().unwrap();
    assert!(device_code.as_str().unwrap().starts_with("gdc_"));
    assert_eq!(
        body,
        json!({
            "device_code": null,
            "user_code": null,
            "verification_uri": "https://as.example/device",
            "verification_uri_complete": format!("https://as.example/device?user_code={user_code}"),
            "expires_in": 600,
            "interval": 5,
        })
    );
    for method in ["GET", "PUT"] {
        let reply = send(&fixture.server, bare(method, "/device_authorization?client_id=tv")).await;
        assert_eq!((reply.status, reply.header("allow")), (405, Some("POST")), "{method}");
    }
}

#[tokio::test]
async fn dg_02_the_numbers_are_those_of_the_policy() {
    let mut policy = Policy::default();
    policy.device_code_lifetime = Duration::from_secs(900);
    policy.device_poll_seconds = 7;
    let fixture = Fixture::with(|builder| builder.device_verification("/tv").policy(policy));
    let answer = fixture.begin("tv", &[]).await.json();
    assert_eq!((&answer["expires_in"], &answer["interval"]), (&json!(900), &json!(7)));
    assert_eq!(answer["verification_uri"], "https://as.example/tv");
}

#[tokio::test]
async fn dg_02_without_a_page_for_user_codes_there_is_no_endpoint() {
    let fixture = Fixture::new();
    assert_eq!(fixture.begin("tv", &[]).await.status(), 500);
    assert_eq!(fixture.log.last_reason(), Some(Reason::NotConfigured));
    let reply = send(&fixture.server, post("/device_authorization", &[("client_id", "tv")])).await;
    assert_eq!(reply.status, 404);
    assert!(fixture.server.device("BCDF-GHJK", &browser("one"), None).await.is_err());
    assert!(fixture.store.is_empty());
}

#[tokio::test]
async fn dg_03_nothing_is_granted_before_the_user_says_so() {
    let fixture = fixture();
    let codes = fixture.waits().await;
    let entered = fixture.server.device(&codes.user, &browser("browser"), None).await.unwrap();
    assert_eq!(entered.client().id().as_str(), "tv");
    let consent = entered.signed_in(fixture.alice());
    assert_eq!(consent.client().name(), Some("Television"));
    assert_eq!(consent.scope().as_str(), "read write");
    assert_eq!(consent.user_code().to_string(), codes.user);
    let debug = format!("{consent:?}");
    assert!(!debug.contains(&codes.user), "{debug}");
    drop(consent);
    assert_eq!(fixture.poll("tv", &codes.device).await.error().1, "authorization_pending");
    assert!(fixture.server.grants_of(&Subject::user("alice")).await.unwrap().is_empty());

    fixture.says_yes(&codes).await;
    let tokens = fixture.poll("tv", &codes.device).await;
    assert_eq!((tokens.status(), tokens.text("scope")), (200, "read write".to_owned()));
    assert_eq!(tokens.0.header("cache-control"), Some("no-store"));
    let access = fixture.server.check(&tokens.access_token()).await.unwrap();
    assert_eq!(access.subject(), &Subject::user("alice"));
    assert_eq!(fixture.refresh("tv", &tokens.refresh_token()).await.status(), 200);
    assert_eq!(fixture.server.grants_of(&Subject::user("alice")).await.unwrap().len(), 1);
    let own = Filter::subject(Subject::Client(ClientId::new("tv")));
    assert!(fixture.store.list(&own, Page::first(9)).await.unwrap().records.is_empty());
    assert_eq!(
        fixture.log.whats()[..5],
        [
            EventKind::DeviceCodeIssued,
            EventKind::DeviceClaimed,
            EventKind::Refused(Reason::DevicePending),
            EventKind::DeviceApproved,
            EventKind::TokensIssued
        ]
    );
}

#[tokio::test]
async fn dg_03_a_part_can_be_granted_and_nothing_is_no() {
    let fixture = fixture();
    let codes = fixture.waits().await;
    let part = grantor::Scope::parse("read admin").unwrap();
    fixture.enter(&codes.user, "one").await.unwrap().approve_scope(&part).await.unwrap();
    assert_eq!(fixture.poll("tv", &codes.device).await.text("scope"), "read");

    let codes = fixture.waits().await;
    let nothing = grantor::Scope::parse("admin").unwrap();
    fixture.enter(&codes.user, "one").await.unwrap().approve_scope(&nothing).await.unwrap();
    assert_eq!(fixture.poll("tv", &codes.device).await.error(), (400, "access_denied".to_owned()));
}

#[tokio::test]
async fn dg_03_a_device_asks_for_resources_like_anybody() {
    let api = Resource::new("https://api.example").scopes(["read"]);
    let files = Resource::new("https://files.example");
    let fixture = Fixture::with(|b| b.device_verification("/device").resource(api).resource(files));
    let unknown = fixture.begin("tv", &[("resource", "https://other.example")]).await;
    assert_eq!(unknown.error(), (400, "invalid_target".to_owned()));
    let useless = fixture.begin("tv", &[("resource", "https://api.example"), ("scope", "write")]).await;
    assert_eq!(useless.error(), (400, "invalid_scope".to_owned()));
    let answer = fixture.begin("tv", &[("resource", "https://api.example"), ("scope", "read")]).await;
    let codes = Codes { device: answer.text("device_code"), user: answer.text("user_code") };
    fixture.says_yes(&codes).await;
    let tokens = fixture.poll("tv", &codes.device).await;
    let access = fixture.server.check(&tokens.access_token()).await.unwrap();
    assert_eq!(access.audience().map(ToString::to_string).as_deref(), Some("https://api.example"));
}

#[tokio::test]
async fn dg_04_a_device_code_is_good_for_its_own_client_and_as_nothing_else() {
    let fixture = fixture();
    let codes = fixture.waits().await;
    fixture.says_yes(&codes).await;
    assert_eq!(fixture.poll("other", &codes.device).await.error(), (400, "invalid_grant".to_owned()));
    assert_eq!(fixture.log.last_reason(), Some(Reason::DeviceCodeForAnotherClient));
    let other_half = format!("{}{}", &codes.device[..30], "A".repeat(codes.device.len() - 30));
    for wrong in
        [&codes.user, "", "gdc_", &other_half, &codes.device[..60], &codes.device.replace("gdc_", "gac_")]
    {
        let error = fixture.poll("tv", wrong).await.error().1;
        assert_eq!(error, if wrong.is_empty() { "invalid_request" } else { "invalid_grant" }, "{wrong}");
    }
    let as_code = codes.device.replace("gdc_", "gac_");
    let form = [("grant_type", "authorization_code"), ("code", as_code.as_str())];
    assert_eq!(fixture.token("conf", &form).await.error().1, "invalid_grant");
    let as_refresh = codes.device.replace("gdc_", "grt_");
    assert_eq!(fixture.refresh("tv", &as_refresh).await.error().1, "invalid_grant");
    assert!(!fixture.is_live(&codes.device.replace("gdc_", "gat_")).await);
    assert_eq!(fixture.introspect("conf", &codes.device).await.json()["active"], false);
    assert_eq!(fixture.poll("tv", &codes.device).await.status(), 200, "none of it changed anything");
}

#[tokio::test]
async fn dg_05_a_device_that_polls_too_fast_is_slowed_down_and_stays_slow() {
    let fixture = fixture();
    let codes = fixture.waits().await;
    let poll_after = async |seconds| {
        fixture.after(seconds);
        fixture.poll("tv", &codes.device).await.error()
    };
    let (pending, slow) = ((400, "authorization_pending".to_owned()), (400, "slow_down".to_owned()));
    assert_eq!(poll_after(0).await, pending);
    assert_eq!(poll_after(5).await, pending);
    assert_eq!(poll_after(4).await, slow, "5 s were too short: 10 s from now on");
    assert_eq!(poll_after(9).await, slow, "and 15 s from now on");
    assert_eq!(poll_after(14).await, slow);
    assert_eq!(poll_after(20).await, pending, "20 s are enough");
    assert_eq!(poll_after(20).await, pending);
    assert_eq!(poll_after(19).await, slow, "it was kept with the grant");
}

#[tokio::test]
async fn dg_05_a_burst_of_polls_does_not_lock_a_device_out() {
    let fixture = fixture();
    let codes = fixture.waits().await;
    let version =
        async || fixture.store.list(&Filter::default(), Page::first(1)).await.unwrap().records[0].version();
    for _ in 0..40 {
        fixture.poll("tv", &codes.device).await;
    }
    let after_a_burst = version().await;
    for _ in 0..59 {
        fixture.after(1);
        assert_eq!(fixture.poll("tv", &codes.device).await.error().1, "slow_down");
    }
    assert_eq!(version().await, after_a_burst, "nothing is left to lengthen");
    fixture.after(1);
    assert_eq!(fixture.poll("tv", &codes.device).await.error().1, "authorization_pending");
}

#[tokio::test]
async fn dg_05_a_denial_is_told_until_the_code_expires() {
    let fixture = fixture();
    let codes = fixture.waits().await;
    fixture.enter(&codes.user, "one").await.unwrap().deny().await.unwrap();
    assert_eq!(fixture.log.whats().last(), Some(&EventKind::DeviceDenied));
    for wait in [0, 0, 599] {
        fixture.after(wait);
        assert_eq!(fixture.poll("tv", &codes.device).await.error(), (400, "access_denied".to_owned()));
    }
    fixture.after(1);
    assert_eq!(fixture.poll("tv", &codes.device).await.error(), (400, "expired_token".to_owned()));
}

#[tokio::test]
async fn dg_05_a_code_expires_whether_or_not_somebody_answered() {
    for answered in [false, true] {
        let fixture = fixture();
        let codes = fixture.waits().await;
        if answered {
            fixture.says_yes(&codes).await;
        }
        fixture.after(600);
        assert_eq!(fixture.poll("tv", &codes.device).await.error(), (400, "expired_token".to_owned()));
        assert!(fixture.enter(&codes.user, "one").await.is_err());
        // A device that polls as slowly as it may still learns of it; then it is forgotten.
        fixture.after(60);
        fixture.server.sweep().await.unwrap();
        assert_eq!(fixture.poll("tv", &codes.device).await.error().1, "expired_token");
        fixture.after(180);
        fixture.server.sweep().await.unwrap();
        assert_eq!(fixture.poll("tv", &codes.device).await.error().1, "invalid_grant");
        assert!(fixture.store.is_empty());
    }
}

#[tokio::test]
async fn dg_06_whoever_was_answered_is_not_slowed_down() {
    let fixture = fixture();
    let codes = fixture.waits().await;
    for _ in 0..5 {
        fixture.poll("tv", &codes.device).await;
    }
    fixture.says_yes(&codes).await;
    assert_eq!(fixture.poll("tv", &codes.device).await.status(), 200);

    let codes = fixture.waits().await;
    fixture.poll("tv", &codes.device).await;
    fixture.enter(&codes.user, "one").await.unwrap().deny().await.unwrap();
    assert_eq!(fixture.poll("tv", &codes.device).await.error().1, "access_denied");
}

#[tokio::test]
async fn dg_07_user_codes_are_of_an_alphabet_without_look_alikes_and_read_as_typed() {
    let fixture = fixture();
    for _ in 0..200 {
        let codes = fixture.waits().await;
        let (left, right) = codes.user.split_once('-').unwrap();
        assert_eq!((left.len(), right.len()), (4, 4));
        let letters = |text: &str| text.chars().all(|c| "BCDFGHJKLMNPQRSTVWXZ".contains(c));
        assert!(letters(left) && letters(right), "{}", codes.user);
    }
    for (n, spelling) in [
        |code: &str| code.to_lowercase(),
        |code: &str| code.replace('-', ""),
        |code: &str| code.replace('-', " "),
        |code: &str| format!("  {}\n", code.replace('-', "--").to_lowercase()),
    ]
    .iter()
    .enumerate()
    {
        let codes = fixture.waits().await;
        let entered = fixture.enter(&spelling(&codes.user), &n.to_string()).await;
        assert_eq!(entered.unwrap().user_code().to_string(), codes.user);
    }
}

#[tokio::test]
async fn dg_07_after_five_wrong_codes_a_session_has_to_wait_and_after_twenty_an_address() {
    let fixture = fixture();
    let codes = fixture.waits().await;
    let here: Option<IpAddr> = Some([192, 0, 2, 1].into());
    let there: Option<IpAddr> = Some([192, 0, 2, 2].into());
    let enter = async |code: &str, session: &str, peer| {
        let entered = fixture.server.device(code, &browser(session), peer).await;
        entered.map(drop).map_err(|page| (page.status(), page.reason()))
    };
    for _ in 0..9 {
        let typo = enter("BCDF-GH", "one", here).await;
        assert_eq!(typo, Err((400, Reason::UserCodeUnknown)), "no code at all is no guess");
    }
    for guess in ["BCDF-GHJK", "CDFG-HJKL", "DFGH-JKLM", "FGHJ-KLMN", "GHJK-LMNP"] {
        assert_eq!(enter(guess, "one", here).await, Err((400, Reason::UserCodeUnknown)));
    }
    let throttled = Err((429, Reason::UserCodeThrottled));
    assert_eq!(enter(&codes.user, "one", there).await, throttled, "the session");
    for n in 0..15 {
        let guessed = enter("BCDF-GHJK", &format!("new {n}"), here).await;
        assert_eq!(guessed, Err((400, Reason::UserCodeUnknown)));
    }
    assert_eq!(enter(&codes.user, "two", here).await, throttled, "the address");
    assert_eq!(enter(&codes.user, "two", there).await, Ok(()));
    assert_eq!(enter(&codes.user, "two", there).await, Ok(()));
    fixture.after(600);
    let codes = fixture.waits().await;
    assert_eq!(enter(&codes.user, "one", here).await, Ok(()));
}

#[tokio::test]
async fn dg_07_one_address_begins_no_more_devices_than_it_may() {
    let mut policy = Policy::default();
    assert_eq!(policy.device_requests_per_minute, 60);
    policy.device_requests_per_minute = 2;
    let fixture = Fixture::with(|builder| builder.device_verification("/device").policy(policy));
    let begin = async |peer: &str| {
        let request = request("tv", &[("scope", "read")]).from_peer(peer.parse().unwrap());
        Answer(fixture.server.device_authorization(&request).await)
    };
    for host in ["2001:db8::1", "2001:db8::2"] {
        assert_eq!(begin(host).await.status(), 200);
    }
    let refused = begin("2001:db8::3").await;
    assert_eq!(refused.error(), (429, "temporarily_unavailable".to_owned()));
    assert_eq!(refused.0.header("retry-after"), Some("30"));
    assert_eq!(fixture.log.last_reason(), Some(Reason::DeviceRequestThrottled));
    assert_eq!(fixture.store.len(), 2, "nothing waits of what was refused");
    assert_eq!(begin("192.0.2.1").await.status(), 200, "another address");
    assert_eq!(fixture.begin("tv", &[]).await.status(), 200, "nobody's address");
    fixture.after(60);
    assert_eq!(begin("2001:db8::1").await.status(), 200);
}

#[tokio::test]
async fn dg_07_a_code_that_is_taken_is_drawn_anew() {
    /// Keeps only its first secret, so that every user code is the same.
    struct Stuck(std::sync::atomic::AtomicU8);
    impl grantor::Entropy for Stuck {
        fn fill(&self, bytes: &mut [u8]) {
            let drawn = self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            bytes.fill(drawn);
            // From the third mint on, another user code.
            if bytes.len() == 80 {
                bytes[48..].fill(if drawn < 4 { 7 } else { drawn });
            }
        }
    }
    let fixture = Fixture::with(|b| b.device_verification("/device").entropy(Stuck(0.into())));
    let (first, second) = (fixture.waits().await, fixture.waits().await);
    assert_ne!(first.user, second.user);
    assert_eq!(fixture.store.len(), 2);
    fixture.says_yes(&first).await;
    assert_eq!(fixture.poll("tv", &second.device).await.error().1, "authorization_pending");
    assert_eq!(fixture.poll("tv", &first.device).await.status(), 200);
}

#[tokio::test]
async fn dg_08_a_device_code_has_256_random_bits_and_only_its_digest_is_kept() {
    let fixture = fixture();
    let (one, two) = (fixture.waits().await, fixture.waits().await);
    assert_eq!(one.device.len(), "gdc_".len() + 64, "a name of 128 bits and a secret of 256");
    assert!(one.device[26..] != two.device[26..]);
    for record in fixture.store.list(&Filter::default(), Page::first(9)).await.unwrap().records {
        let body = record.grant().encode();
        for secret in [&one, &two]
            .iter()
            .flat_map(|c| [&c.device[26..], &c.user, &c.user.replace('-', "")].map(str::to_owned))
        {
            assert!(!body.contains(&secret), "{body}");
        }
    }
    let log = fixture.log.texts().join("\n");
    assert!(!log.contains(&one.user) && !log.contains(&one.device[26..]));
}

#[tokio::test]
async fn dg_09_only_the_session_that_entered_the_code_can_answer() {
    let fixture = fixture();
    let codes = fixture.waits().await;
    let mine = fixture.enter(&codes.user, "mine").await.unwrap();
    let refused = fixture.enter(&codes.user, "another").await.unwrap_err();
    assert_eq!((refused.status(), refused.reason()), (400, Reason::UserCodeClaimed));
    assert_eq!(refused.description(), "the code is unknown, or it was entered in another browser");
    assert_eq!(fixture.poll("tv", &codes.device).await.error().1, "authorization_pending");
    mine.approve().await.unwrap();
    let late = fixture.enter(&codes.user, "another").await.unwrap_err();
    assert_eq!(late.reason(), Reason::UserCodeUnknown, "an answered code leads nowhere");
    assert_eq!(fixture.poll("tv", &codes.device).await.status(), 200);
}

#[tokio::test]
async fn dg_09_two_answers_of_one_session_are_one() {
    let fixture = fixture();
    let codes = fixture.waits().await;
    let first = fixture.enter(&codes.user, "one").await.unwrap();
    let second = fixture.enter(&codes.user, "one").await.unwrap();
    first.deny().await.unwrap();
    let refused = second.approve().await.unwrap_err();
    assert_eq!(refused.reason(), Reason::UserCodeAnswered);
    assert_eq!(fixture.poll("tv", &codes.device).await.error().1, "access_denied");
}

#[tokio::test]
async fn dg_09_a_user_who_may_not_go_on_gets_nothing_on_a_device_either() {
    let fixture = fixture();
    let codes = fixture.waits().await;
    fixture.says_yes(&codes).await;
    fixture.users.blocked.lock().unwrap().push("alice".to_owned());
    assert_eq!(fixture.poll("tv", &codes.device).await.error().1, "invalid_grant");
    assert_eq!(fixture.log.last_reason(), Some(Reason::SubjectBlocked));
}

#[tokio::test]
async fn dg_09_what_the_host_ends_while_it_waits_is_over() {
    let fixture = fixture();
    let codes = fixture.waits().await;
    let consent = fixture.enter(&codes.user, "one").await.unwrap();
    assert_eq!(fixture.server.revoke_client(&ClientId::new("tv")).await.unwrap(), 1);
    assert_eq!(consent.approve().await.unwrap_err().reason(), Reason::UserCodeAnswered);
    assert_eq!(fixture.enter(&codes.user, "one").await.unwrap_err().reason(), Reason::UserCodeUnknown);
    assert_eq!(fixture.poll("tv", &codes.device).await.error().1, "invalid_grant");

    let codes = fixture.waits().await;
    assert_eq!(fixture.revoke("other", &codes.device).await.status(), 200);
    assert_eq!(fixture.poll("tv", &codes.device).await.error().1, "authorization_pending");
    assert_eq!(fixture.revoke("tv", &codes.device).await.status(), 200, "the device gives up");
    assert_eq!(fixture.enter(&codes.user, "one").await.unwrap_err().reason(), Reason::UserCodeUnknown);
    assert_eq!(fixture.poll("tv", &codes.device).await.error().1, "invalid_grant");
}

#[tokio::test]
async fn dg_10_a_spent_code_yields_nothing_and_ends_nothing() {
    let fixture = fixture();
    let codes = fixture.waits().await;
    fixture.says_yes(&codes).await;
    let tokens = fixture.poll("tv", &codes.device).await;
    for _ in 0..3 {
        assert_eq!(fixture.poll("tv", &codes.device).await.error(), (400, "invalid_grant".to_owned()));
        assert_eq!(fixture.log.last_reason(), Some(Reason::DeviceCodeSpent));
    }
    assert!(fixture.is_live(&tokens.access_token()).await);
    assert_eq!(fixture.refresh("tv", &tokens.refresh_token()).await.status(), 200);
}
