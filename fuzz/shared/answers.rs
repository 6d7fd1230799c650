//! What holds for every answer, whatever was asked.

use grantor::Response;
use serde_json::Value;

/// The error codes of the endpoints that clients call directly.
const ERRORS: &[&str] = &[
    "access_denied",
    "authorization_pending",
    "expired_token",
    "invalid_authorization_details",
    "invalid_client",
    "invalid_client_metadata",
    "invalid_dpop_proof",
    "invalid_grant",
    "invalid_redirect_uri",
    "invalid_request",
    "invalid_request_object",
    "invalid_scope",
    "invalid_software_statement",
    "invalid_target",
    "invalid_token",
    "insufficient_scope",
    "request_not_supported",
    "slow_down",
    "temporarily_unavailable",
    "unapproved_software_statement",
    "unauthorized_client",
    "unsupported_grant_type",
    "unsupported_response_type",
    "unsupported_token_type",
    "use_dpop_nonce",
];

/// The server has not failed, and no header field has anything that could end it.
pub fn sound(response: &Response) {
    assert!(response.status < 500, "a failure of its own: {}", response.status);
    for (name, value) in &response.headers {
        assert!(!name.is_empty() && value.bytes().all(|b| (0x20..0x7F).contains(&b)), "{name}: {value:?}");
    }
}

/// A sound answer that no cache keeps unless it is public; an error is JSON with a code that clients know.
pub fn check(response: &Response, is_public: bool) {
    sound(response);
    assert!(
        is_public
            || matches!(response.status, 204 | 405)
            || response.header("cache-control") == Some("no-store")
    );
    match error(response) {
        Some(code) => assert!(response.status >= 400 && ERRORS.contains(&code.as_str()), "{code}"),
        None => assert!(response.status < 400, "{} without a code", response.status),
    }
}

/// The JSON of an answer; `Null` if it is something else.
pub fn json(response: &Response) -> Value {
    serde_json::from_slice(&response.body).unwrap_or_default()
}

/// The error code of an answer.
pub fn error(response: &Response) -> Option<String> {
    Some(json(response).get("error")?.as_str().expect("a code").to_owned())
}

/// Where an answer sends the browser: by a redirect, a form, or a link.
pub fn redirect(response: &Response) -> Option<String> {
    if let Some(to) = response.header("location") {
        return Some(to.to_owned());
    }
    let body = std::str::from_utf8(&response.body).expect("text");
    let to = ["action=\"", "href=\""].iter().find_map(|place| body.split_once(place))?.1;
    let to = to.split('"').next().expect("a quote");
    Some(to.replace("&#39;", "'").replace("&amp;", "&"))
}

/// A parameter that the server added to an address: those of the address itself come first.
pub fn own_parameter(address: &str, name: &str) -> Option<String> {
    let parameters = address.split_once(['?', '#'])?.1;
    let value =
        parameters.split(['&', '#']).filter_map(|pair| pair.split_once('=')).rfind(|(n, _)| *n == name)?.1;
    let form = format!("v={value}");
    let form = grantor::http::form::Form::parse(form.as_bytes()).expect("what the server encoded");
    Some(form.one("v").expect("one value")?.to_owned())
}
