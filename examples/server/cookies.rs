//! The cookies of this server, each of which holds 256 random bits.

use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// One of them.
pub(crate) struct Cookie {
    name: String,
    attributes: &'static str,
}

impl Cookie {
    /// `secure` is for an https issuer: the cookie is then never sent in the clear, and only this host can
    /// set it. Browsers send a cookie to every port of a host, so its name contains the port.
    pub(crate) fn new(name: &str, secure: bool, host: &str) -> Self {
        let (prefix, attributes) = match secure {
            true => ("__Host-", "; Path=/; HttpOnly; SameSite=Lax; Secure"),
            false => ("", "; Path=/; HttpOnly; SameSite=Lax"),
        };
        let port = host.rsplit_once(':').map(|(_, port)| port);
        let port = port.filter(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()));
        let port = port.map(|port| format!("-{port}")).unwrap_or_default();
        Self { name: format!("{prefix}{name}{port}"), attributes }
    }

    /// A new value, and its `Set-Cookie`.
    pub(crate) fn create(&self) -> ([u8; 32], HeaderValue) {
        let value: [u8; 32] = rand::random();
        (value, self.set(&URL_SAFE_NO_PAD.encode(value), ""))
    }

    /// The value that a request has.
    pub(crate) fn read(&self, headers: &HeaderMap) -> Option<[u8; 32]> {
        let fields = headers.get_all(header::COOKIE).into_iter().filter_map(|field| field.to_str().ok());
        let value = fields
            .flat_map(|field| field.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find_map(|(name, value)| (name == self.name).then_some(value));
        URL_SAFE_NO_PAD.decode(value?).ok()?.try_into().ok()
    }

    /// The `Set-Cookie` that makes a browser forget it.
    pub(crate) fn forget(&self) -> HeaderValue {
        self.set("", "; Max-Age=0")
    }

    fn set(&self, value: &str, more: &str) -> HeaderValue {
        let field = format!("{}={value}{}{more}", self.name, self.attributes);
        // All characters are from the base64url alphabet or from the constants above.
        HeaderValue::try_from(field).unwrap_or_else(|_| HeaderValue::from_static(""))
    }
}
