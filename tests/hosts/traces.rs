//! What `TracingAudit` writes: fields, not a sentence.

use std::io;
use std::sync::{Arc, Mutex};

use grantor::audit::TracingAudit;
use grantor::testing::TestServer;

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

#[tokio::test]
async fn an_event_is_fields_that_a_log_can_be_searched_by() {
    let written = Written::default();
    let writer = written.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing::Level::DEBUG)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let server = TestServer::builder()
        .users(["alice"])
        .scopes(["read"])
        .public_client("app", "https://app.test/callback");
    let server = server.configure(|server| server.audit(TracingAudit::new())).build();
    let tokens = server.token("alice", "app", "read").await;
    server.revoke("app", tokens.access_token()).await;
    let refused = server.request_of("app", &[("grant_type", "authorization_code"), ("code", "made up")]);
    drop(server.server().token(&refused).await);

    let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
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
