#!/usr/bin/env bash
# Every example runs, and what the quickstart prints works when it is pasted. `login` runs in packaged.sh, from its template.
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/clients/lib.sh

work=$(mktemp -d) server_pid=
trap 'stop_program; program_pid=$server_pid; stop_program; rm -rf "$work"' EXIT
build_programs

failed=0
expect() { # what, actual, pattern
    if [[ $2 =~ $3 ]]; then
        echo "ok      $1"
    else
        echo "FAILED  $1: expected $3, got: $2"
        failed=$((failed + 1))
    fi
}

lines=$(wc -l <examples/quickstart.rs)
# Forty for the server, and three for the page at / and the peer's address.
expect "quickstart: at most 43 lines" "$((lines <= 43))" '^1$'

# The commands as they are printed, the refresh pasted twice as the text says.
port=$(free_port)
start_program "$work/quickstart.log" "$TARGET/debug/examples/quickstart" "$port"
expect "quickstart: on the port that was asked for" "$program_address" ":$port\$"
expect "quickstart: a page with a link" "$(curl -s "$program_address/")" '>Log in as alice</a>'
expect "quickstart: what to do if the port is taken" "$("$TARGET/debug/examples/quickstart" "$port" 2>&1)" 'add another port'
sed -n '2,$p' "$work/quickstart.log" >"$work/pasted"
sed -i '/^TOKENS2=/{p;}' "$work/pasted"
bash "$work/pasted" >"$work/output" 2>&1 || true
stop_program
mapfile -t output <"$work/output"
token='gat_[A-Za-z0-9_-]{64}'
expect "quickstart: tokens for a code" "${output[0]:-}" "\"access_token\":\"$token\""
expect "quickstart: the token is used" "${output[1]:-}" '^hello, alice$'
expect "quickstart: tokens for a refresh token" "${output[2]:-}" "\"access_token\":\"$token\""
# Without the seconds that are left.
tokens() { sed 's/"expires_in":[0-9]*//' <<<"$1"; }
expect "quickstart: a lost answer is given again" \
    "$([ "$(tokens "${output[2]:-2}")" = "$(tokens "${output[3]:-3}")" ] && echo same)" '^same$'
expect "quickstart: revoked" "${output[4]:-}" '^HTTP/1.1 200 OK'
expect "quickstart: and over" "${output[5]:-}" '^HTTP/1.1 401 Unauthorized'
expect "quickstart: nothing else is printed" "${#output[@]}" '^6$'

for example in no_async own_store; do
    status=0
    "$TARGET/debug/examples/$example" >"$work/output" 2>&1 || status=$?
    expect "$example: runs" "$status: $(tail -n 5 "$work/output")" '^0: .'
done

# The commands at the head of resource_server, on free ports.
port=$(free_port)
issuer=http://127.0.0.1:$port
sed "s/127\.0\.0\.1:9400/127.0.0.1:$port/" examples/resource_server/server.toml >"$work/server.toml"
start_program "$work/server.log" "$TARGET/debug/grantor-server" "$work/server.toml"
server_pid=$program_pid
start_program "$work/resource_server.log" "$TARGET/debug/grantor-resource-server" --listen 127.0.0.1:0 \
    --resource http://127.0.0.1:9402/api --introspection "$issuer/introspect" --issuer "$issuer" \
    --client-id notes-api --client-secret notes-api-secret
TOKEN=$(curl -s -u robot:robot-secret -d grant_type=client_credentials "$issuer/token" |
    sed 's/.*"access_token":"\([^"]*\)".*/\1/')
notes="$program_address/api/notes"
expect "resource_server: a note" "$(curl -s -d 'buy milk' -H "Authorization: Bearer $TOKEN" "$notes")" '"buy milk"'
expect "resource_server: the challenge" "$(curl -si "$notes")" 'resource_metadata="http://127.0.0.1:9402/'
stop_program
program_pid=$server_pid server_pid=
stop_program

# The MCP server tells a client without a token where to get one.
start_program "$work/mcp_server.log" "$TARGET/debug/grantor-mcp-server" 127.0.0.1:0
expect "mcp_server: the challenge" "$(curl -si -X POST "$program_address/mcp")" \
    "resource_metadata=\"$program_address/.well-known/oauth-protected-resource/mcp\""
expect "mcp_server: its metadata" "$(curl -s "$program_address/.well-known/oauth-authorization-server")" \
    '"client_id_metadata_document_supported":true'
expect "mcp_server: the resource offers the least scope" \
    "$(curl -s "$program_address/.well-known/oauth-protected-resource/mcp")" '"scopes_supported":\["notes:read"\]'
# One decision a consent page, and none without the token of its session.
mcp() { curl -s -b "$work/cookies" -c "$work/cookies" "$@"; }
value() { sed -n "s/.*name=\"$1\" value=\"\([^\"]*\)\".*/\1/p" | sed 's/&amp;/\&/g'; }
client=$(mcp -H 'content-type: application/json' -d '{"client_name":"Test","redirect_uris":["http://127.0.0.1:1/cb"],
    "token_endpoint_auth_method":"none"}' "$program_address/register" | sed 's/.*"client_id":"\([^"]*\)".*/\1/')
query="response_type=code&client_id=$client&redirect_uri=http://127.0.0.1:1/cb&scope=notes:read&state=s"
query="$query&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
mcp -d username=alice -d password=wonderland --data-urlencode "query=$query" "$program_address/login" >/dev/null
consent=$(mcp "$program_address/authorize?$query")
decide() { mcp -i -d decision=approve --data-urlencode "query=$query" -d "csrf=$1" -d "shown=$2" "$program_address/consent"; }
expect "mcp_server: a form of another site" "$(decide none none)" '^HTTP/1.1 403'
csrf=$(value csrf <<<"$consent") shown=$(value shown <<<"$consent")
expect "mcp_server: a page that showed something else" "$(decide "$csrf" else)" '^HTTP/1.1 200.*consent-approve'
location() { decide "$csrf" "$shown" | grep -i '^location: ' || true; }
first=$(location)
expect "mcp_server: a code" "$first" 'http://127.0.0.1:1/cb\?code='
expect "mcp_server: a second press repeats it" "$(location)" "$(sed -E "s/.*[?&](code=[^&[:space:]]*).*/\1/" <<<"$first")"
guess() { curl -si -d username=bob -d password=guess -d query= "$program_address/login"; }
for _ in {1..10}; do guess >"$work/output"; done
expect "mcp_server: a wrong password" "$(cat "$work/output")" '^HTTP/1.1 303'
expect "mcp_server: guesses are limited" "$(guess)" '^HTTP/1.1 429.*retry-after: [1-6]'
expect "mcp_server: a cookie for each port" "$(cat "$work/cookies")" "notes-session-${program_address##*:}"
stop_program

# The server without a configuration is a demonstration.
start_program "$work/server.log" "$TARGET/debug/grantor-server"
expect "server: the demonstration" "$(curl -s "$program_address/.well-known/oauth-authorization-server")" \
    "^\{\"issuer\":\"$program_address\""
stop_program

[ $failed -eq 0 ]
