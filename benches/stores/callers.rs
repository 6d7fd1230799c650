//! Many callers at once on PostgreSQL, beside `pgbench` with the same insert and as many clients.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::Figures;
use crate::flows::Server;
use crate::many::BODY;
use crate::servers::postgres::{Postgres, binary};
use crate::servers::watched::fresh_directory;
use crate::support::CLIENT_CREDENTIALS;
use crate::support::closed_loop::{closed_loop, median};

const CALLERS: [usize; 3] = [1, 8, 64];
const WINDOW: Duration = Duration::from_secs(2);
const TURNS: usize = 5;

pub async fn report(postgres: &Postgres, server: &Server) {
    println!(
        "client_credentials by many callers, {TURNS} turns of {WINDOW:?}; milliseconds, median (99 of 100)"
    );
    println!("{:>10}{:>12}{:>12}{:>8}{:>20}", "callers", "a second", "pgbench", "ratio", "latency");
    for callers in CALLERS {
        let (mut ours, mut floor, mut samples) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..TURNS {
            let begun = Instant::now();
            let turn = closed_loop(&server.server, CLIENT_CREDENTIALS, callers, WINDOW).await;
            ours.push(turn.len() as f64 / begun.elapsed().as_secs_f64());
            samples.extend(turn);
            floor.push(pgbench(postgres, callers));
        }
        let (rate, floor) = (median(&mut ours), median(&mut floor));
        println!(
            "{callers:>10}{rate:>12.0}{floor:>12.0}{:>8.2}{:>20}",
            rate / floor,
            Figures::of(samples).text()
        );
    }
}

/// Its transactions a second.
fn pgbench(postgres: &Postgres, clients: usize) -> f64 {
    let script = fresh_directory("pgbench").join("insert.sql");
    std::fs::write(&script, insert()).unwrap();
    let (clients, seconds) = (clients.to_string(), WINDOW.as_secs().to_string());
    let mut command = Command::new(binary("pgbench"));
    command.args(["-n", "-M", "prepared", "-j", "2", "-c", &clients, "-T", &seconds, "-f"]).arg(&script);
    let output = command.arg(postgres.url()).output().unwrap();
    std::fs::remove_dir_all(script.parent().unwrap()).unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let rate = printed.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
    rate.unwrap_or_else(|| panic!("{printed} {}", String::from_utf8_lossy(&output.stderr)))
}

/// The same row, with a fresh id each time.
fn insert() -> String {
    // A colon would name a variable of the script.
    let body = BODY.replace("USER", "bench-client").replace(':', "\\x3A");
    format!(
        "INSERT INTO grantor_grants (space, id, version, body, expires, client, subject, user_code, session) \
         VALUES ('', uuid_send(gen_random_uuid()), 0, E'{body}', 1899999999, 'bench-client', E'client\\x3Abench-client', NULL, NULL) \
         ON CONFLICT DO NOTHING;\n"
    )
}
