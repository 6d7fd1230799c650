//! What began in a session ends with it: the user signed out, the session's time was up, it made room for
//! another one, or the process that has it stops.

use std::time::{Duration, Instant};

use grantor::SessionId;
use tokio::task::JoinSet;

use crate::app::App;
use crate::session::SIGNED_IN;

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// With these pauses, for an hour.
const TRIES: u32 = 64;

/// How long the end of all sessions may take when the server stops.
const LAST_SESSIONS: Duration = Duration::from_secs(5);
/// The most sessions that are ended at once.
const AT_ONCE: usize = 64;

/// Ends what began in a session that is gone. If the store fails, it is tried again.
pub(crate) async fn end_session(app: &App, session: SessionId) {
    if let Err(error) = app.server.end_session(&session).await {
        tracing::error!(%error, "the grants of a session could not be ended yet");
        try_again(app, session);
    }
}

/// Goes on in the background: the user is signed out, and has no button to press again.
pub(crate) fn try_again(app: &App, session: SessionId) {
    let app = app.clone();
    tokio::spawn(async move {
        let mut pause = FIRST_PAUSE;
        for _ in 0..TRIES {
            tokio::time::sleep(pause).await;
            if app.server.end_session(&session).await.is_ok() {
                return;
            }
            pause = LONGEST_PAUSE.min(pause * 2);
        }
        tracing::error!("the store failed for too long: the grants of a session were not ended");
    });
}

/// Looks for sessions that are gone after each pause of this length.
pub(crate) async fn keep_ending(app: &App, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        end_gone(app, Instant::now()).await;
    }
}

async fn end_gone(app: &App, now: Instant) {
    for session in app.sessions.take_gone(now) {
        end_session(app, session).await;
    }
}

/// The sessions are in this process only, so they are gone when it stops.
pub(crate) async fn end_all(app: &App) {
    let gone = app.sessions.take_gone(Instant::now() + SIGNED_IN);
    let mut left = gone.len();
    let ending = async {
        for some in gone.chunks(AT_ONCE) {
            let end = |session: &SessionId| {
                let (app, session) = (app.clone(), *session);
                async move { app.server.end_session(&session).await.is_ok() }
            };
            let mut tasks: JoinSet<bool> = some.iter().map(end).collect();
            while let Some(ended) = tasks.join_next().await {
                left -= usize::from(ended.unwrap_or(false));
            }
        }
    };
    let _ = tokio::time::timeout(LAST_SESSIONS, ending).await;
    if left > 0 {
        tracing::error!(
            left,
            "the store failed, or it or an application was too slow: the grants of some sessions may live on"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::http::{HeaderMap, header};
    use chrono::Utc;
    use grantor::store::Filter;
    use grantor::{ClientId, Request, SignedIn};

    use super::*;
    use crate::config::Config;
    use crate::setup;
    use crate::users::User;

    const FILE: &str = r#"
        listen = "127.0.0.1:0"
        [keys]
        algorithm = "RS256"
        [openid]
        [[clients]]
        client_id = "app"
        client_secret = "0123456789abcdef0123456789abcdef"
        redirect_uris = ["https://app.example/cb"]
    "#;

    const REQUEST: &str = "response_type=code&client_id=app&scope=openid\
        &redirect_uri=https%3A%2F%2Fapp.example%2Fcb\
        &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";

    async fn live_grants(app: &App) -> usize {
        let page = app.server.grants(&Filter::client(ClientId::new("app")), None, 10).await.unwrap();
        page.records.iter().filter(|record| record.grant().is_live(Utc::now())).count()
    }

    #[tokio::test]
    async fn lo_23_a_session_whose_time_is_up_takes_its_grants_along() {
        let config = Config::parse(FILE).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
        let app = setup::app(config, "127.0.0.1:9400".parse().unwrap()).await;
        let app = app.unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
        let (visitor, _) = app.sessions.visit(None);
        let cookie = app.sessions.sign_in(&visitor, Arc::new(User::named("alice")));
        let session = app.sessions.find(&HeaderMap::from_iter([(header::COOKIE, cookie)])).unwrap();
        let login = session.signed_in().unwrap().login();
        let asked = app.server.authorize(&Request::get(REQUEST)).await.unwrap();
        let SignedIn::Consent(consent) = asked.signed_in(login).await else { panic!("no consent") };
        assert_eq!(consent.approve().await.status, 303);

        let now = Instant::now();
        end_gone(&app, now).await;
        assert_eq!(live_grants(&app).await, 1, "the session lives");
        end_gone(&app, now + SIGNED_IN).await;
        assert_eq!(live_grants(&app).await, 0);
    }
}
