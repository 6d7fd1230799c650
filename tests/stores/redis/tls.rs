//! A server that is reached over TLS.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use crate::folder::Folder;
use crate::servers::redis::RedisServer;
use crate::servers::watched::free_port;
use crate::support::browser::{Config, Server};
use crate::support::programs::program;

/// `SSL_CERT_FILE` names the certificates that are trusted, so the store is in a process of its own.
#[test]
fn tls_is_spoken_with_a_server_whose_certificate_is_trusted_and_with_no_other() {
    let folder = Folder::new();
    let (certificate, key) = (folder.file("cert.pem"), folder.file("key.pem"));
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(&certificate, own.cert.pem()).unwrap();
    std::fs::write(&key, own.signing_key.serialize_pem()).unwrap();
    let port = free_port().to_string();
    let tls = ["--tls-port", &port, "--tls-cert-file", &certificate, "--tls-key-file", &key];
    let server = RedisServer::with(&[&tls[..], &["--tls-auth-clients", "no"]].concat());
    let store = format!("store = \"rediss://127.0.0.1:{port}\"");

    let (code, written) = Server::refused(&store, "");
    assert_eq!(code, Some(2), "{written}");
    assert!(written.contains("no Redis server answers at 127.0.0.1"), "{written}");
    assert_eq!(server.cli(&["KEYS", "*"]), "");

    let file = Config::listening("127.0.0.1:0", &store, "");
    let mut command = Command::new(program("grantor-server"));
    command.arg(&file.0).env("SSL_CERT_FILE", &certificate).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(line.contains("listening on"), "{line}");
    assert_eq!(server.cli(&["GET", "grantor:format"]), "1");
}
