//! The rules once more, from the RFCs and the design, without a line of the crate: a grant is a list of what
//! happened to it.

const CODE: i64 = 60;
const ACCESS: i64 = 600;
const IDLE: i64 = 14 * 24 * 60 * 60;
const LEEWAY: i64 = 60;
pub const GRANT: i64 = 90 * 24 * 60 * 60;
/// How many of the tokens that were spent within the leeway are forgiven.
const MERCY: usize = 16;
/// The policy of the model's server, for random lives to reach it.
pub const MOST_LIVE: usize = 24;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Client {
    Public,
    Confidential,
    WithoutRefresh,
}

impl Client {
    pub fn id(self) -> &'static str {
        match self {
            Client::Public => "pub",
            Client::Confidential => "conf",
            Client::WithoutRefresh => "bare",
        }
    }

    /// The scopes that it may have: `conf` is registered for two of three.
    pub fn registered(self) -> u8 {
        if self == Client::Confidential { 0b011 } else { 0b111 }
    }
}

pub enum Expect {
    Refused(&'static str),
    Issued {
        scope: u8,
        refresh: Refresh,
    },
    /// The very same tokens as before, by their numbers.
    Repeated {
        access: usize,
        refresh: usize,
    },
}

pub enum Refresh {
    None,
    Same,
    New,
}

pub struct Access {
    pub scope: u8,
    pub until: i64,
    gone: bool,
}

/// One use of a refresh token that made a successor.
struct Use {
    at: i64,
    ask: Option<u8>,
    access: usize,
}

pub struct Life {
    pub client: Client,
    pub approved: u8,
    pub born: i64,
    redeemed: bool,
    over: bool,
    idle_until: i64,
    access: Vec<Access>,
    /// The use of the n-th refresh token made the one after it.
    uses: Vec<Use>,
}

impl Life {
    pub fn offered(client: Client, approved: u8, born: i64) -> Self {
        let (redeemed, over, idle_until) = (false, false, 0);
        Self { client, approved, born, redeemed, over, idle_until, access: vec![], uses: vec![] }
    }

    pub fn is_over(&self) -> bool {
        self.over
    }

    pub fn access(&self, at: usize, now: i64) -> Option<&Access> {
        self.access.get(at).filter(|token| !self.over && !token.gone && now < token.until)
    }

    pub fn is_current(&self, at: usize, now: i64) -> bool {
        !self.over && at == self.uses.len() && now < self.idle_until
    }

    pub fn redeem(&mut self, now: i64) -> Expect {
        if self.redeemed {
            // A replay by the client itself ends what the code brought.
            self.over = true;
        }
        if self.over || now >= self.born + CODE {
            return Expect::Refused("invalid_grant");
        }
        self.redeemed = true;
        match self.client {
            Client::WithoutRefresh => self.issue(self.approved, Refresh::None, now),
            Client::Public | Client::Confidential => self.issue(self.approved, Refresh::New, now),
        }
    }

    pub fn refresh(&mut self, at: usize, ask: Option<u8>, now: i64) -> Expect {
        if self.over || now >= self.idle_until {
            return Expect::Refused("invalid_grant");
        }
        if let Some(used) = self.uses.get(at) {
            return self.refresh_again(at, ask, now, used.at);
        }
        let scope = ask.unwrap_or(self.approved);
        if scope & !self.approved != 0 {
            return Expect::Refused("invalid_scope");
        }
        if (0..self.access.len()).filter(|at| self.access(*at, now).is_some()).count() >= MOST_LIVE {
            return Expect::Refused("temporarily_unavailable");
        }
        if self.client == Client::Confidential {
            return self.issue(scope, Refresh::Same, now);
        }
        self.uses.push(Use { at: now, ask, access: self.access.len() });
        self.issue(scope, Refresh::New, now)
    }

    /// A token that was used at that time.
    fn refresh_again(&mut self, at: usize, ask: Option<u8>, now: i64, used: i64) -> Expect {
        let has_mercy = now < used + LEEWAY && self.uses.len() - at <= MERCY;
        let is_successor_unused = at + 1 == self.uses.len();
        if !has_mercy {
            self.over = true;
        } else if is_successor_unused && self.uses[at].ask == ask && !self.access[self.uses[at].access].gone {
            return Expect::Repeated { access: self.uses[at].access, refresh: at + 1 };
        }
        Expect::Refused("invalid_grant")
    }

    pub fn revoke_access(&mut self, at: usize, now: i64) {
        if self.access(at, now).is_some() {
            self.access[at].gone = true;
        }
    }

    pub fn revoke_refresh(&mut self) {
        self.over = true;
    }

    fn issue(&mut self, scope: u8, refresh: Refresh, now: i64) -> Expect {
        let end = self.born + GRANT;
        self.access.push(Access { scope, until: end.min(now + ACCESS), gone: false });
        if !matches!(refresh, Refresh::None) {
            self.idle_until = end.min(now + IDLE);
        }
        Expect::Issued { scope, refresh }
    }
}
