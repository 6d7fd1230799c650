//! Many callers at once, each with one request after the other.

use std::time::{Duration, Instant};

use grantor::{AuthorizationServer, Request};

/// The time of each token request in this window.
pub async fn closed_loop(
    server: &AuthorizationServer,
    form: &'static str,
    callers: usize,
    window: Duration,
) -> Vec<Duration> {
    let ends = Instant::now() + window;
    let caller = |_| {
        let server = server.clone();
        tokio::spawn(async move {
            let mut samples = Vec::new();
            while Instant::now() < ends {
                let asked = Instant::now();
                ask(&server, form).await;
                samples.push(asked.elapsed());
            }
            samples
        })
    };
    let mut samples = Vec::new();
    for task in (0..callers).map(caller).collect::<Vec<_>>() {
        samples.extend(task.await.unwrap());
    }
    samples
}

/// One token request, which is answered with 200.
pub async fn ask(server: &AuthorizationServer, form: &'static str) {
    let response = server.token(&Request::post_form(form)).await;
    assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body));
}

pub fn median(values: &mut [f64]) -> f64 {
    percentile(values, 50)
}

pub fn percentile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[(values.len() - 1) * percent / 100]
}
