"""joserfc verifies a signed access token of the example server by its metadata and key set alone (RFC 9068 section 4)."""

import os

import requests
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from checks import Checks

ISSUER = os.environ["GRANTOR_ISSUER"]
API = "https://api.example"

check = Checks("joserfc")
metadata = requests.get(ISSUER + "/.well-known/oauth-authorization-server", timeout=10).json()
keys = KeySet.import_key_set(requests.get(metadata["jwks_uri"], timeout=10).json())
form = {"grant_type": "client_credentials", "resource": API}
service = ("service", "service-secret-B4mYx9QwTz2KvRn7HcLp5Gs8")
answer = requests.post(metadata["token_endpoint"], data=form, auth=service, timeout=10).json()
text = answer["access_token"]

token = jwt.decode(text, keys, algorithms=["EdDSA", "Ed25519"])
check.equal("header: typ", token.header["typ"], "at+jwt")
check.equal("claims: scope", token.claims["scope"], "read")
rules = jwt.JWTClaimsRegistry(
    iss={"essential": True, "value": ISSUER},
    aud={"essential": True, "value": API},
    sub={"essential": True, "value": "service"},
    client_id={"essential": True, "value": "service"},
    exp={"essential": True},
    iat={"essential": True},
    jti={"essential": True},
)
check.equal("claims: as RFC 9068 wants them", rules.validate(token.claims), None)

head, payload, signature = text.split(".")
forged = ".".join([head, payload, ("B" if signature[0] == "A" else "A") + signature[1:]])
try:
    jwt.decode(forged, keys, algorithms=["EdDSA", "Ed25519"])
    refused = False
except JoseError:
    refused = True
check.equal("another signature is refused", refused, True)
check.done()
