//! `check`: reports every mistake in a file before a server is started with it.

use crate::config::Config;
use crate::{setup, stores, tls};

/// Adds to these mistakes those that the rest of the file still shows: builds the whole server in memory; no
/// store is opened, and no key file is read or created.
///
/// # Errors
/// One line for every mistake.
pub(crate) async fn check(mut config: Config, mut mistakes: Vec<String>) -> Result<(), Vec<String>> {
    mistakes.extend(stores::mistake(&config.store));
    if let Some(Err(mistake)) = config.tls.as_ref().map(tls::Tls::open) {
        mistakes.push(mistake);
    }
    if config.can_be_built {
        config.store = "memory".to_owned();
        config.tokens.keys.file = None;
        let address = config.listen;
        mistakes.extend(setup::app(config, address).await.err().into_iter().flatten());
    }
    if mistakes.is_empty() { Ok(()) } else { Err(mistakes) }
}
