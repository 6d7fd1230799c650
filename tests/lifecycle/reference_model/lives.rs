//! Random lives: what clients, users and thieves do, and when.

use proptest::prelude::*;
use proptest::sample::select;

use super::model::Client;
use super::{By, Step};

const DAY: u64 = 24 * 60 * 60;

/// Single steps, and episodes that chance alone would seldom make.
pub fn life() -> impl Strategy<Value = Vec<Step>> {
    let part = prop_oneof![
        8 => step().prop_map(|step| vec![step]),
        3 => begun(),
        2 => lost_answer(),
        1 => late_replay(),
        1 => (2..36_usize).prop_map(|times| vec![refresh(0, None); times]),
        1 => kept_alive(),
    ];
    let parts = (begun(), proptest::collection::vec(part, 1..16));
    parts.prop_map(|(begun, parts)| [vec![begun], parts].concat().concat())
}

fn step() -> impl Strategy<Value = Step> {
    let grant = || prop_oneof![6 => Just(0_usize), 1 => Just(1), 1 => Just(2)];
    let by = || prop_oneof![6 => Just(By::Owner), 1 => Just(By::Thief), 1 => Just(By::OwnerWithoutVerifier)];
    let behind = || prop_oneof![5 => Just(0_usize), 3 => Just(1), 1 => Just(2), 1 => 3..40_usize];
    let client = select(&[Client::Public, Client::Confidential, Client::WithoutRefresh]);
    let seconds = prop_oneof![
        4 => near(60),
        2 => near(600),
        1 => select(vec![DAY, 13 * DAY, 14 * DAY - 1, 14 * DAY, 77 * DAY, 91 * DAY]),
    ];
    prop_oneof![
        1 => (client, 1..8_u8).prop_map(|(client, scope)| Step::Authorize(client, scope)),
        4 => (grant(), by()).prop_map(|(grant, by)| Step::Redeem { grant, by }),
        8 => (grant(), behind(), ask(), by())
            .prop_map(|(grant, behind, ask, by)| Step::Refresh { grant, behind, ask, by }),
        2 => (grant(), behind(), by())
            .prop_map(|(grant, behind, by)| Step::RevokeAccess { grant, behind, by }),
        1 => (grant(), behind(), by())
            .prop_map(|(grant, behind, by)| Step::RevokeRefresh { grant, behind, by }),
        6 => seconds.prop_map(Step::Wait),
    ]
}

/// The moments around a limit.
fn near(limit: u64) -> impl Strategy<Value = u64> {
    select(vec![1, limit / 2, limit - 1, limit, limit + 1])
}

/// The scope that a refresh asks for.
fn ask() -> impl Strategy<Value = Option<u8>> {
    proptest::option::weighted(0.3, 1..8_u8)
}

fn refresh(behind: usize, ask: Option<u8>) -> Step {
    Step::Refresh { grant: 0, behind, ask, by: By::Owner }
}

/// A code that is redeemed, sooner or later.
fn begun() -> impl Strategy<Value = Vec<Step>> {
    let client = prop_oneof![
        4 => Just(Client::Public),
        1 => Just(Client::Confidential),
        1 => Just(Client::WithoutRefresh),
    ];
    let wait = prop_oneof![4 => Just(1), 1 => near(60)];
    (client, 1..8_u8, wait).prop_map(|(client, scope, wait)| {
        vec![Step::Authorize(client, scope), Step::Wait(wait), Step::Redeem { grant: 0, by: By::Owner }]
    })
}

/// The predecessor again, in time or not, for the same or for something else.
fn lost_answer() -> impl Strategy<Value = Vec<Step>> {
    (ask(), near(60), ask(), any::<bool>()).prop_map(|(asked, wait, other, same)| {
        let again = if same { asked } else { other };
        vec![refresh(0, asked), Step::Wait(wait), refresh(1, again)]
    })
}

/// An older token, when its successor was used a while ago.
fn late_replay() -> impl Strategy<Value = Vec<Step>> {
    (near(60), near(60), 2..34_usize).prop_map(|(first, second, behind)| {
        vec![refresh(0, None), Step::Wait(first), refresh(0, None), Step::Wait(second), refresh(behind, None)]
    })
}

/// Used again before it is idle for too long, until its absolute end is near; and what is left then.
fn kept_alive() -> impl Strategy<Value = Vec<Step>> {
    (begun(), near(600)).prop_map(|(mut steps, left)| {
        for _ in 0..6 {
            steps.extend([Step::Wait(13 * DAY), refresh(0, None)]);
        }
        steps.extend([Step::Wait(12 * DAY - left), refresh(0, None)]);
        steps.extend([left - 1, 1, 1].map(Step::Wait));
        steps.push(refresh(0, None));
        steps
    })
}
