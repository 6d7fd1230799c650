"""The user's browser, as far as a server can tell: cookies, redirects and forms."""

from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import requests

USERNAME = "alice"
PASSWORD = "correct horse battery staple"


class Form:
    def __init__(self, attributes):
        self.action = attributes.get("action", "")
        self.method = attributes.get("method", "get").lower()
        self.fields = []
        self.ids = {}

    def add(self, tag, attributes):
        self.fields.append((tag, attributes))
        if "id" in attributes:
            self.ids[attributes["id"]] = attributes

    def values(self):
        """What a browser sends of the fields as they stand, buttons left out."""
        return {
            field["name"]: field.get("value", "")
            for tag, field in self.fields
            if tag == "input"
            and "name" in field
            and field.get("type") not in ("submit", "button", "image", "reset")
            and (field.get("type") not in ("checkbox", "radio") or "checked" in field)
        }


class _Html(HTMLParser):
    VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"}

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.forms, self.texts, self.open, self.form = [], {}, [], None

    def handle_starttag(self, tag, pairs):
        attributes = {name: value or "" for name, value in pairs}
        if tag == "form":
            self.form = Form(attributes)
            self.forms.append(self.form)
        elif tag in ("input", "button", "textarea", "select") and self.form:
            self.form.add(tag, attributes)
        if "id" in attributes:
            self.texts[attributes["id"]] = ""
        if tag not in self.VOID:
            self.open.append((tag, attributes.get("id")))

    def handle_endtag(self, tag):
        if tag == "form":
            self.form = None
        while any(name == tag for name, _ in self.open):
            if self.open.pop()[0] == tag:
                break

    def handle_data(self, data):
        for _, name in self.open:
            if name:
                self.texts[name] += data


class Page:
    """Where the browser stands: on a page of the server, or sent away to `redirect`."""

    def __init__(self, response, redirect=None):
        self.url, self.status, self.headers = response.url, response.status_code, response.headers
        self.redirect, self.html = redirect, response.text
        parsed = _Html()
        parsed.feed(response.text)
        self.forms, self.texts = parsed.forms, {name: text.strip() for name, text in parsed.texts.items()}

    def form_with(self, element):
        for form in self.forms:
            if element in form.ids:
                return form
        raise AssertionError(f"no form with #{element} at {self.url} ({self.status}):\n{self.html[:2000]}")

    def has(self, element):
        return element in self.texts


class User:
    def __init__(self, issuer, username=USERNAME, password=PASSWORD):
        self.issuer, self.username, self.password = issuer, username, password
        self.session = requests.Session()
        self.session.trust_env = False

    def open(self, url):
        return self._follow(self.session.get(url, allow_redirects=False, timeout=10))

    def submit(self, page, form, button=None, **typed):
        assert form.method == "post", f"a form that changes something is posted, not sent by {form.method}"
        values = form.values() | typed
        if button:
            pressed = form.ids[button]
            if "name" in pressed:
                values[pressed["name"]] = pressed.get("value", "")
        target = urljoin(page.url, form.action)
        return self._follow(self.session.post(target, data=values, allow_redirects=False, timeout=10))

    def sign_in(self, page):
        return self.submit(
            page, page.form_with("login-submit"), "login-submit", username=self.username, password=self.password
        )

    def decide(self, page, decision):
        button = f"consent-{decision}"
        return self.submit(page, page.form_with(button), button)

    def authorize(self, url, decision="approve"):
        """Sign in if asked to, decide, and give the callback that the browser is sent to."""
        page = self.open(url)
        if page.has("login-submit"):
            page = self.sign_in(page)
        if page.redirect is None:
            page = self.decide(page, decision)
        assert page.redirect, f"no redirect to the client, but {page.status} at {page.url}:\n{page.html[:2000]}"
        return page.redirect

    def _follow(self, response):
        for _ in range(8):
            if "location" not in response.headers:
                return Page(response)
            # RFC 9700 4.12: a 307 would send the password on.
            assert response.status_code == 303, f"redirected by {response.status_code} at {response.url}"
            target = urljoin(response.url, response.headers["location"])
            if urlsplit(target)[:2] != urlsplit(self.issuer)[:2]:
                return Page(response, redirect=target)
            response = self.session.get(target, allow_redirects=False, timeout=10)
        raise AssertionError(f"redirects without end at {response.url}")
