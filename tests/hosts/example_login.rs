//! `examples/login` as a program: how it starts and stops.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use crate::support::folder::Folder;
use crate::support::programs::program;

#[test]
fn what_cannot_start_is_one_line_and_exit_status_2() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (folder, port) = (Folder::new(), taken.local_addr().unwrap().port().to_string());
    let of = |package: &str, arguments: &[&str]| {
        let output = Command::new(program(package)).args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let here = folder.path().to_str().unwrap();
    let address = format!("127.0.0.1:{port}");
    for ((code, err), expected) in [
        (of("grantor-login", &[here, port.as_str()]), address.as_str()),
        (of("grantor-login", &["/nowhere/at/all", "0"]), "its directory does not exist"),
        (of("grantor-mcp-server", &[address.as_str()]), address.as_str()),
    ] {
        assert_eq!((code, err.lines().count()), (Some(2), 1), "{err}");
        assert!(err.starts_with("error: ") && err.contains(expected), "{err}");
    }
}

#[cfg(unix)]
#[test]
fn when_it_is_asked_to_stop_it_closes_its_database() {
    let folder = Folder::new();
    let mut child = Command::new(program("grantor-login"))
        .arg(folder.path())
        .arg("0")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let issuer = line.trim().strip_prefix("listening on ").unwrap();
    assert_eq!(ureq::get(issuer).call().unwrap().status(), 200);
    assert!(folder.names().len() > 1, "a log while it runs: {:?}", folder.names());
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    assert!(child.wait().unwrap().success());
    assert_eq!(folder.names(), ["login.db"]);
}
