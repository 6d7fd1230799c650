//! `examples/server` with clients whose secrets it has to open again, for `id_token`s by HS256.

use serde_json::{Value, json};

use super::example_server_commands::{path, run};
use crate::support::browser::{Config, Server};
use crate::support::folder::Folder;
use crate::support::sealing::unmaced;
use crate::support::{CALLBACK, code_query, encode, redemption};

const SEALING_KEY: &str = "sealing_key = \"a text of the operator, of 45 characters or more\"";

/// A provider where clients register themselves, on a store that stays.
fn provider(folder: &Folder, address: &str, head: &str, tail: &str) -> Config {
    let head = format!("store = \"sqlite:{}\"\n{head}", folder.file("grants.db").display());
    let openid = "[keys]\nalgorithms = [\"RS256\"]\n[openid]\n[registration]\nmode = \"open\"";
    Config::listening(address, &head, &format!("{openid}\n{tail}"))
}

/// The id and the secret of a client that registers itself for HS256.
fn register(server: &Server) -> (String, String) {
    let metadata = json!({
        "redirect_uris": [CALLBACK], "scope": "openid read", "id_token_signed_response_alg": "HS256",
        "token_endpoint_auth_method": "client_secret_post",
    });
    let request = ureq::post(format!("{}/register", server.base)).header("content-type", "application/json");
    let text = request.send(metadata.to_string()).unwrap().into_body().read_to_string().unwrap();
    let own: Value = serde_json::from_str(&text).unwrap();
    let [id, secret] = ["client_id", "client_secret"].map(|name| own[name].as_str().unwrap().to_owned());
    (id, secret)
}

/// Alice signs in at a client, whose `id_token` has to be made with this secret.
fn sign_in(server: &Server, id: &str, secret: &str) {
    let mut alice = server.signed_in("alice", "wonderland");
    let answer = alice.decide(&encode(&code_query(id, "openid")), "approve");
    let code = answer.location_parameter("code").unwrap_or_else(|| panic!("{}", answer.body));
    let mut form = redemption(&code);
    form.extend([("client_id", id), ("client_secret", secret)]);
    let tokens = alice.post("/token", &form).body;
    let answer: Value = serde_json::from_str(&tokens).unwrap();
    let id_token = answer["id_token"].as_str().unwrap_or_else(|| panic!("{tokens}"));
    assert_eq!(unmaced(secret, id_token).1["aud"], id);
}

#[test]
fn a_client_that_registered_itself_for_hs256_keeps_its_secret_when_the_server_restarts() {
    let folder = Folder::new();
    let tail = "[[clients]]\nclient_id = \"hs256\"\nclient_secret = \"0123456789abcdef0123456789abcdef\"\n\
                grant_types = []\nid_token_signed_response_alg = \"HS256\"";
    let file = provider(&folder, "127.0.0.1:0", SEALING_KEY, tail);
    let server = Server::on(&file.0);
    let (id, secret) = register(&server);
    sign_in(&server, &id, &secret);
    drop(server);
    sign_in(&Server::on(&file.0), &id, &secret);
    let beside = provider(&folder, "127.0.0.1:9400", SEALING_KEY, tail);
    let (code, out, err) = run(&[path(&beside), "clients", "rotate-secret", &id]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert_eq!(err, format!("error: {id:?} registered itself, so only it can change its secret\n"));

    for (head, is_warned) in [("", true), (SEALING_KEY, false)] {
        let (code, _, err) = run(&["check", path(&provider(&folder, "127.0.0.1:9400", head, tail))]);
        assert_eq!((code, err.contains("without sealing_key")), (0, is_warned), "{err}");
    }
}

#[test]
fn a_new_secret_for_hs256_reaches_the_server_that_runs() {
    let folder = Folder::new();
    let server = Server::on(&provider(&folder, "127.0.0.1:0", SEALING_KEY, "").0);
    let [keyed, keyless] = [SEALING_KEY, ""].map(|head| provider(&folder, "127.0.0.1:9400", head, ""));
    let described = folder.file("application.toml");
    let text =
        "token_endpoint_auth_method = \"client_secret_post\"\nid_token_signed_response_alg = \"HS256\"";
    std::fs::write(&described, format!("redirect_uris = [\"{CALLBACK}\"]\n{text}")).unwrap();
    let clients = |config: &Config, command: &[&str]| {
        let (code, out, err) = run(&[&[path(config), "clients"], command].concat());
        (code, out.trim_end().to_owned(), err)
    };
    let (code, made, err) = clients(&keyed, &["add", described.to_str().unwrap()]);
    assert_eq!(code, 0, "{err}");
    let (id, first) = made.split_once('\t').unwrap();
    sign_in(&server, id, first);
    let (code, second, err) = clients(&keyed, &["rotate-secret", id]);
    assert_eq!(code, 0, "{err}");
    sign_in(&server, id, &second);
    let (code, out, err) = clients(&keyless, &["rotate-secret", id]);
    assert_eq!((code, out.as_str(), err.lines().count()), (2, "", 1), "{err}");
    assert!(err.starts_with(&format!("error: {id:?}: without a sealing_key")), "{err}");
    sign_in(&server, id, &second);
}
