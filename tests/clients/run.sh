#!/usr/bin/env bash
# Clients that nobody here wrote, and a browser, against `examples/server`: each meets a server of its own, on a free port.
# `tests/clients/run.sh [NAME…]` runs those whose name is given, or all of them.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/clients/lib.sh

work=$(mktemp -d)
trap 'stop_program; rm -rf "$work"' EXIT

# name, configuration (`mcp_server` is a program of its own, and `-` is a client that starts its servers itself), command.
# DPoP is proven by openid-client and oauth4webapi alone: Authlib has no module for RFC 9449 (1.9.9), nor have the other Python clients.
clients=(
    "authlib server.toml $VENV/bin/python tests/clients/python/authlib_client.py"
    "assertions assertions.toml $VENV/bin/python tests/clients/python/assertions.py"
    "requests-oauthlib server.toml $VENV/bin/python tests/clients/python/requests_oauthlib_client.py"
    "openid-client server.toml node $NODE_DIR/openid-client.mjs"
    "private-key-jwt private_key_jwt.toml node $NODE_DIR/private_key_jwt.mjs"
    "client-secret-jwt private_key_jwt.toml node $NODE_DIR/client_secret_jwt.mjs"
    "authlib-private-key-jwt private_key_jwt.toml $VENV/bin/python tests/clients/python/private_key_jwt.py"
    "message-signing message_signing.toml node $NODE_DIR/message_signing.mjs"
    "fapi fapi.toml node $NODE_DIR/fapi.mjs security"
    "fapi-message-signing fapi_message_signing.toml node $NODE_DIR/fapi.mjs message-signing"
    "openid openid.toml node $NODE_DIR/openid.mjs"
    "hybrid hybrid.toml node $NODE_DIR/hybrid.mjs"
    "openidconnect openid.toml node $NODE_DIR/openidconnect.mjs"
    "oauth4webapi openid.toml node $NODE_DIR/oauth4webapi.mjs"
    "passport openid.toml node $NODE_DIR/passport.mjs"
    "auth-core openid.toml node $NODE_DIR/auth_core.mjs"
    "openid-authlib openid.toml $VENV/bin/python tests/clients/python/openid_authlib.py"
    "django openid.toml $VENV/bin/python tests/clients/python/django_oidc.py"
    "django-hs256 openid.toml $VENV/bin/python tests/clients/python/django_oidc.py HS256"
    "apache logout.toml $VENV/bin/python tests/clients/python/apache.py"
    "simple-oauth2 server.toml node $NODE_DIR/simple-oauth2.mjs"
    "joserfc jwt.toml $VENV/bin/python tests/clients/python/verify_jwt.py"
    "jose jwt.toml node $NODE_DIR/verify_jwt.mjs"
    "pyjwt guard.toml $VENV/bin/python tests/clients/python/verify_pyjwt.py"
    "guard guard.toml node $NODE_DIR/guard.mjs"
    "lifetimes short.toml $VENV/bin/python tests/clients/python/lifetimes.py"
    "oauth21 oauth21.toml $VENV/bin/python tests/clients/python/oauth21.py"
    "limits limits.toml $VENV/bin/python tests/clients/python/limits.py"
    "registration registration.toml node $NODE_DIR/registration.mjs"
    "exchange exchange.toml node $NODE_DIR/exchange.mjs"
    "mcp-node mcp_server node $NODE_DIR/mcp.mjs"
    "mcp-python mcp_server $VENV/bin/python tests/clients/python/mcp_client.py"
    "openapi server.toml $VENV/bin/python tests/clients/python/openapi.py"
    "openapi-openid openid.toml $VENV/bin/python tests/clients/python/openapi.py"
    "openapi-registration registration.toml $VENV/bin/python tests/clients/python/openapi.py"
    "mtls - $VENV/bin/python tests/clients/python/mtls.py"
    "browser server.toml node $NODE_DIR/pages.mjs"
    "browser-openid openid.toml node $NODE_DIR/openid_pages.mjs"
    "browser-logout openid.toml node $NODE_DIR/logout_pages.mjs"
)

install_packages
install_python
install_node
build_programs
[ $# -gt 0 ] && [[ " $* " != *" openidconnect "* ]] || build_openidconnect
GRANTOR_OPENIDCONNECT="$(realpath "$TARGET")/openidconnect/debug/grantor-openidconnect-client"
export GRANTOR_OPENIDCONNECT
GRANTOR_SERVER="$(realpath "$TARGET")/debug/grantor-server"
export GRANTOR_SERVER
export PATH="$PATH:/usr/sbin"
GRANTOR_RESOURCE_SERVER="$(realpath "$TARGET")/debug/grantor-resource-server"
export GRANTOR_RESOURCE_SERVER
export GRANTOR_SCREENSHOTS="${GRANTOR_SCREENSHOTS:-$TARGET/screenshots}"
export PYTHONDONTWRITEBYTECODE=1

# Every token and code, every secret and password of the configurations.
secrets='(gat|grt|gac|gdc|grg)_[A-Za-z0-9_-]{16}|-secret-|percent%41|battery staple|battery\+staple|tr0ub4dor'

passed=0 failed=0
for line in "${clients[@]}"; do
    read -r name config command <<<"$line"
    [ $# -eq 0 ] || [[ " $* " == *" $name "* ]] || continue
    echo "--- $name"
    status=1
    GRANTOR_SITE_PORT=$(free_port)
    export GRANTOR_SITE_PORT
    [ ! -e "tests/clients/$config" ] || sed "s/@SITE_PORT@/$GRANTOR_SITE_PORT/" "tests/clients/$config" >"$work/$config"
    program=("$TARGET/debug/grantor-server" "$work/$config")
    if [ "$config" = mcp_server ]; then
        # The documents of the client are at `https://client.example`, which is the client's own program.
        GRANTOR_DOCUMENTS="127.0.0.1:$(free_port)"
        export GRANTOR_DOCUMENTS
        program=("$TARGET/debug/grantor-mcp-server" 127.0.0.1:0 "https://client.example=$GRANTOR_DOCUMENTS")
    fi
    if [ "$config" = - ]; then
        status=0
        # shellcheck disable=SC2086 # the command is words
        timeout 240 $command || status=$?
    elif start_program "$work/$name.log" env RUST_LOG=trace "${program[@]}"; then
        status=0
        # shellcheck disable=SC2086 # the command is words
        GRANTOR_ISSUER="$program_address" timeout 240 $command || status=$?
        if [ $status -ne 0 ]; then
            echo "$name: exit code $status; the server said:"
            tail -n 40 "$work/$name.log"
        fi
        stop_program
        if grep -nE "$secrets" "$work/$name.log" | cut -c 1-200; then
            echo "$name: FAILED  the log above names a secret"
            status=1
        else
            echo "ok      no secret in $(wc -l <"$work/$name.log") lines of log"
        fi
    fi
    [ $status -eq 0 ] && passed=$((passed + 1)) || failed=$((failed + 1))
done
[ $((passed + failed)) -gt 0 ] || { echo "no client is called $*"; exit 2; }
echo "real clients: $passed passed, $failed failed"
[ $failed -eq 0 ]
