//! What `TracingAudit` writes: fields, not a sentence.

use std::io;
use std::sync::{Arc, Mutex};

use grantor::Request;
use grantor::audit::{Endpoint, TracingAudit};
use grantor::http::Method;
use grantor::testing::TestServer;
use tracing_subscriber::fmt::format::FmtSpan;

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Written {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// What is traced from here on in this test, and each span as it begins.
fn traced() -> (Written, tracing::subscriber::DefaultGuard) {
    let written = Written::default();
    let writer = written.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing::Level::DEBUG)
        .with_span_events(FmtSpan::NEW)
        .with_writer(move || writer.clone())
        .finish();
    (written, tracing::subscriber::set_default(subscriber))
}

#[tokio::test]
async fn a_request_is_a_span_whatever_becomes_of_it() {
    let (written, _guard) = traced();
    let server = TestServer::builder().users(["alice"]).scopes(["read"]);
    let server = server.configure(|server| server.audit(TracingAudit::new())).build();
    let requests = [
        (Request::new(Method::Options), 204),
        (Request::new(Method::Get), 405),
        (Request::post_form("x".repeat(64 * 1024 + 1)), 413),
        (Request::post_form("grant_type=x&client_id=app"), 400),
    ];
    for (at, (request, status)) in requests.into_iter().enumerate() {
        assert_eq!(server.server().handle(Endpoint::Token, &request).await.status, status);
        let text = written.text();
        let begun = text.lines().filter(|line| line.contains("request{endpoint=\"token\"}: grantor: new"));
        assert_eq!(begun.count(), at + 1, "{status}: {text}");
    }
    let text = written.text();
    let refused = text.lines().filter(|line| line.contains("event=Refused")).collect::<Vec<_>>();
    assert!(refused.len() == 2 && refused.iter().all(|line| line.contains("request{endpoint=")), "{text}");
}

#[tokio::test]
async fn an_event_is_fields_that_a_log_can_be_searched_by() {
    let (written, _guard) = traced();
    let server = TestServer::builder()
        .users(["alice"])
        .scopes(["read"])
        .public_client("app", "https://app.test/callback");
    let server = server.configure(|server| server.audit(TracingAudit::new())).build();
    let tokens = server.token("alice", "app", "read").await;
    server.revoke("app", tokens.access_token()).await;
    let refused = server.request_of("app", &[("grant_type", "authorization_code"), ("code", "made up")]);
    drop(server.server().token(&refused).await);

    let text = written.text();
    let line = |event: &str| {
        text.lines().find(|line| line.contains(event)).unwrap_or_else(|| panic!("{event}: {text}")).to_owned()
    };
    let issued = line("event=TokensIssued");
    for field in [" DEBUG grantor: ", "endpoint=\"token\"", "client=\"app\"", "subject=\"alice\"", "grant="] {
        assert!(issued.contains(field), "{field}: {issued}");
    }
    assert!(line("event=Revoked").contains(" INFO grantor: "), "{text}");
    let refused = line("event=Refused");
    assert!(refused.contains("reason=") && refused.contains(" INFO grantor: "), "{refused}");
    assert!(!text.contains(tokens.access_token()), "no secret is written");
}
