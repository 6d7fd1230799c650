// A sign-in by openid-client as a relying party.

import * as client from 'openid-client'
import { User } from './user.mjs'

/** A request that the user agrees to: where the browser is sent, and what the client checks there. */
export async function ask(config, parameters) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier()
  const [expectedState, expectedNonce] = [client.randomState(), client.randomNonce()]
  const url = client.buildAuthorizationUrl(config, {
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: expectedState,
    nonce: expectedNonce,
    ...parameters,
  })
  const callback = await new User(process.env.GRANTOR_ISSUER).authorize(url)
  return { callback, checks: { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true } }
}
