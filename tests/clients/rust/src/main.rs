//! The crate `openidconnect` as a relying party: discovery, a code with PKCE and nonce, the `id_token`,
//! UserInfo, refresh.
//!
//! `node/openidconnect.mjs` starts it and is its browser: for each line `visit URL` it answers with the
//! address that the browser was sent to.

mod checks;
mod http;

use std::env;
use std::error::Error;
use std::io::stdin;

use checks::Checks;
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreJwsSigningAlgorithm, CoreProviderMetadata, CoreUserInfoClaims,
};
use openidconnect::{
    AccessTokenHash, AuthorizationCode, ClientId, ClientSecret, CsrfToken, IssuerUrl, Nonce,
    OAuth2TokenResponse as _, PkceCodeChallenge, RedirectUrl, Scope, TokenResponse as _,
};

const CALLBACK: &str = "https://web.example/callback";

fn main() -> Result<(), Box<dyn Error>> {
    let mut check = Checks::new("openidconnect");
    let issuer = env::var("GRANTOR_ISSUER")?;
    let web = http::send;
    let provider = CoreProviderMetadata::discover(&IssuerUrl::new(issuer.clone())?, &web)?;
    check.equal("discovery: issuer", provider.issuer().as_str(), issuer.as_str());
    let algorithms = provider.id_token_signing_alg_values_supported();
    check.holds("discovery: RS256", algorithms.contains(&CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256));
    let secret = ClientSecret::new("web-secret-Zk3vQm81xNfT0aYc7LrUe5Hb".to_owned());
    let client = CoreClient::from_provider_metadata(provider, ClientId::new("web".to_owned()), Some(secret))
        .set_redirect_uri(RedirectUrl::new(CALLBACK.to_owned())?);

    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (url, state, nonce) = client
        .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
        .add_scope(Scope::new("profile".to_owned()))
        .add_scope(Scope::new("email".to_owned()))
        .set_pkce_challenge(challenge)
        .url();
    let callback = visit(url.as_str())?;
    let parameter =
        |name: &str| callback.query_pairs().find(|(own, _)| own == name).map(|(_, value)| value.into_owned());
    check.equal("callback: state", parameter("state").as_deref(), Some(state.secret().as_str()));
    check.equal("callback: iss", parameter("iss").as_deref(), Some(issuer.as_str()));
    let code = AuthorizationCode::new(parameter("code").ok_or("no code")?);

    let tokens = client.exchange_code(code)?.set_pkce_verifier(verifier).request(&web)?;
    let id_token = tokens.id_token().ok_or("no id_token")?;
    let keys = client.id_token_verifier();
    let claims = id_token.claims(&keys, &nonce)?;
    check.equal("id_token: who", claims.subject().as_str(), "user-alice");
    check.equal("id_token: nonce", claims.nonce().map(Nonce::secret), Some(nonce.secret()));
    let hash = AccessTokenHash::from_token(
        tokens.access_token(),
        id_token.signing_alg()?,
        id_token.signing_key(&keys)?,
    )?;
    check.equal("id_token: at_hash", claims.access_token_hash(), Some(&hash));
    check.holds("id_token: another nonce", id_token.claims(&keys, &Nonce::new_random()).is_err());

    let subject = Some(claims.subject().clone());
    let user: CoreUserInfoClaims = client.user_info(tokens.access_token().clone(), subject)?.request(&web)?;
    check.equal("UserInfo: email", user.email().map(|email| email.as_str()), Some("alice@example.com"));
    check.equal("UserInfo: email_verified", user.email_verified(), Some(true));
    let other = Some(openidconnect::SubjectIdentifier::new("user-bob".to_owned()));
    let wrong: Result<CoreUserInfoClaims, _> =
        client.user_info(tokens.access_token().clone(), other)?.request(&web);
    check.holds("UserInfo: of another user", wrong.is_err());

    let refresh_token = tokens.refresh_token().ok_or("no refresh token")?;
    let renewed = client.exchange_refresh_token(refresh_token)?.request(&web)?;
    let again = renewed.id_token().ok_or("no id_token")?;
    let without_nonce = |nonce: Option<&Nonce>| nonce.map_or(Ok(()), |_| Err("a nonce".to_owned()));
    let again = again.claims(&keys, without_nonce)?;
    check.equal("refresh: the same user", again.subject(), claims.subject());
    check.equal("refresh: the same login", again.auth_time(), claims.auth_time());
    check.done()
}

/// Where the user's browser is sent from there.
fn visit(url: &str) -> Result<openidconnect::url::Url, Box<dyn Error>> {
    println!("visit {url}");
    let mut answer = String::new();
    stdin().read_line(&mut answer)?;
    Ok(answer.trim().parse()?)
}
