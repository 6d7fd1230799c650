//! Somebody who uses a server that may crash at any moment, and keeps account of what it has answered.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::serving::until;
use super::wire::Wire;
use crate::support::encode;

/// One authorization of alice's, as its client knows it.
struct Session {
    code: String,
    /// Every refresh token, the last one unused.
    refresh: Vec<String>,
    access: String,
    /// Its end was answered.
    ended: bool,
}

/// A request that was not answered.
#[derive(Clone)]
enum Pending {
    /// What was pushed, and when.
    Visit(String, Instant),
    Redeem(String),
    Refresh(usize),
    Revoke(usize),
    Replay(usize),
}

/// What a server must not do, and did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    /// Something that was answered is gone.
    Lost,
    /// Something lives whose end was answered.
    Revived,
    /// A code worked twice, or a refresh token has two successors.
    Twice,
}

/// What all users do at a time.
#[derive(Default)]
pub struct Load {
    pub answers: AtomicUsize,
    pub over: AtomicBool,
}

/// How much has been checked.
#[derive(Clone, Copy, Default)]
pub struct Account {
    pub answered: usize,
    pub unanswered: usize,
    pub checked: usize,
}

impl Account {
    pub fn and(self, other: Self) -> Self {
        Self {
            answered: self.answered + other.answered,
            unanswered: self.unanswered + other.unanswered,
            checked: self.checked + other.checked,
        }
    }
}

pub struct User {
    wire: Wire,
    dice: Dice,
    sessions: Vec<Session>,
    /// Access tokens of client credentials.
    lone: Vec<String>,
    pending: Option<Pending>,
    /// What has changed since the latest check: sessions, and the first of the lone tokens.
    touched: Vec<usize>,
    lone_checked: usize,
    pub findings: Vec<(Finding, String)>,
    pub account: Account,
}

/// A pushed request is not given up before this.
const IN_TIME: Duration = Duration::from_secs(50);

/// The longest chain of refresh tokens; a grant keeps eight access tokens.
const CHAIN: usize = 6;

impl User {
    pub fn new(base: &str, seed: u64) -> Self {
        Self {
            wire: Wire::new(base),
            dice: Dice(seed),
            sessions: Vec::new(),
            lone: Vec::new(),
            pending: None,
            touched: Vec::new(),
            lone_checked: 0,
            findings: Vec::new(),
            account: Account::default(),
        }
    }

    /// Asks for this and that until it is over. `restarts`: as for [`check`](Self::check).
    pub fn work(&mut self, load: &Load, restarts: bool) {
        self.wire.reconnect();
        while !load.over.load(Ordering::Relaxed) {
            let answered = match self.dice.roll(10) {
                0..2 => self.client_credentials(),
                2..5 => self.authorize(),
                5..8 => self.with_session(Self::refresh),
                8 => self.with_session(Self::revoke),
                _ => self.with_session(Self::replay),
            };
            match answered {
                Some(()) => {
                    self.account.answered += 1;
                    load.answers.fetch_add(1, Ordering::Relaxed);
                }
                None => self.account.unanswered += 1,
            }
            if self.pending.is_some() {
                // As an honest client would, it waits for the server before it goes on.
                while !load.over.load(Ordering::Relaxed) && self.try_pending(restarts).is_none() {
                    std::thread::sleep(Duration::from_millis(2));
                }
            }
        }
    }

    /// Asks again what was not answered, and looks whether everything is as it was answered: what has changed
    /// since the latest check, or all there is. `restarted`: the server has forgotten what it had in memory.
    pub fn check(&mut self, all: bool, restarted: bool) {
        self.wire.reconnect();
        until(|| self.pending.is_none() || self.try_pending(restarted).is_some());
        let mut wanted = std::mem::take(&mut self.touched);
        match all {
            true => wanted = (0..self.sessions.len()).collect(),
            false => wanted.extend((0..3).filter_map(|_| self.any_session())),
        }
        wanted.sort_unstable();
        wanted.dedup();
        for session in wanted {
            self.check_session(session);
            self.account.checked += 1;
        }
        let from = if all { 0 } else { self.lone_checked };
        for index in from..self.lone.len() {
            let token = self.lone[index].clone();
            if !self.is_active(&token) {
                self.found(Finding::Lost, "a token of client credentials");
            }
            self.account.checked += 1;
        }
        self.lone_checked = self.lone.len();
    }

    fn client_credentials(&mut self) -> Option<()> {
        let (status, body) = self.wire.token("conf", &[("grant_type", "client_credentials")])?;
        assert_eq!(status, 200, "{body}");
        self.lone.push(text(&body, "access_token"));
        Some(())
    }

    fn authorize(&mut self) -> Option<()> {
        if self.dice.roll(2) == 0 {
            let (status, body) = self.wire.push()?;
            if status == 201 {
                self.pending = Some(Pending::Visit(text(&body, "request_uri"), Instant::now()));
                return self.try_pending(false);
            }
            assert_eq!(status, 429, "{body}");
        }
        let code = self.wire.code()?;
        self.pending = Some(Pending::Redeem(code));
        self.try_pending(false)
    }

    fn refresh(&mut self, session: usize) -> Option<()> {
        if self.sessions[session].refresh.len() >= CHAIN {
            return self.revoke(session);
        }
        self.pending = Some(Pending::Refresh(session));
        self.try_pending(false)
    }

    fn revoke(&mut self, session: usize) -> Option<()> {
        self.pending = Some(Pending::Revoke(session));
        self.try_pending(false)
    }

    fn replay(&mut self, session: usize) -> Option<()> {
        self.pending = Some(Pending::Replay(session));
        self.try_pending(false)
    }

    /// One attempt at what is not answered yet.
    fn try_pending(&mut self, restarted: bool) -> Option<()> {
        match self.pending.clone()? {
            Pending::Visit(request_uri, pushed) => return self.try_visit(&request_uri, pushed, restarted),
            Pending::Redeem(code) => self.try_redeem(code, restarted)?,
            Pending::Refresh(session) => self.try_refresh(session)?,
            Pending::Revoke(session) => {
                let last = self.last(session);
                let (status, body) = self.wire.revoke("app", &last)?;
                assert_eq!(status, 200, "{body}");
                self.end(session);
            }
            Pending::Replay(session) => {
                let code = self.sessions[session].code.clone();
                let (status, body) = self.wire.redeem("app", &code)?;
                if status == 200 {
                    self.found(Finding::Twice, format!("a code: {body}"));
                }
                self.end(session);
            }
        }
        self.pending = None;
        Some(())
    }

    /// A request whose push was answered waits for its user. Its approval may go unanswered: then no one has
    /// its code.
    fn try_visit(&mut self, request_uri: &str, pushed: Instant, restarted: bool) -> Option<()> {
        let query = encode(&[("client_id", "app"), ("request_uri", request_uri)]);
        let asked = self.wire.asked(&query)?;
        self.pending = None;
        match asked {
            Ok(asked) => {
                self.pending = Some(Pending::Redeem(self.wire.approve(&asked)?));
                self.try_pending(restarted)
            }
            Err(status) => {
                if pushed.elapsed() < IN_TIME {
                    self.found(Finding::Lost, format!("a pushed request: {status}"));
                }
                Some(())
            }
        }
    }

    /// A code is lost with an answer that a killed server did not give: then its retry is a replay.
    fn try_redeem(&mut self, code: String, restarted: bool) -> Option<()> {
        let (status, body) = self.wire.redeem("app", &code)?;
        match status {
            200 => {
                let (refresh, access) = (vec![text(&body, "refresh_token")], text(&body, "access_token"));
                self.touched.push(self.sessions.len());
                self.sessions.push(Session { code, refresh, access, ended: false });
            }
            _ if restarted => {}
            _ => self.found(Finding::Lost, format!("a code: {body}")),
        }
        Some(())
    }

    fn try_refresh(&mut self, session: usize) -> Option<()> {
        let last = self.last(session);
        let (status, body) = self.wire.refresh("app", &last)?;
        if status == 200 {
            self.sessions[session].access = text(&body, "access_token");
            self.sessions[session].refresh.push(text(&body, "refresh_token"));
            self.touched.push(session);
        } else {
            self.found(Finding::Lost, format!("a refresh token: {body}"));
            self.end(session);
        }
        Some(())
    }

    fn check_session(&mut self, session: usize) {
        let Session { access, refresh, ended, .. } = &self.sessions[session];
        let (access, refresh, ended) = (access.clone(), refresh.clone(), *ended);
        let active = self.is_active(&access);
        if ended {
            let last = refresh.last().unwrap();
            let (status, _) = sure(|| self.wire.refresh("app", last));
            if active || status == 200 {
                self.found(Finding::Revived, format!("access {active}, refresh {status}"));
            }
            return;
        }
        if !active {
            self.found(Finding::Lost, "an access token");
            self.end(session);
            return;
        }
        if let [.., spent, _, _] = &refresh[..] {
            let (status, body) = sure(|| self.wire.refresh("app", spent));
            if status == 200 {
                self.found(Finding::Twice, format!("a spent refresh token: {body}"));
            }
        }
        if let [.., before, last] = &refresh[..] {
            // Its answer may have been lost, so it is given again: the very same.
            let (status, body) = sure(|| self.wire.refresh("app", before));
            if status != 200 || body["refresh_token"] != last.as_str() {
                self.found(Finding::Twice, format!("a refresh token has two successors: {status} {body}"));
            }
        }
    }

    fn found(&mut self, finding: Finding, what: impl Into<String>) {
        self.findings.push((finding, what.into()));
    }

    fn is_active(&mut self, token: &str) -> bool {
        let (status, body) = sure(|| self.wire.introspect("conf", token));
        assert_eq!(status, 200, "{body}");
        body["active"] == true
    }

    /// Does something with a session that has not ended.
    fn with_session(&mut self, work: impl Fn(&mut Self, usize) -> Option<()>) -> Option<()> {
        match self.any_session().filter(|session| !self.sessions[*session].ended) {
            Some(session) => work(self, session),
            None => self.authorize(),
        }
    }

    fn any_session(&mut self) -> Option<usize> {
        let count = self.sessions.len();
        (count > 0).then(|| self.dice.roll(count))
    }

    fn last(&self, session: usize) -> String {
        self.sessions[session].refresh.last().unwrap().clone()
    }

    fn end(&mut self, session: usize) {
        self.sessions[session].ended = true;
        self.touched.push(session);
    }
}

/// Asks until there is an answer.
fn sure(mut ask: impl FnMut() -> Option<(u16, Value)>) -> (u16, Value) {
    let mut answer = None;
    until(|| {
        answer = ask();
        answer.is_some()
    });
    answer.unwrap()
}

fn text(body: &Value, name: &str) -> String {
    body[name].as_str().unwrap_or_else(|| panic!("no {name} in {body}")).to_owned()
}

/// The same throws for the same seed (SplitMix64).
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % u64::try_from(sides).unwrap()).unwrap()
    }
}
