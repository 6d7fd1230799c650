// simple-oauth2 against the example server: its three grants, refresh, revocation and the errors.

import { createHash, randomBytes } from 'node:crypto'
import simple from 'simple-oauth2'
import { Checks } from './checks.mjs'
import { PASSWORD, USERNAME, User } from './user.mjs'

const { AuthorizationCode, ClientCredentials, ResourceOwnerPassword } = simple
const ISSUER = process.env.GRANTOR_ISSUER
const NATIVE_CALLBACK = 'http://127.0.0.1:53130/callback'
const WEB_CALLBACK = 'https://web.example/callback'

const check = new Checks('simple-oauth2')

function configured(id, secret, options = {}) {
  return { client: { id, secret }, auth: { tokenHost: ISSUER, tokenPath: '/token', revokePath: '/revoke' }, options }
}

function byCode(...of) {
  const { auth, ...rest } = configured(...of)
  return new AuthorizationCode({ ...rest, auth: { ...auth, authorizePath: '/authorize' } })
}

const web = byCode('web', 'web-secret-Zk3vQm81xNfT0aYc7LrUe5Hb')
const post = byCode('post', 'post-secret-s7Wd2KpQe9VbXn4RtJ6gMz0A', { authorizationMethod: 'body' })
// A public client: an empty secret is none (RFC 6749 3.2).
const native = byCode('native', '', { authorizationMethod: 'body' })
const service = new ClientCredentials(configured('service', 'service-secret-B4mYx9QwTz2KvRn7HcLp5Gs8'))
const special = new ClientCredentials(
  configured('special', "colon: percent%41 plus+ slash/ equals= tilde~ amp& bang! 'quote' (x)"),
)
const legacy = new ResourceOwnerPassword(configured('legacy', 'legacy-secret-Hq5xTn8RcW1yVz3PbLk6Jd0M'))

const failure = ({ output, data }) => [output.statusCode, data.payload?.error]

/** The code that the user's approval yields, and the parameters that redeem it. */
async function approved(client, redirect_uri, scope = ['read', 'write'], decision = 'approve') {
  const code_verifier = randomBytes(32).toString('base64url')
  const state = randomBytes(16).toString('base64url')
  const url = client.authorizeURL({
    redirect_uri,
    scope,
    state,
    code_challenge: createHash('sha256').update(code_verifier).digest('base64url'),
    code_challenge_method: 'S256',
  })
  const answer = (await new User(ISSUER).authorize(url, decision)).searchParams
  check.equal(`${decision}: state`, answer.get('state'), state)
  check.equal(`${decision}: iss`, answer.get('iss'), ISSUER)
  return { answer, redeem: { code: answer.get('code'), redirect_uri, code_verifier, scope } }
}

async function me(token) {
  const reply = await fetch(`${ISSUER}/api/me`, { headers: { authorization: `Bearer ${token.token.access_token}` } })
  return reply.status === 200 ? (await reply.json()).sub : reply.status
}

// The code grant, for each way to be a client.
for (const [name, client, redirect_uri, rotates] of [
  ['web', web, WEB_CALLBACK, false],
  ['post', post, 'https://post.example/callback?tenant=1', false],
  ['native', native, NATIVE_CALLBACK, true],
]) {
  const { redeem } = await approved(client, redirect_uri)
  const token = await client.getToken(redeem)
  check.equal(`${name}: token_type`, token.token.token_type, 'Bearer')
  check.equal(`${name}: scope`, token.token.scope, 'read write')
  check.equal(`${name}: expires_in`, token.token.expires_in, 600)
  check.equal(`${name}: not yet expired`, token.expired(), false)
  check.equal(`${name}: /api/me`, await me(token), 'user-alice')

  const renewed = await token.refresh()
  check.differ(`${name}: refresh gives a new access token`, renewed.token.access_token, token.token.access_token)
  check.equal(
    `${name}: the refresh token ${rotates ? 'rotates' : 'is kept'}`,
    renewed.token.refresh_token !== token.token.refresh_token,
    rotates,
  )
  if (rotates) {
    const retried = await token.refresh()
    check.equal(
      `${name}: lost answer: the very same tokens`,
      [retried.token.access_token, retried.token.refresh_token],
      [renewed.token.access_token, renewed.token.refresh_token],
    )
  }
  check.equal(`${name}: a narrower refresh`, (await renewed.refresh({ scope: ['read'] })).token.scope, 'read')

  const last = await client.getToken((await approved(client, redirect_uri, 'read')).redeem)
  check.equal(`${name}: scope as text`, last.token.scope, 'read')
  await last.revoke('access_token')
  check.equal(`${name}: revoked`, await me(last), 401)
  const whole = await client.getToken((await approved(client, redirect_uri)).redeem)
  await whole.revokeAll()
  check.equal(`${name}: all revoked`, await me(whole), 401)
  await check.rejects(`${name}: no refresh after that`, whole.refresh(), failure, [400, 'invalid_grant'])

  await check.rejects(`${name}: a replayed code`, client.getToken(redeem), failure, [400, 'invalid_grant'])
  check.equal(`${name}: ends its grant`, await me(renewed), 401)
}

// Client credentials and the password grant.
const job = await service.getToken({ scope: ['read', 'write'] })
check.equal('client credentials: scope', job.token.scope, 'read write')
check.equal('client credentials: no refresh token', job.token.refresh_token, undefined)
check.equal('special characters in a secret', (await special.getToken({})).token.token_type, 'Bearer')
const known = await legacy.getToken({ username: USERNAME, password: PASSWORD, scope: 'read write' })
check.equal('password: scope', known.token.scope, 'read write')
check.equal('password: /api/me', await me(known), 'user-alice')
check.equal('password: refresh', await me(await known.refresh()), 'user-alice')

// Errors.
const { answer } = await approved(web, WEB_CALLBACK, 'read', 'deny')
check.equal('a denied consent', answer.get('error'), 'access_denied')
check.equal('an unknown scope', (await approved(web, WEB_CALLBACK, 'read admin')).answer.get('error'), 'invalid_scope')
const wrong = new ClientCredentials(configured('service', 'wrong'))
await check.rejects('a wrong secret', wrong.getToken({}), failure, [401, 'invalid_client'])
const body = new ClientCredentials(
  configured('service', 'service-secret-B4mYx9QwTz2KvRn7HcLp5Gs8', { authorizationMethod: 'body' }),
)
await check.rejects('the secret of a Basic client in the body', body.getToken({}), failure, [401, 'invalid_client'])
await check.rejects('an unknown scope', service.getToken({ scope: 'admin' }), failure, [400, 'invalid_scope'])
await check.rejects('a wrong password', legacy.getToken({ username: USERNAME, password: 'no' }), failure, [
  400,
  'invalid_grant',
])
await check.rejects(
  'a code that never was',
  web.getToken({ code: `gac_${'A'.repeat(64)}`, redirect_uri: WEB_CALLBACK, code_verifier: 'v'.repeat(43) }),
  failure,
  [400, 'invalid_grant'],
)
const json = new ClientCredentials(
  configured('service', 'service-secret-B4mYx9QwTz2KvRn7HcLp5Gs8', { bodyFormat: 'json' }),
)
await check.rejects('a body of JSON', json.getToken({}), failure, [400, 'invalid_request'])

check.done()
