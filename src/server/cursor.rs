//! [`Cursor`]: a place in a listing, safe to hand to a browser.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::base::{Digest, SECRET_BYTES, Secret};
use crate::grant::GrantId;
use crate::store::Filter;

/// A place in the listing of one filter: opaque and authenticated, so that it can go out to a browser and come back.
/// Its `Display` is the text, which [`cursor`](super::AuthorizationServer::cursor) reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    after: GrantId,
    text: String,
}

const ID_BYTES: usize = 16;
const TAG_BYTES: usize = 32;

impl Cursor {
    pub(super) fn new(after: GrantId, filter: &Filter, key: &Secret) -> Self {
        let tag = tag(after, filter, key);
        let bytes = [after.as_bytes().as_slice(), tag.expose()].concat();
        Self { after, text: URL_SAFE_NO_PAD.encode(bytes) }
    }

    pub(super) fn parse(text: &str, filter: &Filter, key: &Secret) -> Option<Self> {
        let mut bytes = [0; ID_BYTES + TAG_BYTES];
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        let (id, claimed) = bytes.get(..length)?.split_first_chunk::<ID_BYTES>()?;
        let after = GrantId::new(*id);
        let claimed = Digest::new(claimed.try_into().ok()?);
        tag(after, filter, key).matches(&claimed).then(|| Self { after, text: text.to_owned() })
    }

    pub(super) fn after(&self) -> GrantId {
        self.after
    }
}

/// SHA-256 over a secret key and texts of fixed length, so nothing can be appended.
fn tag(after: GrantId, filter: &Filter, key: &Secret) -> Digest {
    let mut bytes = [0; SECRET_BYTES + ID_BYTES + TAG_BYTES];
    let (secret, rest) = bytes.split_at_mut(SECRET_BYTES);
    let (id, digest) = rest.split_at_mut(ID_BYTES);
    secret.copy_from_slice(key.bytes());
    id.copy_from_slice(after.as_bytes());
    digest.copy_from_slice(digest_of(filter).expose());
    Digest::of("grantor:cursor:v1", &bytes)
}

fn digest_of(filter: &Filter) -> Digest {
    let Filter { subject, client, session } = filter;
    // In the form of `Debug`, where a text cannot end early.
    Digest::of("grantor:filter:v1", format!("{subject:?} {client:?} {session:?}").as_bytes())
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
