use axum::http::header;

use super::*;

fn sent_back(set_cookie: &HeaderValue) -> HeaderMap {
    let text = set_cookie.to_str().unwrap_or_default();
    let pair = text.split(';').next().unwrap_or_default();
    let value = HeaderValue::try_from(format!("other=1; {pair}")).unwrap_or(HeaderValue::from_static(""));
    HeaderMap::from_iter([(header::COOKIE, value)])
}

#[test]
fn a_cookie_finds_its_session_and_no_other() {
    let sessions = Sessions::new(false, "127.0.0.1:9400");
    let (session, cookie) = sessions.visit(None);
    let (other, _) = sessions.visit(None);
    let found = sessions.find(&sent_back(&cookie)).map(|found| found.csrf().to_owned());
    assert_eq!(found.as_deref(), Some(session.csrf()));
    assert!(session.wrote(session.csrf()) && !session.wrote(other.csrf()) && !session.wrote(""));
    assert!(sessions.find(&HeaderMap::new()).is_none());
}

#[test]
fn signing_in_leaves_the_old_id_worthless() {
    let sessions = Sessions::new(false, "127.0.0.1:9400");
    let (visitor, planted) = sessions.visit(None);
    let fresh = sessions.sign_in(&visitor, Arc::new(User::named("alice")));
    assert!(sessions.find(&sent_back(&planted)).is_none());
    let session = sessions.find(&sent_back(&fresh));
    assert_eq!(
        session.and_then(|s| s.signed_in().map(|s| s.user.username.clone())).as_deref(),
        Some("alice")
    );
}

#[test]
fn lo_23_a_session_of_another_process_is_unknown_and_one_that_ended_here_is_not() {
    let [before, after] = [(); 2].map(|()| Sessions::new(false, "127.0.0.1:9400"));
    let (visitor, _) = before.visit(None);
    let cookie = sent_back(&before.sign_in(&visitor, Arc::new(User::named("alice"))));
    assert!(!before.is_unknown(&cookie) && after.is_unknown(&cookie));
    before.end(&before.find(&cookie).unwrap());
    assert!(!before.is_unknown(&cookie), "the button was pressed twice");
    assert!(!after.is_unknown(&HeaderMap::new()) && !after.is_unknown(&sent_back(&after.forget())));
}

#[test]
fn a_session_that_made_room_or_expired_is_gone_unless_it_goes_on_under_another_cookie() {
    let sessions = Sessions::new(false, "127.0.0.1:9400");
    let (visitor, _) = sessions.visit(None);
    let sign_in = |before: &Session, user: &Arc<User>| {
        let session = sessions.find(&sent_back(&sessions.sign_in(before, Arc::clone(user)))).unwrap();
        let id = session.signed_in().unwrap().session_id();
        (session, id)
    };
    let (alice, bob) = (Arc::new(User::named("alice")), Arc::new(User::named("bob")));
    let (first, oldest) = sign_in(&visitor, &alice);
    for _ in 0..SIGNED_IN_SESSIONS {
        sessions.sign_in(&visitor, Arc::clone(&bob));
    }
    let now = Instant::now();
    assert_eq!(sessions.take_gone(now), [oldest]);
    assert!(sessions.take_gone(now).is_empty(), "told once");
    // The form was sent twice.
    let (again, twice) = (sign_in(&first, &alice), sign_in(&first, &alice));
    assert_eq!((again.1, twice.1), (oldest, oldest));
    sessions.take_gone(now);
    sessions.end(&again.0);
    lock(&sessions.crowded_out).push(again.0);
    assert!(sessions.take_gone(now).is_empty(), "it goes on");
    let gone = sessions.take_gone(now + SIGNED_IN + SIGNED_IN);
    assert_eq!(gone.len(), SIGNED_IN_SESSIONS - 1);
    assert!(gone.contains(&oldest));
}

#[test]
fn what_a_visitor_did_goes_along_and_what_another_user_did_does_not() {
    let sessions = Sessions::new(false, "127.0.0.1:9400");
    let (visitor, _) = sessions.visit(None);
    let find = |cookie| sessions.find(&sent_back(&cookie));
    let code = UserCode::parse("BCDF-GHJK");
    assert!(code.is_some());
    visitor.browser().enter(code);
    let entered = |session: &Arc<Session>| session.browser().entered().map(|code| code.to_string());
    let alice = find(sessions.sign_in(&visitor, Arc::new(User::named("alice"))));
    assert_eq!(alice.as_ref().and_then(entered).as_deref(), Some("BCDF-GHJK"));
    let bob = alice.as_deref().and_then(|alice| find(sessions.sign_in(alice, Arc::new(User::named("bob")))));
    assert_eq!(bob.as_ref().map(entered), Some(None));
}

#[test]
fn ft_30_a_new_sign_in_keeps_when_a_request_was_first_seen() {
    let sessions = Sessions::new(false, "127.0.0.1:9400");
    let (visitor, _) = sessions.visit(None);
    let (first, later) = (Utc::now(), Utc::now() + chrono::TimeDelta::seconds(5));
    visitor.keep_first_seen("a=1", first);
    visitor.keep_first_seen("a=1", later);
    let find = |cookie| sessions.find(&sent_back(&cookie));
    let alice = find(sessions.sign_in(&visitor, Arc::new(User::named("alice"))));
    let again =
        alice.as_deref().and_then(|alice| find(sessions.sign_in(alice, Arc::new(User::named("alice")))));
    let seen = again.as_deref().and_then(|again| again.first_seen("a=1"));
    assert_eq!(seen, Some(first));
    assert_eq!(again.as_deref().and_then(|again| again.first_seen("a=2")), None);
}

#[test]
fn ft_38_each_port_of_a_host_has_a_cookie_of_its_own() {
    for (host, name) in [
        ("127.0.0.1:9400", "grantor-session-9400="),
        ("[::1]:9401", "grantor-session-9401="),
        ("[::1]", "grantor-session="),
    ] {
        let (_, cookie) = Sessions::new(false, host).visit(None);
        assert!(cookie.to_str().unwrap_or_default().starts_with(name), "{host}");
    }
}

#[test]
fn an_https_cookie_is_bound_to_the_host() {
    let (_, cookie) = Sessions::new(true, "login.example").visit(None);
    let text = cookie.to_str().unwrap_or_default();
    assert!(
        text.starts_with("__Host-grantor-session=")
            && text.ends_with("Path=/; HttpOnly; SameSite=Lax; Secure")
    );
}
