// openid-client names resources (RFC 8707) and exchanges tokens (RFC 8693) at the example server.

import * as jose from 'jose'
import * as client from 'openid-client'
import { Checks } from './checks.mjs'
import { User } from './user.mjs'

const ISSUER = process.env.GRANTOR_ISSUER
const CALLBACK = 'http://127.0.0.1:53151/callback'
const [ORDERS, BILLING] = ['https://orders.example', 'https://billing.example']
const SECRETS = {
  orders: 'orders-secret-Vq7nTz3WcXk5Jm9RbLs2Yf8P',
  stranger: 'stranger-secret-Kd4wNq8ZrTx6Hb1MvGs5Jc3L',
}
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'

const check = new Checks('openid-client exchange')

const discover = (id, authentication = client.ClientSecretBasic(SECRETS[id])) =>
  client.discovery(new URL(ISSUER), id, {}, authentication, {
    algorithm: 'oauth2',
    execute: [client.allowInsecureRequests],
  })
const native = await discover('native', client.None())
const orders = await discover('orders')
const stranger = await discover('stranger')
const status = ({ error, status }) => [status, error]

/** The callback of an authorization request that names these resources. */
async function callback(...resources) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier()
  const expectedState = client.randomState()
  const url = client.buildAuthorizationUrl(native, {
    redirect_uri: CALLBACK,
    scope: 'read write',
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: expectedState,
  })
  for (const resource of resources) url.searchParams.append('resource', resource)
  return [await new User(ISSUER).authorize(url), { pkceCodeVerifier, expectedState }]
}

const redeem = async (resources, resource) =>
  client.authorizationCodeGrant(native, ...(await callback(...resources)), { resource })

const keys = jose.createRemoteJWKSet(new URL(native.serverMetadata().jwks_uri))
const verified = async (token, audience = BILLING) =>
  (await jose.jwtVerify(token, keys, { issuer: ISSUER, audience, typ: 'at+jwt' })).payload

// Resource indicators: each access token is for one of the resources that the user was asked for.
const first = await redeem([ORDERS, BILLING], ORDERS)
const seen = await client.tokenIntrospection(orders, first.access_token)
check.equal('resource: the audience of the first token', [seen.active, seen.aud, seen.scope], [true, ORDERS, 'read write'])
const second = await client.refreshTokenGrant(native, first.refresh_token, { resource: BILLING })
const claims = await verified(second.access_token)
check.equal('resource: the audience of the next', [claims.aud, claims.scope, claims.sub], [BILLING, 'read', 'user-alice'])
check.equal('resource: whom it is not for', (await client.tokenIntrospection(orders, second.access_token)).active, false)
await check.rejects(
  'resource: an access token is for one',
  client.refreshTokenGrant(native, second.refresh_token, new URLSearchParams([['resource', ORDERS], ['resource', BILLING]])),
  status,
  [400, 'invalid_target'],
)
await check.rejects(
  'resource: one that the user was not asked for',
  redeem([ORDERS], BILLING),
  status,
  [400, 'invalid_target'],
)
for (const strange of ['https://elsewhere.example', 'orders', `${ORDERS}#fragment`]) {
  const [to, checks] = await callback(strange)
  await check.rejects(
    `resource: ${strange}`,
    client.authorizationCodeGrant(native, to, checks),
    ({ error }) => error,
    'invalid_target',
  )
}

// Token exchange: the service behind one resource passes its caller on to the other.
const exchange = (config, more) =>
  client.genericGrantRequest(config, EXCHANGE, {
    subject_token: first.access_token,
    subject_token_type: ACCESS_TOKEN,
    resource: BILLING,
    ...more,
  })
for (const [what, more] of [
  ['resource', {}],
  ['audience', { resource: '', audience: BILLING }],
]) {
  const passed = await exchange(orders, { scope: 'read', ...more })
  const { sub, act, client_id, scope, exp } = await verified(passed.access_token)
  check.equal(`exchange by ${what}: the type`, passed.issued_token_type, ACCESS_TOKEN)
  check.equal(`exchange by ${what}: no refresh token`, passed.refresh_token, undefined)
  check.equal(`exchange by ${what}: in whose name`, [sub, client_id, scope], ['user-alice', 'orders', 'read'])
  check.equal(`exchange by ${what}: who acts`, act?.sub, 'orders')
  check.equal(`exchange by ${what}: it lives no longer`, exp <= seen.exp, true)
}
for (const [what, config, more, error] of [
  ['an application that no entry names', stranger, {}, 'invalid_target'],
  ['a resource that the entry does not name', orders, { resource: ORDERS }, 'invalid_target'],
  ['a resource that nobody knows', orders, { resource: 'https://elsewhere.example' }, 'invalid_target'],
  ['a token of another resource', orders, { subject_token: second.access_token }, 'invalid_target'],
  ['a wider scope', orders, { scope: 'read admin' }, 'invalid_scope'],
  ['a token that is none', orders, { subject_token: 'gat_none' }, 'invalid_request'],
  ['another type of token', orders, { subject_token_type: 'urn:ietf:params:oauth:token-type:id_token' }, 'invalid_request'],
  ['a public client', native, {}, 'unauthorized_client'],
]) {
  await check.rejects(`exchange: ${what}`, exchange(config, more), status, [400, error])
}
await client.tokenRevocation(native, first.access_token)
await check.rejects('exchange: a revoked token', exchange(orders, {}), status, [400, 'invalid_request'])

check.done()
