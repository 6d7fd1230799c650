"""Authlib as a relying party: discovery, an id_token by ES256 with nonce and at_hash, UserInfo and a refresh."""

import os

import requests
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import OpenIDProviderMetadata
from joserfc import jwk, jwt

from checks import Checks
from user import User

ISSUER = os.environ["GRANTOR_ISSUER"]
CALLBACK = "https://authlib.example/callback"
check = Checks("Authlib (OpenID Connect)")

metadata = requests.get(f"{ISSUER}/.well-known/openid-configuration", timeout=10).json()
# Authlib insists on https, so the copy that it validates says so.
OpenIDProviderMetadata(
    {k: v.replace("http://", "https://") if isinstance(v, str) else v for k, v in metadata.items()}
).validate()
keys = jwk.KeySet.import_key_set(requests.get(metadata["jwks_uri"], timeout=10).json())

session = OAuth2Session(
    "authlib",
    "authlib-secret-Nf6JtWq0ZbXk3MvYs9Rd7PhL",
    scope="openid profile email",
    redirect_uri=CALLBACK,
    code_challenge_method="S256",
)
session.trust_env = False
verifier, nonce = generate_token(48), generate_token(20)
url, state = session.create_authorization_url(metadata["authorization_endpoint"], code_verifier=verifier, nonce=nonce)
callback = User(ISSUER).authorize(url)
token = session.fetch_token(
    metadata["token_endpoint"], authorization_response=callback, state=state, code_verifier=verifier
)


def read(token, nonce):
    decoded = jwt.decode(token["id_token"], keys, algorithms=["ES256"])
    claims = CodeIDToken(
        decoded.claims,
        decoded.header,
        {"iss": {"value": ISSUER, "essential": True}, "aud": {"value": "authlib", "essential": True}},
        {"nonce": nonce, "client_id": "authlib", "access_token": token["access_token"]},
    )
    claims.validate()
    return claims


claims = read(token, nonce)
check.equal("id_token: who", claims["sub"], "user-alice")
check.equal("id_token: algorithm", claims.header["alg"], "ES256")
check.matches("id_token: at_hash", claims["at_hash"], r"[A-Za-z0-9_-]{22}")
seen = session.get(metadata["userinfo_endpoint"]).json()
check.equal("UserInfo", (seen["sub"], seen["name"], seen["email"]), ("user-alice", "Alice Liddell", "alice@example.com"))
renewed = session.refresh_token(metadata["token_endpoint"], refresh_token=token["refresh_token"])
again = read(renewed, None)
check.equal("refresh: the same login", (again["sub"], again["auth_time"]), (claims["sub"], claims["auth_time"]))
check.equal("refresh: no nonce", "nonce" in again, False)

check.done()
