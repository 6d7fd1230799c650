//! Back-channel logout (OpenID Connect Back-Channel Logout 1.0).

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grantor::audit::EventKind;
use grantor::openid::{Delivery, LogoutNotice, LogoutQueue};
use grantor::outbound::{ChosenBy, HttpOutbound, Outbound, OutboundError, OutboundRequest, OutboundResponse};
use grantor::server::Sessions;
use grantor::{BackendError, HostError, Reason, SessionId, async_trait};
use serde_json::{Value, json};

use crate::support::provider::{Provider, client};
use crate::support::remote::{Remote, Says};
use crate::support::scripted::Scripted;
use crate::support::signing_out::{Queue, SECRET_OF_SESSIONS, SigningOut, hearers, hearing, sessions};
use crate::support::{Answer, ISSUER};

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// The texts of the logout tokens that were sent.
pub fn sent(host: &SigningOut) -> Vec<String> {
    let form = |form: String| {
        let fields: Vec<(String, String)> = serde_urlencoded::from_str(&form).unwrap();
        let [(name, token)] = fields.as_slice() else { panic!("one parameter: {fields:?}") };
        assert_eq!(name, "logout_token");
        token.clone()
    };
    host.web.asked().into_iter().map(|asked| form(asked.form.expect("a form"))).collect()
}

fn claims(token: &str) -> Value {
    let text = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
}

/// What they say.
pub fn logout_tokens(host: &SigningOut) -> Vec<Value> {
    sent(host).iter().map(|token| claims(token)).collect()
}

#[tokio::test]
async fn lo_15_a_logout_token_says_which_session_of_which_user_ended_and_has_no_nonce() {
    let host = SigningOut::new();
    let answer = host.tokens("rp", "openid", "s").await;
    let id_token = host.provider.id_token(&answer).await;
    host.end("s").await;
    let [token] = logout_tokens(&host).try_into().unwrap();
    let token: Value = token;
    let now = host.provider.fixture.clock_seconds();
    assert_eq!((&token["iss"], &token["aud"]), (&json!(ISSUER), &json!("rp")));
    assert_eq!((&token["sub"], &token["sid"]), (&id_token["sub"], &id_token["sid"]));
    assert_eq!((&token["iat"], &token["exp"]), (&json!(now), &json!(now + 120)));
    assert_eq!(token["events"], json!({ EVENT: {} }));
    assert!(token["jti"].as_str().unwrap().len() >= 22);
    assert_eq!(token.get("nonce"), None);
}

#[tokio::test]
async fn lo_16_a_logout_token_is_signed_as_the_clients_id_tokens_are() {
    let es256 = json!({ "id_token_signed_response_alg": "ES256", "logout_token_type_jwt": true });
    let mut metadata = hearing("es256");
    metadata.as_object_mut().unwrap().extend(es256.as_object().unwrap().clone());
    let web = Scripted::by(|_| Ok(OutboundResponse::new(204, "")));
    let own = sessions(&web);
    let provider = Provider::with(vec![client("rp", hearing("rp")), client("es256", metadata)], |builder| {
        builder.sessions(own)
    });
    let host = SigningOut { provider, web };
    host.tokens("rp", "openid", "s").await;
    host.tokens("es256", "openid", "s").await;
    host.end("s").await;
    let mut headers = BTreeSet::new();
    for token in sent(&host) {
        let (header, _) = host.provider.fixture.opened(&token).await;
        headers.insert((header["alg"].to_string(), header["typ"].to_string()));
    }
    let of = |alg: &str, typ: &str| (format!("{alg:?}"), format!("{typ:?}"));
    assert_eq!(headers, BTreeSet::from([of("RS256", "logout+jwt"), of("ES256", "JWT")]));
}

#[tokio::test]
async fn lo_17_it_is_posted_as_a_form_to_the_registered_address() {
    let host = SigningOut::new();
    host.tokens("rp", "openid", "s").await;
    host.end("s").await;
    let asked = host.web.asked();
    assert_eq!(asked[0].url, "https://rp.example/logout?from=op");
    assert_eq!(sent(&host).len(), 1);
    assert!(host.provider.fixture.log.whats().contains(&EventKind::LogoutDelivered));
}

fn with_queue() -> (SigningOut, Queue) {
    let queue = Queue::default();
    let web = Scripted::by(|_| Ok(OutboundResponse::new(200, "")));
    let own = sessions(&web).queue(queue.clone());
    let provider = Provider::with(hearers(), |builder| builder.sessions(own).logout_endpoint("/logout"));
    (SigningOut { provider, web }, queue)
}

#[tokio::test]
async fn lo_18_what_can_heal_is_tried_again_with_a_fresh_token_and_nothing_else() {
    let (host, queue) = with_queue();
    host.tokens("rp", "openid", "s").await;
    host.end("s").await;
    assert_eq!(host.web.calls(), 0, "the queue has it");
    let notice = queue.0.lock().unwrap().pop().expect("a notice");
    let kept = serde_json::to_string(&notice).unwrap();
    let notice: LogoutNotice = serde_json::from_str(&kept).unwrap();
    let server = &host.provider.fixture.server;
    for (status, expected) in [
        (500, Delivery::Later),
        (429, Delivery::Later),
        (400, Delivery::Refused),
        (404, Delivery::Refused),
        (200, Delivery::Done),
        (204, Delivery::Done),
    ] {
        host.web.says(OutboundResponse::new(status, ""));
        assert_eq!(server.deliver(&notice).await, expected, "{status}");
        host.provider.fixture.clock.advance(Duration::from_secs(7));
    }
    host.web.says(OutboundResponse::new(302, "").header("location", "https://elsewhere.example/"));
    assert_eq!(server.deliver(&notice).await, Delivery::Refused, "a redirect is not followed");
    host.web.does(|_| Err(OutboundError::Timeout));
    assert_eq!(server.deliver(&notice).await, Delivery::Later);
    let tokens = logout_tokens(&host);
    let distinct =
        |name: &str| tokens.iter().map(|token| token[name].to_string()).collect::<BTreeSet<_>>().len();
    assert_eq!(distinct("jti"), tokens.len());
    assert_eq!(distinct("iat"), 7);
    assert!(host.provider.fixture.log.whats().contains(&EventKind::Refused(Reason::LogoutTokenRefused)));
}

/// Where the requests of the host, and those of strangers, went.
#[derive(Clone, Default)]
struct ByWhom(Arc<Mutex<Vec<(String, ChosenBy)>>>);

#[async_trait]
impl Outbound for ByWhom {
    async fn send(&self, request: &OutboundRequest) -> Result<OutboundResponse, OutboundError> {
        self.0.lock().unwrap().push((request.url().to_owned(), request.chosen_by()));
        Ok(OutboundResponse::new(200, ""))
    }
}

#[tokio::test]
async fn lo_21_the_answer_to_the_browser_does_not_wait_for_clients_that_never_answer() {
    let web = ByWhom::default();
    // The delivery never runs, and is never given up.
    let own = Sessions::new(SECRET_OF_SESSIONS).back_channel(web.clone(), std::mem::forget);
    let host = SigningOut::with(|builder| builder.sessions(own));
    host.tokens("rp", "openid", "s").await;
    host.end("s").await;
    assert!(web.0.lock().unwrap().is_empty());
}

#[tokio::test]
async fn lo_21_the_address_of_a_client_that_registered_itself_is_a_strangers() {
    use crate::support::registering::{Registering, app_with};
    let web = ByWhom::default();
    let own =
        Sessions::new(SECRET_OF_SESSIONS).back_channel(web.clone(), |delivery| drop(tokio::spawn(delivery)));
    let server = Registering::configured(grantor::Registration::open(), |builder| {
        builder
            .scopes(crate::support::provider::SCOPES)
            .token_signer(grantor::keys::JwtSigner::new(crate::support::provider::keys()).unwrap())
            .openid(crate::support::provider::People::default())
            .sessions(own)
    });
    let wanted = app_with(json!({ "backchannel_logout_uri": "https://rp.example/out", "scope": "openid" }));
    let app = server.registered(&wanted).await;
    let id = app.0["client_id"].as_str().unwrap().to_owned();
    let notice = json!({ "client": id, "sub": "alice", "sid": "s" });
    let notice: LogoutNotice = serde_json::from_value(notice).unwrap();
    assert_eq!(server.fixture.server.deliver(&notice).await, Delivery::Done);
    let asked = web.0.lock().unwrap().clone();
    assert_eq!(asked, [("https://rp.example/out".to_owned(), ChosenBy::Client)]);
}

#[tokio::test]
async fn lo_10_others_are_told_after_the_session_is_gone_and_before_the_browser_goes_on() {
    let host = SigningOut::new();
    let token = host.tokens("rp", "openid", "s").await.access_token();
    let server = host.provider.fixture.server.clone();
    let seen = Arc::new(Mutex::new(None));
    let (watched, access) = (Arc::clone(&seen), token.clone());
    host.web.does(move |_| {
        let alive = futures_util::FutureExt::now_or_never(server.check(&access)).map(|found| found.is_ok());
        *watched.lock().unwrap() = alive;
        Ok(OutboundResponse::new(200, ""))
    });
    let login = host.alice("s");
    let answer: Answer = host.yes(&[("client_id", "rp")], &login).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(*seen.lock().unwrap(), Some(false), "told when the grant had ended");
}

#[tokio::test]
async fn lo_22_the_metadata_say_that_clients_are_told() {
    let document = Answer(SigningOut::new().provider.fixture.server.metadata()).json();
    assert_eq!(document["backchannel_logout_supported"], true);
    assert_eq!(document["backchannel_logout_session_supported"], true);
    assert_eq!(document["frontchannel_logout_supported"], false);
    let none = SigningOut::with(|builder| builder.sessions(Sessions::new(SECRET_OF_SESSIONS)));
    assert_eq!(Answer(none.provider.fixture.server.metadata()).json()["backchannel_logout_supported"], false);
}

/// A host whose clients answer so at first, and are tried again at once.
fn retrying(pauses: usize, answers: impl Fn(&str) -> Answered + Send + Sync + 'static) -> SigningOut {
    let web = Scripted::by(answers);
    let own = sessions(&web).retry_pauses(vec![Duration::ZERO; pauses]);
    let provider = Provider::with(hearers(), |builder| builder.sessions(own).logout_endpoint("/logout"));
    SigningOut { provider, web }
}

type Answered = Result<OutboundResponse, OutboundError>;

/// Waits until the log has this many of these events, but not for ever.
async fn hears(host: &SigningOut, event: EventKind, times: usize) {
    let heard = || host.provider.fixture.log.whats().into_iter().filter(|what| *what == event).count();
    for _ in 0..10_000 {
        if heard() >= times {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(heard(), times);
}

#[tokio::test]
async fn lo_18_a_client_is_tried_until_it_answers_and_then_no_more() {
    let tries = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&tries);
    let host = retrying(4, move |url| {
        let mut tries = counted.lock().unwrap();
        *tries += 1;
        // Which is told at the first try.
        let is_up = url.contains("rp2.") || *tries > 4;
        if is_up { Ok(OutboundResponse::new(200, "")) } else { Err(OutboundError::Unreachable) }
    });
    host.tokens("rp", "openid", "s").await;
    host.tokens("rp2", "openid", "s").await;
    host.end("s").await;
    hears(&host, EventKind::LogoutDelivered, 2).await;
    let told = host.told();
    assert_eq!(told.iter().filter(|host| *host == "rp2.example").count(), 1, "{told:?}");
    assert_eq!(told.iter().filter(|host| *host == "rp.example").count(), 4, "{told:?}");
    let tokens = logout_tokens(&host);
    let distinct: BTreeSet<String> = tokens.iter().map(|token| token["jti"].to_string()).collect();
    assert_eq!(distinct.len(), tokens.len(), "each try has a token of its own");
    assert!(!host.provider.fixture.log.whats().contains(&EventKind::Failed(Reason::LogoutUndelivered)));
}

#[tokio::test]
async fn lo_18_a_client_that_never_answers_is_given_up_and_it_is_noted() {
    for (pauses, tries) in [(4, 5), (0, 1)] {
        let host = retrying(pauses, |_| Ok(OutboundResponse::new(503, "")));
        host.tokens("rp", "openid", "s").await;
        host.end("s").await;
        hears(&host, EventKind::Failed(Reason::LogoutUndelivered), 1).await;
        assert_eq!(host.web.calls(), tries);
    }
    let refusing = retrying(4, |_| Ok(OutboundResponse::new(400, "")));
    refusing.tokens("rp", "openid", "s").await;
    refusing.end("s").await;
    hears(&refusing, EventKind::Refused(Reason::LogoutTokenRefused), 1).await;
    assert_eq!(refusing.web.calls(), 1, "a refusal is final");
}

/// A queue that takes nothing, or never says so.
#[derive(Clone, Copy)]
struct Stuck(bool);

#[async_trait]
impl LogoutQueue for Stuck {
    async fn push(&self, _: LogoutNotice) -> Result<(), BackendError> {
        match self.0 {
            true => std::future::pending().await,
            false => Err(BackendError::transient("full")),
        }
    }
}

#[tokio::test]
async fn lo_18_a_queue_that_hangs_or_fails_keeps_no_session_alive() {
    for hangs in [true, false] {
        let mut policy = grantor::Policy::default();
        policy.store_deadline = Duration::from_millis(50);
        let web = Scripted::by(|_| Ok(OutboundResponse::new(200, "")));
        let own = sessions(&web).queue(Stuck(hangs));
        let host = SigningOut::with(|builder| builder.sessions(own).policy(policy));
        let tokens = [host.tokens("rp", "openid", "s").await, host.tokens("rp2", "openid", "s").await];
        let ended = host.provider.fixture.server.end_session(&SessionId::new("s")).await;
        assert!(matches!(ended, Err(HostError::Backend(_) | HostError::Deadline)), "{ended:?}");
        for answer in tokens {
            assert!(!host.provider.fixture.is_live(&answer.access_token()).await);
        }
        let whats = host.provider.fixture.log.whats();
        let noted = whats.iter().filter(|what| **what == EventKind::Failed(Reason::LogoutUndelivered));
        assert_eq!(noted.count(), 2, "hangs: {hangs}");
    }
}

#[tokio::test]
async fn lo_21_an_address_inside_is_not_reached_by_a_logout() {
    use crate::support::registering::{Registering, app_with};
    let inside = Remote::saying(Says::json("{}")).await;
    let port = inside.address.port();
    // The host may reach its own network, and strangers may not.
    let outbound = HttpOutbound::builder().allow_loopback().allow_private().build().unwrap();
    let own =
        Sessions::new(SECRET_OF_SESSIONS).back_channel(outbound, |delivery| drop(tokio::spawn(delivery)));
    let server = Registering::configured(grantor::Registration::open(), |builder| {
        builder
            .scopes(crate::support::provider::SCOPES)
            .token_signer(grantor::keys::JwtSigner::new(crate::support::provider::keys()).unwrap())
            .openid(crate::support::provider::People::default())
            .sessions(own)
    });
    for host in ["127.0.0.1", "[::1]", "localhost", "10.0.0.1", "169.254.169.254", "[::ffff:127.0.0.1]"] {
        let uri = format!("https://{host}:{port}/logout");
        let answer =
            server.post(&app_with(json!({ "backchannel_logout_uri": uri, "scope": "openid" }))).await;
        if answer.status() != 201 {
            assert_eq!(answer.error(), (400, "invalid_client_metadata".to_owned()), "{host}");
            continue;
        }
        let notice = json!({ "client": answer.text("client_id"), "sub": "alice", "sid": "s" });
        let notice: LogoutNotice = serde_json::from_value(notice).unwrap();
        assert_eq!(server.fixture.server.deliver(&notice).await, Delivery::Refused, "{host}");
    }
    assert_eq!(inside.calls(), 0);
}

#[tokio::test]
async fn lo_18_a_part_that_panics_for_one_client_stops_no_other_and_is_noted() {
    let host = retrying(4, |url| {
        assert!(url.contains("rp2."), "it cannot cope with this URL");
        Ok(OutboundResponse::new(200, ""))
    });
    host.tokens("rp", "openid", "s").await;
    host.tokens("rp2", "openid", "s").await;
    host.end("s").await;
    hears(&host, EventKind::LogoutDelivered, 1).await;
    hears(&host, EventKind::Failed(Reason::LogoutUndelivered), 1).await;
}

/// Counts the requests that are in progress.
#[derive(Clone, Default)]
struct Crowd(Arc<Mutex<(usize, usize)>>);

#[async_trait]
impl Outbound for Crowd {
    async fn send(&self, _: &OutboundRequest) -> Result<OutboundResponse, OutboundError> {
        let begin = |(now, most): (usize, usize)| (now + 1, most.max(now + 1));
        {
            let mut crowd = self.0.lock().unwrap();
            *crowd = begin(*crowd);
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
        self.0.lock().unwrap().0 -= 1;
        Ok(OutboundResponse::new(200, ""))
    }
}

#[tokio::test]
async fn many_logouts_at_once_contact_a_bounded_number_of_clients_at_once() {
    let crowd = Crowd::default();
    let own = Sessions::new(SECRET_OF_SESSIONS)
        .back_channel(crowd.clone(), |delivery| drop(tokio::spawn(delivery)));
    let host = SigningOut::with(|builder| builder.sessions(own));
    let sessions: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    for session in &sessions {
        host.tokens("rp", "openid", session).await;
    }
    futures_util::future::join_all(sessions.iter().map(|session| host.end(session))).await;
    hears(&host, EventKind::LogoutDelivered, 100).await;
    let (now, most) = *crowd.0.lock().unwrap();
    assert!(now == 0 && most <= 32, "{now} {most}");
}
