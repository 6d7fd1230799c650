//! `examples/server --store`: what it keeps, and what it does while its database is away.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::Instant;

use serde_json::Value;

use crate::folder::Folder;
use crate::servers::postgres::Postgres;
use crate::servers::redis::{RedisCluster, RedisServer, wait_until};
use crate::support::browser::{Browser, Config, Server};
use crate::support::programs::program;

const ISSUER: &str = "https://login.example";
const SERVICE: [(&str, &str); 1] = [("grant_type", "client_credentials")];

fn start(store: &str) -> Server {
    let tokens = "access_tokens = \"jwt\"\naudience = \"https://api.example\"";
    // The address changes with each start, and a token says who issued it.
    Server::start(&format!("issuer = {ISSUER:?}\nstore = {store:?}\n{tokens}"))
}

fn json(browser: &mut Browser<'_>, path: &str) -> Value {
    let answer = browser.get(path);
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}

fn key_set(browser: &mut Browser<'_>) -> Value {
    let metadata = json(browser, "/.well-known/oauth-authorization-server");
    let keys = json(browser, metadata["jwks_uri"].as_str().unwrap().strip_prefix(ISSUER).unwrap());
    assert!(!keys["keys"].as_array().unwrap().is_empty());
    keys
}

fn everything_survives_a_restart(store: &str) {
    let first = start(store);
    let mut bob = first.signed_in("bob", "builder");
    let csrf = bob.get("/applications").hidden("csrf");
    let form =
        [("csrf", csrf.as_str()), ("name", "Bob's service"), ("type", "service"), ("redirect_uris", "")];
    assert_eq!(bob.post("/applications", &form).status, 303);
    let id = bob.get("/applications").element("client-id").unwrap().trim().to_owned();
    let tokens = bob.post_as_conf("/token", &SERVICE);
    let token = tokens["access_token"].as_str().unwrap();
    let keys = key_set(&mut bob);
    drop(first);

    let second = start(store);
    let mut bob = second.signed_in("bob", "builder");
    let page = bob.get("/applications");
    assert!(page.body.contains(&id), "the application");
    assert_eq!(bob.post_as_conf("/introspect", &[("token", token)])["active"], true, "the grant");
    assert_eq!(key_set(&mut bob), keys, "the keys");

    let alice = second.signed_in("alice", "wonderland").get("/applications");
    assert!(!alice.body.contains(&id), "it is bob's");
    let delete = [("csrf", page.hidden("csrf")), ("client_id", id.clone())];
    let delete = delete.each_ref().map(|(name, value)| (*name, value.as_str()));
    assert_eq!(bob.post("/applications/delete", &delete).status, 303);
    assert!(!bob.get("/applications").body.contains(&id), "gone");
}

#[test]
fn everything_survives_a_restart_on_sqlite() {
    let folder = Folder::new();
    everything_survives_a_restart(&format!("sqlite:{}", folder.file("grants.db")));
}

#[test]
fn everything_survives_a_restart_on_postgres() {
    let server = Postgres::start();
    everything_survives_a_restart(&server.url());
}

#[test]
fn everything_survives_a_restart_on_redis() {
    everything_survives_a_restart(&RedisServer::start().url());
}

#[test]
fn everything_survives_a_restart_on_a_redis_cluster() {
    everything_survives_a_restart(&RedisCluster::start().url());
}

#[test]
fn what_needs_no_store_is_served_while_the_database_is_away() {
    let mut database = Postgres::start();
    let server = start(&database.url());
    let mut browser = server.browser();
    let keys = key_set(&mut browser);
    let issued = |browser: &Browser<'_>| browser.post_as_conf("/token", &SERVICE)["error"].clone();
    assert_eq!(issued(&browser), Value::Null);
    for _ in 0..2 {
        database.stop_at_once();
        let asked = Instant::now();
        assert_eq!(issued(&browser), "temporarily_unavailable");
        println!("away: answered after {:?}", asked.elapsed());
        assert_eq!(key_set(&mut browser), keys);

        database.start_again();
        let back = Instant::now();
        wait_until("a token", || issued(&browser) == Value::Null);
        println!("back: the first token after {:?}", back.elapsed());
    }
}

#[test]
fn a_store_that_cannot_be_opened_is_one_line_at_start() {
    let nobody_listens = crate::servers::watched::free_port();
    for (store, expected) in [
        (
            "floppy:1".to_owned(),
            "error: store: \"floppy\" is unknown; the known stores are memory, sqlite:PATH",
        ),
        ("sqlite:/nowhere/grants.db".to_owned(), "its directory does not exist: create it"),
        (format!("postgres://u:hunter2@127.0.0.1:{nobody_listens}/db"), "cannot be reached"),
        (format!("redis://:hunter2@127.0.0.1:{nobody_listens}"), "no Redis server answers at"),
    ] {
        let (code, written) = Server::refused(&format!("store = {store:?}"), "");
        assert_eq!(code, Some(2), "{written}");
        let errors: Vec<_> = written.lines().filter(|line| line.starts_with("error: ")).collect();
        assert!(errors.len() == 1 && errors[0].contains(expected), "{written}");
        assert!(!written.contains("hunter2"), "{written}");
    }
}

/// Root may write to any file, so that root runs this as somebody else.
#[test]
fn a_file_that_cannot_be_written_is_refused_at_start() {
    let folder = Folder::new();
    let (copy, path) = (folder.file("server"), folder.file("grants.db"));
    std::fs::copy(program("grantor-server"), &copy).unwrap();
    drop(Server::start(&format!("store = \"sqlite:{path}\"")));
    std::fs::write(
        folder.file("server.toml"),
        format!("listen = \"127.0.0.1:0\"\nstore = \"sqlite:{path}\""),
    )
    .unwrap();
    let mode =
        |path: &str, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    for (name, bits) in [("grants.db", 0o444), ("server", 0o755), ("server.toml", 0o444), ("", 0o555)] {
        mode(&folder.file(name), bits);
    }
    let is_root = Command::new("id").arg("-u").output().unwrap().stdout.trim_ascii() == b"0";
    let mut command = Command::new(if is_root { "setpriv" } else { &copy });
    if is_root {
        command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups", &copy]);
    }
    let output = command.arg(folder.file("server.toml")).output().unwrap();
    mode(&folder.file(""), 0o755);
    let written = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{written}");
    assert!(written.contains("cannot be written: let this user write to it"), "{written}");
}

/// A file system of 32 KiB, in a mount namespace of its own: this needs `unshare` of util-linux.
#[test]
fn a_full_disk_is_refused_at_start() {
    let folder = Folder::new();
    let store = format!("store = \"sqlite:{}\"", folder.file("grants.db"));
    let file = Config::listening("127.0.0.1:0", &store, "");
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c"]);
    command.arg("mount -t tmpfs -o size=32k grants \"$0\" && exec \"$@\"");
    let output = command.arg(folder.path()).arg(program("grantor-server")).arg(&file.0).output().unwrap();
    let written = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{written}");
    let errors: Vec<_> = written.lines().filter(|line| line.starts_with("error: ")).collect();
    assert!(
        errors.len() == 1 && errors[0].ends_with("no space is left: free some, and start again"),
        "{written}"
    );
}
