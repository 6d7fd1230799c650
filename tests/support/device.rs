//! Devices, and the browsers of their users.

use std::time::Duration;

use grantor::{BrowserSession, DeviceConsent, ErrorPage};

use super::{Answer, Fixture, request};

pub const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// The device code and the user code.
pub struct Codes {
    pub device: String,
    pub user: String,
}

impl Fixture {
    pub async fn begin(&self, client: &str, form: &[(&str, &str)]) -> Answer {
        Answer(self.server.device_authorization(&request(client, form)).await)
    }

    /// A device of the public client that is waiting for its user.
    pub async fn waits(&self) -> Codes {
        let answer = self.begin("tv", &[("scope", "read write")]).await;
        Codes { device: answer.text("device_code"), user: answer.text("user_code") }
    }

    pub async fn poll(&self, client: &str, device_code: &str) -> Answer {
        self.token(client, &[("grant_type", DEVICE_CODE), ("device_code", device_code)]).await
    }

    pub async fn enter(&self, user_code: &str, session: &str) -> Result<DeviceConsent, ErrorPage> {
        let entered = self.server.device(user_code, &BrowserSession::session(session), None).await?;
        Ok(entered.signed_in(self.alice()))
    }

    /// The consent page for this login, in the browser where the code was entered.
    pub async fn enter_as(&self, user_code: &str, login: grantor::Login) -> DeviceConsent {
        let entered = self.server.device(user_code, &BrowserSession::session("browser"), None).await;
        entered.expect("a device that waits").signed_in(login)
    }

    pub async fn says_yes(&self, codes: &Codes) {
        self.enter(&codes.user, "browser").await.unwrap().approve().await.unwrap();
    }

    pub fn after(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}
