"""Apache with mod_auth_openidc, unmodified: sign-in, refresh, back-channel logout and RP-initiated logout."""

import os
import re
import shutil
import subprocess
import tempfile
import time
from urllib.parse import parse_qs, quote, urlsplit

import requests

from checks import Checks
from user import User

ISSUER = os.environ["GRANTOR_ISSUER"]
PORT = int(os.environ["GRANTOR_SITE_PORT"])
SITE = f"http://127.0.0.1:{PORT}"
PRIVATE = SITE + "/private/"
CALLBACK = PRIVATE + "callback"
MODULES = "/usr/lib/apache2/modules"

check = Checks("mod_auth_openidc")

CONFIGURATION = """
ServerRoot {folder}
ServerName 127.0.0.1
Listen 127.0.0.1:{port}
PidFile {folder}/pid
Mutex file:{folder}
ErrorLog {folder}/error.log
LogLevel warn auth_openidc:debug
DocumentRoot {folder}/site
{modules}
OIDCProviderMetadataURL {issuer}/.well-known/openid-configuration
OIDCSSLValidateServer Off
OIDCClientID apache
OIDCClientSecret apache-secret-Zk3vQm81xNfT0aYc7LrUe5
OIDCRedirectURI {callback}
OIDCScope "openid email"
OIDCPKCEMethod S256
OIDCCryptoPassphrase a-passphrase-of-apache
OIDCCacheType shm
OIDCSessionType server-cache
OIDCInfoHook iat access_token access_token_expires id_token userinfo refresh_token session
OIDCCookieSameSite On
<Location /private>
    AuthType openid-connect
    Require valid-user
</Location>
"""


def configuration(folder):
    names = ["mpm_event", "authn_core", "authz_core", "authz_user", "dir", "alias", "auth_openidc"]
    there = [name for name in names if os.path.exists(f"{MODULES}/mod_{name}.so")]
    modules = "\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in there)
    return CONFIGURATION.format(folder=folder, port=PORT, modules=modules, issuer=ISSUER, callback=CALLBACK)


class Browser(User):
    """One browser for both sites."""

    def go(self, url, limit=12):
        """The first answer that is no redirect, or a page of the issuer's that asks for something."""
        response = self.session.get(url, allow_redirects=False, timeout=10)
        for _ in range(limit):
            if "location" not in response.headers:
                return response
            response = self.session.get(
                requests.compat.urljoin(response.url, response.headers["location"]), allow_redirects=False, timeout=10
            )
        raise AssertionError(f"redirects without end at {response.url}")

    def sign_in_at_apache(self):
        started = self.session.get(PRIVATE, allow_redirects=False, timeout=10)
        callback = self.authorize(started.headers["location"])
        return self.go(callback)

    def is_known_to_apache(self):
        return self.session.get(PRIVATE, allow_redirects=False, timeout=10).status_code == 200


def run(folder):
    os.makedirs(f"{folder}/site/private")
    for path in ["site/private/index.html", "site/signed-out"]:
        with open(f"{folder}/{path}", "w", encoding="utf-8") as page:
            page.write("the page")
    with open(f"{folder}/apache.conf", "w", encoding="utf-8") as file:
        file.write(configuration(folder))
    apache = subprocess.Popen(
        [shutil.which("apache2") or "/usr/sbin/apache2", "-f", f"{folder}/apache.conf", "-DFOREGROUND"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    )
    try:
        for _ in range(100):
            try:
                requests.get(SITE + "/signed-out", timeout=5)
                break
            except requests.ConnectionError:
                time.sleep(0.1)
        scenario()
    except Exception:
        with open(f"{folder}/error.log", encoding="utf-8", errors="replace") as log:
            print("".join(log.readlines()[-40:]))
        raise
    finally:
        apache.terminate()
        apache.wait(10)


def scenario():
    # The code flow.
    alice = Browser(ISSUER)
    page = alice.sign_in_at_apache()
    check.equal("sign-in: the page", (page.status_code, page.url.rstrip("/"), page.text), (200, PRIVATE.rstrip("/"), "the page"))
    info = alice.session.get(CALLBACK + "?info=json", timeout=10).json()
    check.equal("sign-in: the user of the id_token", info["id_token"]["sub"], "user-alice")
    check.equal("sign-in: the claims of UserInfo", info["userinfo"]["email"], "alice@example.com")
    check.matches("sign-in: the session has a name", info["id_token"].get("sid"), r"[A-Za-z0-9_-]{22}")

    # Refresh: by the token that Apache keeps.
    refresh = f"{CALLBACK}?refresh={quote(PRIVATE, safe='')}&access_token={quote(info['access_token'], safe='')}"
    answer = alice.go(refresh)
    check.equal("refresh: back on the page", (answer.status_code, "error=" in answer.url), (200, False))
    renewed = alice.session.get(CALLBACK + "?info=json", timeout=10).json()
    check.differ("refresh: another access token", info["access_token"], renewed["access_token"])

    # Back-channel logout: the user signs out at the provider, and Apache hears of it.
    check.equal("before the logout: Apache knows alice", alice.is_known_to_apache(), True)
    home = alice.open(ISSUER + "/")
    alice.submit(home, home.form_with("logout-submit"), "logout-submit")
    check.equal("back-channel: Apache has forgotten her", alice.is_known_to_apache(), False)

    # RP-initiated logout: Apache sends the browser to the provider, which knows by the hint whose session it is.
    bob = Browser(ISSUER)
    bob.sign_in_at_apache()
    check.equal("before the logout: Apache knows the user", bob.is_known_to_apache(), True)
    after = quote(SITE + "/signed-out", safe="")
    started = bob.session.get(f"{CALLBACK}?logout={after}", allow_redirects=False, timeout=10)
    target = urlsplit(started.headers["location"])
    asked = parse_qs(target.query)
    check.equal("RP-initiated: to the end_session_endpoint", f"{target.scheme}://{target.netloc}{target.path}", ISSUER + "/logout")
    check.equal("RP-initiated: with a hint", "id_token_hint" in asked, True)
    left = bob.go(started.headers["location"])
    check.equal("RP-initiated: back at Apache without a question", (left.status_code, left.url), (200, SITE + "/signed-out"))
    check.equal("RP-initiated: Apache has forgotten the user", bob.is_known_to_apache(), False)
    again = bob.open(ISSUER + "/applications")
    check.equal("RP-initiated: the provider asks to sign in", again.has("login-submit"), True)

    # The same hint once more, in a browser that nobody is signed in with.
    stranger = Browser(ISSUER)
    answer = stranger.go(started.headers["location"])
    check.equal("RP-initiated: a second time is no error", (answer.status_code, answer.url), (200, SITE + "/signed-out"))

    # Nobody is signed out by a link alone.
    carol = Browser(ISSUER)
    carol.sign_in_at_apache()
    question = carol.open(f"{ISSUER}/logout?client_id=apache&post_logout_redirect_uri={after}&logout_confirmation=true")
    check.equal("without a hint: the user is asked", question.has("logout-approve"), True)
    check.equal("without a hint: nothing has ended", carol.is_known_to_apache(), True)
    left = carol.submit(question, question.form_with("logout-approve"), "logout-approve")
    check.equal("after the yes: back at Apache", left.redirect, SITE + "/signed-out")
    check.equal("after the yes: Apache has forgotten her", carol.is_known_to_apache(), False)
    wrong = carol.open(f"{ISSUER}/logout?client_id=apache&post_logout_redirect_uri=https%3A%2F%2Fevil.example%2F")
    check.equal("another address: a page", (wrong.status, wrong.redirect), (400, None))


with tempfile.TemporaryDirectory() as folder:
    run(folder)
assert re.fullmatch(r"http://127\.0\.0\.1:\d+", ISSUER)
check.done()
