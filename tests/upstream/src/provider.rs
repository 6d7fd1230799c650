//! "Sign in with …": this server is a client of another OpenID Provider.

use axum::extract::{Query, State};
use axum::response::Redirect;
use axum_login::AuthSession;
use axum_login::tower_sessions::Session;
use chrono::{DateTime, TimeDelta, Utc};
use openidconnect::core::{CoreAuthPrompt, CoreAuthenticationFlow, CoreClient, CoreProviderMetadata};
use openidconnect::{
    AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet, EndpointSet,
    IssuerUrl, Nonce, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, TokenResponse as _, reqwest,
};
use serde::{Deserialize, Serialize};

use crate::sessions::{ASKED, Asked, SignedIn, begin};
use crate::{Problem, Users};

type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

#[derive(Clone)]
pub struct Provider {
    issuer: IssuerUrl,
    client: Client,
    http: reqwest::Client,
}

impl Provider {
    /// At start, and again when a signature has an unknown key.
    pub async fn discover(issuer: &str, id: &str, secret: &str, callback: &str) -> Result<Self, Problem> {
        let issuer = IssuerUrl::new(issuer.to_owned())?;
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
        let metadata = CoreProviderMetadata::discover_async(issuer.clone(), &http).await?;
        let (id, secret) = (ClientId::new(id.to_owned()), ClientSecret::new(secret.to_owned()));
        let client = CoreClient::from_provider_metadata(metadata, id, Some(secret));
        let client = client.set_redirect_uri(RedirectUrl::new(callback.to_owned())?);
        Ok(Self { issuer, client, http })
    }
}

/// What the session keeps while the user is at the provider.
#[derive(Serialize, Deserialize)]
struct Away {
    state: CsrfToken,
    nonce: Nonce,
    verifier: PkceCodeVerifier,
}

const AWAY: &str = "away";

/// `GET /sign-in`
pub async fn sign_in(State(provider): State<Provider>, session: Session) -> Result<Redirect, Problem> {
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let flow = CoreAuthenticationFlow::AuthorizationCode;
    let request = provider.client.authorize_url(flow, CsrfToken::new_random, Nonce::new_random);
    let request = request.set_pkce_challenge(challenge);
    let request = match session.get(ASKED).await? {
        Some(Asked { again: true, .. }) => request.add_prompt(CoreAuthPrompt::Login).set_max_age(ZERO),
        Some(Asked { again: false, .. }) | None => request,
    };
    let (url, state, nonce) = request.url();
    session.insert(AWAY, Away { state, nonce, verifier }).await?;
    Ok(Redirect::to(url.as_str()))
}

const ZERO: std::time::Duration = std::time::Duration::ZERO;

#[derive(Deserialize)]
pub struct Answer {
    code: String,
    state: String,
    /// RFC 9207.
    iss: Option<String>,
}

/// `GET /callback`
pub async fn callback(
    State(provider): State<Provider>,
    State(users): State<Users>,
    mut auth: AuthSession<Users>,
    Query(answer): Query<Answer>,
) -> Result<Redirect, Problem> {
    let away: Away =
        auth.session.remove(AWAY).await?.ok_or_else(|| Problem::from("no sign-in began here"))?;
    if answer.state != *away.state.secret() || answer.iss.is_some_and(|iss| iss != *provider.issuer) {
        return Err(Problem::from("the answer to another request"));
    }
    let code = provider.client.exchange_code(AuthorizationCode::new(answer.code))?;
    let tokens = code.set_pkce_verifier(away.verifier).request_async(&provider.http).await?;
    let id_token = tokens.id_token().ok_or_else(|| Problem::from("no id_token"))?;
    let claims = id_token.claims(&provider.client.id_token_verifier(), &away.nonce)?;
    let asked: Option<Asked> = auth.session.get(ASKED).await?;
    let since = since(claims.auth_time(), asked.as_ref(), Utc::now())?;
    let linked = users.linked(claims.issuer(), claims.subject()); // both, and never the e-mail address
    let user = linked.ok_or_else(|| Problem::from("nobody here is this user"))?;
    let class = claims.auth_context_ref().and_then(|acr| own_class(acr));
    let methods = claims.auth_method_refs().into_iter().flatten();
    let signed_in = SignedIn {
        since,
        acr: class.map(str::to_owned),
        amr: methods.map(|method| method.to_string()).filter(|method| is_known(method)).collect(),
        id: CsrfToken::new_random().into_secret(),
    };
    begin(&mut auth, &user, &signed_in).await
}

/// When the user signed in, by the provider's word.
fn since(
    auth_time: Option<DateTime<Utc>>,
    asked: Option<&Asked>,
    now: DateTime<Utc>,
) -> Result<DateTime<Utc>, Problem> {
    match (asked.filter(|asked| asked.again), auth_time) {
        // The provider's clock may be behind.
        (Some(asked), Some(at)) if at + TimeDelta::seconds(60) >= asked.first_seen => Ok(now),
        (Some(_), _) => Err(Problem::from("the provider did not ask the user again")),
        (None, Some(at)) => Ok(at.min(now)),
        (None, None) => Ok(now),
    }
}

/// What your server calls the provider's classes.
fn own_class(acr: &str) -> Option<&'static str> {
    match acr {
        "http://schemas.openid.net/pape/policies/2007/06/multi-factor" => Some("mfa"),
        _ => None,
    }
}

/// The methods (RFC 8176) that your applications may hear of.
fn is_known(amr: &str) -> bool {
    ["pwd", "otp", "mfa", "hwk", "swk", "user"].contains(&amr)
}
