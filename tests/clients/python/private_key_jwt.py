"""Authlib against the example server, by keys: private_key_jwt in four algorithms (RFC 7523)."""

import json
import os
import pathlib

from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc import jwk

from checks import Checks

ISSUER = os.environ["GRANTOR_ISSUER"]
TOKEN = ISSUER + "/token"
KEYS = json.loads((pathlib.Path(__file__).parent.parent / "private_keys.json").read_text())

check = Checks("Authlib, private_key_jwt")


def session(alg, key=None, **more):
    own = jwk.import_key({name: value for name, value in (key or KEYS[alg]).items() if name not in ("alg", "kid")})
    methods = {f"{of}_endpoint_auth_method": "private_key_jwt" for of in ["token", "revocation"]}
    oauth = OAuth2Session(alg.lower(), own, **methods)
    claims = {"aud": ISSUER, **more}
    oauth.register_client_auth_method(PrivateKeyJWT(TOKEN, claims=claims, headers={"kid": alg.lower()}, alg=alg))
    return oauth


for alg in ["ES256", "EdDSA", "PS256", "RS256"]:
    token = session(alg).fetch_token(TOKEN, grant_type="client_credentials", scope="read")
    check.equal(f"{alg}: a token", [token["token_type"], token["scope"]], ["Bearer", "read"])
    seen = session(alg).introspect_token(ISSUER + "/introspect", token=token["access_token"]).json()
    check.equal(f"{alg}: introspection", seen["client_id"], alg.lower())
    gone = session(alg).revoke_token(ISSUER + "/revoke", token=token["access_token"])
    check.equal(f"{alg}: revocation", gone.status_code, 200)

# Authlib's own audience is the token endpoint, which counts only where the server says so.
check.raises(
    "the token endpoint is no audience",
    OAuthError,
    "invalid_client",
    session("ES256", aud=TOKEN).fetch_token,
    TOKEN,
    grant_type="client_credentials",
)
check.raises(
    "the key of another client",
    OAuthError,
    "invalid_client",
    session("PS256", KEYS["RS256"]).fetch_token,
    TOKEN,
    grant_type="client_credentials",
)

check.done()
