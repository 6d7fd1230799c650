// openid-client and oauth4webapi against the example server: signed requests (JAR), signed responses (JARM), signed introspection answers,
// pushed requests, and authorization details in all of them.

import * as oauth from 'oauth4webapi'
import * as client from 'openid-client'
import { Checks } from './checks.mjs'
import { as, insecure } from './discovery.mjs'
import { discover, keyOf, parameters, signedAnswers } from './keyed_client.mjs'
import { User } from './user.mjs'

const ISSUER = process.env.GRANTOR_ISSUER
const DETAILS = [{ type: 'payment', amount: '12.50' }]

const check = new Checks('openid-client and oauth4webapi, message signing')

function configured(alg, ...execute) {
  return discover(alg, { metadata: alg === 'RS256' ? {} : signedAnswers(alg), execute })
}

function detailed(alg, more = {}) {
  return parameters(alg, { authorization_details: JSON.stringify(DETAILS), ...more })
}

for (const alg of ['ES256', 'EdDSA', 'PS256', 'RS256']) {
  const config = await configured(alg, client.useJwtResponseMode)
  const metadata = config.serverMetadata()
  check.equal(`${alg}: request objects are announced`, metadata.request_object_signing_alg_values_supported.includes(alg), true)
  check.equal(`${alg}: signed responses are announced`, metadata.authorization_signing_alg_values_supported.includes(alg), true)
  check.equal(`${alg}: signed answers are announced`, metadata.introspection_signing_alg_values_supported.includes(alg), true)
  check.equal(`${alg}: no request_uri of others`, metadata.request_uri_parameter_supported, false)

  const { asked, checks } = await detailed(alg)
  let url = await client.buildAuthorizationUrlWithJAR(config, asked, await keyOf(alg))
  check.equal(`${alg}: all is in the object`, [...url.searchParams.keys()].sort(), ['client_id', 'request'])
  if (alg === 'PS256') url = await client.buildAuthorizationUrlWithPAR(config, url.searchParams)
  const callback = await new User(ISSUER).authorize(url)
  check.equal(`${alg}: all is in the response`, [...callback.searchParams.keys()], ['response'])
  const tokens = await client.authorizationCodeGrant(config, callback, checks)
  check.equal(`${alg}: the details were granted`, tokens.authorization_details, DETAILS)

  const seen = await client.tokenIntrospection(config, tokens.access_token)
  check.equal(`${alg}: introspection`, [seen.active, seen.client_id], [true, alg.toLowerCase()])

  const denied = await detailed(alg)
  let refused = await client.buildAuthorizationUrlWithJAR(config, denied.asked, await keyOf(alg))
  if (alg === 'PS256') refused = await client.buildAuthorizationUrlWithPAR(config, refused.searchParams)
  const answer = await new User(ISSUER).authorize(refused, 'deny')
  const failed = client.authorizationCodeGrant(config, answer, denied.checks)
  await check.rejects(`${alg}: a denial is signed`, failed, ({ error }) => error, 'access_denied')
}

// What a client requires of itself holds.
const strict = await configured('PS256', client.useJwtResponseMode)
const plain = await detailed('PS256')
const pushed = client.buildAuthorizationUrlWithPAR(strict, plain.asked)
await check.rejects('an unsigned push', pushed, ({ error }) => error, 'invalid_request')
const direct = await client.buildAuthorizationUrlWithJAR(strict, plain.asked, await keyOf('PS256'))
const answer = await new User(ISSUER).authorize(direct)
await check.rejects(
  'a signed request that was not pushed',
  client.authorizationCodeGrant(strict, answer, plain.checks),
  ({ error }) => error,
  'invalid_request',
)

// The key of another client leads nowhere.
const es256 = await configured('ES256')
const { asked } = await detailed('ES256')
const forged = await client.buildAuthorizationUrlWithJAR(es256, asked, await keyOf('EdDSA'))
const page = await new User(ISSUER).walk(forged)
check.equal('a forged object is a page', [page.redirect, page.status], [undefined, 400])
check.matches('and says why', page.html, /id="oauth-error">invalid_request_object</)

// The other library, with its own checks of the response, and of the answer and its signature.
const own = { client_id: 'es256', ...signedAnswers('ES256') }
const auth = oauth.PrivateKeyJwt(await keyOf('ES256'))
for (const response_mode of ['jwt', 'query.jwt', 'fragment.jwt']) {
  const { asked, checks } = await detailed('ES256', { response_type: 'code', response_mode })
  const request = await oauth.issueRequestObject(as, own, asked, await keyOf('ES256'))
  const push = await oauth.pushedAuthorizationRequest(as, own, auth, { request }, insecure)
  const { request_uri } = await oauth.processPushedAuthorizationResponse(as, own, push)
  const url = new URL(as.authorization_endpoint)
  url.search = new URLSearchParams({ client_id: 'es256', request_uri })
  const callback = await new User(ISSUER).authorize(url)
  const received = response_mode === 'fragment.jwt' ? new URLSearchParams(callback.hash.slice(1)) : callback.searchParams
  const parsed = await oauth.validateJwtAuthResponse(as, own, received, checks.expectedState, insecure)
  const response = await oauth.authorizationCodeGrantRequest(as, own, auth, parsed, asked.redirect_uri, checks.pkceCodeVerifier, insecure)
  const tokens = await oauth.processAuthorizationCodeResponse(as, own, response)
  const introspection = await oauth.introspectionRequest(as, own, auth, tokens.access_token, { requestJwtResponse: true, ...insecure })
  const seen = await oauth.processIntrospectionResponse(as, own, introspection)
  check.equal(`${response_mode}: introspection`, [seen.active, introspection.headers.get('content-type')], [
    true,
    'application/token-introspection+jwt',
  ])
  await oauth.validateApplicationLevelSignature(as, introspection, insecure)
  check.equal(`${response_mode}: its signature is right`, true, true)
}

check.done()
