"""requests-oauthlib against the example server: every grant, revocation and the typed errors."""

import os
from urllib.parse import parse_qs, urlsplit

os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"  # Plain http, on loopback only.
os.environ["OAUTHLIB_STRICT_TOKEN_TYPE"] = "1"

import requests
from oauthlib.oauth2 import (
    AccessDeniedError,
    BackendApplicationClient,
    InvalidClientError,
    InvalidGrantError,
    InvalidScopeError,
    LegacyApplicationClient,
    MobileApplicationClient,
    UnauthorizedClientError,
    WebApplicationClient,
)
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

from checks import Checks
from user import PASSWORD, USERNAME, User

ISSUER = os.environ["GRANTOR_ISSUER"]
AUTHORIZE, TOKEN, REVOKE, INTROSPECT, ME = (
    ISSUER + path for path in ("/authorize", "/token", "/revoke", "/introspect", "/api/me")
)
NATIVE_CALLBACK = "http://127.0.0.1:53128/callback"
WEB_CALLBACK = "https://web.example/callback"
WEB_SECRET = "web-secret-Zk3vQm81xNfT0aYc7LrUe5Hb"
POST_SECRET = "post-secret-s7Wd2KpQe9VbXn4RtJ6gMz0A"
LEGACY_SECRET = "legacy-secret-Hq5xTn8RcW1yVz3PbLk6Jd0M"
SERVICE_SECRET = "service-secret-B4mYx9QwTz2KvRn7HcLp5Gs8"
RESOURCE = HTTPBasicAuth("resource", "resource-secret-Nf6JtWq0ZbXk3MvYs9Rd7PhL")

check = Checks("requests-oauthlib")


def introspected(token):
    return requests.post(INTROSPECT, data={"token": token}, auth=RESOURCE, timeout=10).json()


def native(scope=("read", "write")):
    return OAuth2Session("native", scope=list(scope), redirect_uri=NATIVE_CALLBACK, pkce="S256")


def web(scope=("read", "write")):
    return OAuth2Session("web", scope=list(scope), redirect_uri=WEB_CALLBACK, pkce="S256")


# The code grant of a public client, with PKCE.
oauth = native()
url, state = oauth.authorization_url(AUTHORIZE)
callback = User(ISSUER).authorize(url)
check.equal("code: the callback", callback.split("?")[0], NATIVE_CALLBACK)
query = parse_qs(urlsplit(callback).query)
check.equal("code: state", query.get("state"), [state])
check.equal("code: iss", query.get("iss"), [ISSUER])
token = oauth.fetch_token(TOKEN, authorization_response=callback, include_client_id=True)
check.equal("code: token_type", token["token_type"], "Bearer")
check.equal("code: expires_in", token["expires_in"], 600)
check.equal("code: scope", token["scope"], ["read", "write"])
check.matches("code: refresh token", token["refresh_token"], "grt_[A-Za-z0-9_-]{64}")
reply = oauth.get(ME)
check.equal("code: /api/me", (reply.status_code, reply.json().get("sub")), (200, "user-alice"))

# Refresh, and the answer that was lost on its way.
first = token["refresh_token"]
second = oauth.refresh_token(TOKEN, client_id="native")
check.differ("refresh: another refresh token", second["refresh_token"], first)
again = oauth.refresh_token(TOKEN, refresh_token=first, client_id="native")
check.equal(
    "lost answer: the very same tokens",
    (again["access_token"], again["refresh_token"]),
    (second["access_token"], second["refresh_token"]),
)
third = oauth.refresh_token(TOKEN, client_id="native")
check.differ("lost answer: the successor rotates", third["refresh_token"], second["refresh_token"])
check.raises(
    "refresh: the predecessor of a used token",
    InvalidGrantError,
    "invalid_grant",
    oauth.refresh_token,
    TOKEN,
    refresh_token=first,
    client_id="native",
)
check.equal("refresh: within the leeway that ends nothing", oauth.get(ME).status_code, 200)

# The automatic refresh: the library sends the old token again as soon as it believes it has expired.
kept = []
oauth = native()
callback = User(ISSUER).authorize(oauth.authorization_url(AUTHORIZE)[0])
token = oauth.fetch_token(TOKEN, authorization_response=callback, include_client_id=True)
automatic = OAuth2Session(
    "native",
    token=dict(token, expires_in=-30, expires_at=1),
    auto_refresh_url=TOKEN,
    auto_refresh_kwargs={"client_id": "native"},
    token_updater=kept.append,
)
check.equal("automatic refresh: /api/me", automatic.get(ME).json().get("sub"), "user-alice")
check.equal("automatic refresh: one new token", len(kept), 1)
check.differ("automatic refresh: it is new", kept[0]["access_token"], token["access_token"])

# A confidential client, with its secret in the header.
oauth = web()
callback = User(ISSUER).authorize(oauth.authorization_url(AUTHORIZE)[0])
token = oauth.fetch_token(TOKEN, authorization_response=callback, client_secret=WEB_SECRET)
check.equal("web: /api/me", oauth.get(ME).json().get("sub"), "user-alice")
renewed = oauth.refresh_token(TOKEN, auth=HTTPBasicAuth("web", WEB_SECRET))
check.equal("web: the refresh token is kept", renewed["refresh_token"], token["refresh_token"])
check.differ("web: the access token is new", renewed["access_token"], token["access_token"])
check.raises(
    "web: a code works once",
    InvalidGrantError,
    "invalid_grant",
    oauth.fetch_token,
    TOKEN,
    authorization_response=callback,
    client_secret=WEB_SECRET,
)
check.equal("web: and its replay ends the grant", introspected(renewed["access_token"]), {"active": False})

# A confidential client, with its secret in the body.
post = OAuth2Session("post", scope=["read"], redirect_uri="https://post.example/callback?tenant=1", pkce="S256")
callback = User(ISSUER).authorize(post.authorization_url(AUTHORIZE)[0])
token = post.fetch_token(TOKEN, authorization_response=callback, include_client_id=True, client_secret=POST_SECRET)
check.equal("post: scope", token["scope"], ["read"])
check.equal("post: introspection", introspected(token["access_token"]).get("client_id"), "post")

# Errors, each with the exception that the library has for it.
oauth = web()
callback = User(ISSUER).authorize(oauth.authorization_url(AUTHORIZE)[0])
check.raises(
    "a wrong secret",
    InvalidClientError,
    "invalid_client",
    oauth.fetch_token,
    TOKEN,
    authorization_response=callback,
    client_secret="not-the-secret",
)
check.raises(
    "a code that never was",
    InvalidGrantError,
    "invalid_grant",
    oauth.fetch_token,
    TOKEN,
    code="gac_" + "A" * 64,
    client_secret=WEB_SECRET,
)
oauth = native()
callback = User(ISSUER).authorize(oauth.authorization_url(AUTHORIZE)[0], "deny")
check.raises(
    "a denied consent",
    AccessDeniedError,
    "access_denied",
    oauth.fetch_token,
    TOKEN,
    authorization_response=callback,
    include_client_id=True,
)
oauth = native(["read", "admin"])
callback = User(ISSUER).authorize(oauth.authorization_url(AUTHORIZE)[0])
check.raises(
    "an unknown scope",
    InvalidScopeError,
    "invalid_scope",
    oauth.fetch_token,
    TOKEN,
    authorization_response=callback,
    include_client_id=True,
)


# Implicit.
spa = OAuth2Session(
    client=MobileApplicationClient("spa"), scope=["read"], redirect_uri="https://spa.example/callback"
)
callback = User(ISSUER).authorize(spa.authorization_url(AUTHORIZE)[0])
token = spa.token_from_fragment(callback)
check.equal("implicit: token_type", token["token_type"], "Bearer")
check.equal("implicit: scope", token["scope"], ["read"])
check.equal("implicit: expires_in", token["expires_in"], 600)
check.equal("implicit: no refresh token", "refresh_token" in token, False)
check.equal("implicit: /api/me", spa.get(ME).json().get("sub"), "user-alice")
callback = User(ISSUER).authorize(spa.authorization_url(AUTHORIZE)[0], "deny")
check.raises("implicit: a denied consent", AccessDeniedError, "access_denied", spa.token_from_fragment, callback)

# The password grant.
legacy = OAuth2Session(client=LegacyApplicationClient("legacy", scope=["read"]))
token = legacy.fetch_token(TOKEN, username=USERNAME, password=PASSWORD, auth=HTTPBasicAuth("legacy", LEGACY_SECRET))
check.equal("password: scope", token["scope"], ["read"])
check.equal("password: /api/me", legacy.get(ME).json().get("sub"), "user-alice")
renewed = legacy.refresh_token(TOKEN, auth=HTTPBasicAuth("legacy", LEGACY_SECRET))
check.equal("password: the refresh token is kept", renewed["refresh_token"], token["refresh_token"])
check.raises(
    "password: a wrong one",
    InvalidGrantError,
    "invalid_grant",
    OAuth2Session(client=LegacyApplicationClient("legacy")).fetch_token,
    TOKEN,
    username=USERNAME,
    password="wrong",
    client_secret=LEGACY_SECRET,
)
check.raises(
    "password: only for clients that list it",
    UnauthorizedClientError,
    "unauthorized_client",
    OAuth2Session(client=LegacyApplicationClient("service")).fetch_token,
    TOKEN,
    username=USERNAME,
    password=PASSWORD,
    client_secret=SERVICE_SECRET,
)

# Client credentials.
service = OAuth2Session(client=BackendApplicationClient("service", scope=["write"]))
token = service.fetch_token(TOKEN, client_secret=SERVICE_SECRET)
check.equal("client credentials: scope", token["scope"], ["write"])
check.equal("client credentials: no refresh token", "refresh_token" in token, False)
check.equal("client credentials: the subject is the client", introspected(token["access_token"]).get("sub"), "service")
check.raises(
    "client credentials: an unknown scope",
    InvalidScopeError,
    "invalid_scope",
    OAuth2Session(client=BackendApplicationClient("service", scope=["admin"])).fetch_token,
    TOKEN,
    client_secret=SERVICE_SECRET,
)

# Revocation, with the request that oauthlib prepares.
oauth = web()
callback = User(ISSUER).authorize(oauth.authorization_url(AUTHORIZE)[0])
token = oauth.fetch_token(TOKEN, authorization_response=callback, client_secret=WEB_SECRET)
for kind in ("access_token", "refresh_token"):
    check.equal(f"revocation: {kind} lives", introspected(token["access_token"])["active"], kind == "access_token")
    url, headers, body = WebApplicationClient("web").prepare_token_revocation_request(REVOKE, token[kind], kind)
    gone = requests.post(url, data=body, headers=headers, auth=HTTPBasicAuth("web", WEB_SECRET), timeout=10)
    check.equal(f"revocation: {kind}", gone.status_code, 200)
check.equal("revocation: /api/me refuses the token", oauth.get(ME).status_code, 401)
check.raises(
    "revocation: and it refreshes no more",
    InvalidGrantError,
    "invalid_grant",
    oauth.refresh_token,
    TOKEN,
    auth=HTTPBasicAuth("web", WEB_SECRET),
)

check.done()
