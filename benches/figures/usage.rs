//! What processes use, as `/proc` tells it: the CPU time of each thread, and memory.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

/// By thread: nanoseconds on a core, and nanoseconds that it was ready and had to wait for one.
pub struct Usage(HashMap<String, (u64, u64)>);

/// CPU time, the difference of two.
#[derive(Default)]
pub struct Spent {
    /// By all threads.
    pub ran: Duration,
    /// By the busiest thread, with the time that it waited for a core.
    pub wanted: Duration,
}

impl Usage {
    pub fn of(processes: &[u32]) -> Self {
        let folders = processes.iter().filter_map(|id| fs::read_dir(format!("/proc/{id}/task")).ok());
        let threads = folders.flatten().flatten().filter_map(|thread| {
            // It may just have ended.
            let line = fs::read_to_string(thread.path().join("schedstat")).ok()?;
            let mut numbers = line.split(' ').map(|number| number.parse().unwrap());
            Some((thread.file_name().into_string().ok()?, (numbers.next()?, numbers.next()?)))
        });
        Self(threads.collect())
    }

    pub fn since(&self, before: &Self) -> Spent {
        let mut spent = Spent::default();
        for (thread, (ran, waited)) in &self.0 {
            let (ran_before, waited_before) = before.0.get(thread).copied().unwrap_or_default();
            let ran = Duration::from_nanos(ran - ran_before);
            spent.ran += ran;
            spent.wanted = spent.wanted.max(ran + Duration::from_nanos(waited - waited_before));
        }
        spent
    }
}

impl Spent {
    pub fn add(&mut self, other: &Self) {
        self.ran += other.ran;
        self.wanted += other.wanted;
    }
}

/// Bytes of memory that a process has in RAM.
pub fn resident(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1_024
}
