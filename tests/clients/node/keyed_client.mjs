// The clients whose keys are in `private_keys.json`, one for each algorithm, and what they ask for by openid-client.

import { readFileSync } from 'node:fs'
import * as client from 'openid-client'

const KEYS = JSON.parse(readFileSync(new URL('../private_keys.json', import.meta.url)))
const IMPORT = {
  ES256: { name: 'ECDSA', namedCurve: 'P-256' },
  EdDSA: { name: 'Ed25519' },
  PS256: { name: 'RSA-PSS', hash: 'SHA-256' },
  RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
}

export async function keyOf(alg) {
  const { alg: _, kid, ...jwk } = KEYS[alg]
  return { key: await crypto.subtle.importKey('jwk', jwk, IMPORT[alg], false, ['sign']), kid }
}

/** The metadata of a client that wants its answers signed. */
export function signedAnswers(alg) {
  return { authorization_signed_response_alg: alg, introspection_signed_response_alg: alg }
}

export async function discover(alg, { metadata = {}, execute = [], key } = {}) {
  const authentication = client.PrivateKeyJwt(key ?? (await keyOf(alg)))
  return client.discovery(new URL(process.env.GRANTOR_ISSUER), alg.toLowerCase(), metadata, authentication, {
    algorithm: 'oauth2',
    execute: [client.allowInsecureRequests, ...execute],
  })
}

/** The parameters of an authorization request, and what its client checks of the answer. */
export async function parameters(alg, more = {}) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier()
  const expectedState = client.randomState()
  const asked = {
    redirect_uri: `https://${alg.toLowerCase()}.example/callback`,
    scope: 'read',
    state: expectedState,
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    ...more,
  }
  return { asked, checks: { pkceCodeVerifier, expectedState } }
}
