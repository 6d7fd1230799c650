"""Authlib against the example server: JWT bearer assertions (RFC 7523), and ID-JAGs."""

import os
import time

from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import AssertionSession, OAuth2Session
from authlib.oauth2.base import OAuth2Error
from authlib.oauth2.rfc7523 import JWTBearerGrant
import requests

from checks import Checks

ISSUER = os.environ["GRANTOR_ISSUER"]
TOKEN = ISSUER + "/token"
ME = ISSUER + "/api/me"
WIKI = ("wiki", "wiki-secret-u3Rk8ZxVb5Nq0TyWm7LcJd2H")
CHAT = ("chat", "chat-secret-p9Gs4XvQe1Mw6BzKt8RnYh3F")
PARTNER = {
    "kty": "EC", "crv": "P-256", "kid": "partner",
    "x": "1VeiUHyOWF-Po-myo1FvWL4LwCZPhio7JmaCR6l_ioU",
    "y": "ZFvKXc4uGA7QIRGh85MzEBVjuKFa5_LaWeGAbrT6bIw",
    "d": "sXAlSzbfcCCpucd_5gQn894CLjh5oBiysyFwDi-z1b8",
}
IDP = {
    "kty": "EC", "crv": "P-256", "kid": "idp",
    "x": "ippINAcSXgTrm4x_61lh92zcuyLcChNqAnQ4IAsY_GI",
    "y": "CvdnCRYKCV6YguBt2nyNoAfgYaXj0G_o64vUHVra4CY",
    "d": "SBi60qoKA_5vfczBkUK0ll7WGzMYOwfdnbL4_GaaeWY",
}

check = Checks("Authlib, assertions")


def session(client=WIKI, key=PARTNER, **changes):
    """Authlib's own session for assertions, which signs one whenever it needs a token."""
    settings = {"issuer": "partner@example.com", "subject": "7", "header": {"alg": "ES256", "kid": "partner"}}
    own = AssertionSession(TOKEN, key=key, **{**settings, **changes})
    own.auth = client
    return own


def jag(key=IDP, header=None, **changes):
    """An ID-JAG about alice for the wiki, as an identity provider would sign it."""
    settings = {"issuer": "https://idp.example", "audience": ISSUER, "subject": "U019488227"}
    settings["claims"] = {"client_id": "wiki", **changes.pop("claims", {})}
    header = header or {"alg": "ES256", "kid": "idp", "typ": "oauth-id-jag+jwt"}
    return JWTBearerGrant.sign(key, **{**settings, **changes}, header=header, expires_in=300)


def bring(assertion, client=WIKI, **more):
    oauth = OAuth2Session(*client, token_endpoint_auth_method="client_secret_basic")
    return oauth.fetch_token(TOKEN, grant_type=JWTBearerGrant.GRANT_TYPE, assertion=assertion, **more)


def me(token):
    return requests.get(ME, headers={"authorization": "Bearer " + token}, timeout=10).json()


metadata = requests.get(ISSUER + "/.well-known/oauth-authorization-server", timeout=10).json()
check.equal("metadata: the grant type", JWTBearerGrant.GRANT_TYPE in metadata["grant_types_supported"], True)
profiles = metadata["authorization_grant_profiles_supported"]
check.equal("metadata: the profile", profiles, ["urn:ietf:params:oauth:grant-profile:id-jag"])

# RFC 7523: Authlib signs for the token endpoint, and fetches a token on the first call.
partner = session()
reply = partner.get(ME)
check.equal("partner: /api/me answers", reply.status_code, 200)
check.equal("partner: /api/me names the user", reply.json()["sub"], "user-bob")
check.equal("partner: the scope is the issuer's", partner.token["scope"], "read")
check.equal("partner: no refresh token", partner.token.get("refresh_token"), None)
check.equal("partner: for the issuer, too", session(audience=ISSUER).refresh_token()["scope"], "read")
for what, changes in [
    ("another issuer's subject", {"subject": "U019488227"}),
    ("another audience", {"audience": "https://other.example"}),
    ("another issuer", {"issuer": "https://evil.example"}),
    ("another issuer's key", {"key": IDP}),
    ("another key identifier", {"header": {"alg": "ES256", "kid": "idp"}}),
    ("expired", {"issued_at": int(time.time()) - 4000}),
    ("good for too long", {"expires_in": 7200}),
    ("the public key as a secret", {"key": PARTNER["x"], "header": {"alg": "HS256"}}),
]:
    check.raises(f"partner: {what}", OAuth2Error, "invalid_grant", session(**changes).refresh_token)
check.raises("partner: more scope", OAuth2Error, "invalid_scope", session(scope="write").refresh_token)
check.raises("partner: a wrong secret", OAuth2Error, "invalid_client", session(("wiki", "x")).refresh_token)
check.raises("partner: no client", OAuth2Error, "invalid_client", session(None).refresh_token)

# ID-JAG.
assertion = jag()
token = bring(assertion)
check.equal("ID-JAG: /api/me names the user", me(token["access_token"])["sub"], "user-alice")
check.equal("ID-JAG: the scope", token["scope"], "read write")
check.equal("ID-JAG: no refresh token", token.get("refresh_token"), None)
check.raises("ID-JAG: it works once", OAuthError, "invalid_grant", bring, assertion)
narrow = bring(jag(claims={"scope": "read"}))
check.equal("ID-JAG: its scope is a ceiling", narrow["scope"], "read")
stolen = jag()
check.raises("ID-JAG: another client's", OAuthError, "invalid_grant", bring, stolen, CHAT)
check.equal("ID-JAG: the thief spent nothing", bring(stolen)["token_type"], "Bearer")
for what, assertion in [
    ("for the token endpoint", jag(audience=TOKEN)),
    ("for others, too", jag(audience=[ISSUER, "https://other.example"])),
    ("without its type", jag(header={"alg": "ES256", "kid": "idp"})),
    ("of the partner's key", jag(key=PARTNER)),
    ("bound to a key", jag(claims={"cnf": {"jkt": "x"}})),
]:
    check.raises(f"ID-JAG: {what}", OAuthError, "invalid_grant", bring, assertion)

check.done()
