// openid-client as a relying party: discovery, id_token, nonce, UserInfo, refresh and the parameter `claims`.

import * as jose from 'jose'
import * as client from 'openid-client'
import { Checks } from './checks.mjs'
import { ask } from './relying_party.mjs'

const ISSUER = process.env.GRANTOR_ISSUER
const check = new Checks('openid-client (OpenID Connect)')

function discover(id, secret, metadata = {}) {
  return client.discovery(new URL(ISSUER), id, metadata, client.ClientSecretBasic(secret), {
    execute: [client.allowInsecureRequests],
  })
}

async function login(config, redirect_uri, more = {}) {
  const { callback, checks } = await ask(config, { redirect_uri, scope: 'openid profile email', ...more })
  return client.authorizationCodeGrant(config, callback, checks)
}

const web = await discover('web', 'web-secret-Zk3vQm81xNfT0aYc7LrUe5Hb')
const metadata = web.serverMetadata()
check.equal('discovery: UserInfo', metadata.userinfo_endpoint, `${ISSUER}/userinfo`)
check.equal('discovery: algorithms', metadata.id_token_signing_alg_values_supported.includes('RS256'), true)
client.enableNonRepudiationChecks(web)

const tokens = await login(web, 'https://web.example/callback')
const claims = tokens.claims()
check.equal('id_token: who', [claims.iss, claims.sub, claims.aud], [ISSUER, 'user-alice', 'web'])
check.equal('id_token: how long', claims.exp - claims.iat, 300)
check.equal('id_token: how', [claims.acr, claims.amr, typeof claims.auth_time], ['1', ['pwd'], 'number'])
check.equal('id_token: no claims of scopes', claims.email, undefined)
check.equal('scope', tokens.scope.split(' ').sort(), ['email', 'openid', 'profile'])

const user = await client.fetchUserInfo(web, tokens.access_token, claims.sub)
check.equal('UserInfo', user, {
  sub: 'user-alice',
  name: 'Alice Liddell',
  given_name: 'Alice',
  email: 'alice@example.com',
  email_verified: true,
})
await check.rejects(
  'UserInfo: no such token',
  client.fetchUserInfo(web, 'gat_nothing', claims.sub),
  (error) => error.status ?? error.cause?.status,
  401,
)

const refreshed = await client.refreshTokenGrant(web, tokens.refresh_token)
const again = refreshed.claims()
check.equal('refresh: the same user and login', [again.sub, again.auth_time, again.nonce], [claims.sub, claims.auth_time, undefined])

const asked = await login(web, 'https://web.example/callback', {
  scope: 'openid unheard_of',
  claims: JSON.stringify({ id_token: { email: { essential: true } }, userinfo: { shoe_size: null, no_such_thing: null } }),
})
check.equal('claims: in the id_token', asked.claims().email, 'alice@example.com')
check.equal('claims: in UserInfo', await client.fetchUserInfo(web, asked.access_token, 'user-alice'), {
  sub: 'user-alice',
  shoe_size: 36,
})
check.equal('an unknown scope is left out', asked.scope, 'openid')

// Another algorithm, claims of the scopes in the id_token, and signed access tokens.
const es = await discover('es256', 'es-secret-Q4mYx9QwTz2KvRn7HcLp5Gs8', { id_token_signed_response_alg: 'ES256' })
client.enableNonRepudiationChecks(es)
const signed = await login(es, 'https://es.example/callback')
check.equal('ES256: the name is in the id_token', signed.claims().name, 'Alice Liddell')
check.equal('ES256: UserInfo', (await client.fetchUserInfo(es, signed.access_token, 'user-alice')).email, 'alice@example.com')

// A MAC by the secret, which openid-client takes unverified over TLS, and jose verifies.
const shared = 'hs256-secret-that-is-as-long-as-its-hash'
const hs = await client.discovery(new URL(ISSUER), 'hs256', { id_token_signed_response_alg: 'HS256' }, client.ClientSecretPost(shared), {
  execute: [client.allowInsecureRequests],
})
check.equal('HS256: announced', hs.serverMetadata().id_token_signing_alg_values_supported.includes('HS256'), true)
const rules = { issuer: ISSUER, audience: 'hs256', subject: 'user-alice', algorithms: ['HS256'] }
const verify = (token, secret) => jose.jwtVerify(token, new TextEncoder().encode(secret), rules)
const maced = await login(hs, 'https://hs.example/callback')
check.equal('HS256: header', (await verify(maced.id_token, shared)).protectedHeader, { alg: 'HS256', typ: 'JWT' })
const renewed = await client.refreshTokenGrant(hs, maced.refresh_token)
check.equal('HS256: refresh', (await verify(renewed.id_token, shared)).payload.sub, 'user-alice')
await check.rejects('HS256: another secret', verify(renewed.id_token, `${shared}x`), ({ code }) => code, 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED')

check.done()
