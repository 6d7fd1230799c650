"""Authlib against the example server: every grant, revocation, introspection and the errors."""

import os
from urllib.parse import parse_qs, urlsplit

import requests
from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata, get_well_known_url

from checks import Checks
from user import PASSWORD, USERNAME, User

ISSUER = os.environ["GRANTOR_ISSUER"]
ME = ISSUER + "/api/me"
NATIVE_CALLBACK = "http://127.0.0.1:53127/callback"
SECRETS = {
    "web": "web-secret-Zk3vQm81xNfT0aYc7LrUe5Hb",
    "post": "post-secret-s7Wd2KpQe9VbXn4RtJ6gMz0A",
    "legacy": "legacy-secret-Hq5xTn8RcW1yVz3PbLk6Jd0M",
    "service": "service-secret-B4mYx9QwTz2KvRn7HcLp5Gs8",
    "resource": "resource-secret-Nf6JtWq0ZbXk3MvYs9Rd7PhL",
}
CALLBACKS = {
    "native": NATIVE_CALLBACK,
    "web": "https://web.example/callback",
    "post": "https://post.example/callback?tenant=1",
    "spa": "https://spa.example/callback",
}
METHODS = {"native": "none", "spa": "none", "post": "client_secret_post"}

check = Checks("Authlib")

# Metadata (RFC 8414). Authlib insists on https, so the copy that it validates says so.
found = requests.get(get_well_known_url(ISSUER, external=True), timeout=10)
check.equal("metadata: status", found.status_code, 200)
check.equal("metadata: content type", found.headers["content-type"].split(";")[0], "application/json")
metadata = found.json()
AuthorizationServerMetadata(
    {k: v.replace("http://", "https://") if isinstance(v, str) else v for k, v in metadata.items()}
).validate()
for name, path in [
    ("issuer", ""),
    ("authorization_endpoint", "/authorize"),
    ("token_endpoint", "/token"),
    ("revocation_endpoint", "/revoke"),
    ("introspection_endpoint", "/introspect"),
]:
    check.equal(f"metadata: {name}", metadata.get(name), ISSUER + path)
for name, values in [
    ("scopes_supported", ["read", "write"]),
    ("response_types_supported", ["code", "code token", "token"]),
    ("response_modes_supported", ["form_post", "fragment", "query"]),
    (
        "grant_types_supported",
        [
            "authorization_code",
            "client_credentials",
            "implicit",
            "password",
            "refresh_token",
            "urn:ietf:params:oauth:grant-type:device_code",
        ],
    ),
    ("code_challenge_methods_supported", ["S256"]),
    ("token_endpoint_auth_methods_supported", ["client_secret_basic", "client_secret_post", "none", "private_key_jwt"]),
]:
    check.equal(f"metadata: {name}", sorted(metadata.get(name, [])), values)
check.equal("metadata: iss is announced", metadata.get("authorization_response_iss_parameter_supported"), True)


def session(client, scope="read write", **more):
    return OAuth2Session(
        client,
        SECRETS.get(client),
        token_endpoint_auth_method=METHODS.get(client),
        revocation_endpoint_auth_method=METHODS.get(client),
        scope=scope,
        redirect_uri=CALLBACKS.get(client),
        code_challenge_method="S256",
        default_timeout=10,
        **metadata,
        **more,
    )


def asked(oauth, **more):
    """The address to send the user to, with its verifier and state."""
    verifier = generate_token(64)
    url, state = oauth.create_authorization_url(metadata["authorization_endpoint"], code_verifier=verifier, **more)
    return url, state, verifier


def answer(url):
    parts = urlsplit(url)
    return {name: value[0] for name, value in parse_qs(parts.fragment or parts.query).items()}


def signed_in(client, scope="read write"):
    """A session with tokens of the code grant."""
    oauth = session(client, scope)
    url, state, verifier = asked(oauth)
    callback = User(ISSUER).authorize(url)
    oauth.fetch_token(authorization_response=callback, state=state, code_verifier=verifier)
    return oauth


def me(token):
    return requests.get(ME, headers={"Authorization": f"Bearer {token}"}, timeout=10)


def introspected(token, by="resource", **named):
    return session(by).introspect_token(metadata["introspection_endpoint"], token=token, **named)


# The code grant of a public client, with PKCE.
oauth = session("native")
url, state, verifier = asked(oauth)
user = User(ISSUER)
callback = user.authorize(url)
check.equal("code: the callback is the one that was asked for", callback.split("?")[0], NATIVE_CALLBACK)
check.equal("code: its parameters", sorted(answer(callback)), ["code", "iss", "state"])
check.equal("code: state", answer(callback)["state"], state)
check.equal("code: iss", answer(callback)["iss"], ISSUER)
token = oauth.fetch_token(authorization_response=callback, state=state, code_verifier=verifier)
check.equal("code: token_type", token["token_type"], "Bearer")
check.equal("code: expires_in", token["expires_in"], 600)
check.equal("code: scope", token["scope"], "read write")
check.matches("code: access token", token["access_token"], "gat_[A-Za-z0-9_-]{64}")
check.matches("code: refresh token", token["refresh_token"], "grt_[A-Za-z0-9_-]{64}")
reply = oauth.get(ME)
check.equal("code: /api/me answers", reply.status_code, 200)
check.equal("code: /api/me names the user", reply.json()["sub"], "user-alice")

# Refresh: rotation, and the answer that was lost on its way.
first = dict(oauth.token)
second = dict(oauth.refresh_token(metadata["token_endpoint"]))
check.differ("refresh: another access token", second["access_token"], first["access_token"])
check.differ("refresh: another refresh token", second["refresh_token"], first["refresh_token"])
check.equal("refresh: scope", second["scope"], "read write")
again = dict(oauth.refresh_token(metadata["token_endpoint"], refresh_token=first["refresh_token"]))
check.equal("lost answer: the same access token", again["access_token"], second["access_token"])
check.equal("lost answer: the same refresh token", again["refresh_token"], second["refresh_token"])
third = dict(oauth.refresh_token(metadata["token_endpoint"], refresh_token=second["refresh_token"]))
check.differ("lost answer: the successor rotates", third["refresh_token"], second["refresh_token"])
check.raises(
    "refresh: the predecessor of a used token is refused",
    OAuthError,
    "invalid_grant",
    oauth.refresh_token,
    metadata["token_endpoint"],
    refresh_token=first["refresh_token"],
)
check.equal("refresh: within the leeway that ends nothing", me(third["access_token"]).status_code, 200)

# Scope of a refresh: it narrows once, and never widens.
narrow = oauth.refresh_token(metadata["token_endpoint"], refresh_token=third["refresh_token"], scope="read")
check.equal("refresh: a narrower scope", narrow["scope"], "read")
wide = oauth.refresh_token(metadata["token_endpoint"], refresh_token=narrow["refresh_token"], scope="read write")
check.equal("refresh: narrowing one refresh does not narrow the grant", wide["scope"], "read write")
reader = signed_in("native", "read")
check.equal("code: the scope that was asked for", reader.token["scope"], "read")
check.raises(
    "refresh: a wider scope is refused",
    OAuthError,
    "invalid_scope",
    reader.refresh_token,
    metadata["token_endpoint"],
    scope="read write",
)

# Confidential clients, one for each way to send a secret: nothing rotates.
for client in ("web", "post"):
    oauth = signed_in(client)
    kept = oauth.token["refresh_token"]
    access = oauth.token["access_token"]
    check.equal(f"{client}: /api/me names the user", oauth.get(ME).json()["sub"], "user-alice")
    renewed = oauth.refresh_token(metadata["token_endpoint"])
    check.equal(f"{client}: the refresh token is kept", renewed["refresh_token"], kept)
    check.differ(f"{client}: the access token is new", renewed["access_token"], access)
oauth = session("post")
url, state, verifier = asked(oauth)
callback = User(ISSUER).authorize(url)
check.equal("post: the callback keeps its own query", answer(callback)["tenant"], "1")
oauth.token_endpoint_auth_method = "client_secret_basic"
check.raises(
    "post: its secret in the header is refused",
    OAuthError,
    "invalid_client",
    oauth.fetch_token,
    authorization_response=callback,
    state=state,
    code_verifier=verifier,
)

# A code: bound to its client, its callback and its verifier, and good for one use.
oauth = session("web")
url, state, verifier = asked(oauth)
callback = User(ISSUER).authorize(url)
other = session("post")
other.redirect_uri = CALLBACKS["web"]
redeem = {"authorization_response": callback, "state": state}
check.raises(
    "code: another client's is refused", OAuthError, "invalid_grant", other.fetch_token, code_verifier=verifier, **redeem
)
check.raises(
    "code: another verifier is refused",
    OAuthError,
    "invalid_grant",
    oauth.fetch_token,
    code_verifier=generate_token(64),
    **redeem,
)
check.raises(
    "code: no verifier is refused", OAuthError, "invalid_grant", oauth.fetch_token, **redeem
)
check.raises(
    "code: another callback is refused",
    OAuthError,
    "invalid_grant",
    oauth.fetch_token,
    code_verifier=verifier,
    redirect_uri="https://web.example/second",
    **redeem,
)
wrong = OAuth2Session("web", "not-the-secret", redirect_uri=CALLBACKS["web"], **metadata)
check.raises(
    "code: a wrong client secret", OAuthError, "invalid_client", wrong.fetch_token, code_verifier=verifier, **redeem
)
token = oauth.fetch_token(code_verifier=verifier, **redeem)
check.equal("code: after all that it still works for its owner", me(token["access_token"]).status_code, 200)
check.raises(
    "code: a replay by a stranger is refused",
    OAuthError,
    "invalid_grant",
    oauth.fetch_token,
    code_verifier=generate_token(64),
    **redeem,
)
check.equal("code: and ends nothing", me(token["access_token"]).status_code, 200)
check.raises(
    "code: a replay by its owner is refused", OAuthError, "invalid_grant", oauth.fetch_token, code_verifier=verifier, **redeem
)
check.equal("code: and ends the grant", me(token["access_token"]).status_code, 401)
check.raises(
    "code: its refresh token is dead too",
    OAuthError,
    "invalid_grant",
    oauth.refresh_token,
    metadata["token_endpoint"],
    refresh_token=token["refresh_token"],
)
check.raises(
    "code: one that never was",
    OAuthError,
    "invalid_grant",
    oauth.fetch_token,
    code="gac_" + "A" * 64,
    code_verifier=verifier,
)

# What the authorization endpoint says no to.
oauth = session("native")
url, state, _ = asked(oauth)
denied = answer(User(ISSUER).authorize(url, "deny"))
check.equal("denied: error", denied.get("error"), "access_denied")
check.equal("denied: state", denied.get("state"), state)
check.equal("denied: iss", denied.get("iss"), ISSUER)
url, state, _ = asked(oauth, scope="read admin")
refused = answer(User(ISSUER).authorize(url))
check.equal("unknown scope: error", refused.get("error"), "invalid_scope")
check.equal("unknown scope: state", refused.get("state"), state)
check.equal("unknown scope: iss", refused.get("iss"), ISSUER)
plain, state = oauth.create_authorization_url(metadata["authorization_endpoint"])
check.equal("no PKCE: error", answer(User(ISSUER).authorize(plain)).get("error"), "invalid_request")
for what, changes in [
    ("another callback", {"redirect_uri": "https://evil.example/callback"}),
    ("a longer callback", {"redirect_uri": NATIVE_CALLBACK + "/more"}),
    ("another host that is no loopback", {"redirect_uri": "http://127.0.0.2:53127/callback"}),
]:
    page = User(ISSUER).open(asked(oauth, **changes)[0])
    if page.has("login-submit"):
        user = User(ISSUER)
        page = user.sign_in(user.open(asked(oauth, **changes)[0]))
    check.equal(f"{what}: no redirect", page.redirect, None)
    check.equal(f"{what}: the error page", (page.status, page.texts.get("oauth-error")), (400, "invalid_request"))

# Implicit: the token is in the fragment, and there is no refresh token.
oauth = session("spa")
url, state = oauth.create_authorization_url(metadata["authorization_endpoint"], response_type="token")
callback = User(ISSUER).authorize(url)
check.equal("implicit: nothing in the query", urlsplit(callback).query, "")
token = oauth.fetch_token(authorization_response=callback, state=state)
check.equal(
    "implicit: its parameters",
    sorted(set(token) - {"expires_at"}),
    ["access_token", "expires_in", "iss", "scope", "state", "token_type"],
)
check.equal("implicit: token_type", token["token_type"], "Bearer")
check.equal("implicit: expires_in", token["expires_in"], "600")
check.equal("implicit: scope", token["scope"], "read write")
check.equal("implicit: iss", token["iss"], ISSUER)
check.equal("implicit: /api/me names the user", oauth.get(ME).json()["sub"], "user-alice")
url, state = oauth.create_authorization_url(metadata["authorization_endpoint"], response_type="token")
denied = User(ISSUER).authorize(url, "deny")
check.raises(
    "implicit: Authlib sees no token in a denial",
    Exception,
    "missing_token",
    oauth.fetch_token,
    authorization_response=denied,
    state=state,
)
check.equal("implicit: a denial is in the fragment", answer(denied).get("error"), "access_denied")
url, state = session("native").create_authorization_url(metadata["authorization_endpoint"], response_type="token")
check.equal(
    "implicit: only for clients that list it", answer(User(ISSUER).authorize(url)).get("error"), "unauthorized_client"
)

# The password grant.
oauth = session("legacy")
token = oauth.fetch_token(username=USERNAME, password=PASSWORD)
check.equal("password: scope", token["scope"], "read write")
check.equal("password: /api/me names the user", oauth.get(ME).json()["sub"], "user-alice")
kept = token["refresh_token"]
check.equal("password: it can be refreshed", oauth.refresh_token(metadata["token_endpoint"])["refresh_token"], kept)
check.equal(
    "password: characters of every kind",
    session("legacy").fetch_token(username="bob", password="tr0ub4dor&3 + 100%")["token_type"],
    "Bearer",
)
check.raises(
    "password: a wrong one", OAuthError, "invalid_grant", session("legacy").fetch_token, username=USERNAME, password="no"
)
check.raises(
    "password: an unknown user", OAuthError, "invalid_grant", session("legacy").fetch_token, username="eve", password="no"
)
check.raises(
    "password: only for clients that list it",
    OAuthError,
    "unauthorized_client",
    session("service").fetch_token,
    username=USERNAME,
    password=PASSWORD,
)

# Client credentials.
oauth = session("service", "read")
token = oauth.fetch_token()
check.equal("client credentials: no refresh token", "refresh_token" in token, False)
check.equal("client credentials: scope", token["scope"], "read")
seen = introspected(token["access_token"]).json()
check.equal("client credentials: the subject is the client", seen.get("sub"), "service")
check.raises(
    "client credentials: a wrong secret",
    OAuthError,
    "invalid_client",
    OAuth2Session("service", "not-the-secret", **metadata).fetch_token,
)
check.raises(
    "client credentials: an unknown client",
    OAuthError,
    "invalid_client",
    OAuth2Session("nobody", "not-the-secret", **metadata).fetch_token,
)
check.raises(
    "client credentials: an unknown scope", OAuthError, "invalid_scope", session("service", "read admin").fetch_token
)
check.raises(
    "client credentials: not for a public client",
    OAuthError,
    "unauthorized_client",
    session("native").fetch_token,
    grant_type="client_credentials",
)
check.raises(
    "an unknown grant type", OAuthError, "unsupported_grant_type", session("web").fetch_token, grant_type="urn:x:nothing"
)

# Introspection (RFC 7662).
oauth = signed_in("web", "read")
access, refresh = oauth.token["access_token"], oauth.token["refresh_token"]
seen = introspected(access, token_type_hint="access_token")
check.equal("introspection: content type", seen.headers["content-type"].split(";")[0], "application/json")
check.equal("introspection: not to be cached", seen.headers.get("cache-control"), "no-store")
seen = seen.json()
for name, value in [
    ("active", True),
    ("scope", "read"),
    ("client_id", "web"),
    ("token_type", "Bearer"),
    ("sub", "user-alice"),
    ("iss", ISSUER),
]:
    check.equal(f"introspection: {name}", seen.get(name), value)
check.equal("introspection: exp - iat", seen["exp"] - seen["iat"], 600)
check.equal("introspection: a client sees its own token", introspected(access, "web").json().get("active"), True)
check.equal("introspection: not another's", introspected(access, "post").json(), {"active": False})
check.equal("introspection: a token that never was", introspected("gat_" + "A" * 64).json(), {"active": False})
check.equal("introspection: no token at all", introspected("hello").json(), {"active": False})
stranger = OAuth2Session("resource", "not-the-secret").introspect_token(metadata["introspection_endpoint"], token=access)
check.equal("introspection: a wrong secret", (stranger.status_code, stranger.json()["error"]), (401, "invalid_client"))
check.matches("introspection: its challenge", stranger.headers.get("www-authenticate"), "Basic .*")

# Revocation (RFC 7009).
revocation = metadata["revocation_endpoint"]
check.equal("revocation: another client's token", session("post").revoke_token(revocation, token=access).status_code, 200)
check.equal("revocation: that does nothing", me(access).status_code, 200)
gone = oauth.revoke_token(revocation, token=access, token_type_hint="access_token")
check.equal("revocation: an access token", gone.status_code, 200)
refused = me(access)
check.equal("revocation: /api/me refuses it", refused.status_code, 401)
check.matches("revocation: its challenge", refused.headers.get("www-authenticate"), 'Bearer .*error="invalid_token".*')
check.equal("revocation: introspection too", introspected(access).json(), {"active": False})
renewed = oauth.refresh_token(metadata["token_endpoint"])
check.equal("revocation: of an access token only", me(renewed["access_token"]).status_code, 200)
oauth = signed_in("native")
access, refresh = oauth.token["access_token"], oauth.token["refresh_token"]
gone = oauth.revoke_token(revocation, token=refresh, token_type_hint="refresh_token")
check.equal("revocation: a public client's refresh token", gone.status_code, 200)
check.equal("revocation: its access token dies with it", me(access).status_code, 401)
check.raises(
    "revocation: and it refreshes no more",
    OAuthError,
    "invalid_grant",
    oauth.refresh_token,
    metadata["token_endpoint"],
    refresh_token=refresh,
)
oauth = signed_in("native")
oauth.revoke_token(revocation, token=oauth.token["refresh_token"], token_type_hint="access_token")
check.equal("revocation: a wrong hint is only a hint", me(oauth.token["access_token"]).status_code, 401)
check.equal("revocation: a token that never was", oauth.revoke_token(revocation, token="hello").status_code, 200)

# The protected resource (RFC 6750).
bare = requests.get(ME, timeout=10)
check.equal("/api/me: no token", bare.status_code, 401)
check.matches("/api/me: its challenge", bare.headers.get("www-authenticate"), "Bearer.*")
check.equal("/api/me: no error code without a token", "error=" in bare.headers.get("www-authenticate", ""), False)
check.equal("/api/me: a wrong token", me("gat_" + "A" * 64).status_code, 401)
check.equal("/api/me: a refresh token is no access token", me(signed_in("web").token["refresh_token"]).status_code, 401)

check.done()
