// openid-client and raw requests against the example resource server, in each of its ways to trust the example server.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import * as client from 'openid-client'
import * as oauth from 'oauth4webapi'
import { Checks } from './checks.mjs'
import { User } from './user.mjs'

const ISSUER = process.env.GRANTOR_ISSUER
const PROGRAM = process.env.GRANTOR_RESOURCE_SERVER
const SIGNED = 'https://api.example/notes'
const OPAQUE = 'https://opaque.example/notes'
const OTHER = 'https://other.example'
const CALLBACK = 'http://127.0.0.1:53129/callback'
const SERVICE_SECRET = 'service-secret-B4mYx9QwTz2KvRn7HcLp5Gs8'
const API_SECRET = 'notes-api-secret-Wp3sKx8VtYq5ZmLb1NcRd7Jg'
const ASKING = [
  ...['--introspection', `${ISSUER}/introspect`, '--issuer', ISSUER],
  ...['--client-id', 'notes-api', '--client-secret', API_SECRET, '--max-age', '1'],
]
const MODES = [
  ['discovery', SIGNED, ['--discovery', ISSUER]],
  ['keys', SIGNED, ['--jwks', `${ISSUER}/jwks`, '--issuer', ISSUER]],
  ['introspection of signed tokens', SIGNED, ASKING],
  ['introspection of opaque tokens', OPAQUE, ASKING],
]

const check = new Checks('guard')
const insecure = { algorithm: 'oauth2', execute: [client.allowInsecureRequests] }
const discover = (id, authentication) => client.discovery(new URL(ISSUER), id, {}, authentication, insecure)
const native = await discover('native', client.None())
const service = await discover('service', client.ClientSecretBasic(SERVICE_SECRET))
const shown = new Set([SERVICE_SECRET, API_SECRET])

/** A resource server that listens on a free port. */
async function start(resource, trust) {
  const options = ['--listen', '127.0.0.1:0', '--resource', resource, ...trust]
  const child = spawn(PROGRAM, options, { env: { ...process.env, RUST_LOG: 'trace' }, stdio: ['ignore', 'pipe', 'pipe'] })
  const server = { child, log: '' }
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => (server.log += bytes))
  const pattern = /grantor example resource server listening on (http:\/\/127\.0\.0\.1:\d+)/
  while (!pattern.test(server.log)) {
    if (child.exitCode !== null) throw new Error(`the resource server ended:\n${server.log}`)
    await new Promise((next) => setTimeout(next, 20))
  }
  server.address = pattern.exec(server.log)[1]
  return server
}

/** What alice lets the native app do. */
async function usersToken(resource) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier()
  const expectedState = client.randomState()
  const code_challenge = await client.calculatePKCECodeChallenge(pkceCodeVerifier)
  const asked = { redirect_uri: CALLBACK, scope: 'read write', state: expectedState, resource }
  const url = client.buildAuthorizationUrl(native, { ...asked, code_challenge, code_challenge_method: 'S256' })
  const page = await new User(ISSUER).walk(url)
  const answer = await client.authorizationCodeGrant(native, new URL(page.redirect), { pkceCodeVerifier, expectedState })
  shown.add(answer.access_token).add(answer.refresh_token)
  return answer.access_token
}

async function servicesToken(resource, scope) {
  const answer = await client.clientCredentialsGrant(service, { resource, scope })
  shown.add(answer.access_token)
  return answer.access_token
}

/** What openid-client makes of a challenge: the status, and what stands in it. */
const challenge = ({ status, cause }) => {
  const { realm, error, scope, max_age } = cause[0].parameters
  return [status, cause[0].scheme, realm, error, scope, max_age]
}
const refused = (status, error, scope, max_age) => [status, 'bearer', 'notes', error, scope, max_age]

async function metadata(mode, server, resource) {
  const here = (url, options) => fetch(url.replace(new URL(resource).origin, server.address), options)
  const found = await oauth.resourceDiscoveryRequest(new URL(resource), { [oauth.customFetch]: here })
  const document = await oauth.processResourceDiscoveryResponse(new URL(resource), found)
  check.equal(`${mode}: metadata name the server`, document.authorization_servers, [ISSUER])
  check.equal(`${mode}: metadata name the scopes`, document.scopes_supported, ['read', 'write'])
  const root = await fetch(`${server.address}/.well-known/oauth-protected-resource`)
  check.equal(`${mode}: metadata at the root are the same`, (await root.json()).resource, resource)
}

async function rawRequests(mode, notes, token) {
  const status = async (url, headers = {}) => {
    const { status, headers: answered } = await fetch(url, { headers })
    const said = answered.get('www-authenticate') ?? ''
    return [status, /error="([^"]*)"/.exec(said)?.[1], said.includes('resource_metadata="https://')]
  }
  const bearer = { authorization: `Bearer ${token}` }
  check.equal(`${mode}: no token`, await status(notes), [401, undefined, true])
  check.equal(`${mode}: a token in the query`, await status(`${notes}?access_token=${token}`), [401, undefined, true])
  check.equal(`${mode}: two tokens`, await status(`${notes}?access_token=x`, bearer), [400, 'invalid_request', true])
  for (const bad of ['x', 'a.b.c', token.slice(0, -2), `${token}AA`, 'gat_' + 'A'.repeat(64)]) {
    const answer = await status(notes, { authorization: `Bearer ${bad}` })
    check.equal(`${mode}: ${bad.length} characters that are no token`, answer, [401, 'invalid_token', true])
  }
  check.equal(`${mode}: and the good one passes`, (await fetch(notes, { headers: bearer })).status, 200)
}

for (const [mode, resource, trust] of MODES) {
  const server = await start(resource, trust)
  const notes = new URL('/api/notes', server.address)
  const call = (config, token, method, body) => client.fetchProtectedResource(config, token, notes, method, body)
  try {
    await metadata(mode, server, resource)

    const users = await usersToken(resource)
    check.equal(`${mode}: a note is added`, (await call(native, users, 'POST', 'buy milk')).status, 201)
    const seen = await (await call(native, users, 'GET')).json()
    const own = { client_id: 'native', notes: ['buy milk'], subject: 'user-alice', subject_type: 'user' }
    check.equal(`${mode}: and read`, seen, own)
    await rawRequests(mode, notes.href, users)

    const reader = await servicesToken(resource, 'read')
    const empty = { client_id: 'service', notes: [], subject: 'service', subject_type: 'client' }
    check.equal(`${mode}: a program has notes of its own`, await (await call(service, reader, 'GET')).json(), empty)
    const scope = refused(403, 'insufficient_scope', 'write')
    await check.rejects(`${mode}: too little scope`, call(service, reader, 'POST', 'no'), challenge, scope)
    const writer = await servicesToken(resource, 'write')
    check.equal(`${mode}: with more scope it passes`, (await call(service, writer, 'POST', 'yes')).status, 201)
    check.equal(`${mode}: write implies read`, (await call(service, writer, 'GET')).status, 200)
    const stepUp = refused(401, 'insufficient_user_authentication', 'write', '300')
    await check.rejects(`${mode}: a user has to sign in`, call(service, writer, 'DELETE'), challenge, stepUp)
    check.equal(`${mode}: one who just did passes`, (await call(native, users, 'DELETE')).status, 204)

    const elsewhere = await servicesToken(OTHER, 'read')
    const wrong = refused(401, 'invalid_token', 'read')
    await check.rejects(`${mode}: a token for another API`, call(service, elsewhere, 'GET'), challenge, wrong)

    await client.tokenRevocation(native, users)
    await new Promise((next) => setTimeout(next, 1100))
    if (trust === ASKING) {
      await check.rejects(`${mode}: a revocation is seen`, call(native, users, 'GET'), challenge, wrong)
    } else {
      check.equal(`${mode}: a revocation is not seen, for nobody is asked`, (await call(native, users, 'GET')).status, 200)
    }
  } finally {
    server.child.kill()
    await once(server.child, 'exit')
  }
  const told = [...shown].filter((secret) => server.log.includes(secret))
  check.equal(`${mode}: no token and no secret in ${server.log.length} bytes of log`, told.length, 0)
}

// A server that cannot be reached, and one that does not know the API: the token is never accepted.
const token = await servicesToken(SIGNED, 'read')
for (const [what, trust, expected] of [
  ['no server', ['--discovery', 'http://127.0.0.1:9'], 503],
  ['no keys', ['--jwks', `${ISSUER}/nothing`, '--issuer', ISSUER], 503],
  ['wrong credentials', [...ASKING.slice(0, 6), '--client-secret', 'wrong'], 500],
]) {
  const server = await start(SIGNED, trust)
  const answer = await fetch(`${server.address}/api/notes`, { headers: { authorization: `Bearer ${token}` } })
  check.equal(`${what}: ${expected}`, answer.status, expected)
  server.child.kill()
  await once(server.child, 'exit')
}

check.done()
