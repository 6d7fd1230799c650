"""Guessing: after a few wrong passwords or secrets from one address the server asks it to wait, and lets right secrets pass."""

import os

import requests
from authlib.integrations.requests_client import OAuth2Session

from checks import Checks
from user import User

ISSUER = os.environ["GRANTOR_ISSUER"]
SECRET = "service-secret-B4mYx9QwTz2KvRn7HcLp5Gs8"

check = Checks("limits")


def asked(secret):
    return requests.post(ISSUER + "/token", data={"grant_type": "client_credentials"}, auth=("service", secret), timeout=10)


service = OAuth2Session("service", SECRET, scope="read")
check.equal("secret: a right one", service.fetch_token(ISSUER + "/token")["token_type"], "Bearer")
for attempt in range(3):
    refused = asked(f"wrong {attempt}")
    check.equal(f"secret: wrong one {attempt + 1}", (refused.status_code, refused.json()["error"]), (401, "invalid_client"))
stopped = asked("wrong again")
check.equal("secret: then 429", stopped.status_code, 429)
check.matches("secret: with Retry-After", stopped.headers.get("retry-after"), "[1-9][0-9]?")
check.equal("secret: with an OAuth error", isinstance(stopped.json().get("error"), str), True)
check.equal("secret: not to be cached", stopped.headers.get("cache-control"), "no-store")
check.equal("secret: a right one is no guess", asked(SECRET).status_code, 200)
check.equal("secret: a header that claims another address changes nothing", requests.post(
    ISSUER + "/token",
    data={"grant_type": "client_credentials"},
    auth=("service", "wrong"),
    headers={"X-Forwarded-For": "192.0.2.1", "Forwarded": "for=192.0.2.1"},
    timeout=10,
).status_code, 429)

guesser = User(ISSUER, password="wrong")
page = guesser.open(ISSUER + "/login")
for attempt in range(3):
    page = guesser.sign_in(page)
    check.equal(f"password: wrong one {attempt + 1} shows the form", (page.status, page.has("login-submit")), (200, True))
stopped = guesser.sign_in(page)
check.equal("password: then 429", stopped.status, 429)
check.matches("password: with Retry-After", stopped.headers.get("retry-after"), "[1-9][0-9]?")
guesser.password = "correct horse battery staple"
check.equal("password: a right one has to wait too", guesser.sign_in(page).status, 429)

check.done()
