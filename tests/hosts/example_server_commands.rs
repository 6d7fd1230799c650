//! `examples/server` as a program for operators: what it does besides serving.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use crate::support::browser::{Config, Server};
use crate::support::folder::Folder;
use crate::support::programs::program;

/// The exit code, standard output and standard error.
pub(super) fn run(arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } =
        Command::new(program("grantor-server")).args(arguments).output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// What a successful command prints.
fn done(arguments: &[&str]) -> String {
    let (code, out, err) = run(arguments);
    assert_eq!((code, err.as_str()), (0, ""), "{arguments:?}: {out}");
    out
}

/// A file of configuration on a store that the commands share.
fn file(folder: &Folder, head: &str) -> Config {
    let store =
        format!("store = \"sqlite:{}\"\naccess_tokens = \"jwt\"\n{head}", folder.file("grants.db").display());
    Config::listening("127.0.0.1:9400", &store, "")
}

pub(super) fn path(config: &Config) -> &str {
    config.0.to_str().unwrap()
}

#[test]
fn check_reports_every_mistake_and_touches_no_store() {
    let folder = Folder::new();
    let config = file(&folder, "");
    assert_eq!(done(&["check", path(&config)]), "");
    assert_eq!(done(&[path(&config), "check"]), "");
    assert!(!folder.file("grants.db").exists());
    let config =
        Config::listening("127.0.0.1:9400", "store = \"mysql://db\"\nissuer = \"https://as.example/?q\"", "");
    let (code, out, err) = run(&["check", path(&config)]);
    assert_eq!((code, out.as_str()), (2, ""));
    for mistake in ["store: \"mysql\" is unknown", "issuer: it must not have a query"] {
        assert!(
            err.lines().any(|line| line.starts_with("error: ") && line.contains(mistake)),
            "{mistake}: {err}"
        );
    }
    assert_eq!(run(&["check", "/nowhere/at-all.toml"]).0, 2);
}

/// The mistakes that a run reports, without their file.
fn errors(arguments: &[&str]) -> Vec<String> {
    let (code, _, err) = run(arguments);
    assert_eq!(code, 2, "{err}");
    let lines = err.lines().filter_map(|line| line.strip_prefix("error: "));
    lines.map(|line| line.split_once(".toml: ").map_or(line, |(_, mistake)| mistake).to_owned()).collect()
}

#[test]
fn a_mistake_in_one_part_hides_none_in_the_others() {
    let head = "issuer = \"https://as.example/?q\"\nstore = \"redis://h?wait_replicas=x\"\n";
    let tail = "[limits]\nlogin = \"x\"\n[tls]\ncertificate = \"/nowhere.pem\"\nkey = \"/nowhere.key\"";
    let config = Config::listening("127.0.0.1:0", head, tail);
    for arguments in [vec!["check", path(&config)], vec![path(&config)], vec![path(&config), "keys", "list"]]
    {
        let found = errors(&arguments);
        let starts =
            ["limits.login: ", "store: wait_replicas", "tls: /nowhere.pem: ", "issuer: it must not have"];
        assert_eq!(found.len(), 4, "{found:?}");
        assert!(found.iter().zip(starts).all(|(line, start)| line.starts_with(start)), "{found:?}");
    }
    let tail = "[tls]\ncertificate = \"/nowhere.pem\"\nkey = \"/nowhere.key\"\n[openid]";
    let config = Config::listening("127.0.0.1:0", "store = \"memory:x\"", tail);
    assert_eq!(errors(&[path(&config)]).len(), 3, "the store, the files and the builder");
    let config = Config::listening("127.0.0.1:0", "store = \"redis://127.0.0.1:1\"", "[openid]");
    let found = errors(&[path(&config)]);
    assert!(found.len() == 2 && found[0].starts_with("store: no Redis server"), "{found:?}");
    assert!(found[1].starts_with("openid: there is no key for RS256"), "{found:?}");
}

#[test]
fn check_refuses_the_addresses_of_stores_that_no_start_could_open() {
    for (address, expected) in [
        ("memory:x", "memory stands alone"),
        ("sqlite:", "it names no file"),
        ("sqlite::memory:", "MemoryStore"),
        ("postgres://user@host:port/grants", "give postgres://"),
        ("postgres://user@host/grants?passwrod=SECRET", "it has a parameter that is none of sslmode,"),
        ("redis://", "Missing hostname"),
        ("redis://host?wait_replicas=x", "wait_replicas must be a number"),
        ("redis-cluster://", "it names no node"),
        ("user@host/SECRET", "\"user\" is unknown"),
    ] {
        let config = Config::listening("127.0.0.1:0", &format!("store = {address:?}"), "");
        let found = errors(&["check", path(&config)]);
        assert!(found.len() == 1 && found[0].starts_with("store: "), "{address}: {found:?}");
        assert!(found[0].contains(expected) && !found[0].contains("SECRET"), "{address}: {found:?}");
        assert_eq!(errors(&[path(&config), "clients", "list"]), found, "{address}");
    }
    for address in ["memory", "sqlite:grants.db", "postgres://db", "redis://db", "rediss-cluster://a:1,b:2"] {
        done(&["check", path(&Config::listening("127.0.0.1:0", &format!("store = {address:?}"), ""))]);
    }
}

#[test]
fn check_names_the_keys_of_the_file() {
    for (head, tail, expected) in [
        ("", "[openid]", "openid: there is no key for RS256; add it to keys.algorithms"),
        (
            "",
            "[[resources]]\nidentifier = \"urn:a\"\naccess_tokens = \"jwt\"\nsigning_algorithm = \"ES256\"",
            "resources: there is no key for ES256; add it to keys.algorithms",
        ),
        (
            "issuer = \"https://u:p@as.example\"",
            "",
            "issuer: it is not an absolute URL with a host and without",
        ),
        ("issuer = \"http://127.0.0.1:9400/a/../b\"", "", "issuer: no segment of its path may be . or .."),
        ("issuer = \"http://127.0.0.1:9400//x\"", "", "issuer: no segment of its path may be empty"),
    ] {
        let config = Config::listening("127.0.0.1:9400", head, tail);
        let (code, _, err) = run(&["check", path(&config)]);
        assert_eq!((code, err.lines().filter(|line| line.starts_with("error: ")).count()), (2, 1), "{err}");
        assert!(err.contains(expected), "{expected}: {err}");
    }
}

#[test]
fn a_mistake_is_one_line_whatever_the_file_has() {
    let client = "[[clients]]\nclient_id = \"two\\nlines\"\nclient_secret = \"s\"\nredirect_uris = \"none\"";
    let config = Config::listening("127.0.0.1:9400", "", client);
    let (code, _, err) = run(&["check", path(&config)]);
    assert_eq!((code, err.lines().count()), (2, 1), "{err}");
    assert!(err.contains("(two lines)"), "{err}");
}

#[test]
fn what_the_operator_vouches_for_is_in_the_help() {
    let help = done(&["clients", "add", "--help"]);
    let words: Vec<&str> = help.split_whitespace().collect();
    assert!(words.join(" ").contains("`sector_identifier_uri` is not fetched: you vouch"), "{help}");
}

#[test]
fn its_version_is_that_of_grantor() {
    let crate_file = include_str!("../../Cargo.toml").parse::<toml::Table>().unwrap();
    let version = crate_file["package"]["version"].as_str().unwrap();
    assert_eq!(done(&["--version"]), format!("grantor-server {version}\n"));
}

#[test]
fn the_configuration_for_containers_lacks_its_secret_and_nothing_else() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/server/compose.toml");
    let (code, out, err) = run(&["check", file]);
    assert_eq!((code, out.as_str(), err.lines().count()), (0, "", 1), "{err}");
    assert!(err.starts_with("warning: without openid.session_secret"), "{err}");
}

#[test]
fn a_password_that_sign_in_refuses_or_anyone_has_is_not_hashed() {
    let hash = |typed: &str| {
        let mut command = Command::new(program("grantor-server"));
        command.arg("--hash-password").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
        let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
        (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
    };
    let (code, out, err) = hash(&format!("{}\n", "p".repeat(1024)));
    assert!(code == Some(0) && out.starts_with("$argon2id$") && err.is_empty(), "{code:?}: {err}");
    for (typed, expected) in [
        (String::new(), "error: the password is empty\n"),
        ("\n".to_owned(), "error: the password is empty\n"),
        ("p".repeat(1025), "error: the password has more than 1024 bytes, the most that sign-in accepts\n"),
    ] {
        assert_eq!(hash(&typed), (Some(2), String::new(), expected.to_owned()));
    }
}

#[test]
fn what_cannot_start_is_one_line_and_exit_status_2() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (config, expected) in [
        (Config::listening(&address, "", ""), address.as_str()),
        (Config::listening("127.0.0.1:0", "store = \"sqlite:/nowhere/at/all.db\"", ""), "/nowhere/at/all.db"),
        (Config::listening("127.0.0.1:0", "store = \"redis://127.0.0.1:1\"", ""), "store: "),
    ] {
        let (code, out, err) = run(&[path(&config)]);
        let errors: Vec<&str> = err.lines().filter(|line| line.starts_with("error: ")).collect();
        assert_eq!((code, out.as_str(), errors.len()), (2, "", 1), "{err}");
        assert!(errors[0].contains(expected), "{expected}: {err}");
    }
}

#[test]
fn a_server_that_is_stopped_and_a_command_leave_no_log_beside_the_file_of_sqlite() {
    let folder = Folder::new();
    let config = file(&folder, "");
    done(&[path(&config), "keys", "list"]);
    assert_eq!(folder.names(), ["grants.db"], "after a command");
    let server = Server::start(&format!("store = \"sqlite:{}\"", folder.file("grants.db").display()));
    let form = [("grant_type", "client_credentials")];
    assert!(server.browser().post_as_conf("/token", &form)["access_token"].is_string());
    assert!(folder.names().len() > 1, "a log while it runs");
    server.stop();
    assert_eq!(folder.names(), ["grants.db"], "after a server");
}

#[test]
fn keys_are_listed_rotated_and_replaced() {
    let folder = Folder::new();
    let config = file(&folder, "");
    let keys = |arguments: &[&str]| {
        let out = done(&[&[path(&config), "keys"], arguments].concat());
        let rows = out.lines().map(|line| line.split('\t').map(str::to_owned).collect::<Vec<_>>());
        rows.map(|row| (row[0].clone(), row[2].clone())).collect::<Vec<_>>()
    };
    let first = keys(&["list"]);
    assert!(!first.is_empty() && first.iter().all(|(_, stage)| stage == "signing"), "{first:?}");
    let rotated = keys(&["rotate"]);
    assert_eq!(rotated.len(), 2 * first.len());
    assert_eq!(keys(&["rotate"]), rotated, "once is enough");
    let leaked = first[0].0.clone();
    let replaced = keys(&["replace", &leaked]);
    assert!(replaced.iter().all(|(kid, _)| *kid != leaked) && replaced.len() == rotated.len() - 1);
    let (code, _, err) = run(&[path(&config), "keys", "replace", &leaked]);
    assert_eq!((code, err), (2, format!("error: {leaked}: there is no key with this kid\n")));
}

#[test]
fn clients_and_grants_are_listed_and_what_is_not_there_is_said() {
    let folder = Folder::new();
    let config = file(&folder, "");
    let clients = done(&[path(&config), "clients", "list"]);
    assert!(
        clients.lines().any(|line| line == "conf\tfile\tactive\tclient_secret_basic\tNotes <b>& more"),
        "{clients}"
    );
    assert_eq!(done(&[path(&config), "grants", "list"]), "");
    assert_eq!(done(&[path(&config), "grants", "revoke", "--user", "user-alice"]), "0\n");
    for (arguments, expected) in [
        (&["clients", "disable", "conf"][..], "\"conf\" is in the configuration file: change it there"),
        (&["clients", "disable", "nobody"], "there is no application \"nobody\""),
        (&["clients", "rotate-secret", "nobody"], "there is no application \"nobody\""),
        (
            &["grants", "revoke", "AAAAAAAAAAAAAAAAAAAAAA"],
            "there is no grant AAAAAAAAAAAAAAAAAAAAAA, or it has ended",
        ),
        // Ids that the server makes begin with any character of base64url.
        (&["keys", "replace", "-mX0"], "-mX0: there is no key with this kid"),
        (&["clients", "disable", "-abc"], "there is no application \"-abc\""),
        (&["clients", "enable", "--abc"], "there is no application \"--abc\""),
        (&["clients", "rotate-secret", "-abc", "--former", "0"], "there is no application \"-abc\""),
        (
            &["grants", "revoke", "-AAAAAAAAAAAAAAAAAAAAA"],
            "there is no grant -AAAAAAAAAAAAAAAAAAAAA, or it has ended",
        ),
        (&["grants", "revoke", "short"], "not a grant id: 22 characters of base64url are expected"),
    ] {
        let (code, out, err) = run(&[&[path(&config)], arguments].concat());
        assert_eq!((code, out.as_str(), err), (2, "", format!("error: {expected}\n")), "{arguments:?}");
    }
    assert_eq!(done(&[path(&config), "grants", "list", "--client", "-abc", "--user", "-b"]), "");
    // Without a store of its own, a command would change what no server sees.
    let (code, _, err) = run(&["clients", "list"]);
    assert!(code == 2 && err.starts_with("error: store: memory "), "{err}");
    assert_eq!(run(&[path(&config), "grants", "revoke"]).0, 2, "all grants end by no slip of the hand");
}

#[test]
fn what_waits_for_its_user_is_no_grant_and_an_application_is_no_user() {
    let folder = Folder::new();
    let store = format!("store = \"sqlite:{}\"", folder.file("grants.db").display());
    let tv = "[[clients]]\nclient_id = \"tv\"\ntoken_endpoint_auth_method = \"none\"\n\
        grant_types = [\"urn:ietf:params:oauth:grant-type:device_code\"]";
    let server = Server::start_with(&store, tv);
    let own = [("grant_type", "client_credentials"), ("scope", "read")];
    assert!(server.browser().post_as_conf("/token", &own)["access_token"].is_string());
    let pushed = [
        ("response_type", "code"),
        ("redirect_uri", "https://app.example/cb"),
        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ("code_challenge_method", "S256"),
    ];
    assert!(server.browser().post_as_conf("/par", &pushed)["request_uri"].is_string());
    assert_eq!(server.browser().post("/device_authorization", &[("client_id", "tv")]).status, 200);
    let config = Config::listening("127.0.0.1:0", &store, tv);
    let out = done(&[path(&config), "grants", "list"]);
    let rows: Vec<Vec<&str>> = out.lines().map(|line| line.split('\t').collect()).collect();
    assert!(rows.len() == 1 && rows[0][1..4] == ["conf", "-", "read"], "{out}");
}

#[test]
fn applications_are_added_and_their_secrets_shown_once() {
    let folder = Folder::new();
    let config = file(&folder, "");
    let described = |name: &str, text: &str| {
        let path = folder.file(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let add = |files: &[&str]| run(&[&[path(&config), "clients", "add"], files].concat());
    let list = || done(&[path(&config), "clients", "list"]);
    let one = described("one.toml", "client_name = \"Blog\"\nredirect_uris = [\"https://blog.example/cb\"]");
    let several = described(
        "several.toml",
        r#"
        [[clients]]
        client_name = "Job"
        grant_types = ["client_credentials"]
        [[clients]]
        client_name = "Phone"
        application_type = "native"
        redirect_uris = ["com.example.phone:/cb"]
        token_endpoint_auth_method = "none"
        "#,
    );
    let (code, out, err) = add(&[&one, &several]);
    assert_eq!(code, 0, "{err}");
    let made: Vec<Vec<&str>> = out.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(made.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1], "{out}");
    let listed = list();
    for (row, (method, name)) in
        made.iter().zip([("client_secret_basic", "Blog"), ("client_secret_basic", "Job"), ("none", "Phone")])
    {
        let expected = format!("{}\tregistered\tactive\t{method}\t{name}", row[0]);
        assert!(listed.lines().any(|line| line == expected), "{expected}: {listed}");
    }
    assert!(!listed.contains(made[0][1]) && !err.contains(made[0][1]));

    for (text, expected) in [
        ("client_id = \"own\"", "application: client_id is made by the server, so leave it out"),
        ("client_name =", "line 1: "),
        ("redirect_uri = \"https://app.example/cb\"", "unknown field `redirect_uri`"),
        ("users = []\n[[clients]]\nredirect_uris = [\"https://a.example/cb\"]", "unknown key `users`"),
        ("id_token_signed_response_alg = \"HS256\"", "only for clients of the server's file"),
        ("introspection_signed_response_alg = \"ES256\"", "no key for ES256; add it to keys.algorithms"),
        ("scope = \"read wirte\"", "scope: \"wirte\" is not one of the scopes"),
        ("tls_client_certificate_bound_access_tokens = true", "no client certificates arrive"),
        (
            "grant_types = [\"client_credentials\"]\ntoken_endpoint_auth_method = \"none\"",
            "cannot use client_credentials",
        ),
    ] {
        let broken = described("broken.toml", text);
        let (code, out, err) = add(&[&broken]);
        assert_eq!((code, out.as_str(), err.lines().count()), (2, "", 1), "{text}: {err}");
        assert!(err.starts_with("error: ") && err.contains(expected), "{text}: {err}");
        assert_eq!((add(&[&one, &broken]).1.as_str(), list()), ("", listed.clone()), "none of {text}");
    }
    let broken = described("broken.toml", "client_name = 1\nscope = [\"read\"]");
    let several = described("strange.toml", "scope = \"a b\"\ngrant_types = [\"client_credentials\"]");
    let (code, _, err) = add(&[&broken, &one, &several, "/nowhere/at-all.toml"]);
    assert_eq!((code, err.lines().count()), (2, 5), "{err}");
    assert_eq!(list(), listed);
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_done_but_cannot_be_printed_is_said() {
    let folder = Folder::new();
    let config = file(&folder, "");
    let one = folder.file("one.toml");
    std::fs::write(&one, "redirect_uris = [\"https://blog.example/cb\"]").unwrap();
    let unheard = |arguments: &[&str]| {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let mut command = Command::new(program("grantor-server"));
        let output = command.arg(path(&config)).args(arguments).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        // Events are in the log, too.
        let log = String::from_utf8(output.stderr).unwrap();
        log.lines().find(|line| line.starts_with("error: ")).unwrap_or_else(|| panic!("{log}")).to_owned()
    };
    let error = unheard(&["clients", "add", one.to_str().unwrap()]);
    let (id, rest) = error.strip_prefix("error: \"").unwrap().split_once('"').unwrap();
    assert!(
        rest.starts_with(" is registered, but its secret could not be printed, so rotate it: "),
        "{error}"
    );
    assert!(done(&[path(&config), "clients", "list"]).contains(id), "{error}");
    let error = unheard(&["clients", "rotate-secret", id]);
    assert!(error.starts_with(&format!("error: \"{id}\" has a new secret, but it could not be ")), "{error}");
    let error = unheard(&["grants", "revoke", "--client", id]);
    assert!(error.starts_with("error: ended 0, but this could not be printed: "), "{error}");
    let error = unheard(&["keys", "rotate"]);
    assert!(error.starts_with("error: this is done, but the keys could not be listed: "), "{error}");
}
