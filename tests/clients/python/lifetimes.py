"""What ends by itself: a code, an access token, an idle refresh token, a whole grant, and the leeway of a retry."""

import os
import time

import requests
from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session

from checks import Checks
from user import User

ISSUER = os.environ["GRANTOR_ISSUER"]
TOKEN = ISSUER + "/token"
RESOURCE = ("resource", "resource-secret-Nf6JtWq0ZbXk3MvYs9Rd7PhL")

check = Checks("lifetimes")


class Session(OAuth2Session):
    """An approved request of the public client."""

    def __init__(self):
        super().__init__(
            "native",
            token_endpoint_auth_method="none",
            code_challenge_method="S256",
            scope="read",
            redirect_uri="http://127.0.0.1:53132/callback",
        )
        self.verifier = generate_token(64)
        url, self.asked = self.create_authorization_url(ISSUER + "/authorize", code_verifier=self.verifier)
        self.callback = User(ISSUER).authorize(url)

    def redeem(self):
        return self.fetch_token(
            TOKEN, authorization_response=self.callback, state=self.asked, code_verifier=self.verifier
        )


def me(token):
    return requests.get(ISSUER + "/api/me", headers={"Authorization": f"Bearer {token}"}, timeout=10)


def active(token):
    return requests.post(ISSUER + "/introspect", data={"token": token}, auth=RESOURCE, timeout=10).json()["active"]


unused, idle, busy, retried = Session(), Session(), Session(), Session()
for session in (idle, busy, retried):
    session.redeem()
access = idle.token["access_token"]
check.equal("access token: its lifetime is told", idle.token["expires_in"], 2)
check.equal("access token: it works", (me(access).status_code, active(access)), (200, True))
first = retried.token["refresh_token"]
second = retried.refresh_token(TOKEN)["refresh_token"]

time.sleep(3)  # 3 s: code, access token and leeway are over.
check.raises("code: too late", OAuthError, "invalid_grant", unused.redeem)
refused = me(access)
check.equal("access token: too late", (refused.status_code, active(access)), (401, False))
check.matches("access token: the challenge", refused.headers.get("www-authenticate"), '.*error="invalid_token".*')
check.raises(
    "refresh: a retry after the leeway is a replay", OAuthError, "invalid_grant", retried.refresh_token, TOKEN, refresh_token=first
)
check.raises(
    "refresh: and ends the grant", OAuthError, "invalid_grant", retried.refresh_token, TOKEN, refresh_token=second
)
check.equal("refresh: a busy grant goes on", me(busy.refresh_token(TOKEN)["access_token"]).status_code, 200)

time.sleep(3)  # 6 s: who has not refreshed for 5 s is out.
check.raises("refresh: too long idle", OAuthError, "invalid_grant", idle.refresh_token, TOKEN)
last = busy.refresh_token(TOKEN)
check.equal("refresh: a busy grant still goes on", me(last["access_token"]).status_code, 200)

time.sleep(3)  # 9 s: no rotation moves the end of a grant.
check.raises("grant: its end", OAuthError, "invalid_grant", busy.refresh_token, TOKEN)
check.equal("grant: its access token", me(last["access_token"]).status_code, 401)

check.done()
