//! [`Cursor`]: a place in a listing, safe to hand to a browser.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::base::{Digest, Secret};
use crate::grant::GrantId;
use crate::store::Filter;

/// A place in the listing of one filter: opaque and authenticated, so that it can go out to a browser and
/// come back. Its `Display` is the text, which [`cursor`](crate::server::AuthorizationServer::cursor) reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    after: GrantId,
    text: String,
}

const ID_BYTES: usize = 16;
const TAG_BYTES: usize = 32;

impl Cursor {
    pub(in crate::server) fn new(after: GrantId, filter: &Filter, key: &Secret) -> Self {
        let tag = tag(after, filter, key);
        let bytes = [after.as_bytes().as_slice(), tag.expose()].concat();
        Self { after, text: URL_SAFE_NO_PAD.encode(bytes) }
    }

    pub(in crate::server) fn parse(text: &str, filter: &Filter, key: &Secret) -> Option<Self> {
        let mut bytes = [0; ID_BYTES + TAG_BYTES];
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        let (id, claimed) = bytes.get(..length)?.split_first_chunk::<ID_BYTES>()?;
        let after = GrantId::new(*id);
        let claimed = Digest::new(claimed.try_into().ok()?);
        tag(after, filter, key).matches(&claimed).then(|| Self { after, text: text.to_owned() })
    }

    pub(in crate::server) fn after(&self) -> GrantId {
        self.after
    }
}

fn tag(after: GrantId, filter: &Filter, key: &Secret) -> Digest {
    key.mac("grantor:cursor:v1", &[after.as_bytes(), digest_of_filter(filter).expose()])
}

fn digest_of_filter(filter: &Filter) -> Digest {
    let Filter { subject, client, session } = filter;
    // `Debug` quotes and escapes each value, so no value can imitate the boundary to the next one.
    Digest::of("grantor:filter:v1", format!("{subject:?} {client:?} {session:?}").as_bytes())
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
