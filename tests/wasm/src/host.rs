//! What the program that loads the module provides.

use std::ffi::c_void;
use std::task::Waker;
use std::time::Duration;

use chrono::{DateTime, Utc};
use grantor::base::host::Host;
use grantor::{Clock, Entropy};

#[link(wasm_import_module = "host")]
unsafe extern "C" {
    /// Milliseconds since 1970.
    safe fn now() -> f64;
    /// Milliseconds of a monotonic clock.
    safe fn elapsed() -> f64;
    /// Overwrites these bytes with random ones.
    unsafe fn fill(bytes: *mut u8, length: usize);
    /// Calls [`wake`] with this waker, once, after this number of milliseconds.
    safe fn wake_after(milliseconds: f64, waker: *mut c_void);
}

pub struct Program;

impl Clock for Program {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(now() as i64).unwrap_or_default()
    }
}

impl Entropy for Program {
    fn fill(&self, bytes: &mut [u8]) {
        // SAFETY: the program writes only to these bytes, and before it returns.
        unsafe { fill(bytes.as_mut_ptr(), bytes.len()) }
    }
}

impl Host for Program {
    fn elapsed(&self) -> Duration {
        Duration::from_secs_f64(elapsed() / 1000.0)
    }

    fn wake_after(&self, wait: Duration, waker: Waker) {
        wake_after(wait.as_secs_f64() * 1000.0, Box::into_raw(Box::new(waker)).cast());
    }
}

/// # Safety
/// The waker was passed to `wake_after`, and was not woken yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wake(waker: *mut c_void) {
    // SAFETY: `wake_after` made it from a box.
    unsafe { Box::from_raw(waker.cast::<Waker>()) }.wake();
}
