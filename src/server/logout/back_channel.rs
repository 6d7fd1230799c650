//! Delivers logout tokens (OpenID Connect Back-Channel Logout 1.0): a bounded number in parallel, and never
//! before the session has ended.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::super::process::{Turn, Turns};
use super::super::{AuthorizationServer, EventSubject, HostError};
use crate::audit::{Endpoint, EventKind};
use crate::base::system::Delay;
use crate::base::time::in_time;
use crate::client::ClientId;
use crate::documents::Requester;
use crate::error::Reason;
use crate::flow::logout::logout_token;
use crate::openid::{Delivery, LogoutNotice};
use crate::outbound::{ChosenBy, OutboundError, OutboundRequest, ask};

/// The most notices pushed at once.
const AT_ONCE: usize = 16;

/// The most clients that a server contacts at once, for all sessions together: of the host, of its developers,
/// and clients that registered themselves or have a document. Clients that do not answer delay no others.
const LANES: [usize; 3] = [32, 16, 16];

/// How long the response to the browser waits for the first attempts.
const PAGE: Duration = Duration::from_secs(2);

/// The deadline of one attempt.
const TRY: Duration = Duration::from_secs(5);

impl AuthorizationServer {
    /// Hands the notices to the host's queue, or delivers them; returns after the first attempt of each, or
    /// after [`PAGE`].
    ///
    /// # Errors
    /// The queue did not take one of them.
    pub(super) async fn tell(&self, notices: Vec<(LogoutNotice, ChosenBy)>) -> Result<(), HostError> {
        let Some(channels) = self.inner.session_channels.as_deref().filter(|_| !notices.is_empty()) else {
            return Ok(());
        };
        if let Some(queue) = &channels.queue {
            let push = |notice: &LogoutNotice| self.in_time(queue.push(notice.clone()));
            let pushed = Together::new(&notices, |(notice, _)| Box::pin(push(notice))).await;
            let mut failed = None;
            for ((notice, _), pushed) in notices.iter().zip(pushed) {
                if let Err(error) = pushed.flatten().map_or(Err(HostError::Deadline), |pushed| Ok(pushed?)) {
                    self.undelivered(&notice.client);
                    failed = Some(error);
                }
            }
            return failed.map_or(Ok(()), Err);
        }
        let Some(spawn) = &channels.spawn else { return Ok(()) };
        let first = Arc::new(FirstTry::default());
        let done = Arc::new(FirstTryDone(Arc::clone(&first)));
        for (notice, by) in notices {
            spawn(Box::pin(self.clone().deliver_in_background(notice, by, Arc::clone(&done))));
        }
        drop(done);
        let _ = in_time(poll_fn(|context| first.poll(context)), PAGE).await;
        Ok(())
    }

    /// Tries until the outcome is final. Each notice has a task of its own, so that a panic in a part of the
    /// host ends the delivery of no other.
    async fn deliver_in_background(self, notice: LogoutNotice, by: ChosenBy, first: Arc<FirstTryDone>) {
        let mut first = Some(first);
        let mut pending = Pending { server: &self, client: Some(&notice.client) };
        let Some(channels) = self.inner.session_channels.as_deref() else { return };
        let pauses = channels.pauses.iter().copied().map(Some);
        for pause in std::iter::once(None).chain(pauses) {
            if let Some(pause) = pause {
                Delay::new(pause).await;
            }
            let delivery = match self.process().logouts.lane(by).await {
                Some(_lane) => self.deliver(&notice).await,
                None => Delivery::Later,
            };
            first.take();
            if delivery != Delivery::Later {
                pending.client = None;
                return;
            }
        }
    }

    /// One attempt to deliver a notice from your [queue](crate::openid::LogoutQueue): signs a new logout
    /// token, and posts it to the client's `backchannel_logout_uri`; 200 and 204 confirm it. No redirect is
    /// followed. Each outcome except [`Delivery::Later`] is audited.
    pub async fn deliver(&self, notice: &LogoutNotice) -> Delivery {
        let delivery = self.try_delivery(notice).await;
        let about = EventSubject::client(&notice.client);
        match delivery {
            Delivery::Done => self.audit(EventKind::LogoutDelivered, Endpoint::Host, about),
            Delivery::Refused => {
                self.audit(EventKind::Refused(Reason::LogoutTokenRefused), Endpoint::Host, about);
            }
            Delivery::Later => {}
        }
        delivery
    }

    async fn try_delivery(&self, notice: &LogoutNotice) -> Delivery {
        let client = match self.find_client(&notice.client, Requester::default()).await {
            Ok(Some(client)) => client,
            Ok(None) => return Delivery::Refused,
            Err(_) => return Delivery::Later,
        };
        let uri = client.metadata().backchannel_logout_uri.as_deref();
        let channels = self.inner.session_channels.as_deref();
        let outbound = channels.and_then(|channels| channels.outbound.as_ref());
        let (Some(uri), Some(outbound)) = (uri, outbound) else {
            return Delivery::Refused;
        };
        let mut jti = [0; 16];
        self.inner.entropy.fill(&mut jti);
        let jti = URL_SAFE_NO_PAD.encode(jti);
        let Ok(unsigned) = logout_token(notice, &client, self.rules(), &jti, self.now()) else {
            return Delivery::Refused;
        };
        let algorithm = self.rules().id_token_algorithm(&client);
        let token = match self.sign_for(&client, &unsigned, algorithm).await {
            Ok(token) => token,
            Err(_) => return Delivery::Later,
        };
        let form: String =
            form_urlencoded::Serializer::new(String::new()).append_pair("logout_token", &token).finish();
        let request = OutboundRequest::post(uri, client.urls_chosen_by(), form).limits(64 * 1024, TRY);
        outcome(ask(&**outbound, &request).await.map(|answer| answer.status()))
    }

    pub(super) fn undelivered(&self, client: &ClientId) {
        let reason = Reason::LogoutUndelivered;
        self.audit(EventKind::Failed(reason), Endpoint::Host, EventSubject::client(client));
    }
}

/// Only temporary failures are retried.
fn outcome(answer: Result<u16, OutboundError>) -> Delivery {
    match answer {
        Ok(200 | 204) => Delivery::Done,
        Ok(408 | 429 | 500..=599) => Delivery::Later,
        Ok(_) => Delivery::Refused,
        Err(
            OutboundError::NameUnknown
            | OutboundError::Unreachable
            | OutboundError::Interrupted
            | OutboundError::Timeout
            | OutboundError::Busy,
        ) => Delivery::Later,
        Err(
            OutboundError::UrlRefused
            | OutboundError::AddressRefused
            | OutboundError::TooLarge
            | OutboundError::Redirected,
        ) => Delivery::Refused,
    }
}

/// A notice without a final outcome. Dropped as such, also by a panic or at the end of the runtime, it is
/// audited.
struct Pending<'a> {
    server: &'a AuthorizationServer,
    client: Option<&'a ClientId>,
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if let Some(client) = self.client {
            // An audit that panics, perhaps for the second time, must not abort the process.
            let _ = catch_unwind(AssertUnwindSafe(|| self.server.undelivered(client)));
        }
    }
}

/// The lanes of a server in which clients are contacted, one at a time in each: those of each kind of client.
#[derive(Debug)]
pub(in crate::server) struct Lanes {
    last: AtomicUsize,
    turns: [Turns<usize>; 3],
}

impl Default for Lanes {
    fn default() -> Self {
        Self { last: AtomicUsize::default(), turns: [Turns::unlimited(), Turns::default(), Turns::default()] }
    }
}

impl Lanes {
    /// A turn in a lane; `None` if too many wait there, which happens only in those of strangers and
    /// developers.
    async fn lane(&self, by: ChosenBy) -> Option<Turn<'_, usize>> {
        let kind = match by {
            ChosenBy::Host => 0,
            ChosenBy::Developer => 1,
            ChosenBy::Client => 2,
        };
        let lane = self.last.fetch_add(1, Ordering::Relaxed) % LANES[kind];
        self.turns[kind].take(lane).await
    }
}

/// Whether each client was tried once.
#[derive(Default)]
struct FirstTry(Mutex<(bool, Option<Waker>)>);

impl FirstTry {
    fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.0 {
            return Poll::Ready(());
        }
        state.1 = Some(context.waker().clone());
        Poll::Pending
    }
}

/// Signals when it is dropped, even if a task does not run to the end.
struct FirstTryDone(Arc<FirstTry>);

impl Drop for FirstTryDone {
    fn drop(&mut self) {
        let mut state = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 = true;
        if let Some(waker) = state.1.take() {
            waker.wake();
        }
    }
}

type Running<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Several futures, [`AT_ONCE`] at a time; their outputs in order.
struct Together<'a, T> {
    waiting: std::vec::IntoIter<Running<'a, T>>,
    running: Vec<(usize, Running<'a, T>)>,
    outputs: Vec<Option<T>>,
    begun: usize,
}

impl<'a, T: Unpin> Together<'a, T> {
    fn new<I>(items: &'a [I], start: impl Fn(&'a I) -> Running<'a, T>) -> Self {
        let waiting: Vec<_> = items.iter().map(start).collect();
        let outputs = waiting.iter().map(|_| None).collect();
        Self { waiting: waiting.into_iter(), running: Vec::new(), outputs, begun: 0 }
    }
}

impl<T: Unpin> Future for Together<'_, T> {
    type Output = Vec<Option<T>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            while this.running.len() < AT_ONCE {
                let Some(next) = this.waiting.next() else { break };
                this.running.push((this.begun, next));
                this.begun += 1;
            }
            let before = this.running.len();
            let outputs = &mut this.outputs;
            this.running.retain_mut(|(at, future)| match future.as_mut().poll(context) {
                Poll::Ready(output) => {
                    outputs[*at] = Some(output);
                    false
                }
                Poll::Pending => true,
            });
            if this.running.is_empty() && this.waiting.len() == 0 {
                return Poll::Ready(std::mem::take(&mut this.outputs));
            }
            // A future finished, so others can start: each has to be polled once.
            if this.running.len() == before || this.waiting.len() == 0 {
                return Poll::Pending;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_heal_is_tried_again() {
        for (answers, expected) in [
            (&[200, 204][..], Delivery::Done),
            (&[400, 401, 403, 404, 301, 201][..], Delivery::Refused),
            (&[429, 500, 502, 503, 408][..], Delivery::Later),
        ] {
            for status in answers {
                assert_eq!(outcome(Ok(*status)), expected, "{status}");
            }
        }
        assert_eq!(outcome(Err(OutboundError::Timeout)), Delivery::Later);
        assert_eq!(outcome(Err(OutboundError::Redirected)), Delivery::Refused);
        assert_eq!(outcome(Err(OutboundError::AddressRefused)), Delivery::Refused);
    }

    #[tokio::test]
    async fn many_run_together_and_each_output_is_in_its_place() {
        let numbers: Vec<usize> = (0..100).collect();
        let outputs = Together::new(&numbers, |number| {
            Box::pin(async move {
                if number % 3 == 0 {
                    tokio::task::yield_now().await;
                }
                *number
            })
        });
        assert_eq!(outputs.await, numbers.iter().copied().map(Some).collect::<Vec<_>>());
    }

    #[test]
    fn five_tries_are_over_in_five_minutes() {
        let pauses = super::super::settings::SessionChannels::default().pauses;
        assert_eq!(pauses.len(), 4);
        assert!(pauses.iter().sum::<Duration>() + 5 * TRY <= Duration::from_secs(300));
    }
}
