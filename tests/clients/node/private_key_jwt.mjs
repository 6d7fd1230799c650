// openid-client against the example server, by keys: private_key_jwt in four algorithms, at every endpoint.

import { createRemoteJWKSet, decodeJwt, jwtVerify, SignJWT } from 'jose'
import * as client from 'openid-client'
import { Checks } from './checks.mjs'
import { discover, keyOf } from './keyed_client.mjs'
import { User } from './user.mjs'

const ISSUER = process.env.GRANTOR_ISSUER
const ME = new URL(`${ISSUER}/api/me`)

const check = new Checks('openid-client, private_key_jwt')

const published = createRemoteJWKSet(new URL(`${ISSUER}/jwks`))

for (const alg of ['ES256', 'EdDSA', 'PS256', 'RS256']) {
  const config = await discover(alg)
  const metadata = config.serverMetadata()
  check.equal(`${alg}: the method is announced`, metadata.token_endpoint_auth_methods_supported.includes('private_key_jwt'), true)
  check.equal(`${alg}: the algorithm is announced`, metadata.token_endpoint_auth_signing_alg_values_supported.includes(alg), true)

  const own = await client.clientCredentialsGrant(config, { scope: 'read' })
  const { payload, protectedHeader } = await jwtVerify(own.access_token, published, { issuer: ISSUER, typ: 'at+jwt' })
  check.equal(`${alg}: a token of its own`, [payload.client_id, payload.sub_type], [alg.toLowerCase(), 'client'])
  check.equal(`${alg}: signed by the first algorithm`, protectedHeader.alg, 'EdDSA')

  const old = await client.clientCredentialsGrant(config, { scope: 'read', resource: 'https://old.example' })
  const signed = await jwtVerify(old.access_token, published, { audience: 'https://old.example' })
  check.equal(`${alg}: a resource that wants RS256`, signed.protectedHeader.alg, 'RS256')

  const seen = await client.tokenIntrospection(config, own.access_token)
  check.equal(`${alg}: introspection`, [seen.active, seen.client_id], [true, alg.toLowerCase()])
  await client.tokenRevocation(config, own.access_token)
  const gone = await client.tokenIntrospection(config, own.access_token)
  check.equal(`${alg}: revocation`, gone.active, false)

  const redirect_uri = `https://${alg.toLowerCase()}.example/callback`
  const pkceCodeVerifier = client.randomPKCECodeVerifier()
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri,
    scope: 'read write',
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
  })
  const page = await new User(ISSUER).walk(url, 'approve')
  const tokens = await client.authorizationCodeGrant(config, new URL(page.redirect), { pkceCodeVerifier })
  const reply = await client.fetchProtectedResource(config, tokens.access_token, ME, 'GET')
  check.equal(`${alg}: a code`, [reply.status, (await reply.json()).sub], [200, 'user-alice'])
  const renewed = await client.refreshTokenGrant(config, tokens.refresh_token)
  check.matches(`${alg}: a refresh token`, renewed.access_token, /^ey/)
}

// Another client's key, and an assertion that is used twice.
const stolen = await discover('ES256', { key: await keyOf('EdDSA') })
await check.rejects('the key of another client', client.clientCredentialsGrant(stolen), ({ status }) => status, 401)

// Proofs of a key, by each algorithm that the metadata list, and with the nonce that the server wants.
for (const alg of ['ES256', 'Ed25519', 'PS256', 'RS256']) {
  const config = await discover('ES256')
  check.equal(`DPoP by ${alg}: announced`, config.serverMetadata().dpop_signing_alg_values_supported.includes(alg), true)
  const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair(alg))
  const proofs = []
  config[client.customFetch] = (url, options) => {
    proofs.push(decodeJwt(new Headers(options.headers).get('dpop')))
    return fetch(url, options)
  }
  const own = await client.clientCredentialsGrant(config, { scope: 'read' }, { DPoP })
  check.equal(`DPoP by ${alg}: a proof without a nonce is sent again with it`, proofs.map(({ nonce }) => typeof nonce), ['undefined', 'string'])
  const me = await client.fetchProtectedResource(config, own.access_token, ME, 'GET', undefined, undefined, { DPoP })
  check.equal(`DPoP by ${alg}: a bound token works`, [own.token_type, (await me.json()).client_id], ['dpop', 'es256'])
  const bare = await fetch(ME, { headers: { authorization: `Bearer ${own.access_token}` } })
  check.equal(`DPoP by ${alg}: not without a proof`, bare.status, 401)
}

const { key, kid } = await keyOf('ES256')
const now = Math.floor(Date.now() / 1000)
const claims = { iss: 'es256', sub: 'es256', aud: ISSUER, jti: crypto.randomUUID(), iat: now, exp: now + 60 }
const post = (client_assertion) =>
  fetch(`${ISSUER}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion,
    }),
  })
const sign = (more) => new SignJWT({ ...claims, ...more }).setProtectedHeader({ alg: 'ES256', kid }).sign(key)
const once = await sign({})
const answers = await Promise.all(Array.from({ length: 8 }, () => post(once)))
check.equal('one of eight uses works', answers.map(({ status }) => status).sort(), [200, ...Array(7).fill(401)])
const elsewhere = await post(await sign({ aud: `${ISSUER}/token`, jti: 'token endpoint' }))
check.equal('the token endpoint is no audience', elsewhere.status, 401)

check.done()
