//! How long a metadata document counts, and how few requests a slow or failing host holds up.

use std::time::Duration;

use futures_util::future::join_all;
use grantor::documents::MetadataDocuments;
use grantor::outbound::OutboundError;
use grantor::{ErrorPage, Reason, Request};
use serde_json::json;

use crate::support::site::{DOCUMENT, JSON, Site, changed, document};
use crate::support::{Fixture, code_query, encode};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn served(site: &Site) -> Fixture {
    Fixture::with(|builder| builder.client_id_metadata_documents(site.clone()))
}

/// Why the client is refused, if it is.
async fn outcome(fixture: &Fixture, id: &str) -> Option<Reason> {
    let request = Request::get(encode(&code_query(id, "read")));
    fixture.server.authorize(&request).await.as_ref().err().map(ErrorPage::reason)
}

/// A good document with this `Cache-Control`.
fn cached(site: &Site, control: &str) {
    site.answer(DOCUMENT, 200, &[JSON, ("cache-control", control)], &document(DOCUMENT).to_string());
}

#[tokio::test]
async fn ci_04_a_document_is_kept_as_its_header_says_within_bounds() {
    for (control, kept) in [
        ("max-age=1200", 20 * MINUTE),
        ("public", HOUR),
        ("no-store", 5 * MINUTE),
        ("max-age=1", 5 * MINUTE),
        ("max-age=31536000", DAY),
    ] {
        let site = Site::new();
        cached(&site, control);
        let fixture = served(&site);
        assert_eq!(outcome(&fixture, DOCUMENT).await, None);
        fixture.clock.advance(kept - Duration::from_secs(1));
        assert_eq!(outcome(&fixture, DOCUMENT).await, None);
        assert_eq!(site.calls(), 1, "{control}");
        fixture.clock.advance(Duration::from_secs(1));
        assert_eq!(outcome(&fixture, DOCUMENT).await, None);
        assert_eq!(site.calls(), 2, "{control}");
    }
    let site = Site::new();
    cached(&site, "max-age=1");
    let terms = MetadataDocuments::over(site.clone()).kept_between(2 * HOUR, 3 * HOUR);
    let fixture = Fixture::with(|builder| builder.client_id_metadata_documents(terms));
    assert_eq!(outcome(&fixture, DOCUMENT).await, None);
    fixture.clock.advance(2 * HOUR - MINUTE);
    assert_eq!((outcome(&fixture, DOCUMENT).await, site.calls()), (None, 1));
}

#[tokio::test]
async fn ci_04_no_error_and_no_invalid_document_is_kept() {
    let site = Site::new();
    let fixture = served(&site);
    type Fail = fn(&Site);
    let failures: [(Fail, Reason); 4] = [
        (
            |site| site.answer(DOCUMENT, 500, &[JSON, ("cache-control", "max-age=3600")], ""),
            Reason::DocumentServerFailed,
        ),
        (
            |site| site.answer(DOCUMENT, 404, &[JSON, ("cache-control", "max-age=3600")], ""),
            Reason::DocumentStatusWrong,
        ),
        (|site| site.put(DOCUMENT, changed(&[("client_id", json!("x"))])), Reason::DocumentOfAnother),
        (|site| site.fail(DOCUMENT, OutboundError::Unreachable), Reason::DocumentUnreachable),
    ];
    for (fail, reason) in failures {
        fail(&site);
        assert_eq!(outcome(&fixture, DOCUMENT).await, Some(reason));
        cached(&site, "max-age=300");
        assert_eq!(outcome(&fixture, DOCUMENT).await, None, "it recovers at once after {reason}");
        fixture.clock.advance(2 * DAY);
    }
}

#[tokio::test]
async fn a_url_that_fails_again_and_again_is_left_alone_for_a_moment() {
    let site = Site::new();
    let fixture = served(&site);
    for _ in 0..10 {
        assert_eq!(outcome(&fixture, DOCUMENT).await, Some(Reason::DocumentStatusWrong));
    }
    assert_eq!(site.calls(), 3);
    site.put(DOCUMENT, document(DOCUMENT));
    fixture.clock.advance(Duration::from_secs(9));
    assert_eq!(outcome(&fixture, DOCUMENT).await, Some(Reason::DocumentStatusWrong));
    fixture.clock.advance(Duration::from_secs(1));
    assert_eq!((outcome(&fixture, DOCUMENT).await, site.calls()), (None, 4));
}

#[tokio::test]
async fn the_last_document_bridges_an_outage_of_an_hour() {
    for error in [OutboundError::Unreachable, OutboundError::Timeout, OutboundError::NameUnknown] {
        let site = Site::new();
        cached(&site, "max-age=1200");
        let fixture = served(&site);
        assert_eq!(outcome(&fixture, DOCUMENT).await, None);
        site.fail(DOCUMENT, error);
        fixture.clock.advance(20 * MINUTE);
        for _ in 0..5 {
            assert_eq!(outcome(&fixture, DOCUMENT).await, None, "{error}");
        }
        assert_eq!(site.calls(), 2, "one look every 10 seconds");
        fixture.clock.advance(HOUR - MINUTE);
        assert_eq!((outcome(&fixture, DOCUMENT).await, site.calls()), (None, 3));
        fixture.clock.advance(MINUTE);
        assert!(outcome(&fixture, DOCUMENT).await.is_some(), "a client that vanished is gone in the end");
    }
}

#[tokio::test]
async fn a_document_that_is_gone_or_broken_ends_its_client_at_the_next_look() {
    let broken: [&dyn Fn(&Site); 4] = [
        &|site| site.answer(DOCUMENT, 404, &[], ""),
        &|site| site.answer(DOCUMENT, 301, &[], ""),
        &|site| site.put(DOCUMENT, "{}"),
        &|site| site.fail(DOCUMENT, OutboundError::AddressRefused),
    ];
    for break_it in broken {
        let site = Site::new();
        cached(&site, "max-age=300");
        let fixture = served(&site);
        assert_eq!(outcome(&fixture, DOCUMENT).await, None);
        break_it(&site);
        fixture.clock.advance(5 * MINUTE);
        let refusal = outcome(&fixture, DOCUMENT).await.expect("a refusal");
        site.fail(DOCUMENT, OutboundError::Unreachable);
        assert_eq!(outcome(&fixture, DOCUMENT).await, Some(Reason::DocumentUnreachable), "after {refusal}");
    }
}

#[tokio::test]
async fn one_request_asks_for_all_and_its_answer_is_everybodys() {
    for good in [true, false] {
        let site = Site::closed();
        if !good {
            site.put(DOCUMENT, "{}");
        }
        let fixture = served(&site);
        let all = join_all((0..20).map(|_| outcome(&fixture, DOCUMENT)));
        let (outcomes, ()) = tokio::join!(all, async {
            while site.calls() == 0 {
                tokio::task::yield_now().await;
            }
            site.open();
        });
        let expected = if good { None } else { Some(Reason::DocumentOfAnother) };
        assert_eq!((outcomes, site.calls()), (vec![expected; 20], 1));
    }
}

#[tokio::test]
async fn whoever_asks_and_hangs_up_leaves_the_turn_to_the_next() {
    let site = Site::closed();
    let fixture = served(&site);
    let first = tokio::spawn({
        let fixture = fixture.clone();
        async move { outcome(&fixture, DOCUMENT).await }
    });
    while site.calls() == 0 {
        tokio::task::yield_now().await;
    }
    let second = tokio::spawn({
        let fixture = fixture.clone();
        async move { outcome(&fixture, DOCUMENT).await }
    });
    tokio::task::yield_now().await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    site.open();
    assert_eq!((second.await.unwrap(), site.calls()), (None, 2));
}

#[tokio::test]
async fn slow_hosts_hold_up_few_requests_and_the_others_are_told_so() {
    let site = Site::closed();
    let fixture = served(&site);
    let held = |ids: Vec<String>| {
        let fixture = fixture.clone();
        tokio::spawn(async move { join_all(ids.iter().map(|id| outcome(&fixture, id))).await })
    };
    let slow = (0..10).map(|n| format!("https://slow.example/{n}")).collect();
    let slow = held(slow);
    while site.calls() < 4 {
        tokio::task::yield_now().await;
    }
    assert_eq!(outcome(&fixture, "https://slow.example/11").await, Some(Reason::DocumentsBusy));
    assert_eq!(site.calls(), 4, "one host is asked for four at once");

    let others = (0..20).map(|n| format!("https://slow{n}.example/id")).collect();
    let others = held(others);
    while site.calls() < 16 {
        tokio::task::yield_now().await;
    }
    assert_eq!(outcome(&fixture, DOCUMENT).await, Some(Reason::DocumentsBusy));
    assert_eq!(Reason::DocumentsBusy.status(), 503);
    assert_eq!(outcome(&fixture, "conf").await, None, "registered clients notice nothing");
    site.open();
    let count =
        |outcomes: Vec<Option<Reason>>, reason| outcomes.iter().filter(|o| **o == Some(reason)).count();
    assert_eq!(count(slow.await.unwrap(), Reason::DocumentsBusy), 6);
    assert_eq!(count(others.await.unwrap(), Reason::DocumentsBusy), 8);
    assert_eq!(outcome(&fixture, DOCUMENT).await, None, "and then there is room again");
}

#[tokio::test]
async fn so_many_wait_for_one_host_and_no_more() {
    let site = Site::closed();
    let fixture = served(&site);
    let all = join_all((0..80).map(|_| outcome(&fixture, DOCUMENT)));
    let (outcomes, ()) = tokio::join!(all, async {
        while site.calls() == 0 {
            tokio::task::yield_now().await;
        }
        site.open();
    });
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_none()).count(), 65, "who asks, and 64 who wait");
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Some(Reason::DocumentsBusy)).count(), 15);
}

#[tokio::test]
async fn a_busy_server_uses_the_document_that_it_has() {
    let site = Site::new();
    cached(&site, "max-age=300");
    let terms = MetadataDocuments::over(site.clone()).at_once(1);
    let fixture = Fixture::with(|builder| builder.client_id_metadata_documents(terms));
    assert_eq!(outcome(&fixture, DOCUMENT).await, None);
    fixture.clock.advance(5 * MINUTE);
    site.close();
    let slow = tokio::spawn({
        let fixture = fixture.clone();
        async move { outcome(&fixture, "https://slow.example/id").await }
    });
    while site.calls() < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(outcome(&fixture, DOCUMENT).await, None);
    assert_eq!(outcome(&fixture, "https://other.example/id").await, Some(Reason::DocumentsBusy));
    site.open();
    assert_eq!((slow.await.unwrap(), site.calls()), (Some(Reason::DocumentStatusWrong), 2));
}

#[tokio::test]
async fn so_many_documents_are_kept_and_the_least_used_goes() {
    let site = Site::new();
    let ids = [1, 2, 3].map(|n| format!("https://client{n}.example/id"));
    ids.iter().for_each(|id| site.put(id, document(id)));
    let terms = MetadataDocuments::over(site.clone()).entries(2);
    let fixture = Fixture::with(|builder| builder.client_id_metadata_documents(terms));
    for id in [&ids[0], &ids[1], &ids[0], &ids[2], &ids[0]] {
        fixture.clock.advance(Duration::from_secs(1));
        assert_eq!(outcome(&fixture, id).await, None);
    }
    assert_eq!(site.calls(), 3, "the first was used in between");
    assert_eq!(outcome(&fixture, &ids[1]).await, None);
    assert_eq!(site.calls(), 4, "the second had to go");
}
