"""The official MCP SDK against the example MCP server: a metadata document, dynamic registration, and a further scope."""

import asyncio
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import httpx2
from checks import Checks
from mcp import Client
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientMetadata
from user import User

ISSUER = os.environ["GRANTOR_ISSUER"]
ENDPOINT = f"{ISSUER}/mcp"
DOCUMENT = "https://client.example/oauth/python.json"
check = Checks("mcp")


class Documents(BaseHTTPRequestHandler):
    """What https://client.example is mapped to."""

    document = {
        "client_id": DOCUMENT,
        "client_name": "A Python agent",
        "redirect_uris": ["http://localhost/callback", "http://127.0.0.1/callback"],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    }

    def do_GET(self):
        self.send_response(200 if self.path == urlsplit(DOCUMENT).path else 404)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(self.document).encode())

    def log_message(self, *_):
        pass


class Storage:
    def __init__(self):
        self.tokens = self.information = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.information

    async def set_client_info(self, information):
        self.information = information


async def run(name, redirect_uri, document):
    storage, user, asked = Storage(), User(ISSUER, "alice", "wonderland"), []

    async def redirect(url):
        asked.append({name: values[0] for name, values in parse_qs(urlsplit(url).query).items()})
        answer = await asyncio.to_thread(user.authorize, url)
        check.equal(f"{name}: goes where it was asked to", answer.split("?")[0], redirect_uri)
        asked[-1]["answer"] = {name: values[0] for name, values in parse_qs(urlsplit(answer).query).items()}

    async def callback():
        answer = asked[-1]["answer"]
        return AuthorizationCodeResult(code=answer["code"], state=answer["state"], iss=answer["iss"])

    metadata = OAuthClientMetadata(
        client_name="A Python agent",
        redirect_uris=[redirect_uri],
        grant_types=["authorization_code", "refresh_token"],
        response_types=["code"],
    )
    provider = OAuthClientProvider(ENDPOINT, metadata, storage, redirect, callback, client_metadata_url=document)
    async with httpx2.AsyncClient(auth=provider, trust_env=False, timeout=30) as http:
        async with Client(streamable_http_client(ENDPOINT, http_client=http)) as client:
            tools = await client.list_tools()
            check.equal(f"{name}: the tools", sorted(tool.name for tool in tools.tools), ["add_note", "list_notes"])
            check.equal(f"{name}: the id", storage.information.client_id == document, document is not None)
            check.equal(f"{name}: the scope of the challenge", asked[0]["scope"], "notes:read")
            check.equal(f"{name}: the resource is named", asked[0]["resource"], ENDPOINT)
            added = await client.call_tool("add_note", {"text": f"by {name}"})
            check.equal(f"{name}: the further scope", added.content[0].text, "added")
            check.equal(f"{name}: was asked for", asked[-1]["scope"], "notes:read notes:write")
            notes = await client.call_tool("list_notes", {})
            check.equal(f"{name}: and it is there", f"by {name}" in notes.content[0].text, True)


def main():
    host, port = os.environ["GRANTOR_DOCUMENTS"].split(":")
    server = ThreadingHTTPServer((host, int(port)), Documents)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    asyncio.run(run("document", "http://localhost:54548/callback", DOCUMENT))
    asyncio.run(run("registration", "http://127.0.0.1:54549/callback", None))
    server.shutdown()
    check.done()


main()
