// openid-client against the example server: discovery, `iss`, every grant that it has, and the errors.

import * as client from 'openid-client'
import { Checks } from './checks.mjs'
import { PASSWORD, USERNAME, User, values } from './user.mjs'

const ISSUER = process.env.GRANTOR_ISSUER
const ME = new URL(`${ISSUER}/api/me`)
const NATIVE_CALLBACK = 'http://127.0.0.1:53129/callback'
const SECRETS = {
  web: 'web-secret-Zk3vQm81xNfT0aYc7LrUe5Hb',
  post: 'post-secret-s7Wd2KpQe9VbXn4RtJ6gMz0A',
  legacy: 'legacy-secret-Hq5xTn8RcW1yVz3PbLk6Jd0M',
  service: 'service-secret-B4mYx9QwTz2KvRn7HcLp5Gs8',
  resource: 'resource-secret-Nf6JtWq0ZbXk3MvYs9Rd7PhL',
  special: "colon: percent%41 plus+ slash/ equals= tilde~ amp& bang! 'quote' (x)",
}

const check = new Checks('openid-client')

function discover(id, authentication = client.ClientSecretBasic(SECRETS[id])) {
  return client.discovery(new URL(ISSUER), id, {}, authentication, {
    algorithm: 'oauth2',
    execute: [client.allowInsecureRequests],
  })
}

/** Both kinds of error that openid-client makes of an error of the server. */
const code = ({ error }) => error
const status = ({ error, status }) => [status, error]

/** An authorization request, its user's decision, and what is needed to redeem its code. */
async function asked(config, redirect_uri, more = {}, decision = 'approve', user = new User(ISSUER)) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier()
  const expectedState = client.randomState()
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri,
    scope: 'read write',
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: expectedState,
    ...more,
  })
  return { page: await user.walk(url, decision), checks: { pkceCodeVerifier, expectedState } }
}

async function callback(...of) {
  const { page, checks } = await asked(...of)
  if (!page.redirect) throw new Error(`no redirect, but ${page.status}:\n${page.html.slice(0, 2000)}`)
  return [new URL(page.redirect), checks]
}

async function tokens(config, redirect_uri, more) {
  return client.authorizationCodeGrant(config, ...(await callback(config, redirect_uri, more)))
}

const me = async (config, token) => client.fetchProtectedResource(config, token, ME, 'GET')

// Discovery (RFC 8414).
const native = await discover('native', client.None())
const metadata = native.serverMetadata()
check.equal('discovery: issuer', metadata.issuer, ISSUER)
check.equal('discovery: token endpoint', metadata.token_endpoint, `${ISSUER}/token`)
check.equal('discovery: PKCE', metadata.supportsPKCE(), true)
check.equal('discovery: iss is announced', metadata.authorization_response_iss_parameter_supported, true)

// The code grant of a public client, with PKCE.
const [url, checks] = await callback(native, NATIVE_CALLBACK)
check.equal('code: the callback', url.href.split('?')[0], NATIVE_CALLBACK)
check.equal('code: iss', url.searchParams.get('iss'), ISSUER)
const first = await client.authorizationCodeGrant(native, url, checks)
check.equal('code: token_type', first.token_type, 'bearer')
check.equal('code: expires_in', first.expires_in, 600)
check.equal('code: scope', first.scope, 'read write')
check.matches('code: access token', first.access_token, /^gat_[\w-]{64}$/)
const reply = await me(native, first.access_token)
check.equal('code: /api/me', [reply.status, (await reply.json()).sub], [200, 'user-alice'])

// `iss` (RFC 9207): the client believes no answer of another issuer, nor one without.
for (const [what, change] of [
  ['another issuer', (to) => to.searchParams.set('iss', 'https://evil.example')],
  ['no issuer', (to) => to.searchParams.delete('iss')],
]) {
  const [tampered, expected] = await callback(native, NATIVE_CALLBACK)
  change(tampered)
  await check.rejects(
    `iss: ${what}`,
    client.authorizationCodeGrant(native, tampered, expected),
    (error) => error.code,
    'OAUTH_INVALID_RESPONSE',
  )
}

// Pushed authorization requests (RFC 9126).
for (const [id, authentication] of [['native', client.None()], ['web', undefined]]) {
  const config = await discover(id, authentication)
  const pkceCodeVerifier = client.randomPKCECodeVerifier()
  const expectedState = client.randomState()
  const pushed = await client.buildAuthorizationUrlWithPAR(config, {
    redirect_uri: id === 'native' ? NATIVE_CALLBACK : 'https://web.example/callback',
    scope: 'read write',
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: expectedState,
  })
  check.equal(`PAR ${id}: nothing else is in the URL`, [...pushed.searchParams.keys()].sort(), ['client_id', 'request_uri'])
  check.matches(`PAR ${id}: request_uri`, pushed.searchParams.get('request_uri'), /^urn:ietf:params:oauth:request_uri:gpr_[\w-]{64}$/)
  const answered = await new User(ISSUER).walk(pushed, 'approve')
  const tokens = await client.authorizationCodeGrant(config, new URL(answered.redirect), { pkceCodeVerifier, expectedState })
  check.equal(`PAR ${id}: scope`, tokens.scope, 'read write')
  const again = await new User(ISSUER).walk(pushed, 'approve')
  check.matches(`PAR ${id}: used`, again.html, /invalid_request_uri/)
}

// Refresh: rotation, and the answer that was lost on its way.
const second = await client.refreshTokenGrant(native, first.refresh_token)
check.differ('refresh: another refresh token', second.refresh_token, first.refresh_token)
check.differ('refresh: another access token', second.access_token, first.access_token)
const again = await client.refreshTokenGrant(native, first.refresh_token)
check.equal(
  'lost answer: the very same tokens',
  [again.access_token, again.refresh_token],
  [second.access_token, second.refresh_token],
)
await check.rejects(
  'lost answer: a retry that asks for something else',
  client.refreshTokenGrant(native, first.refresh_token, { scope: 'read' }),
  code,
  'invalid_grant',
)
const both = await Promise.all([1, 2, 3, 4].map(() => client.refreshTokenGrant(native, second.refresh_token)))
check.equal('refresh: four at once have one successor', new Set(both.map((one) => one.refresh_token)).size, 1)
const third = await client.refreshTokenGrant(native, both[0].refresh_token)
await check.rejects(
  'refresh: the predecessor of a used token',
  client.refreshTokenGrant(native, second.refresh_token),
  status,
  [400, 'invalid_grant'],
)
check.equal('refresh: within the leeway that ends nothing', (await me(native, third.access_token)).status, 200)
await check.rejects('refresh: no token at all', client.refreshTokenGrant(native, 'hello'), code, 'invalid_grant')
await check.rejects(
  "refresh: another client's",
  client.refreshTokenGrant(await discover('web'), third.refresh_token),
  code,
  'invalid_grant',
)

// The user of a public client is asked each time, because anyone could claim to be that client.
const user = new User(ISSUER)
await asked(native, NATIVE_CALLBACK, {}, 'approve', user)
const consent = await user.open(
  client.buildAuthorizationUrl(native, {
    redirect_uri: NATIVE_CALLBACK,
    scope: 'read',
    code_challenge: await client.calculatePKCECodeChallenge('v'.repeat(43)),
    code_challenge_method: 'S256',
  }).href,
)
check.equal('consent: signed in and still asked', [consent.has('login-submit'), consent.has('consent-approve')], [false, true])

// Confidential clients, one for each way to send a secret.
for (const [id, authentication, address] of [
  ['web', client.ClientSecretBasic(SECRETS.web), 'https://web.example/callback'],
  ['post', client.ClientSecretPost(SECRETS.post), 'https://post.example/plain'],
]) {
  const config = await discover(id, authentication)
  const [to, expected] = await callback(config, address)
  const granted = await client.authorizationCodeGrant(config, to, expected)
  check.equal(`${id}: scope`, granted.scope, 'read write')
  const renewed = await client.refreshTokenGrant(config, granted.refresh_token)
  check.equal(`${id}: the refresh token is kept`, renewed.refresh_token, granted.refresh_token)
  check.differ(`${id}: the access token is new`, renewed.access_token, granted.access_token)
  const replay = client.authorizationCodeGrant(config, to, expected)
  await check.rejects(`${id}: a replayed code`, replay, status, [400, 'invalid_grant'])
  await check.rejects(`${id}: ends the grant`, client.refreshTokenGrant(config, granted.refresh_token), code, 'invalid_grant')
}

// response_mode form_post: a page with a form for the client, and no redirect.
const web = await discover('web')
const posted = await asked(web, 'https://web.example/callback', { response_mode: 'form_post' })
check.equal('form_post: a page', [posted.page.status, posted.page.redirect], [200, undefined])
const form = posted.page.forms[0]
check.equal('form_post: to the callback', [form?.action, form?.method], ['https://web.example/callback', 'post'])
check.equal('form_post: its fields', Object.keys(values(form)).sort(), ['code', 'iss', 'state'])
const request = new Request(form.action, { method: 'POST', body: new URLSearchParams(values(form)) })
const granted = await client.authorizationCodeGrant(web, request, posted.checks)
check.equal('form_post: tokens', granted.scope, 'read write')

// Introspection and revocation.
const resource = await discover('resource')
const seen = await client.tokenIntrospection(resource, granted.access_token, { token_type_hint: 'access_token' })
check.equal(
  'introspection: what it says',
  { ...seen, iat: typeof seen.iat, exp: seen.exp - seen.iat, auth_time: typeof seen.auth_time },
  {
    active: true,
    scope: 'read write',
    client_id: 'web',
    token_type: 'Bearer',
    sub: 'user-alice',
    sub_type: 'user',
    aud: ISSUER,
    iss: ISSUER,
    iat: 'number',
    exp: 600,
    auth_time: 'number',
    acr: '1',
  },
)
await client.tokenRevocation(await discover('post', client.ClientSecretPost(SECRETS.post)), granted.access_token)
check.equal("revocation: not another client's", (await me(web, granted.access_token)).status, 200)
await client.tokenRevocation(web, granted.access_token, { token_type_hint: 'access_token' })
check.equal('revocation: introspection', await client.tokenIntrospection(resource, granted.access_token), { active: false })
await check.rejects(
  'revocation: /api/me challenges',
  me(web, granted.access_token),
  ({ status, cause }) => [status, cause[0].scheme, cause[0].parameters.error],
  [401, 'bearer', 'invalid_token'],
)
await client.tokenRevocation(web, granted.refresh_token)
await check.rejects('revocation: no refresh', client.refreshTokenGrant(web, granted.refresh_token), code, 'invalid_grant')
await check.rejects(
  'revocation: a wrong secret',
  client.tokenRevocation(await discover('web', client.ClientSecretBasic('wrong')), granted.refresh_token),
  ({ status, cause }) => [status, cause[0]?.scheme],
  [401, 'basic'],
)

// Client credentials and the password grant.
for (const id of ['service', 'special']) {
  const job = await client.clientCredentialsGrant(await discover(id), { scope: 'read' })
  check.equal(`${id}: scope`, [job.scope, job.refresh_token], ['read', undefined])
  check.equal(`${id}: subject`, (await client.tokenIntrospection(resource, job.access_token)).sub, id)
}
const legacy = await discover('legacy')
const known = await client.genericGrantRequest(legacy, 'password', { username: USERNAME, password: PASSWORD, scope: 'read' })
check.equal('password: scope', known.scope, 'read')
check.equal('password: /api/me', (await (await me(legacy, known.access_token)).json()).sub, 'user-alice')
await check.rejects(
  'password: a wrong one',
  client.genericGrantRequest(legacy, 'password', { username: USERNAME, password: 'wrong' }),
  status,
  [400, 'invalid_grant'],
)

// Errors.
await check.rejects(
  'a wrong secret',
  client.clientCredentialsGrant(await discover('service', client.ClientSecretBasic('wrong'))),
  ({ status, cause }) => [status, cause[0]?.scheme],
  [401, 'basic'],
)
await check.rejects(
  'the secret of a Basic client in the body',
  client.clientCredentialsGrant(await discover('service', client.ClientSecretPost(SECRETS.service))),
  (error) => error.status,
  401,
)
await check.rejects(
  'an unknown scope',
  client.clientCredentialsGrant(await discover('service'), { scope: 'admin' }),
  status,
  [400, 'invalid_scope'],
)
await check.rejects(
  'a grant that the client does not list',
  client.clientCredentialsGrant(web),
  status,
  [400, 'unauthorized_client'],
)
await check.rejects(
  'a grant that nobody knows',
  client.genericGrantRequest(web, 'urn:example:nothing', {}),
  status,
  [400, 'unsupported_grant_type'],
)
for (const [what, more, decision, expected] of [
  ['a denied consent', {}, 'deny', 'access_denied'],
  ['an unknown scope', { scope: 'read admin' }, 'approve', 'invalid_scope'],
  ['no PKCE', { code_challenge: '', code_challenge_method: '' }, 'approve', 'invalid_request'],
  ['PKCE of the plain kind', { code_challenge_method: 'plain' }, 'approve', 'invalid_request'],
  ['an unknown response type', { response_type: 'none' }, 'approve', 'unsupported_response_type'],
]) {
  const [to, answered] = await callback(native, NATIVE_CALLBACK, more, decision)
  await check.rejects(`authorize: ${what}`, client.authorizationCodeGrant(native, to, answered), code, expected)
}
for (const [what, more] of [
  ['an unknown client', { client_id: 'nobody' }],
  ['another callback', { redirect_uri: 'https://evil.example/' }],
]) {
  const { page } = await asked(native, NATIVE_CALLBACK, more)
  check.equal(`authorize: ${what} gets no redirect`, [page.status, page.redirect, page.has('oauth-error')], [400, undefined, true])
}

// A device, and its user's browser (RFC 8628).
const television = await discover('television', client.None())
const began = await client.initiateDeviceAuthorization(television, { scope: 'read write' })
check.equal('device: where its user goes', began.verification_uri, `${ISSUER}/device`)
check.matches('device: what its user enters', began.user_code, /^[B-DF-HJ-NP-TV-XZ]{4}-[B-DF-HJ-NP-TV-XZ]{4}$/)
const entered = await new User(ISSUER).connect(began.verification_uri_complete)
check.equal('device: the last page', [entered.status, entered.has('device-done')], [200, true])
const connected = await client.pollDeviceAuthorizationGrant(television, began)
check.equal('device: scope', connected.scope, 'read write')
check.equal('device: whose', (await (await me(television, connected.access_token)).json()).sub, 'user-alice')
const later = await client.refreshTokenGrant(television, connected.refresh_token)
check.matches('device: a new access token', later.access_token, /^gat_[\w-]{64}$/)
const refused = await client.initiateDeviceAuthorization(television, {})
await new User(ISSUER).connect(refused.verification_uri, 'deny', refused.user_code.toLowerCase())
await check.rejects('device: a denial', client.pollDeviceAuthorizationGrant(television, refused), code, 'access_denied')
await check.rejects(
  'device: a client that is none',
  client.initiateDeviceAuthorization(await discover('service'), {}),
  status,
  [400, 'unauthorized_client'],
)

check.done()
