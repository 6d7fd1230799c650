//! One line for each check, a count at the end, and an exit code.

use std::error::Error;
use std::fmt::Debug;

pub struct Checks {
    name: &'static str,
    passed: usize,
    failed: usize,
}

impl Checks {
    pub fn new(name: &'static str) -> Self {
        Self { name, passed: 0, failed: 0 }
    }

    pub fn equal<T: PartialEq + Debug>(&mut self, what: &str, actual: T, expected: T) {
        self.line(what, actual == expected, &format!("expected {expected:?}, got {actual:?}"));
    }

    pub fn holds(&mut self, what: &str, holds: bool) {
        self.line(what, holds, "it does not hold");
    }

    pub fn done(self) -> Result<(), Box<dyn Error>> {
        println!("{}: {} checks passed, {} failed", self.name, self.passed, self.failed);
        if self.failed == 0 { Ok(()) } else { Err("a check failed".into()) }
    }

    fn line(&mut self, what: &str, good: bool, detail: &str) {
        match good {
            true => {
                self.passed += 1;
                println!("ok      {what}");
            }
            false => {
                self.failed += 1;
                println!("FAILED  {what}: {detail}");
            }
        }
    }
}
