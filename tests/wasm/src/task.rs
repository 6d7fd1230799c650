//! Calls from the program: an argument, a future that runs until it has to wait, an answer.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

#[link(wasm_import_module = "host")]
unsafe extern "C" {
    unsafe fn answered(status: u32, body: *const u8, length: usize);
}

static ARGUMENT: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Where the program writes the argument of its next call.
#[unsafe(no_mangle)]
pub extern "C" fn room(length: usize) -> *mut u8 {
    let mut argument = ARGUMENT.lock().unwrap();
    argument.resize(length, 0);
    argument.as_mut_ptr()
}

pub fn argument() -> String {
    String::from_utf8(mem::take(&mut *ARGUMENT.lock().unwrap())).unwrap_or_default()
}

pub fn answer(status: u16, body: &[u8]) {
    // SAFETY: the program copies the body before it returns.
    unsafe { answered(status.into(), body.as_ptr(), body.len()) }
}

type Answering = Pin<Box<dyn Future<Output = (u16, Vec<u8>)> + Send>>;

/// Polled where it is woken, which is only in [`run`] and in [`wake`](super::host::wake).
struct Task(Mutex<Option<Answering>>);

pub fn run(future: impl Future<Output = (u16, Vec<u8>)> + Send + 'static) {
    Arc::new(Task(Mutex::new(Some(Box::pin(future))))).wake();
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        let waker = Waker::from(Arc::clone(&self));
        let mut running = self.0.lock().unwrap();
        let Some(future) = &mut *running else { return };
        if let Poll::Ready((status, body)) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            *running = None;
            answer(status, &body);
        }
    }
}
