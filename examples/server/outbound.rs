//! `[outbound]` and `client_id_metadata_documents`: applications that no one registered, and how their
//! documents and the keys of applications are fetched.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use grantor::Profile;
use grantor::outbound::HttpOutbound;
use toml::Table;
use tracing::warn;

use crate::toml_reader::Reader;

impl Reader {
    /// Whether applications can be identified by documents, and the client that fetches these documents and
    /// the keys of applications and notifies applications of logouts; `None` if no requests are needed. A
    /// server that only this machine can reach (`is_local`) may call applications on this machine. For tests,
    /// `map` replaces an https origin by a server on this machine.
    pub(crate) fn outbound(
        &mut self,
        file: &mut Table,
        profile: Profile,
        asks: bool,
        is_local: bool,
    ) -> (bool, Option<Arc<HttpOutbound>>) {
        const PLACE: &str = "outbound";
        let wanted: Option<bool> = self.take(file, "client_id_metadata_documents");
        let mut table: Table = self.take(file, PLACE).unwrap_or_default();
        let mapped: BTreeMap<String, SocketAddr> = self.may(&mut table, PLACE, "map").unwrap_or_default();
        self.nothing_left(&table, PLACE, "map");
        let documents = wanted.unwrap_or(profile == Profile::Mcp);
        if !documents && !asks {
            return (false, None);
        }
        let start = HttpOutbound::builder().on_failure(|host, error| warn!(host, %error, "no answer"));
        let start = if is_local { start.allow_loopback() } else { start };
        let mapped = mapped.into_iter().fold(start, |outbound, (origin, to)| outbound.map(origin, to));
        let built = mapped.build().map_err(|error| self.mistakes.push(format!("{PLACE}: {error}")));
        (documents, built.ok().map(Arc::new))
    }
}
