// openid-client registers itself at the example server (RFC 7591), connects, and manages itself (RFC 7592).

import * as client from 'openid-client'
import { Checks } from './checks.mjs'
import { User } from './user.mjs'

const ISSUER = process.env.GRANTOR_ISSUER
const CALLBACK = 'http://127.0.0.1:53137/callback'
const INITIAL_TOKEN = 'initial-secret-Jw2rBq7NcXf5Kt9ZmLs3Vy8D'
const METADATA = {
  client_name: 'Self-made App',
  redirect_uris: [CALLBACK],
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  token_endpoint_auth_method: 'none',
  scope: 'read admin',
}

const check = new Checks('openid-client registration')

const register = (metadata, initialAccessToken, authentication) =>
  client.dynamicClientRegistration(new URL(ISSUER), metadata, authentication, {
    algorithm: 'oauth2',
    initialAccessToken,
    execute: [client.allowInsecureRequests],
  })
const status = (error) => error.status ?? error.cause?.status ?? error.response?.status

await check.rejects('without an initial access token', register(METADATA), status, 401)
await check.rejects('with a wrong one', register(METADATA, 'wrong'), status, 401)
await check.rejects(
  'a callback that runs',
  register({ ...METADATA, redirect_uris: ['javascript:alert(1)'] }, INITIAL_TOKEN),
  ({ error }) => error,
  'invalid_redirect_uri',
)

// A public client, and all of its life.
const app = await register(METADATA, INITIAL_TOKEN, client.None())
const own = app.clientMetadata()
check.matches('registered: client_id', own.client_id, /^[\w-]{22}$/)
check.equal('registered: scope', own.scope, 'read')
check.equal('registered: no secret', own.client_secret, undefined)

const pkceCodeVerifier = client.randomPKCECodeVerifier()
const expectedState = client.randomState()
const url = client.buildAuthorizationUrl(app, {
  redirect_uri: CALLBACK,
  scope: 'read',
  code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
  code_challenge_method: 'S256',
  state: expectedState,
})
const page = await new User(ISSUER).walk(url, 'approve')
const checks = { pkceCodeVerifier, expectedState }
const tokens = await client.authorizationCodeGrant(app, new URL(page.redirect), checks)
const me = (token) => fetch(`${ISSUER}/api/me`, { headers: { authorization: `Bearer ${token}` } })
check.equal('connected: /api/me', (await me(tokens.access_token)).status, 200)

// It reads, changes and deletes itself.
const manage = (method, token, body) =>
  fetch(own.registration_client_uri, {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) },
    body: body && JSON.stringify(body),
  })
const read = await manage('GET', own.registration_access_token)
check.equal('read: status and name', [read.status, (await read.json()).client_name], [200, 'Self-made App'])
const change = { ...METADATA, client_id: own.client_id, client_name: 'Renamed' }
const changed = await manage('PUT', own.registration_access_token, change)
const renamed = await changed.json()
check.equal('changed: status and name', [changed.status, renamed.client_name], [200, 'Renamed'])
// A client whose answer got lost has only the token that it had.
check.equal('changed: the token stays', renamed.registration_access_token, own.registration_access_token)
check.equal('changed: and works', (await manage('GET', own.registration_access_token)).status, 200)
check.equal('deleted', (await manage('DELETE', renamed.registration_access_token)).status, 204)
check.equal('deleted: its tokens are dead', (await me(tokens.access_token)).status, 401)
await check.rejects(
  'deleted: no refresh',
  client.refreshTokenGrant(app, tokens.refresh_token),
  ({ status, error }) => [status, error],
  [401, 'invalid_client'],
)

// A confidential client authenticates with the secret that it was given.
const web = await register(
  { ...METADATA, token_endpoint_auth_method: 'client_secret_basic' },
  INITIAL_TOKEN,
  client.ClientSecretBasic(),
)
check.equal('confidential: the secret does not expire', web.clientMetadata().client_secret_expires_at, 0)
await check.rejects(
  'confidential: it authenticates',
  client.refreshTokenGrant(web, 'grt_none', {}),
  ({ error }) => error,
  'invalid_grant',
)

check.done()
