//! [`Few`]: an `Outbound` with a limit on concurrent requests, for URLs that strangers choose.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use fluent_uri::Uri;

use crate::outbound::{Outbound, OutboundError, OutboundRequest, OutboundResponse};

/// Concurrent requests in total.
const MOST: usize = 16;
/// Concurrent requests to one host.
const MOST_TO_ONE: usize = 4;

pub(crate) struct Few<O> {
    outbound: O,
    /// The number of requests in progress, by host.
    under_way: Mutex<HashMap<String, usize>>,
}

impl<O: Outbound> Few<O> {
    pub(crate) fn of(outbound: O) -> Self {
        Self { outbound, under_way: Mutex::default() }
    }

    fn enter(&self, host: String) -> Option<Turn<'_>> {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let (all, here) = (under_way.values().sum::<usize>(), under_way.get(&host).copied().unwrap_or(0));
        if all >= MOST || here >= MOST_TO_ONE {
            return None;
        }
        under_way.insert(host.clone(), here + 1);
        Some(Turn { under_way: &self.under_way, host })
    }
}

/// A permit for a fetch; it is released when the fetch ends or is dropped.
struct Turn<'a> {
    under_way: &'a Mutex<HashMap<String, usize>>,
    host: String,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        match under_way.get_mut(&self.host) {
            Some(here) if *here > 1 => *here -= 1,
            Some(_) | None => {
                under_way.remove(&self.host);
            }
        }
    }
}

#[async_trait]
impl<O: Outbound> Outbound for Few<O> {
    async fn send(&self, request: &OutboundRequest) -> Result<OutboundResponse, OutboundError> {
        let uri = Uri::parse(request.url()).ok();
        let host =
            uri.as_ref().and_then(Uri::authority).map(|authority| authority.host().to_ascii_lowercase());
        let _turn = self.enter(host.ok_or(OutboundError::UrlRefused)?).ok_or(OutboundError::Busy)?;
        self.outbound.send(request).await
    }
}
