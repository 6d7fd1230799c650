// oauth4webapi and openid-client against the example server by client_secret_jwt: an assertion with a MAC by the secret.

import * as oauth from 'oauth4webapi'
import * as client from 'openid-client'
import { Checks } from './checks.mjs'
import { as, insecure } from './discovery.mjs'

const ISSUER = process.env.GRANTOR_ISSUER
const SECRETS = ['hs256-secret-that-is-as-long-as-its-hash', 'hs256-secret-that-is-the-next-one-of-two']

const check = new Checks('oauth4webapi and openid-client, client_secret_jwt')
check.equal('the method is announced', as.token_endpoint_auth_methods_supported.includes('client_secret_jwt'), true)
check.equal('the algorithm is announced', as.token_endpoint_auth_signing_alg_values_supported.includes('HS256'), true)

const own = { client_id: 'hs256' }
for (const secret of SECRETS) {
  const auth = oauth.ClientSecretJwt(secret)
  const response = await oauth.clientCredentialsGrantRequest(as, own, auth, { scope: 'read' }, insecure)
  const tokens = await oauth.processClientCredentialsResponse(as, own, response)
  check.equal('oauth4webapi: a token', tokens.token_type, 'bearer')
  const introspection = await oauth.introspectionRequest(as, own, auth, tokens.access_token, insecure)
  check.equal('oauth4webapi: introspection', (await oauth.processIntrospectionResponse(as, own, introspection)).active, true)
  await oauth.processRevocationResponse(await oauth.revocationRequest(as, own, auth, tokens.access_token, insecure))

  const config = await client.discovery(new URL(ISSUER), 'hs256', {}, client.ClientSecretJwt(secret), {
    algorithm: 'oauth2',
    execute: [client.allowInsecureRequests],
  })
  check.equal('openid-client: revoked', (await client.tokenIntrospection(config, tokens.access_token)).active, false)
}
const wrong = await client.discovery(new URL(ISSUER), 'hs256', {}, client.ClientSecretJwt(`${SECRETS[0]}x`), {
  algorithm: 'oauth2',
  execute: [client.allowInsecureRequests],
})
await check.rejects('another secret', client.clientCredentialsGrant(wrong), ({ status }) => status, 401)
check.done()
