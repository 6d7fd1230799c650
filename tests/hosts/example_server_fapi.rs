//! `examples/server/fapi.toml`: the FAPI 2.0 Security Profile, over https of the example server itself.

use std::path::PathBuf;
use std::process::Command;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use grantor::jose::{Algorithm, Signer as _, SigningKey};
use rcgen::CertificateParams;
use rustls::version::TLS13;
use serde_json::{Value, json};

use crate::support::asserting::URN;
use crate::support::browser::Server;
use crate::support::certificates::{Identity, client, talk};
use crate::support::folder::Folder;
use crate::support::guarded::forged;
use crate::support::programs::program;
use crate::support::proving::{Prover, hash};
use crate::support::{CHALLENGE, encode};

const FILE: &str = include_str!("../../examples/server/fapi.toml");
const CALLBACK: &str = "https://bank.example/callback";

/// The shipped file with these changes, beside a certificate and a key of the server.
fn written(folder: &Folder, own: &Identity, changes: &[(&str, &str)]) -> PathBuf {
    std::fs::write(folder.file("server.pem"), own.certificate.pem()).unwrap();
    std::fs::write(folder.file("server.key"), own.key.serialize_pem()).unwrap();
    let text = changes.iter().fold(FILE.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    let file = folder.file("fapi.toml");
    std::fs::write(&file, text).unwrap();
    file
}

/// The text between these two in the shipped file.
fn between(start: &str, end: &str) -> &'static str {
    FILE.split_once(start).and_then(|(_, rest)| rest.split_once(end)).expect("it is in the file").0
}

fn of_localhost() -> Identity {
    Identity::signing_itself(&CertificateParams::new(vec!["localhost".to_owned()]).unwrap())
}

#[test]
fn the_configuration_for_fapi_lacks_a_certificate_and_nothing_else() {
    let check = |file: &PathBuf| {
        let output = Command::new(program("grantor-server")).arg("check").arg(file).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let folder = Folder::new();
    let file = written(&folder, &of_localhost(), &[]);
    assert_eq!(check(&file), (Some(0), String::new()));
    std::fs::remove_file(folder.file("server.key")).unwrap();
    let (code, error) = check(&file);
    assert!(code == Some(2) && error.contains("server.key") && error.lines().count() == 1, "{error}");
}

/// A running server of that file, and the keys of its two clients.
struct Bench {
    server: Server,
    own: Identity,
    key: SigningKey,
    certificate: Identity,
    prover: Prover,
    _folder: Folder,
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

impl Bench {
    fn new() -> Self {
        let (folder, own, certificate) = (Folder::new(), of_localhost(), Identity::self_signed("bank"));
        let key = SigningKey::generate(Algorithm::Es256).unwrap();
        let public = serde_json::to_value(key.key()).unwrap();
        let file = written(
            &folder,
            &own,
            &[
                ("issuer = \"https://localhost:9443\"\n", ""),
                ("127.0.0.1:9443", "127.0.0.1:0"),
                (between(", x = \"", "\""), public["x"].as_str().unwrap()),
                (between(", y = \"", "\""), public["y"].as_str().unwrap()),
                (between("x5c = [\"", "\""), &STANDARD.encode(certificate.der())),
            ],
        );
        let server = Server::on(&file);
        Self { server, own, key, certificate, prover: Prover::new(), _folder: folder }
    }

    fn proof(&self, method: &str, path: &str, token: Option<&str>) -> String {
        let claims = json!({ "iat": now(), "ath": token.map(hash) });
        self.prover.proof(method, &format!("{}{path}", self.server.base), claims)
    }

    /// The status and the body for this request, over a connection with or without the certificate.
    fn send(&self, head: &str, shows: bool, fields: &[(&str, String)], body: &str) -> (u16, Value) {
        let address = self.server.base.strip_prefix("https://").unwrap().parse().unwrap();
        let config = client(&self.own.der(), shows.then_some(&self.certificate), &[&TLS13]);
        let fields: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!("{head} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{fields}");
        let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
        let (answer, _) = talk(address, &config, &request).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head[9..12].parse().unwrap(), serde_json::from_str(body).unwrap_or_default())
    }

    /// A form of a client that authenticates by its certificate or its key, and has its tokens bound to the
    /// certificate or to the key of a proof.
    fn post(&self, path: &str, shows: bool, binds: bool, form: &[(&str, &str)]) -> (u16, Value) {
        let claims = json!({
            "iss": "bank-by-key", "sub": "bank-by-key", "aud": self.server.base,
            "jti": format!("{path} {binds}"), "iat": now(), "exp": now() + 60,
        });
        let assertion = forged(&self.key, r#"{"alg":"ES256"}"#, &claims.to_string());
        let own = match shows {
            true => vec![("client_id", "bank-by-certificate")],
            false => vec![
                ("client_id", "bank-by-key"),
                ("client_assertion_type", URN),
                ("client_assertion", &assertion),
            ],
        };
        let mut fields = vec![("content-type", "application/x-www-form-urlencoded".to_owned())];
        fields.extend((!binds).then(|| ("dpop", self.proof("POST", path, None))));
        self.send(&format!("POST {path}"), shows || binds, &fields, &encode(&[form, &own].concat()))
    }

    fn me(&self, token: &str, binds: bool) -> (u16, Value) {
        let authorization = |scheme| ("authorization", format!("{scheme} {token}"));
        let fields = match binds {
            true => vec![authorization("Bearer")],
            false => vec![authorization("DPoP"), ("dpop", self.proof("GET", "/api/me", Some(token)))],
        };
        self.send("GET /api/me", binds, &fields, "")
    }
}

#[test]
fn fp_27_each_of_the_four_variants_works_by_the_example_server() {
    let bench = Bench::new();
    for (shows, binds) in [(false, false), (false, true), (true, false), (true, true)] {
        let what = format!("by certificate {shows}, bound to it {binds}");
        let asked = [
            ("response_type", "code"),
            ("redirect_uri", CALLBACK),
            ("scope", "read"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        let (status, pushed) = bench.post("/par", shows, binds, &asked);
        assert!(status == 201 && pushed["request_uri"].is_string(), "{what}: {status} {pushed}");
        let own = [("grant_type", "client_credentials"), ("scope", "read")];
        let (status, tokens) = bench.post("/token", shows, binds, &own);
        assert_eq!(status, 200, "{what}: {tokens}");
        assert_eq!(tokens["token_type"], if binds { "Bearer" } else { "DPoP" }, "{what}");
        let token = tokens["access_token"].as_str().unwrap();
        let (status, me) = bench.me(token, binds);
        let client = if shows { "bank-by-certificate" } else { "bank-by-key" };
        assert_eq!((status, &me["client_id"]), (200, &json!(client)), "{what}: {me}");
        let bare = [("authorization", format!("Bearer {token}"))];
        assert_eq!(bench.send("GET /api/me", false, &bare, "").0, 401, "{what}: without its key");
    }
    let (_, metadata) = bench.send("GET /.well-known/oauth-authorization-server", false, &[], "");
    let methods = json!(["private_key_jwt", "self_signed_tls_client_auth"]);
    assert_eq!(metadata["token_endpoint_auth_methods_supported"], methods);
}
