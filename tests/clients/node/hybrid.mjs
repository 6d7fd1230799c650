// openid-client as a relying party of the implicit and the hybrid flow: `id_token`, `code id_token` with `c_hash` and `s_hash`.

import * as client from 'openid-client'
import { Checks } from './checks.mjs'
import { ask } from './relying_party.mjs'

const ISSUER = process.env.GRANTOR_ISSUER
const check = new Checks('openid-client (implicit and hybrid)')

function discover(id, authentication, metadata, execute) {
  return client.discovery(new URL(ISSUER), id, metadata, authentication, {
    execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks, ...execute],
  })
}

/** The same address with one character of a parameter in the fragment changed. */
function changed(callback, name) {
  const url = new URL(callback)
  const parameters = new URLSearchParams(url.hash.slice(1))
  const text = parameters.get(name)
  parameters.set(name, text.slice(0, -2) + (text.at(-2) === 'A' ? 'B' : 'A') + text.at(-1))
  url.hash = parameters.toString()
  return url
}

const secret = client.ClientSecretBasic('hybrid-secret-Zk3vQm81xNfT0aYc7LrUe5Hb')
const hybrid = await discover('hybrid', secret, { id_token_signed_response_alg: 'ES256' }, [client.useCodeIdTokenResponseType])
client.enableDetachedSignatureResponseChecks(hybrid)
check.equal('discovery: response types', hybrid.serverMetadata().response_types_supported, [
  'code',
  'token',
  'id_token',
  'id_token token',
  'code id_token',
  'code token',
  'code id_token token',
])

const request = (name, more = {}) => ({ redirect_uri: `https://${name}.example/callback`, scope: 'openid email', ...more })

const { callback, checks } = await ask(hybrid, request('hybrid'))
check.equal('code id_token: in the fragment', [callback.search, callback.hash.includes('id_token=')], ['', true])
for (const name of ['code', 'state']) {
  const wrong = { ...checks }
  if (name === 'state') wrong.expectedState = new URLSearchParams(changed(callback, name).hash.slice(1)).get('state')
  await check.rejects(
    `code id_token: another ${name}`,
    client.authorizationCodeGrant(hybrid, changed(callback, name), wrong),
    (error) => /_hash/.test(`${error.message} ${error.cause?.message}`),
    true,
  )
}
const tokens = await client.authorizationCodeGrant(hybrid, callback, checks)
check.equal('code id_token: who', [tokens.claims().sub, tokens.claims().nonce], ['user-alice', checks.expectedNonce])
const user = await client.fetchUserInfo(hybrid, tokens.access_token, 'user-alice')
check.equal('code id_token: UserInfo', user.email, 'alice@example.com')
const refreshed = await client.refreshTokenGrant(hybrid, tokens.refresh_token)
check.equal('code id_token: refresh', refreshed.claims().sub, 'user-alice')

const beside = await ask(hybrid, request('hybrid', { response_type: 'token id_token code' }))
const early = new URLSearchParams(beside.callback.hash.slice(1)).get('access_token')
check.equal('code id_token token: UserInfo', (await client.fetchUserInfo(hybrid, early, 'user-alice')).sub, 'user-alice')

const implicit = await discover('implicit', client.None(), {}, [client.useIdTokenResponseType])
const signIn = await ask(implicit, request('implicit'))
const { expectedNonce, expectedState } = signIn.checks
const claims = await client.implicitAuthentication(implicit, signIn.callback, expectedNonce, { expectedState })
check.equal('id_token: who', [claims.sub, claims.aud, claims.email], ['user-alice', 'implicit', 'alice@example.com'])
await check.rejects(
  'id_token: another nonce',
  client.implicitAuthentication(implicit, signIn.callback, client.randomNonce(), { expectedState }),
  (error) => /nonce/.test(`${error.message} ${error.cause?.message}`),
  true,
)
const silent = await ask(implicit, request('implicit', { nonce: '' }))
check.equal('id_token: no nonce', new URLSearchParams(silent.callback.hash.slice(1)).get('error'), 'invalid_request')

check.done()
