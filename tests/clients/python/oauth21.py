"""The OAuth 2.1 profile: what it leaves out is refused and not announced, and all else works."""

import os
from urllib.parse import parse_qs, urlsplit

import requests
from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session

from checks import Checks
from user import PASSWORD, USERNAME, User

ISSUER = os.environ["GRANTOR_ISSUER"]
SECRET = "web-secret-Zk3vQm81xNfT0aYc7LrUe5Hb"
CALLBACK = "https://web.example/callback"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"

check = Checks("OAuth 2.1")

metadata = requests.get(ISSUER + "/.well-known/oauth-authorization-server", timeout=10).json()
for name, values in [
    ("response_types_supported", ["code"]),
    ("grant_types_supported", ["authorization_code", "client_credentials", "refresh_token", DEVICE_CODE]),
    ("code_challenge_methods_supported", ["S256"]),
]:
    check.equal(f"metadata: {name}", sorted(metadata.get(name, [])), values)


def session():
    return OAuth2Session("web", SECRET, redirect_uri=CALLBACK, scope="read write", code_challenge_method="S256", **metadata)


def answer(url):
    parts = urlsplit(url)
    return {name: value[0] for name, value in parse_qs(parts.fragment or parts.query).items()}


oauth, verifier = session(), generate_token(64)
url, state = oauth.create_authorization_url(metadata["authorization_endpoint"], code_verifier=verifier)
callback = User(ISSUER).authorize(url)
check.equal("code: iss", answer(callback).get("iss"), ISSUER)
token = oauth.fetch_token(authorization_response=callback, state=state, code_verifier=verifier)
check.equal("code: scope", token["scope"], "read write")
check.equal("code: /api/me", oauth.get(ISSUER + "/api/me").json().get("sub"), "user-alice")
check.equal("refresh", oauth.refresh_token(metadata["token_endpoint"])["token_type"], "Bearer")
check.equal("client credentials", session().fetch_token(grant_type="client_credentials")["token_type"], "Bearer")

plain, _ = session().create_authorization_url(metadata["authorization_endpoint"])
check.equal("no PKCE", answer(User(ISSUER).authorize(plain)).get("error"), "invalid_request")
implicit, _ = session().create_authorization_url(metadata["authorization_endpoint"], response_type="token")
refused = User(ISSUER).authorize(implicit)
check.equal("implicit", answer(refused).get("error"), "unsupported_response_type")
check.equal("implicit: no token anywhere", "access_token" in refused, False)
check.raises(
    "password", OAuthError, "unsupported_grant_type", session().fetch_token, username=USERNAME, password=PASSWORD
)

check.done()
