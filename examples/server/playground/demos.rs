//! The applications of the demonstration, and what their buttons do.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use grantor::http::Request;
use serde::Serialize;

/// An application of the demonstration, and what its button does.
pub(super) struct Demo {
    pub(super) id: &'static str,
    pub(super) secret: Option<&'static str>,
    pub(super) flow: Flow,
    pub(super) scope: &'static str,
    pub(super) text: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Code,
    Implicit,
    Password,
    Client,
    Device,
    Introspection,
}

pub(super) const DEMOS: &[Demo] = &[
    Demo {
        id: "web-app",
        secret: Some("web-app-secret"),
        flow: Flow::Code,
        scope: "openid profile email read",
        text: "Signs you in by OpenID Connect: a code with PKCE, tokens, UserInfo, and a refresh.",
    },
    Demo {
        id: "native-app",
        secret: None,
        flow: Flow::Code,
        scope: "openid read write",
        text: "The same without a secret, as a program on your device does it. Its refresh tokens rotate.",
    },
    Demo {
        id: "device-app",
        secret: None,
        flow: Flow::Device,
        scope: "read",
        text: "Shows a code that you enter on another page, and asks until you have answered.",
    },
    Demo {
        id: "service",
        secret: Some("service-secret"),
        flow: Flow::Client,
        scope: "read",
        text: "Gets a token for itself; no user signs in.",
    },
    Demo {
        id: "browser-app",
        secret: None,
        flow: Flow::Implicit,
        scope: "read",
        text: "The implicit grant, which OAuth 2.1 dropped.",
    },
    Demo {
        id: "legacy-app",
        secret: Some("legacy-app-secret"),
        flow: Flow::Password,
        scope: "read",
        text: "The password grant, which OAuth 2.1 dropped, as alice.",
    },
    Demo {
        id: "resource-server",
        secret: Some("resource-server-secret"),
        flow: Flow::Introspection,
        scope: "",
        text: "An API that is shown a token of the service, and asks this server about it.",
    },
];

impl Demo {
    pub(super) fn find(id: &str) -> Option<&'static Self> {
        DEMOS.iter().find(|demo| demo.id == id)
    }

    /// A form from this application, authenticated with its registered method.
    pub(super) fn form(&self, form: &[(&str, &str)]) -> (Request, String) {
        let mut form = form.to_vec();
        if self.secret.is_none() {
            form.push(("client_id", self.id));
        }
        let body = serde_urlencoded::to_string(&form).unwrap_or_default();
        let request = Request::post_form(body.clone());
        match self.secret {
            Some(secret) => {
                let basic = STANDARD.encode(format!("{}:{secret}", self.id));
                (request.header("authorization", format!("Basic {basic}")), body)
            }
            None => (request, body),
        }
    }
}

/// The buttons of the start page.
#[derive(Serialize)]
pub(crate) struct Button {
    id: &'static str,
    text: &'static str,
}

pub(crate) fn buttons() -> Vec<Button> {
    DEMOS.iter().map(|demo| Button { id: demo.id, text: demo.text }).collect()
}
