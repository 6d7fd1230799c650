//! The clients that every fixture knows.

use argon2::password_hash::PasswordHasher as _;
use grantor::{ApplicationType, AuthMethod, Client, GrantType};

pub const CALLBACK: &str = "https://app.example/cb";
pub const SECRET: &str = "c2VjcmV0LW9mLXRoZS1maXh0dXJl";

/// The fixtures: `pub` (public, PKCE, rotating), `conf` and `other` (client_secret_basic), `post`
/// (client_secret_post), `native` (native with a secret), `robot` (client credentials only), `legacy`
/// (implicit and password, no PKCE), `bare` (a code and no refresh token), `tv` (a public device). Secrets
/// are all [`SECRET`].
pub fn clients() -> Vec<Client> {
    use GrantType::{AuthorizationCode, ClientCredentials, DeviceCode, Implicit, Password, RefreshToken};
    let code = [AuthorizationCode, RefreshToken];
    let all = [AuthorizationCode, DeviceCode, RefreshToken, ClientCredentials];
    let conf = |id| {
        Client::builder(id)
            .name("Confidential")
            .redirect_uri(CALLBACK)
            .grant_types(all.clone())
            .secret(SECRET)
    };
    let public = |id| {
        Client::builder(id).redirect_uri(CALLBACK).grant_types(code.clone()).auth_method(AuthMethod::None)
    };
    let built = [
        public("pub").redirect_uri("http://127.0.0.1/cb").build(),
        conf("conf").scope("read write").build(),
        conf("other").build(),
        conf("post").auth_method(AuthMethod::ClientSecretPost).build(),
        Client::builder("native")
            .redirect_uri("com.example.app:/cb")
            .grant_types(code.clone())
            .application_type(ApplicationType::Native)
            .secret(SECRET)
            .build(),
        Client::builder("robot").grant_types([ClientCredentials]).secret(SECRET).scope("read").build(),
        Client::builder("legacy")
            .redirect_uri(CALLBACK)
            .grant_types([AuthorizationCode, Implicit, Password, RefreshToken])
            .secret(SECRET)
            .require_pkce(false)
            .build(),
        Client::builder("tv")
            .name("Television")
            .grant_types([DeviceCode, RefreshToken])
            .auth_method(AuthMethod::None)
            .build(),
        Client::builder("bare").redirect_uri(CALLBACK).secret(SECRET).build(),
    ];
    built.into_iter().map(Result::unwrap).collect()
}

/// The PHC string of a secret, with cheap parameters.
pub fn phc(secret: &str) -> String {
    let parameters = argon2::Params::new(8, 1, 1, None).unwrap();
    let argon = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, parameters);
    argon.hash_password_with_salt(secret.as_bytes(), b"some salt of ours").unwrap().to_string()
}
