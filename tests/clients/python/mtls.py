"""Clients that show certificates, over TLS of the example server itself and behind a real nginx and a real HAProxy: curl, and openid-client.

The certificates are made here, by openssl; each server is a process of its own, on a free port.
"""

import atexit
import base64
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from checks import Checks

SERVER = os.environ["GRANTOR_SERVER"]
API = os.environ["GRANTOR_RESOURCE_SERVER"]
CLIENT = ["node", str(Path(__file__).parent.parent / "node" / "mtls.mjs")]
WORK = Path(tempfile.mkdtemp())
atexit.register(shutil.rmtree, WORK, ignore_errors=True)
check = Checks("mTLS")


def run(*command, **options):
    return subprocess.run(command, cwd=WORK, check=True, capture_output=True, text=True, **options).stdout


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def key(name):
    run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{name}.key")


def self_signed(name, subject, *extensions, days="2"):
    key(name)
    more = [part for extension in extensions for part in ("-addext", extension)]
    run("openssl", "req", "-x509", "-new", "-key", f"{name}.key", "-subj", subject, "-days", days, "-out", f"{name}.pem", *more)


def issued(name, subject, *, san=None, authority="clients", days="2"):
    key(name)
    run("openssl", "req", "-new", "-key", f"{name}.key", "-subj", subject, "-out", f"{name}.csr")
    (WORK / f"{name}.ext").write_text("basicConstraints=CA:FALSE\n" + (f"subjectAltName={san}\n" if san else ""))
    run("openssl", "x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.pem", "-CAkey", f"{authority}.key",
        "-CAcreateserial", "-days", days, "-extfile", f"{name}.ext", "-out", f"{name}.pem")


def der_of(name):
    return base64.b64encode(subprocess.run(["openssl", "x509", "-in", f"{name}.pem", "-outform", "DER"], cwd=WORK,
                                           check=True, capture_output=True).stdout).decode()


def make_certificates():
    for name in ("clients", "strangers", "web"):
        self_signed(name, "/CN=Authority", "basicConstraints=critical,CA:TRUE")
    issued("server", "/CN=localhost", san="DNS:localhost,IP:127.0.0.1", authority="web")
    issued("pki", "/C=DE/O=Example/CN=pki", san="DNS:pki.example")
    issued("other", "/C=DE/O=Example/CN=other")
    issued("stranger", "/C=DE/O=Example/CN=pki", authority="strangers")
    issued("expired", "/C=DE/O=Example/CN=pki", days="-1")
    self_signed("self", "/CN=self")
    self_signed("twin", "/CN=self")


def configuration(head):
    clients = "\n".join([
        '[[clients]]\nclient_id = "pki"\ntoken_endpoint_auth_method = "tls_client_auth"',
        'tls_client_auth_subject_dn = "CN=pki,O=Example,C=DE"\ntls_client_certificate_bound_access_tokens = true',
        'grant_types = ["client_credentials"]\nscope = "read"',
        '[[clients]]\nclient_id = "dns"\ntoken_endpoint_auth_method = "tls_client_auth"',
        'tls_client_auth_san_dns = "pki.example"\ngrant_types = ["client_credentials"]\nscope = "read"',
        '[[clients]]\nclient_id = "self"\ntoken_endpoint_auth_method = "self_signed_tls_client_auth"',
        'tls_client_certificate_bound_access_tokens = true\ngrant_types = ["client_credentials"]\nscope = "read"',
        f'jwks.keys = [{{ kty = "EC", x5c = ["{der_of("self")}"] }}]',
    ])
    return f'store = "memory"\nscopes = ["read", "write"]\n{head}\n{clients}\n'


class Running:
    """A program that prints one line when it is ready, or listens on a port."""

    def __init__(self, *command, port=None, **environment):
        self.log = open(WORK / f"{Path(command[0]).name}.log", "ab+")
        self.process = subprocess.Popen(command, cwd=WORK, stdout=subprocess.PIPE if port is None else self.log, stderr=self.log,
                                        env={**os.environ, **environment})
        atexit.register(self.stop)
        if port is None:
            self.line = self.process.stdout.readline().decode().strip()
        else:
            wait_for(port)

    def said(self, text):
        self.log.flush()
        return text in (WORK / self.log.name).read_text(errors="replace")

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


def wait_for(port):
    for _ in range(100):
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    sys.exit(f"nothing listens on {port}")


def start_server(name, head, tail=""):
    (WORK / f"{name}.toml").write_text(configuration(head) + tail)
    server = Running(SERVER, f"{name}.toml")
    if "listening on " not in server.line:
        server.stop()
        sys.exit(f"the server does not start: {(WORK / server.log.name).read_text()}")
    return server, server.line.rsplit(" ", 1)[1]


def curl(url, *arguments, shows=None):
    """The status and the JSON of an answer; None where the handshake fails."""
    certificate = ["--cert", f"{shows}.pem", "--key", f"{shows}.key"] if shows else []
    done = subprocess.run(["curl", "-sS", "--cacert", "web.pem", "-w", "\n%{http_code}", *certificate, *arguments, url],
                          cwd=WORK, capture_output=True, text=True)
    if done.returncode != 0:
        return None, {}
    body, status = done.stdout.rsplit("\n", 1)
    try:
        return int(status), json.loads(body)
    except json.JSONDecodeError:
        return int(status), {}


def ask(issuer, client, shows, *more):
    form = ["-d", "grant_type=client_credentials", "-d", f"client_id={client}"]
    return curl(f"{issuer}/token", *form, *more, shows=shows)


def authentication(where, issuer):
    for client, shows in (("pki", "pki"), ("dns", "pki"), ("self", "self")):
        status, answer = ask(issuer, client, shows)
        check.equal(f"{where}: {client} with its certificate", (status, answer.get("token_type")), (200, "Bearer"))
    for client, shows, what in (("pki", None, "no certificate"), ("pki", "other", "another name"), ("pki", "stranger", "another authority"),
                                ("pki", "expired", "out of date"), ("pki", "self", "self-signed"), ("self", "twin", "another key"),
                                ("self", "pki", "another client's")):
        status, answer = ask(issuer, client, shows)
        if where == "nginx" and shows == "expired":
            check.equal(f"{where}: {client}, {what}, stops at the proxy", status, 400)
        else:
            check.equal(f"{where}: {client}, {what}", (status, answer.get("error")), (401, "invalid_client"))


def binding(where, issuer):
    for client in ("pki", "self"):
        token = ask(issuer, client, client)[1].get("access_token")
        header = ("-H", f"Authorization: Bearer {token}")
        status, answer = curl(f"{issuer}/api/me", *header, shows=client)
        check.equal(f"{where}: {client} uses its token", (status, answer.get("client_id")), (200, client))
        for shows in (None, "twin"):
            status, _ = curl(f"{issuer}/api/me", *header, shows=shows)
            check.equal(f"{where}: the token of {client}, stolen, with {shows}", status, 401)
        status, answer = curl(f"{issuer}/introspect", "-d", f"token={token}", "-d", f"client_id={client}", shows=client)
        check.equal(f"{where}: introspection names the certificate", list(answer.get("cnf", {})), ["x5t#S256"])


def forged(where, issuer, server, field, value, refused):
    """A field that the client itself sends."""
    status, answer = ask(issuer, "pki", None, "-H", f"{field}: {value}")
    check.equal(f"{where}: a forged field", (status, answer.get("error")), (401, "invalid_client"))
    if refused:
        check.equal(f"{where}: the log tells of it", server.said("CertificateIgnored"), True)


TLS = '[tls]\ncertificate = "server.pem"\nkey = "server.key"\nclient_certificates = "optional"\nclient_authorities = "clients.pem"\n'


def openid_client(where, issuer):
    for client in ("pki", "self"):
        environment = {**os.environ, "NODE_EXTRA_CA_CERTS": str(WORK / "web.pem"), "GRANTOR_ISSUER": issuer, "GRANTOR_CLIENT": client,
                       "GRANTOR_CERTIFICATE": str(WORK / f"{client}.pem"), "GRANTOR_KEY": str(WORK / f"{client}.key")}
        done = subprocess.run(CLIENT, env=environment, capture_output=True, text=True)
        print(done.stdout, end="")
        check.equal(f"{where}: openid-client as {client}", (done.returncode, done.stderr), (0, ""))


def own_tls():
    tls = TLS
    server, issuer = start_server("own", 'listen = "127.0.0.1:0"', tls)
    check.matches("own TLS: the issuer is https", issuer, "https://.*")
    authentication("own TLS", issuer)
    binding("own TLS", issuer)
    for version, word in (("--tls-max", "1.2"), ("--tlsv1.3", None)):
        status, _ = ask(issuer, "pki", "pki", version, *([word] if word else []))
        check.equal(f"own TLS: {version} {word or ''}".strip(), status, 200)
    check.equal("own TLS: not 1.1", ask(issuer, "pki", "pki", "--tlsv1.0", "--tls-max", "1.1")[0], None)
    openid_client("own TLS", issuer)
    server.stop()
    server, issuer = start_server("required", 'listen = "127.0.0.1:0"', tls.replace("optional", "required"))
    check.equal("required: no certificate, no connection", ask(issuer, "pki", None)[0], None)
    check.equal("required: with one", ask(issuer, "pki", "pki")[0], 200)
    server.stop()


def fapi():
    """The FAPI 2.0 Security Profile, with certificates alone."""
    server, issuer = start_server("fapi", 'listen = "127.0.0.1:0"\nprofile = "fapi2"', TLS + '[fapi]\nsender = ["mtls"]\n')
    metadata = curl(f"{issuer}/.well-known/oauth-authorization-server")[1]
    methods = ["private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"]
    check.equal("FAPI 2.0: clients have keys", metadata.get("token_endpoint_auth_methods_supported"), methods)
    check.equal("FAPI 2.0: tokens are bound to certificates", (metadata.get("tls_client_certificate_bound_access_tokens"),
                                                               "dpop_signing_alg_values_supported" in metadata), (True, False))
    binding("FAPI 2.0", issuer)
    token = ask(issuer, "dns", "pki")[1].get("access_token")  # this client registered nothing about its tokens
    for shows, expected in (("pki", 200), ("twin", 401), (None, 401)):
        status, _ = curl(f"{issuer}/api/me", "-H", f"Authorization: Bearer {token}", shows=shows)
        check.equal(f"FAPI 2.0: a token without the flag, with {shows}", status, expected)
    openid_client("FAPI 2.0", issuer)
    server.stop()


def resource_server():
    """An API in a process of its own, over TLS, in each of its ways to trust the server."""
    tail = ('[tls]\ncertificate = "server.pem"\nkey = "server.key"\nclient_certificates = "optional"\nclient_authorities = "clients.pem"\n'
            '[[resources]]\nidentifier = "https://api.example"\nintrospection_clients = ["notes-api"]\n'
            '[[clients]]\nclient_id = "notes-api"\nclient_secret = "notes-api-secret-K7mYx2QwTz9BvRn4HcLp"\ngrant_types = []\n')
    server, issuer = start_server("api", 'listen = "127.0.0.1:0"\naccess_tokens = "jwt"', tail)
    token = ask(issuer, "self", "self")[1].get("access_token")
    ways = {
        "discovery": ["--discovery", issuer],
        "keys": ["--jwks", f"{issuer}/jwks", "--issuer", issuer],
        "introspection": ["--introspection", f"{issuer}/introspect", "--issuer", issuer, "--client-id", "notes-api",
                          "--client-secret", "notes-api-secret-K7mYx2QwTz9BvRn4HcLp"],
    }
    for way, trust in ways.items():
        api = Running(API, "--listen", "127.0.0.1:0", "--resource", "https://api.example", "--certificate", "server.pem",
                      "--key", "server.key", *trust, SSL_CERT_FILE=str(WORK / "web.pem"))
        notes = api.line.rsplit(" ", 1)[1] + "/api/notes"
        header = ("-H", f"Authorization: Bearer {token}")
        check.equal(f"API by {way}: its own certificate", curl(notes, *header, shows="self")[0], 200)
        for shows in (None, "twin", "pki"):
            check.equal(f"API by {way}: {shows or 'none'}", curl(notes, *header, shows=shows)[0], 401)
        challenge = subprocess.run(["curl", "-si", "--cacert", "web.pem", *header, notes], cwd=WORK, capture_output=True, text=True).stdout
        check.equal(f"API by {way}: the challenge", 'error="invalid_token"' in challenge, True)
        api.stop()
    server.stop()


def behind(name, forwarded, proxy):
    inner, outer = free_port(), free_port()
    issuer = f"https://localhost:{outer}"
    head = f'issuer = "{issuer}"\nlisten = "127.0.0.1:{inner}"\ntrusted_proxies = ["127.0.0.2"]'
    server, _ = start_server(name, head, forwarded)
    front = proxy(inner, outer)
    authentication(name, issuer)
    binding(name, issuer)
    forged(f"{name}: over the proxy", issuer, server, "X-SSL-Client-Cert", der_of("pki"), refused=False)
    forged(f"{name}: past the proxy", f"http://127.0.0.1:{inner}", server, "X-SSL-Client-Cert", der_of("pki"), refused=True)
    front.stop()
    server.stop()


def nginx(inner, outer):
    (WORK / "nginx.conf").write_text(f"""
daemon off; pid nginx.pid; error_log stderr; worker_processes 1;
events {{}}
http {{
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    server {{
        listen 127.0.0.1:{outer} ssl;
        ssl_certificate server.pem; ssl_certificate_key server.key;
        ssl_verify_client optional_no_ca; ssl_client_certificate clients.pem;
        location / {{
            proxy_pass http://127.0.0.1:{inner};
            proxy_bind 127.0.0.2;
            proxy_set_header X-SSL-Client-Cert $ssl_client_escaped_cert;
            proxy_set_header X-SSL-Client-Verify $ssl_client_verify;
        }}
    }}
}}
""")
    return Running("nginx", "-p", str(WORK), "-e", "stderr", "-c", "nginx.conf", port=outer)


def haproxy(inner, outer):
    (WORK / "both.pem").write_text((WORK / "server.pem").read_text() + (WORK / "server.key").read_text())
    (WORK / "haproxy.cfg").write_text(f"""
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend tls
    bind 127.0.0.1:{outer} ssl crt {WORK}/both.pem ca-file {WORK}/clients.pem verify optional ca-ignore-err all crt-ignore-err all
    http-request set-header X-SSL-Client-Cert %[ssl_c_der,base64]
    http-request set-header X-SSL-Client-Verify %[ssl_c_verify]
    default_backend server
backend server
    source 127.0.0.2
    server one 127.0.0.1:{inner}
""")
    return Running("haproxy", "-db", "-f", "haproxy.cfg", port=outer)


def forwarded(form, verified):
    return (f'[forwarded_certificates]\nform = "{form}"\nfield = "X-SSL-Client-Cert"\n'
            f'verified_field = "X-SSL-Client-Verify"\nverified_value = "{verified}"\n')


def shipped_nginx():
    """The nginx.conf of the example server, with other addresses, and requests as large as the server takes them."""
    inner, outer = free_port(), free_port()
    server, _ = start_server("shipped", f'issuer = "http://127.0.0.1:{outer}"\nlisten = "127.0.0.1:{inner}"\ntrusted_proxies = ["127.0.0.1"]',
                             '[[clients]]\nclient_id = "web"\nclient_secret = "web-secret-K7mYx2QwTz9BvRn4HcLp"\n'
                             'redirect_uris = ["https://app.example/cb"]\n' + forwarded("nginx", "SUCCESS"))
    shipped = (Path(__file__).parents[3] / "examples/server/nginx.conf").read_text()
    shipped = shipped.replace("listen 80;", f"listen 127.0.0.1:{outer};").replace("server:9400", f"127.0.0.1:{inner}")
    (WORK / "shipped.conf").write_text(f"""
daemon off; pid nginx.pid; error_log stderr; worker_processes 1;
events {{}}
http {{
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    {shipped}
}}
""")
    front = Running("nginx", "-p", str(WORK), "-e", "stderr", "-c", "shipped.conf", port=outer)
    start = (f"http://127.0.0.1:{outer}/authorize?response_type=code&client_id=web&redirect_uri=https%3A%2F%2Fapp.example%2Fcb"
             "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256&state=")
    for length in (10, 4_000, 15_000):
        sign_in = subprocess.run(["curl", "-s", "-o", os.devnull, "-w", "%{http_code} %{redirect_url}", start + "%2F" * (length // 3)],
                                 cwd=WORK, capture_output=True, text=True).stdout
        status, url = sign_in.split(" ", 1)
        check.equal(f"shipped nginx.conf: {length} bytes", status, "303")
        page = subprocess.run(["curl", "-s", "-o", os.devnull, "-w", "%{http_code}", url], cwd=WORK, capture_output=True, text=True).stdout
        check.equal(f"shipped nginx.conf: the sign-in page after {length} bytes", page, "200")
    front.stop()
    server.stop()


make_certificates()
shipped_nginx()
own_tls()
fapi()
resource_server()
behind("nginx", forwarded("nginx", "SUCCESS"), nginx)
behind("HAProxy", forwarded("haproxy", "0"), haproxy)
check.done()
