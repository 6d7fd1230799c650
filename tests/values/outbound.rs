//! `HttpOutbound`: what it sends, what it reads, and where it never goes.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use grantor::async_trait;
use grantor::outbound::{
    ChosenBy, HttpOutbound, HttpOutboundBuilder, Lookup, Outbound as _, OutboundError, OutboundRequest,
    OutboundSetupError,
};

use crate::support::remote::{Remote, Says};

/// Reaches this machine.
fn local() -> HttpOutbound {
    HttpOutbound::builder().allow_loopback().build().unwrap()
}

/// Everything open that can be opened.
fn open() -> HttpOutboundBuilder {
    HttpOutbound::builder().allow_loopback().allow_private()
}

fn get(url: impl Into<String>) -> OutboundRequest {
    OutboundRequest::get(url, ChosenBy::Host)
}

async fn failure(outbound: &HttpOutbound, request: OutboundRequest) -> OutboundError {
    outbound.send(&request).await.expect_err("there should have been no answer")
}

/// Answers in turn, the last one again and again.
#[derive(Clone)]
struct Answers {
    turns: Arc<Vec<Vec<IpAddr>>>,
    asked: Arc<AtomicUsize>,
}

impl Answers {
    fn new(turns: &[&[&str]]) -> Self {
        let turn = |turn: &&[&str]| turn.iter().map(|address| address.parse().unwrap()).collect();
        Self { turns: Arc::new(turns.iter().map(turn).collect()), asked: Arc::default() }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Lookup for Answers {
    async fn addresses(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        let turn = self.asked.fetch_add(1, Ordering::SeqCst);
        Ok(self.turns[turn.min(self.turns.len() - 1)].clone())
    }
}

#[tokio::test]
async fn a_get_and_a_post_arrive_as_they_were_meant() {
    let says = Says::reply(201, &["Content-Type: text/plain", "Cache-Control: max-age=60"], "hello");
    let (local, remote) = (local(), Remote::saying(says).await);
    let answer = local.send(&get(remote.url("/a?b=c")).header("accept", "text/plain")).await.unwrap();
    assert_eq!((answer.status(), answer.body()), (201, b"hello".as_slice()));
    assert_eq!((answer.content_type(), answer.fresh_for()), (Some("text/plain"), Some(60)));
    let posted = OutboundRequest::post(remote.url("/ask"), ChosenBy::Host, "token=a%20b")
        .header("authorization", "Bearer s3cret");
    assert_eq!(local.send(&posted).await.unwrap().status(), 201);
    let [got, posted] = remote.seen().try_into().unwrap();
    assert!(got.head.starts_with("GET /a?b=c HTTP/1.1"));
    assert_eq!(
        (got.header("accept"), got.header("cookie"), got.header("referer")),
        (Some("text/plain"), None, None)
    );
    assert_eq!(got.header("accept-encoding"), None, "nothing would be decompressed");
    assert!(posted.head.starts_with("POST /ask HTTP/1.1"));
    assert_eq!(posted.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(
        (posted.header("authorization"), posted.body.as_str()),
        (Some("Bearer s3cret"), "token=a%20b")
    );
}

/// Whose URLs reach only public addresses, whatever is allowed.
const UNTRUSTED: [ChosenBy; 2] = [ChosenBy::Client, ChosenBy::Developer];

#[tokio::test]
async fn special_addresses_are_refused_in_every_spelling() {
    let (closed, open) = (HttpOutbound::builder().build().unwrap(), open().build().unwrap());
    for host in [
        "127.0.0.1",
        "127.9.9.9",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "[::1]",
        "[fc00::1]",
        "[0:0:0:0:0:0:0:1]",
        "[fd12:3456::1]",
    ] {
        let url = format!("https://{host}/");
        assert_eq!(failure(&closed, get(&url)).await, OutboundError::AddressRefused, "{host}");
        for chosen_by in UNTRUSTED {
            let asked = OutboundRequest::get(&url, chosen_by);
            assert_eq!(failure(&open, asked).await, OutboundError::AddressRefused, "{host} by {chosen_by:?}");
        }
    }
    for host in [
        "0.0.0.0",
        "0.1.2.3",
        "169.254.169.254",
        "192.0.0.1",
        "192.0.2.1",
        "192.31.196.1",
        "192.52.193.1",
        "192.88.99.1",
        "192.175.48.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::FFFF:10.0.0.1]",
        "[::127.0.0.1]",
        "[2002:7f00:1::]",
        "[2001:0:4136:e378:8000:63bf:80ff:fffe]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b::10.0.0.1]",
        "[64:ff9b:1::808:808]",
        "[100::1]",
        "[2001:db8::1]",
        "[2001:20::1]",
        "[3fff::1]",
        "[5f00::1]",
        "[fe80::1]",
        "[fec0::1]",
        "[ff02::1]",
    ] {
        let url = format!("https://{host}/");
        assert_eq!(failure(&open, get(&url)).await, OutboundError::AddressRefused, "{host}");
    }
    for url in [
        "https://2130706433/",
        "https://0x7f000001/",
        "https://017700000001/",
        "https://127.1/",
        "https://0177.0.0.1/",
        "https://0x7f.0.0.1/",
        "https://127.0.0.1./",
        "https://%31%32%37.0.0.1/",
        "https://１２７.0.0.1/",
        "https://127。0。0。1/",
        "https://[::1%25lo]/",
        "https://user@127.0.0.1/",
        "https://127.0.0.1#@as.example",
        "https://as.example\\@127.0.0.1/",
        "https:127.0.0.1",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "",
        "127.0.0.1",
    ] {
        assert_eq!(failure(&open, get(url)).await, OutboundError::UrlRefused, "{url}");
    }
}

#[tokio::test]
async fn plain_http_goes_to_this_machine_only_and_only_if_allowed() {
    let remote = Remote::saying(Says::json("{}")).await;
    let port = remote.address.port();
    let here = Answers::new(&[&["127.0.0.1"]]);
    let ours_alone = HttpOutbound::builder().allow_loopback().lookup(here.clone()).build().unwrap();
    let private_alone = HttpOutbound::builder().allow_private().lookup(here).build().unwrap();
    let all = open().build().unwrap();
    for (url, ours, private) in [
        (remote.url("/"), None, Some(OutboundError::UrlRefused)),
        (format!("http://localhost:{port}/"), None, Some(OutboundError::UrlRefused)),
        (
            format!("http://10.0.0.1:{port}/"),
            Some(OutboundError::UrlRefused),
            Some(OutboundError::UrlRefused),
        ),
        (
            format!("http://as.example:{port}/"),
            Some(OutboundError::UrlRefused),
            Some(OutboundError::UrlRefused),
        ),
    ] {
        assert_eq!(ours_alone.send(&get(&url)).await.err(), ours, "{url}");
        assert_eq!(private_alone.send(&get(&url)).await.err(), private, "{url}");
        for chosen_by in UNTRUSTED {
            let asked = OutboundRequest::get(&url, chosen_by);
            assert_eq!(failure(&all, asked).await, OutboundError::UrlRefused, "{url} by {chosen_by:?}");
        }
    }
    assert_eq!(remote.calls(), 2);
}

#[tokio::test]
async fn a_name_is_good_for_the_addresses_that_were_checked() {
    let (remote, pem) = Remote::over_tls("as.example", |_| Says::json("{}")).await;
    let url = format!("https://as.example:{}/", remote.address.port());
    let with =
        |answers: &Answers| open().root_certificates(pem.as_str()).lookup(answers.clone()).build().unwrap();
    for answer in [
        &["127.0.0.1"][..],
        &["10.0.0.1"],
        &["::ffff:127.0.0.1"],
        &["169.254.169.254"],
        &["8.8.8.8", "127.0.0.1"],
        &["127.0.0.1", "8.8.8.8"],
    ] {
        for chosen_by in UNTRUSTED {
            let asked = OutboundRequest::get(&url, chosen_by);
            let refused = failure(&with(&Answers::new(&[answer])), asked).await;
            assert_eq!(refused, OutboundError::AddressRefused, "a name at {answer:?} by {chosen_by:?}");
        }
    }
    for answer in [&["169.254.169.254"][..], &["::ffff:127.0.0.1"], &["127.0.0.1", "169.254.169.254"]] {
        let refused = failure(&with(&Answers::new(&[answer])), get(&url)).await;
        assert_eq!(refused, OutboundError::AddressRefused, "our own name at {answer:?}");
    }
    assert_eq!(failure(&with(&Answers::new(&[&[]])), get(&url)).await, OutboundError::NameUnknown);
    assert_eq!(remote.calls(), 0, "nobody was connected to");

    let answers = Answers::new(&[&["127.0.0.1"], &["169.254.169.254"], &["127.0.0.1"]]);
    let outbound = with(&answers);
    assert_eq!(outbound.send(&get(&url)).await.unwrap().status(), 200);
    assert_eq!(answers.asked(), 1, "what was checked is what was connected to");
    assert_eq!(failure(&outbound, get(&url)).await, OutboundError::AddressRefused, "the answer changed");
    assert_eq!(outbound.send(&get(&url)).await.unwrap().status(), 200);
    assert_eq!((answers.asked(), remote.calls()), (3, 2));
}

#[tokio::test]
async fn a_certificate_is_trusted_and_is_for_the_name() {
    let (remote, pem) = Remote::over_tls("as.example", |_| Says::json("{}")).await;
    let with = || open().lookup(Answers::new(&[&["127.0.0.1"]]));
    let url = |name: &str| get(format!("https://{name}:{}/", remote.address.port()));
    let trusting = with().root_certificates(pem.as_str()).build().unwrap();
    assert_eq!(trusting.send(&url("as.example")).await.unwrap().status(), 200);
    assert_eq!(failure(&trusting, url("evil.example")).await, OutboundError::Unreachable);
    assert_eq!(failure(&with().build().unwrap(), url("as.example")).await, OutboundError::Unreachable);
}

#[tokio::test]
async fn an_origin_is_mapped_to_this_machine_and_to_nothing_else() {
    let remote = Remote::saying(Says::json("{}")).await;
    let outbound = HttpOutbound::builder().map("https://client.example", remote.address).build().unwrap();
    for chosen_by in [ChosenBy::Client, ChosenBy::Developer, ChosenBy::Host] {
        let asked = OutboundRequest::get("https://client.example/id.json?a=1", chosen_by);
        assert_eq!(outbound.send(&asked).await.unwrap().status(), 200);
    }
    let seen = remote.seen().remove(0);
    assert_eq!((seen.path(), seen.header("host")), ("/id.json?a=1", Some("client.example")));
    let direct = OutboundRequest::get(remote.url("/"), ChosenBy::Client);
    assert_eq!(failure(&outbound, direct).await, OutboundError::UrlRefused, "the map opens no address");

    let mapped = |origin: &str, to: &str| {
        let to: SocketAddr = to.parse().unwrap();
        HttpOutbound::builder().map(origin, to).build().err()
    };
    for origin in [
        "http://client.example",
        "https://client.example/path",
        "https://u@client.example",
        "client.example",
        "",
    ] {
        assert_eq!(
            mapped(origin, "127.0.0.1:1"),
            Some(OutboundSetupError::Origin(origin.to_owned())),
            "{origin}"
        );
    }
    for to in ["10.0.0.1:1", "0.0.0.0:1", "8.8.8.8:1", "[::ffff:127.0.0.1]:1", "127.0.0.1:0"] {
        let refused = OutboundSetupError::MappedAddress(to.parse().unwrap());
        assert_eq!(mapped("https://client.example", to), Some(refused), "{to}");
    }
    assert_eq!(mapped("https://client.example:8443/", "[::1]:1"), None);
}

#[tokio::test]
async fn an_answer_has_an_end_in_size_and_in_time() {
    let head = |more: &str| format!("HTTP/1.1 200 OK\r\n{more}\r\n").into_bytes();
    let local = local();
    let small = |remote: &Remote| get(remote.url("/")).limits(1000, Duration::from_millis(400));
    for (says, expected) in [
        (Says::reply(200, &[], &"x".repeat(1001)), OutboundError::TooLarge),
        (Says::AndHangs(head("content-length: 1001\r\n")), OutboundError::TooLarge),
        (Says::AndNeverEnds(head("")), OutboundError::TooLarge),
        (Says::AndHangs(Vec::new()), OutboundError::Timeout),
        (Says::AndHangs(b"HTTP/1.1 200 OK\r\ncontent-le".to_vec()), OutboundError::Timeout),
        (Says::AndHangs(head("content-length: 9\r\n")), OutboundError::Timeout),
        (Says::Bytes(head("content-length: 9\r\n")), OutboundError::Interrupted),
        (Says::Bytes(Vec::new()), OutboundError::Interrupted),
        (Says::Bytes(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()), OutboundError::Interrupted),
    ] {
        let remote = Remote::saying(says.clone()).await;
        let began = Instant::now();
        assert_eq!(failure(&local, small(&remote)).await, expected, "{says:?}");
        assert!(began.elapsed() < Duration::from_secs(3), "{says:?}");
    }
    let exact = Remote::saying(Says::reply(200, &[], &"x".repeat(1000))).await;
    assert_eq!(local.send(&small(&exact)).await.unwrap().body().len(), 1000);
    let endless_head = Remote::saying(Says::AndNeverEnds(b"HTTP/1.1 200 OK\r\nx: ".to_vec())).await;
    assert!(local.send(&small(&endless_head)).await.is_err());
}

#[tokio::test]
async fn what_is_compressed_stays_so() {
    // 1,000 zeros in 29 bytes of gzip would be a small bomb.
    let remote = Remote::saying(Says::reply(200, &["content-encoding: gzip"], "not even gzip")).await;
    assert_eq!(local().send(&get(remote.url("/"))).await.unwrap().body(), b"not even gzip");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let goal = Remote::saying(Says::json("{}")).await;
    let local = local();
    for status in [301, 302, 303, 307, 308] {
        let location = format!("location: {}", goal.url("/"));
        let remote = Remote::saying(Says::reply(status, &[&location], "")).await;
        assert_eq!(local.send(&get(remote.url("/"))).await.unwrap().status(), status);
    }
    assert_eq!(goal.calls(), 0);
}

#[tokio::test]
async fn so_many_requests_at_once_and_each_chooser_apart() {
    let hangs = Remote::saying(Says::AndHangs(Vec::new())).await;
    let well = Remote::saying(Says::json("{}")).await;
    let outbound = HttpOutbound::builder()
        .allow_loopback()
        .map("https://slow.example", hangs.address)
        .map("https://well.example", well.address)
        .at_once(1)
        .build()
        .unwrap();
    let soon = Duration::from_millis(300);
    let slow =
        OutboundRequest::get("https://slow.example/", ChosenBy::Client).limits(9, Duration::from_secs(60));
    let holding = tokio::spawn({
        let outbound = outbound.clone();
        async move { outbound.send(&slow).await }
    });
    while hangs.calls() == 0 {
        tokio::task::yield_now().await;
    }
    let waits = OutboundRequest::get("https://well.example/", ChosenBy::Client).limits(9, soon);
    assert_eq!(failure(&outbound, waits).await, OutboundError::Timeout, "the one turn is taken");
    for chosen_by in [ChosenBy::Host, ChosenBy::Developer] {
        let free = OutboundRequest::get("https://well.example/", chosen_by);
        assert_eq!(outbound.send(&free).await.unwrap().status(), 200, "{chosen_by:?} is free");
    }
    holding.abort();
    assert!(holding.await.unwrap_err().is_cancelled());
    let free =
        OutboundRequest::get("https://well.example/", ChosenBy::Client).limits(9, Duration::from_secs(60));
    assert_eq!(outbound.send(&free).await.unwrap().status(), 200, "whoever hangs up gives the turn back");
}

#[tokio::test]
async fn the_host_hears_what_came_to_nothing_and_nothing_else() {
    let heard: Arc<Mutex<Vec<(String, OutboundError)>>> = Arc::default();
    let notes = heard.clone();
    let outbound = open()
        .lookup(Answers::new(&[&["169.254.169.254"]]))
        .on_failure(move |host, error| notes.lock().unwrap().push((host.to_owned(), error)))
        .build()
        .unwrap();
    failure(&outbound, get("https://as.example/path?token=s3cret")).await;
    failure(&outbound, get("https://u:s3cret@as.example/")).await;
    let expected = [
        ("as.example".to_owned(), OutboundError::AddressRefused),
        (String::new(), OutboundError::UrlRefused),
    ];
    assert_eq!(*heard.lock().unwrap(), expected);
    assert!(!format!("{outbound:?}").contains("s3cret"));
}

#[test]
fn a_mistake_is_told_at_the_start() {
    assert_eq!(HttpOutbound::builder().at_once(0).build().err(), Some(OutboundSetupError::AtOnce));
    let no_pem = HttpOutbound::builder()
        .root_certificates("-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----");
    assert_eq!(no_pem.build().err(), Some(OutboundSetupError::Certificate));
    let empty = HttpOutbound::builder().root_certificates("hello");
    assert_eq!(empty.build().err(), Some(OutboundSetupError::Certificate));
}
