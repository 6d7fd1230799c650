// openid-client against a program that was built from the packaged crate: a code, refresh, the guarded resource, revocation,
// and from an OpenID Provider the user and the logout.

import * as client from 'openid-client'
import { Checks } from './checks.mjs'
import { User } from './user.mjs'

const ISSUER = process.env.GRANTOR_ISSUER
const HOST = process.argv[2]
/** A client that the host knows, its API, and what the user does on which page on the way. */
const HOSTS = {
  quickstart: { id: 'app', redirect_uri: `${ISSUER}/callback`, scope: 'read', api: '/hello', says: 'hello, alice\n', way: [] },
  login: {
    id: 'demo',
    redirect_uri: 'http://127.0.0.1:53131/callback',
    scope: 'openid notes',
    resource: `${ISSUER}/api`,
    api: '/api/notes',
    says: 'notes of alice\n',
    sub: 'alice',
    signed_out: 'http://127.0.0.1:53131/signed-out',
    way: [
      ['Sign in', { name: 'alice', password: 'correct horse', account: 'new' }],
      ['Allow access?', { decision: 'approve' }],
    ],
  },
}
HOSTS['on-actix'] = HOSTS['on-hyper'] = { ...HOSTS.quickstart, redirect_uri: 'http://127.0.0.1:53131/callback' }

const check = new Checks(HOST)
const { id, redirect_uri, scope, resource, api, says, sub, signed_out, way } = HOSTS[HOST]

const config = await client.discovery(new URL(ISSUER), id, {}, client.None(), {
  algorithm: 'oauth2',
  execute: [client.allowInsecureRequests],
})
check.equal('discovery: issuer', config.serverMetadata().issuer, ISSUER)

const pkceCodeVerifier = client.randomPKCECodeVerifier()
const expectedState = client.randomState()
const url = client.buildAuthorizationUrl(config, {
  redirect_uri,
  scope,
  ...(resource && { resource }),
  code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
  code_challenge_method: 'S256',
  state: expectedState,
})
const user = new User(ISSUER)
let page = await user.open(url.href)
for (const [title, typed] of way) {
  check.equal(`the page "${title}"`, page.html.includes(`<h1>${title}</h1>`), true)
  page = await user.submit(page, page.forms[0], null, typed)
}
// The callback of the quickstart is a page of its own.
const callback = new URL(page.redirect ?? page.url)
const first = await client.authorizationCodeGrant(config, callback, { pkceCodeVerifier, expectedState })
check.matches('code: access token', first.access_token, /^gat_[\w-]{64}$/)
check.equal('code: scope', first.scope, scope)
check.equal('code: who the user is', first.claims()?.sub, sub)

const ask = (token) => client.fetchProtectedResource(config, token, new URL(api, ISSUER), 'GET')
const refused = ({ status, cause }) => [status, cause[0].scheme, cause[0].parameters.error]
const answered = async (token) => {
  const response = await ask(token)
  return [response.status, await response.text()]
}
check.equal('the API: for the token', await answered(first.access_token), [200, says])
await check.rejects('the API: for another one', ask('hello'), refused, [401, 'bearer', 'invalid_token'])

const second = await client.refreshTokenGrant(config, first.refresh_token)
check.differ('refresh: another refresh token', second.refresh_token, first.refresh_token)
check.equal('refresh: its access token', await answered(second.access_token), [200, says])

await client.tokenRevocation(config, second.refresh_token)
await check.rejects('revocation: the API', ask(second.access_token), refused, [401, 'bearer', 'invalid_token'])
await check.rejects(
  'revocation: no refresh',
  client.refreshTokenGrant(config, second.refresh_token),
  ({ error }) => error,
  'invalid_grant',
)

if (signed_out) {
  const hint = { id_token_hint: first.id_token, post_logout_redirect_uri: signed_out }
  const left = await user.open(client.buildEndSessionUrl(config, hint).href)
  check.equal('logout: where the browser goes', left.redirect, signed_out)
}
check.done()
