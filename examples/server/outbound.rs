//! `[outbound]` and `client_id_metadata_documents`: applications that no one registered, and how their
//! documents and the keys of applications are asked for.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use grantor::Profile;
use grantor::outbound::HttpOutbound;
use toml::Table;
use tracing::warn;

use crate::toml_reader::Reader;

impl Reader {
    /// Whether applications are known by documents, and what asks for those and for the keys of applications,
    /// and tells of logouts; `None` where nothing has to be asked. A server of this machine alone
    /// (`is_local`) reaches applications there. `map` puts a server on this machine in the place of an https
    /// origin, for tests.
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
