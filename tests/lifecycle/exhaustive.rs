//! Every case within small bounds: the answer to a spent refresh token, and the scope of a refresh.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use grantor::base::FreshSecrets;
use grantor::flow::token::{self, Authenticated, RedemptionDecision, Reply};
use grantor::flow::{Checked, Facts};
use grantor::grant::{Handle, Kind, MAX_SPENT_REFRESH_TOKENS, Prefixes};
use grantor::issuance::Rules;
use grantor::store::Record;
use grantor::{
    AccountStatus, AuthMethod, Client, Clock, GrantType, Policy, Reason, Request, Scope, TokenStore,
};
use serde_json::Value;

use crate::support::{CALLBACK, Fixture, TestClock, encode};

const SCOPES: [&str; 4] = ["a", "b", "c", "d"];

fn rules(leeway: u64) -> Rules {
    let mut policy = Policy::default();
    policy.leeway = Duration::from_secs(leeway);
    let mut rules = Rules::new("https://as.example", Scope::parse("a b c d").unwrap());
    rules.policy = Arc::new(policy);
    rules
}

/// The client `pub` of the fixture, registered for these scopes.
fn client(scope: u8) -> Arc<Client> {
    let client = Client::builder("pub").redirect_uri(CALLBACK).auth_method(AuthMethod::None);
    let client = client.grant_types([GrantType::AuthorizationCode, GrantType::RefreshToken]);
    Arc::new(client.scope(text_of(scope)).build().unwrap())
}

/// A grant of this scope, and its first refresh token.
async fn granted(scope: u8) -> (Record, String) {
    let fixture = Fixture::with(|builder| builder.scopes(SCOPES));
    let token = fixture.tokens("pub", &text_of(scope)).await.refresh_token();
    let id = Handle::parse(&token, Kind::Refresh, &Prefixes::default()).unwrap().grant;
    (fixture.store.try_load(id).flatten().unwrap(), token)
}

fn now() -> DateTime<Utc> {
    TestClock::default().now()
}

/// What the rules say of a refresh token; nothing is written.
fn decide(
    record: &Record,
    client: &Arc<Client>,
    token: &str,
    scope: Option<&str>,
    seed: &str,
    facts: &Facts<'_>,
) -> RedemptionDecision {
    let mut form = vec![("grant_type", "refresh_token"), ("client_id", "pub"), ("refresh_token", token)];
    form.extend(scope.map(|scope| ("scope", scope)));
    let flow = token::AwaitClient::parse(&Request::post_form(encode(&form)), facts).unwrap();
    let state = flow.with_client(Some(Arc::clone(client)), facts).unwrap();
    let Checked::Ready(Authenticated::Grant(flow)) = state else { panic!("a public client, {state:?}") };
    let state = flow.with_record(Some(record.clone())).unwrap();
    state.decide(AccountStatus::Active, FreshSecrets::fixed(seed), facts)
}

fn json(reply: Reply) -> Value {
    let Reply::Ready(reply) = reply else { panic!("an opaque token needs no signature") };
    serde_json::from_slice(&reply.into_response(&Prefixes::default()).body).unwrap()
}

/// A family of refresh tokens, each used `pause` seconds after the previous one.
struct Line {
    record: Record,
    tokens: Vec<String>,
    /// The last answer.
    latest: Value,
}

impl Line {
    fn used(&mut self, rules: &Rules, uses: usize, pause: i64) {
        for number in 1..=uses {
            let facts = Facts::new(now() + TimeDelta::seconds(number as i64 * pause), rules);
            let token = &self.tokens[number - 1];
            let decision = decide(&self.record, &client(0b1111), token, None, &number.to_string(), &facts);
            let RedemptionDecision::Commit(write, sealed) = decision else { panic!("{decision:?}") };
            self.latest = json(sealed.open(write.committed()).unwrap());
            self.record = write.next().clone();
            self.tokens.push(self.latest["refresh_token"].as_str().unwrap().to_owned());
        }
    }
}

#[derive(Debug, PartialEq)]
enum Told {
    Renewed,
    TheSameTokens,
    Refused(Reason),
    Ended(Reason),
}

/// The table of `manual/defaults.md`, for a token that is `behind` steps older than the current one and was
/// first used `age` seconds ago.
fn by_the_manual(behind: usize, age: i64, is_same_request: bool, leeway: i64) -> Told {
    let is_within = age < leeway;
    match behind {
        0 => Told::Renewed,
        1 if is_within && is_same_request => Told::TheSameTokens,
        1 if is_within => Told::Refused(Reason::RetryDiffers),
        2..=MAX_SPENT_REFRESH_TOKENS if is_within => Told::Refused(Reason::RefreshSuperseded),
        _ => Told::Ended(Reason::RefreshReplayed),
    }
}

#[tokio::test]
async fn a_spent_refresh_token_gets_what_the_table_of_the_manual_says() {
    let (first, token) = granted(0b0011).await;
    let many = MAX_SPENT_REFRESH_TOKENS;
    let mut cases = 0;
    for (leeway, pause) in (0..4).flat_map(|leeway| (0..3).map(move |pause| (leeway, pause))) {
        let rules = rules(leeway as u64);
        for uses in [1, 2, 3, many, many + 1, many + 2] {
            let mut line = Line { record: first.clone(), tokens: vec![token.clone()], latest: Value::Null };
            line.used(&rules, uses, pause);
            for (wait, behind) in (0..5).flat_map(|wait| (0..=uses).map(move |behind| (wait, behind))) {
                let facts = Facts::new(now() + TimeDelta::seconds(uses as i64 * pause + wait), &rules);
                // The token one step behind was used last, each older one `pause` seconds before the next.
                let age = wait + (behind as i64 - 1) * pause;
                for scope in [None, Some("a")] {
                    let expected = by_the_manual(behind, age, scope.is_none(), leeway);
                    let presented = &line.tokens[uses - behind];
                    let told = match decide(&line.record, &client(0b1111), presented, scope, "next", &facts) {
                        RedemptionDecision::Commit(write, sealed) => {
                            let renewed = json(sealed.open(write.committed()).unwrap());
                            assert_ne!(renewed["refresh_token"], line.latest["refresh_token"]);
                            Told::Renewed
                        }
                        RedemptionDecision::Repeat(reply) => {
                            let repeated = json(reply);
                            for member in ["access_token", "refresh_token", "scope"] {
                                assert_eq!(repeated[member], line.latest[member], "{member}");
                            }
                            Told::TheSameTokens
                        }
                        RedemptionDecision::Refuse(refusal) => Told::Refused(refusal.reason()),
                        RedemptionDecision::End(tombstone, sealed) => {
                            assert!(tombstone.grant().is_ended());
                            Told::Ended(sealed.open(tombstone.committed()).unwrap_err().reason())
                        }
                        other => panic!("{other:?}"),
                    };
                    let case = format!("{behind} behind after {uses} uses, {age} s old, leeway {leeway} s");
                    assert_eq!(told, expected, "{case}, {scope:?}");
                    cases += 1;
                }
            }
        }
    }
    assert!(cases > 5_000, "{cases}");
}

#[tokio::test]
async fn a_refresh_gets_what_it_asks_for_of_what_was_granted_and_is_registered_and_nothing_else() {
    let rules = rules(60);
    let facts = Facts::new(now(), &rules);
    for granted_scope in 1..16 {
        let (record, token) = granted(granted_scope).await;
        for (registered, asked) in
            (1..16).flat_map(|registered| (0..16).map(move |asked| (registered, asked)))
        {
            // A parameter without a value counts as omitted (RFC 6749 section 3.1).
            let wanted = if asked == 0 { granted_scope } else { asked };
            let left = wanted & registered;
            // No answer can say that nothing is left (section 5.1).
            let is_refused = wanted & !granted_scope != 0 || left == 0;
            let expected = (!is_refused).then_some(left);
            let scope = (asked != 0).then(|| text_of(asked));
            let decision = decide(&record, &client(registered), &token, scope.as_deref(), "next", &facts);
            let found = match decision {
                RedemptionDecision::Commit(write, sealed) => {
                    let answer = json(sealed.open(write.committed()).unwrap());
                    Some(bits_of(answer["scope"].as_str().unwrap_or_default()))
                }
                RedemptionDecision::Refuse(refusal) => {
                    assert_eq!(refusal.reason(), Reason::ScopeExceeded);
                    None
                }
                other => panic!("{other:?}"),
            };
            let case = format!("{asked:04b} of {granted_scope:04b}, registered {registered:04b}");
            assert_eq!(found, expected, "{case}");
        }
    }
}

#[test]
fn the_sets_of_scopes_are_sets() {
    let scope = |bits| Scope::parse(&text_of(bits)).unwrap();
    for (one, other) in (0..16).flat_map(|one| (0..16).map(move |other| (one, other))) {
        let (a, b) = (scope(one), scope(other));
        assert_eq!(bits_of(a.intersection(&b).as_str()), one & other);
        assert_eq!(bits_of(a.union(&b).as_str()), one | other);
        assert_eq!((a.is_subset(&b), a == b), (one & !other == 0, one == other), "{a:?}, {b:?}");
    }
}

fn text_of(bits: u8) -> String {
    let chosen = (0..SCOPES.len()).filter(|n| bits >> n & 1 == 1).map(|n| SCOPES[n]);
    chosen.collect::<Vec<_>>().join(" ")
}

fn bits_of(text: &str) -> u8 {
    let bit = |token| 1 << SCOPES.iter().position(|scope| *scope == token).unwrap();
    text.split_whitespace().map(bit).sum()
}
