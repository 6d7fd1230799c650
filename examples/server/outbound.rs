//! `[outbound]` and `client_id_metadata_documents`: applications that nobody registered, and how their documents are asked for.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use grantor::Profile;
use grantor::outbound::HttpOutbound;
use toml::Table;
use tracing::warn;

use crate::toml_reader::Reader;

impl Reader {
    /// What asks for documents; `None` where no application is known by one. `map` puts a server on this machine in the place
    /// of an https origin, for tests.
    pub(crate) fn documents(&mut self, file: &mut Table, profile: Profile) -> Option<HttpOutbound> {
        const PLACE: &str = "outbound";
        let wanted: Option<bool> = self.take(file, "client_id_metadata_documents");
        let mut table: Table = self.take(file, PLACE).unwrap_or_default();
        let mapped: BTreeMap<String, SocketAddr> = self.may(&mut table, PLACE, "map").unwrap_or_default();
        self.nothing_left(&table, PLACE, "map");
        if !wanted.unwrap_or(profile == Profile::Mcp) {
            return None;
        }
        let start = HttpOutbound::builder().on_failure(|host, error| warn!(host, %error, "no answer"));
        let mapped = mapped.into_iter().fold(start, |outbound, (origin, to)| outbound.map(origin, to));
        mapped.build().map_err(|error| self.mistakes.push(format!("{PLACE}: {error}"))).ok()
    }
}
