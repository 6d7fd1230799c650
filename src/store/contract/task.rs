//! Tasks without a runtime: runs them, starts them at the same time, and waits for them.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use crate::base::system::Delay;

/// A task of a race, for the host's runtime to run.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

pub(super) type Spawn = Arc<dyn Fn(Task) + Send + Sync>;

/// A thread for each task.
pub(super) fn on_threads() -> Spawn {
    Arc::new(|task| {
        thread::spawn(move || block_on(task));
    })
}

/// Runs a future on this thread.
pub(super) fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark {
        thread: Thread,
        woken: AtomicBool,
    }
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.woken.store(true, Ordering::Release);
            self.thread.unpark();
        }
    }

    let mut future = pin!(future);
    let unpark = Arc::new(Unpark { thread: thread::current(), woken: AtomicBool::new(false) });
    let waker = Waker::from(Arc::clone(&unpark));
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        while !unpark.woken.swap(false, Ordering::Acquire) {
            thread::park();
        }
    }
}

/// Starts all tasks at the same time, and returns their outputs; `None` for a task that was lost, for example
/// by a panic.
pub(super) async fn race<T, F>(spawn: &Spawn, tasks: impl IntoIterator<Item = F>) -> Vec<Option<T>>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let course = Arc::new(Course(Mutex::new(Inner {
        open: false,
        running: 0,
        outputs: Vec::new(),
        at_the_gate: Vec::new(),
        at_the_end: None,
    })));
    for task in tasks {
        let runner = Runner { lane: course.enter(), course: Arc::clone(&course) };
        spawn(Box::pin(async move {
            runner.course.gate().await;
            let output = task.await;
            runner.course.lock().outputs[runner.lane] = Some(output);
        }));
    }
    course.open();
    course.end().await
}

struct Course<T>(Mutex<Inner<T>>);

struct Inner<T> {
    open: bool,
    running: usize,
    outputs: Vec<Option<T>>,
    at_the_gate: Vec<Waker>,
    at_the_end: Option<Waker>,
}

/// Signs off from the race when it is dropped, even if its task has not finished.
struct Runner<T> {
    lane: usize,
    course: Arc<Course<T>>,
}

impl<T> Course<T> {
    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self) -> usize {
        let mut inner = self.lock();
        inner.running += 1;
        inner.outputs.push(None);
        inner.outputs.len() - 1
    }

    async fn gate(&self) {
        poll_fn(|context| {
            let mut inner = self.lock();
            if inner.open {
                return Poll::Ready(());
            }
            inner.at_the_gate.push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    fn open(&self) {
        let mut inner = self.lock();
        inner.open = true;
        let waiting = std::mem::take(&mut inner.at_the_gate);
        drop(inner);
        waiting.into_iter().for_each(Waker::wake);
    }

    async fn end(&self) -> Vec<Option<T>> {
        poll_fn(|context| {
            let mut inner = self.lock();
            if inner.running == 0 {
                return Poll::Ready(std::mem::take(&mut inner.outputs));
            }
            inner.at_the_end = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }
}

impl<T> Drop for Runner<T> {
    fn drop(&mut self) {
        let mut inner = self.course.lock();
        inner.running -= 1;
        let waiting = (inner.running == 0).then(|| inner.at_the_end.take()).flatten();
        drop(inner);
        waiting.into_iter().for_each(Waker::wake);
    }
}

/// Yields to other tasks.
pub(super) async fn yield_now() {
    let mut yielded = false;
    poll_fn(|context| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        thread::yield_now();
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// The output of a future, unless it is still waiting after this many polls: then it is dropped.
pub(super) async fn for_polls<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// The output of a future, unless the limit passes first.
pub(super) async fn in_time<F: Future>(future: F, limit: Duration) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut timer = pin!(Delay::new(limit));
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => timer.as_mut().poll(context).map(|()| None),
    })
    .await
}
