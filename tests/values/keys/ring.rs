//! The life of keys as a function of time.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use grantor::jose::{Algorithm, Signer as _, SigningKey};
use grantor::keys::{KeyRing, KeyRingDecodeError, KeySchedule, KeyScheduleError, KeyStage};

use super::{ED, day, days, start, step_of, stepped};

fn signing(ring: &KeyRing, now: DateTime<Utc>) -> String {
    ring.signing(Algorithm::EdDsa, now).unwrap().key().thumbprint()
}

fn published(ring: &KeyRing, now: DateTime<Utc>) -> HashSet<String> {
    ring.published(now).map(|key| key.kid().unwrap().to_owned()).collect()
}

fn stages(ring: &KeyRing, now: DateTime<Utc>) -> Vec<KeyStage> {
    ring.states(now).map(|state| state.stage).collect()
}

#[test]
fn a_key_is_announced_signs_retires_and_goes() {
    use KeyStage::{Announced, Gone, Published, Signing};
    let ring = stepped(KeyRing::new(), start());
    assert_eq!(stages(&ring, start()), [Signing]);
    let second = day(90);
    let almost = second - TimeDelta::days(14) - TimeDelta::seconds(1);
    assert!(step_of(&ring, almost, ED).is_none());
    let ring = step_of(&ring, day(76), ED).unwrap();
    assert_eq!(stages(&ring, day(76)), [Signing, Announced]);
    assert_eq!(stages(&ring, second - TimeDelta::seconds(1)), [Signing, Announced]);
    assert_eq!(stages(&ring, second), [Published, Signing]);
    assert_eq!(stages(&ring, day(104) - TimeDelta::seconds(1)), [Published, Signing]);
    assert_eq!(stages(&ring, day(104)), [Gone, Signing]);
    assert!(step_of(&ring, day(104) - TimeDelta::seconds(1), ED).is_none());
    let ring = step_of(&ring, day(104), ED).unwrap();
    assert_eq!(stages(&ring, day(104)), [Signing]);
}

/// Walks two years, calling `step` every `wake`, and lets a verifier fetch every `refresh`; every hour a
/// token is signed and must be known to the verifier now, and as long as it lives.
fn two_years(wake: TimeDelta, refresh: TimeDelta) -> HashSet<String> {
    let mut ring = stepped(KeyRing::new(), start());
    let mut cached = published(&ring, start());
    let (mut next_wake, mut next_refresh, mut signed_by) =
        (start() + wake, start() + refresh, HashSet::new());
    let mut now = start();
    while now < day(731) {
        if next_wake <= now {
            ring = stepped(ring, now);
            next_wake = now + wake;
        }
        if next_refresh <= now {
            cached = published(&ring, now);
            next_refresh = now + refresh;
        }
        let kid = signing(&ring, now);
        assert!(cached.contains(&kid), "an unknown key at {now}");
        let end_of_token = now + TimeDelta::days(14) - TimeDelta::seconds(1);
        assert!(published(&ring, end_of_token).contains(&kid), "a token outlives its key at {now}");
        let signing_now = ring.states(now).filter(|state| state.stage == KeyStage::Signing);
        assert_eq!(signing_now.count(), 1);
        signed_by.insert(kid);
        now += TimeDelta::hours(1);
    }
    signed_by
}

#[test]
fn for_two_years_a_daily_verifier_knows_every_key() {
    assert_eq!(two_years(TimeDelta::hours(1), TimeDelta::days(1)).len(), 9);
}

#[test]
fn for_two_years_a_verifier_of_every_13_days_knows_every_key() {
    assert_eq!(two_years(TimeDelta::hours(1), TimeDelta::days(13)).len(), 9);
}

#[test]
fn a_server_that_wakes_every_13_days_surprises_nobody() {
    let signed_by = two_years(TimeDelta::days(13), TimeDelta::days(13)).len();
    assert!((7..=9).contains(&signed_by), "{signed_by}");
}

#[test]
fn after_a_long_sleep_the_newest_announced_key_signs() {
    let ring = stepped(stepped(KeyRing::new(), start()), day(80));
    let announced = ring.states(day(80)).find(|s| s.stage == KeyStage::Announced).unwrap();
    let kid = announced.key.thumbprint();
    assert_eq!(signing(&ring, day(400)), kid);
    let awake = step_of(&ring, day(400), ED).unwrap();
    assert_eq!(signing(&awake, day(400)), kid);
    // The successor is announced for as long as ever.
    assert_eq!(signing(&awake, day(414) - TimeDelta::seconds(1)), kid);
    assert_ne!(signing(&awake, day(414)), kid);
    assert_eq!(published(&awake, day(400)).len(), 2);
}

#[test]
fn a_sleep_before_any_announcement_changes_nothing_for_verifiers() {
    let ring = stepped(KeyRing::new(), start());
    let first = signing(&ring, start());
    let awake = stepped(ring, day(400));
    assert_eq!(signing(&awake, day(400)), first);
    assert!(published(&awake, day(400)).contains(&signing(&awake, day(414))));
}

#[test]
fn a_clock_that_is_behind_the_first_key_still_finds_it() {
    let ring = stepped(KeyRing::new(), start());
    let early = start() - TimeDelta::seconds(30);
    assert_eq!(signing(&ring, early), signing(&ring, start()));
    assert!(published(&ring, early).contains(&signing(&ring, early)));
}

#[test]
fn each_algorithm_has_a_chain_of_its_own() {
    let both = [Algorithm::EdDsa, Algorithm::Es256, Algorithm::EdDsa];
    let ring = stepped(KeyRing::new(), start());
    let ring = step_of(&ring, day(10), &both).unwrap();
    assert_eq!(ring.states(day(10)).count(), 2);
    assert!(step_of(&ring, day(75), &both).is_none());
    let ring = step_of(&ring, day(76), &both).unwrap();
    assert_eq!(ring.states(day(76)).filter(|s| s.algorithm == Algorithm::Es256).count(), 1);
    let ring = step_of(&ring, day(86), &both).unwrap();
    assert_eq!(ring.states(day(86)).filter(|s| s.algorithm == Algorithm::Es256).count(), 2);
}

#[test]
fn an_algorithm_that_is_not_wanted_signs_to_its_end_and_stays_published() {
    let ring = step_of(&KeyRing::new(), start(), &[Algorithm::Es256]).unwrap();
    let mut ring = step_of(&ring, day(1), ED).unwrap();
    for at in 1..=300 {
        ring = stepped(ring, day(at));
        let old = ring.states(day(at)).find(|s| s.algorithm == Algorithm::Es256).map(|s| s.stage);
        let expected = match at {
            ..90 => Some(KeyStage::Signing),
            90..104 => Some(KeyStage::Published),
            _ => None,
        };
        assert_eq!(old, expected, "day {at}");
    }
}

#[test]
fn a_ring_is_written_as_it_is_read() {
    let ring = stepped(stepped(KeyRing::new(), start()), day(80));
    let json = ring.encode().unwrap();
    assert!(json.reveal().starts_with(r#"{"v":1,"keys":["#));
    let read = KeyRing::decode(json.reveal()).unwrap();
    assert_eq!(read.encode().unwrap().reveal(), json.reveal());
    for at in [0, 80, 95, 110] {
        assert_eq!(signing(&read, day(at)), signing(&ring, day(at)));
        assert_eq!(stages(&read, day(at)), stages(&ring, day(at)));
    }
}

#[test]
fn a_ring_of_the_future_is_refused() {
    let decode = |json: &str| KeyRing::decode(json).map(drop);
    assert_eq!(decode(r#"{"v":2,"keys":"changed"}"#), Err(KeyRingDecodeError::Version(2)));
    assert_eq!(decode(r#"{"v":0,"keys":[]}"#), Err(KeyRingDecodeError::Version(0)));
    assert_eq!(decode("{}"), Err(KeyRingDecodeError::NotJson));
    assert_eq!(decode(r#"{"v":1}"#), Err(KeyRingDecodeError::NotJson));
    assert_eq!(decode(r#"{"v":1,"keys":[]}"#), Ok(()));
}

#[test]
fn a_ring_prints_no_private_key() {
    let ring = stepped(KeyRing::new(), start());
    let json = ring.encode().unwrap();
    let body: serde_json::Value = serde_json::from_str(json.reveal()).unwrap();
    let pkcs8 = body["keys"][0]["pkcs8"].as_str().unwrap();
    let shown = format!("{ring:?} {json:?}");
    assert!(!shown.contains(pkcs8) && !shown.contains("pkcs8"));
}

#[test]
fn a_key_that_cannot_be_made_changes_nothing() {
    let failing = |_| Err::<SigningKey, _>("no randomness");
    let step = KeyRing::new().step(start(), &KeySchedule::default(), ED, failing);
    assert_eq!(step.map(|ring| ring.is_some()), Err("no randomness"));
}

#[test]
fn a_schedule_that_cannot_work_is_refused() {
    let schedule = |announce, sign, retire| KeySchedule::new(days(announce), days(sign), days(retire)).err();
    assert_eq!(schedule(14, 90, 14), None);
    assert_eq!(schedule(0, 1, 0), None);
    assert_eq!(schedule(2, 1, 1), Some(KeyScheduleError::AnnouncedTooEarly));
    assert_eq!(schedule(1, 1, 9), Some(KeyScheduleError::RetiredTooLong));
    assert_eq!(schedule(0, 0, 0), Some(KeyScheduleError::SignTooShort));
    assert_eq!(schedule(1, 36_600, 1), Some(KeyScheduleError::TooLong));
    assert!(KeySchedule::default().covers(days(14)));
    assert!(!KeySchedule::default().covers(days(14) + Duration::from_secs(1)));
}
