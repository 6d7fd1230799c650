// openid-client and oauth4webapi against the example server under a profile of FAPI 2.0: `fapi.mjs security` or `fapi.mjs message-signing`.
// Pushed requests, private_key_jwt, and DPoP with nonces by three algorithms; and by message signing JAR, JARM and signed introspection.

import * as oauth from 'oauth4webapi'
import * as client from 'openid-client'
import { Checks } from './checks.mjs'
import { as, insecure } from './discovery.mjs'
import { discover, keyOf, parameters, signedAnswers } from './keyed_client.mjs'
import { User } from './user.mjs'

const ISSUER = process.env.GRANTOR_ISSUER
const ME = new URL(`${ISSUER}/api/me`)
const SIGNS = process.argv[2] === 'message-signing'
/** What the libraries call the algorithm of a proof. */
const PROVES = { ES256: 'ES256', EdDSA: 'Ed25519', PS256: 'PS256' }

const check = new Checks(`openid-client and oauth4webapi, FAPI 2.0 ${process.argv[2]}`)

function configured(alg) {
  return SIGNS ? discover(alg, { metadata: signedAnswers(alg), execute: [client.useJwtResponseMode] }) : discover(alg)
}

/** The URL of a request that is pushed, and signed where the profile wants that. */
async function pushed(config, alg, asked, options) {
  if (!SIGNS) return client.buildAuthorizationUrlWithPAR(config, asked, options)
  const signed = await client.buildAuthorizationUrlWithJAR(config, asked, await keyOf(alg))
  return client.buildAuthorizationUrlWithPAR(config, signed.searchParams, options)
}

const error = ({ error }) => error

for (const alg of ['ES256', 'EdDSA', 'PS256']) {
  const config = await configured(alg)
  const metadata = config.serverMetadata()
  check.equal(`${alg}: pushes are required`, metadata.require_pushed_authorization_requests, true)
  check.equal(`${alg}: RS256 is nowhere in the metadata`, JSON.stringify(metadata).includes('RS256'), false)
  check.equal(`${alg}: clients have keys`, metadata.token_endpoint_auth_methods_supported, ['private_key_jwt'])

  const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair(PROVES[alg]))
  const { asked, checks } = await parameters(alg)
  const url = await pushed(config, alg, asked, { DPoP })
  check.equal(`${alg}: only the request_uri is in the browser`, [...url.searchParams.keys()].sort(), ['client_id', 'request_uri'])
  const callback = await new User(ISSUER).authorize(url)
  const names = [...callback.searchParams.keys()].sort()
  check.equal(`${alg}: the answer`, names, SIGNS ? ['response'] : ['code', 'iss', 'state'])
  const other = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'))
  await check.rejects(`${alg}: another key`, client.authorizationCodeGrant(config, callback, checks, undefined, { DPoP: other }), error, 'invalid_grant')
  await check.rejects(`${alg}: no key`, client.authorizationCodeGrant(config, callback, checks), error, 'invalid_dpop_proof')
  const tokens = await client.authorizationCodeGrant(config, callback, checks, undefined, { DPoP })
  check.equal(`${alg}: the token is bound`, tokens.token_type, 'dpop')

  const interaction = crypto.randomUUID()
  const headers = new Headers({ 'x-fapi-interaction-id': interaction })
  const me = await client.fetchProtectedResource(config, tokens.access_token, ME, 'GET', undefined, headers, { DPoP })
  check.equal(`${alg}: the token works`, [(await me.json()).sub, me.headers.get('x-fapi-interaction-id')], ['user-alice', interaction])
  check.equal(`${alg}: the answer has a date`, Number.isNaN(Date.parse(me.headers.get('date'))), false)
  const bare = await fetch(ME, { headers: { authorization: `Bearer ${tokens.access_token}` } })
  check.equal(`${alg}: not as a bearer token`, bare.status, 401)

  const seen = await client.tokenIntrospection(config, tokens.access_token)
  check.equal(`${alg}: introspection`, [seen.active, seen.token_type, Object.keys(seen.cnf)], [true, 'DPoP', ['jkt']])
  const again = await client.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP })
  check.equal(`${alg}: refresh tokens do not rotate`, again.refresh_token, tokens.refresh_token)
  await check.rejects(`${alg}: a refresh without a key`, client.refreshTokenGrant(config, tokens.refresh_token), error, 'invalid_dpop_proof')
  await client.tokenRevocation(config, again.access_token)
  check.equal(`${alg}: revoked`, (await client.tokenIntrospection(config, again.access_token)).active, false)
}

const config = await configured('ES256')
const rs256 = client.getDPoPHandle(config, await client.randomDPoPKeyPair('RS256'))
await check.rejects('a proof by RS256', client.clientCredentialsGrant(config, {}, { DPoP: rs256 }), error, 'invalid_dpop_proof')
const { asked, checks } = await parameters('ES256')
const direct = await new User(ISSUER).authorize(client.buildAuthorizationUrl(config, asked))
await check.rejects('a request that was not pushed', client.authorizationCodeGrant(config, direct, checks), error, 'invalid_request')
for (const lacking of ['code_challenge', 'redirect_uri']) {
  const { [lacking]: _, ...rest } = asked
  await check.rejects(`a push without ${lacking}`, pushed(config, 'ES256', rest), error, 'invalid_request')
}
if (SIGNS) {
  await check.rejects('an unsigned push', client.buildAuthorizationUrlWithPAR(config, asked), error, 'invalid_request')
}

// The other library, which shows each challenge for a nonce.
const own = { client_id: 'es256', ...(SIGNS ? signedAnswers('ES256') : {}) }
const auth = oauth.PrivateKeyJwt(await keyOf('ES256'))
const DPoP = oauth.DPoP(own, await oauth.generateKeyPair('ES256'))
let challenges = 0

/** Once more with the nonce, where one is wanted. */
async function withNonce(attempt) {
  try {
    return await attempt()
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error
    challenges++
    return attempt()
  }
}

const plain = { response_type: 'code', ...asked, ...(SIGNS ? { response_mode: 'jwt' } : {}) }
const request = SIGNS ? { request: await oauth.issueRequestObject(as, own, plain, await keyOf('ES256')) } : plain
const { request_uri } = await withNonce(async () => {
  const push = await oauth.pushedAuthorizationRequest(as, own, auth, request, { DPoP, ...insecure })
  return oauth.processPushedAuthorizationResponse(as, own, push)
})
const url = new URL(as.authorization_endpoint)
url.search = new URLSearchParams({ client_id: 'es256', request_uri })
const callback = await new User(ISSUER).authorize(url)
const validate = SIGNS ? oauth.validateJwtAuthResponse : oauth.validateAuthResponse
const parsed = await validate(as, own, callback.searchParams, checks.expectedState, insecure)
const tokens = await withNonce(async () => {
  const response = await oauth.authorizationCodeGrantRequest(as, own, auth, parsed, asked.redirect_uri, checks.pkceCodeVerifier, { DPoP, ...insecure })
  return oauth.processAuthorizationCodeResponse(as, own, response)
})
check.equal('oauth4webapi: a bound token', tokens.token_type, 'dpop')
const me = await withNonce(() => oauth.protectedResourceRequest(tokens.access_token, 'GET', ME, undefined, undefined, { DPoP, ...insecure }))
check.equal('oauth4webapi: the token works', (await me.json()).client_id, 'es256')
check.equal('oauth4webapi: nonces were wanted, and the challenge spent nothing', challenges > 0, true)
const introspection = await oauth.introspectionRequest(as, own, auth, tokens.access_token, insecure)
const type = introspection.headers.get('content-type')
check.equal('oauth4webapi: introspection', type, SIGNS ? 'application/token-introspection+jwt' : 'application/json')
check.equal('oauth4webapi: it is active', (await oauth.processIntrospectionResponse(as, own, introspection)).active, true)
if (SIGNS) {
  await oauth.validateApplicationLevelSignature(as, introspection, insecure)
  check.equal('oauth4webapi: its signature is right', true, true)
}

check.done()
