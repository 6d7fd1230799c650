"""mozilla-django-oidc as a relying party: its own views and backend, in a Django without a port. It verifies by RS256, or by HS256."""

import os
import sys
from urllib.parse import urlsplit

import django
from django.conf import settings

from checks import Checks
from user import User

ISSUER = os.environ["GRANTOR_ISSUER"]
HOST = "django.example"
ALGORITHM = sys.argv[1] if len(sys.argv) > 1 else "RS256"
check = Checks(f"mozilla-django-oidc ({ALGORITHM})")

settings.configure(
    SECRET_KEY="a secret of the application alone",
    ALLOWED_HOSTS=[HOST],
    SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https"),
    ROOT_URLCONF=__name__,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "mozilla_django_oidc",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    AUTHENTICATION_BACKENDS=["mozilla_django_oidc.auth.OIDCAuthenticationBackend"],
    LOGIN_REDIRECT_URL="/me",
    LOGIN_REDIRECT_URL_FAILURE="/failed",
    OIDC_RP_CLIENT_ID="django" if ALGORITHM == "RS256" else "django-hs256",
    OIDC_RP_CLIENT_SECRET="django-secret-B4mYx9QwTz2KvRn7HcLp5Gs8",
    OIDC_RP_SIGN_ALGO=ALGORITHM,
    OIDC_RP_SCOPES="openid email",
    OIDC_USE_PKCE=True,
    OIDC_OP_AUTHORIZATION_ENDPOINT=f"{ISSUER}/authorize",
    OIDC_OP_TOKEN_ENDPOINT=f"{ISSUER}/token",
    OIDC_OP_USER_ENDPOINT=f"{ISSUER}/userinfo",
    OIDC_OP_JWKS_ENDPOINT=f"{ISSUER}/jwks",
)
django.setup()

from django.core.management import call_command  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import include, path  # noqa: E402

urlpatterns = [
    path("oidc/", include("mozilla_django_oidc.urls")),
    path("me", lambda request: HttpResponse(getattr(request.user, "email", "") or "nobody")),
    path("failed", lambda request: HttpResponse("failed")),
]
call_command("migrate", run_syncdb=True, verbosity=0)


def sign_in(decision):
    """The page that a browser ends at, and who is signed in then."""
    browser = Client(headers={"host": HOST, "x-forwarded-proto": "https"})
    asked = browser.get("/oidc/authenticate/").headers["location"]
    callback = urlsplit(User(ISSUER).authorize(asked, decision))
    check.equal(f"{decision}: callback", (callback.netloc, callback.path), (HOST, "/oidc/callback/"))
    ended = browser.get(f"{callback.path}?{callback.query}").headers["location"]
    return urlsplit(ended).path, browser.get("/me").content.decode()


check.equal("approve: signed in", sign_in("approve"), ("/me", "alice@example.com"))
check.equal("approve: the same user once more", sign_in("approve"), ("/me", "alice@example.com"))
check.equal("deny: nobody", sign_in("deny"), ("/failed", "nobody"))

check.done()
