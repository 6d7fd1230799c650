//! Passkeys, by `webauthn-rs`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Redirect;
use axum_login::AuthSession;
use axum_login::tower_sessions::Session;
use chrono::Utc;
use openidconnect::CsrfToken;
use serde::{Deserialize, Serialize};
use webauthn_rs::Webauthn;
use webauthn_rs::prelude::{
    AuthenticationResult, PasskeyAuthentication, PublicKeyCredential, RequestChallengeResponse,
};

use crate::sessions::{SignedIn, begin};
use crate::{Problem, Users};

/// Made by `WebauthnBuilder::new("as.example", &origin)`.
pub type Passkeys = Arc<Webauthn>;

#[derive(Deserialize)]
pub struct Name {
    user: String,
}

/// What the session keeps until the device has answered.
#[derive(Serialize, Deserialize)]
struct Challenged {
    user: String,
    state: PasskeyAuthentication,
}

const CHALLENGED: &str = "challenged";

/// `POST /passkey`: the options for `navigator.credentials.get`.
pub async fn begin_passkey(
    State(passkeys): State<Passkeys>,
    State(users): State<Users>,
    session: Session,
    Json(Name { user }): Json<Name>,
) -> Result<Json<RequestChallengeResponse>, Problem> {
    let found = users.find(&user).ok_or_else(|| Problem::from("nobody has this name"))?;
    let (options, state) = passkeys.start_passkey_authentication(&found.passkeys)?;
    session.insert(CHALLENGED, Challenged { user, state }).await?;
    Ok(Json(options))
}

/// `POST /passkey/answer`: what `navigator.credentials.get` gave.
pub async fn finish_passkey(
    State(passkeys): State<Passkeys>,
    State(users): State<Users>,
    mut auth: AuthSession<Users>,
    Json(answer): Json<PublicKeyCredential>,
) -> Result<Redirect, Problem> {
    let challenged: Option<Challenged> = auth.session.remove(CHALLENGED).await?;
    let Challenged { user, state } = challenged.ok_or_else(|| Problem::from("no sign-in began here"))?;
    let result = passkeys.finish_passkey_authentication(&answer, &state)?;
    let mut user = users.find(&user).ok_or_else(|| Problem::from("the user is gone"))?;
    for passkey in &mut user.passkeys {
        passkey.update_credential(&result); // its counter
    }
    users.put(user.clone());
    let signed_in = SignedIn {
        since: Utc::now(),
        acr: Some("phr".to_owned()), // phishing-resistant
        amr: methods(&result).map(str::to_owned).collect(),
        id: CsrfToken::new_random().into_secret(),
    };
    begin(&mut auth, &user, &signed_in).await
}

/// RFC 8176: a key that can leave its device, or one that cannot; and that somebody was there.
fn methods(result: &AuthenticationResult) -> impl Iterator<Item = &'static str> {
    let key = if result.backup_eligible() { "swk" } else { "hwk" };
    let factors = result.user_verified().then_some("mfa");
    [key, "user"].into_iter().chain(factors)
}
