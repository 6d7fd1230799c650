//! [`OwnPages`]: keeps other sites away from the host's own pages.

use std::borrow::Cow;

use super::AuthorizationServer;
use crate::base::origin;
use crate::http::{AddedHeaders, Headers, Method, NO_STORE, Request, Response};

impl AuthorizationServer {
    /// The protection of the host's own pages, such as those for sign-in, consent and sign-out, against other
    /// sites: give it to the `PagesLayer` of an adapter.
    #[must_use]
    pub fn own_pages(&self) -> OwnPages {
        OwnPages { origin: origin::normalized(&self.rules().issuer).unwrap_or_default() }
    }
}

/// Keeps other sites away from the host's own pages: they can neither send their forms (CSRF, RFC 6749 section
/// 10.12) nor show them in a frame (clickjacking, RFC 9700 section 4.16).
///
/// Without it, another site could press *Allow*: a cookie with `SameSite=Lax` is not enough, because other
/// ports and subdomains count as the same site. Browsers say where a request comes from, and no page can
/// change that. A request without this information does not come from a browser, and passes.
///
/// Put it around the pages that you show and the forms that they send, and not around the endpoints for
/// programs. An authorization or logout request that a client posts comes from another site: route it around
/// the layer, to [`Request::as_get`].
#[derive(Clone, Debug)]
pub struct OwnPages {
    /// Of the issuer, for browsers that send only `Origin`: those from before 2023, and all of them over plain
    /// http to another machine.
    origin: String,
}

impl OwnPages {
    /// The fields of a request that [`check`](Self::check) reads.
    pub const READ: &'static [&'static str] = &["sec-fetch-site", "origin"];

    /// Checks where a request with another method than `GET`, `HEAD` or `OPTIONS` comes from. Reads only its
    /// method and the fields [`READ`](Self::READ).
    ///
    /// # Errors
    /// The response to send: a page with 403.
    pub fn check(&self, request: &Request) -> Result<AddedHeaders, Response> {
        let is_safe = matches!(request.method, Method::Get | Method::Head | Method::Options);
        match is_safe || self.is_own(&request.headers) {
            true => Ok(AddedHeaders::new(ADDED)),
            false => Err(refusal()),
        }
    }

    fn is_own(&self, headers: &Headers) -> bool {
        match (headers.one("sec-fetch-site"), headers.one("origin")) {
            (Ok(Some(site)), Ok(_)) => site == "same-origin",
            (Ok(None), Ok(Some(origin))) => origin == self.origin,
            (Ok(None), Ok(None)) => true,
            (Err(_), _) | (_, Err(_)) => false,
        }
    }
}

const ADDED: [(&str, Cow<'static, str>); 5] = [
    // No `form-action`: browsers would also apply it to the redirect that follows the consent form.
    ("content-security-policy", Cow::Borrowed("frame-ancestors 'none'; base-uri 'none'")),
    ("x-frame-options", Cow::Borrowed("DENY")),
    // With `no-referrer`, the `Origin` of the host's own forms would be `null`.
    ("referrer-policy", Cow::Borrowed("same-origin")),
    ("x-content-type-options", Cow::Borrowed("nosniff")),
    NO_STORE,
];

fn refusal() -> Response {
    const POLICY: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
    let html = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
        <meta name=\"viewport\" content=\"width=device-width\"><title>Form refused</title>\
        <p>This form did not come from this site.</p></html>";
    Response::page(403, POLICY, html.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MemoryRegistry, MemoryStore};

    fn pages(issuer: &str) -> OwnPages {
        let server = AuthorizationServer::builder(issuer).clients(MemoryRegistry::default());
        server.store(MemoryStore::new()).build().unwrap().own_pages()
    }

    fn status(method: &str, fields: &[(&'static str, &str)]) -> u16 {
        let mut request = Request::new(Method::from(method));
        for (name, value) in fields {
            request.headers.push(*name, *value);
        }
        pages("https://AS.example:443/tenant").check(&request).map_or_else(|answer| answer.status, |_| 200)
    }

    #[test]
    fn only_forms_of_the_own_site_pass() {
        let own = ("origin", "https://as.example");
        for (fields, expected) in [
            (&[("sec-fetch-site", "same-origin")][..], 200),
            (&[("sec-fetch-site", "none")], 403),
            (&[("sec-fetch-site", "same-site"), own], 403),
            (&[("sec-fetch-site", "cross-site"), own], 403),
            (&[("sec-fetch-site", "")], 403),
            (&[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")], 403),
            (&[own], 200),
            (&[("origin", "https://as.example:8443")], 403),
            (&[("origin", "http://as.example")], 403),
            (&[("origin", "null")], 403),
            (&[own, own], 403),
            (&[], 200),
        ] {
            for method in ["POST", "PUT", "DELETE", "PATCH"] {
                assert_eq!(status(method, fields), expected, "{method} {fields:?}");
            }
            for method in ["GET", "HEAD", "OPTIONS"] {
                assert_eq!(status(method, fields), 200, "{method} {fields:?}");
            }
        }
    }

    #[test]
    fn no_frame_and_no_cache_shows_a_page() {
        let added = pages("https://as.example").check(&Request::get("")).unwrap().into_headers();
        let of = |name| added.iter().find(|(own, _)| *own == name).map(|(_, value)| &**value);
        assert_eq!(of("content-security-policy"), Some("frame-ancestors 'none'; base-uri 'none'"));
        assert_eq!((of("x-frame-options"), of("cache-control")), (Some("DENY"), Some("no-store")));
        assert_eq!(of("referrer-policy"), Some("same-origin"), "or the `Origin` of the own forms is null");
    }
}
