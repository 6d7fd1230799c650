"""PyJWT verifies a signed access token of the example server by its metadata and key set alone (RFC 9068 section 4)."""

import os

import jwt
import requests

from checks import Checks

ISSUER = os.environ["GRANTOR_ISSUER"]
API = "https://api.example/notes"

check = Checks("PyJWT")
metadata = requests.get(ISSUER + "/.well-known/oauth-authorization-server", timeout=10).json()
form = {"grant_type": "client_credentials", "resource": API, "scope": "read"}
service = ("service", "service-secret-B4mYx9QwTz2KvRn7HcLp5Gs8")
text = requests.post(metadata["token_endpoint"], data=form, auth=service, timeout=10).json()["access_token"]

keys = jwt.PyJWKClient(metadata["jwks_uri"])
key = keys.get_signing_key_from_jwt(text)
rules = {
    "algorithms": ["EdDSA"],
    "issuer": ISSUER,
    "options": {"require": ["exp", "iat", "iss", "aud", "sub", "jti"]},
}
claims = jwt.decode(text, key, audience=API, **rules)
check.equal("header: typ", jwt.get_unverified_header(text)["typ"], "at+jwt")
check.equal("claims: scope", claims["scope"], "read")
check.equal("claims: client", (claims["client_id"], claims["sub"], claims["sub_type"]), ("service", "service", "client"))

head, payload, signature = text.split(".")
forged = ".".join([head, payload, ("B" if signature[0] == "A" else "A") + signature[1:]])
for what, token, audience, expected in [
    ("another audience", text, "https://other.example", jwt.InvalidAudienceError),
    ("another signature", forged, API, jwt.InvalidSignatureError),
]:
    try:
        jwt.decode(token, key, audience=audience, **rules)
        refused = None
    except jwt.PyJWTError as error:
        refused = type(error)
    check.equal(f"{what} is refused", refused, expected)
check.done()
