//! `check`: reports every mistake in a file before a server is started with it.

use crate::config::Config;
use crate::{setup, stores, tls};

/// Builds the whole server in memory: no store is opened, and no key file is read or created.
///
/// # Errors
/// One line for every mistake.
pub(crate) async fn check(mut config: Config) -> Result<(), Vec<String>> {
    config.warnings().iter().for_each(|warning| eprintln!("warning: {warning}"));
    let mut mistakes: Vec<String> = stores::mistake(&config.store).into_iter().collect();
    if let Some(Err(mistake)) = config.tls.as_ref().map(tls::Tls::open) {
        mistakes.push(mistake);
    }
    config.store = "memory".to_owned();
    config.tokens.keys.file = None;
    let address = config.listen;
    if let Err(more) = setup::app(config, address).await {
        mistakes.extend(more);
    }
    if mistakes.is_empty() { Ok(()) } else { Err(mistakes) }
}
