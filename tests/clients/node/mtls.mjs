// openid-client with a client certificate, for `mtls.py`, which makes it.

import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import * as client from 'openid-client'
import { Checks } from './checks.mjs'

const { GRANTOR_ISSUER: ISSUER, GRANTOR_CLIENT: ID } = process.env
const cert = readFileSync(process.env.GRANTOR_CERTIFICATE)
const key = readFileSync(process.env.GRANTOR_KEY)

const check = new Checks(`openid-client, ${ID}`)

/** `fetch` over a connection with the certificate, or without it. */
const over = (tls) => (url, options) =>
  new Promise((resolve, reject) => {
    const { method, headers } = options
    const asked = request(url, { method, headers: Object.fromEntries(new Headers(headers)), ...tls }, (answer) => {
      const parts = []
      answer.on('data', (part) => parts.push(part))
      answer.on('end', () => resolve(new Response(Buffer.concat(parts), { status: answer.statusCode, headers: answer.headers })))
    })
    asked.on('error', reject)
    asked.end(options.body?.toString())
  })

const config = await client.discovery(new URL(ISSUER), ID, {}, client.TlsClientAuth(), {
  algorithm: 'oauth2',
  [client.customFetch]: over({ cert, key }),
})
const methods = config.serverMetadata().token_endpoint_auth_methods_supported
check.equal('the methods are announced', ['tls_client_auth', 'self_signed_tls_client_auth'].every((name) => methods.includes(name)), true)
check.equal('bound tokens are announced', config.serverMetadata().tls_client_certificate_bound_access_tokens, true)

const tokens = await client.clientCredentialsGrant(config, { scope: 'read' })
check.equal('client_credentials', tokens.token_type, 'bearer')
const me = await client.fetchProtectedResource(config, tokens.access_token, new URL(`${ISSUER}/api/me`), 'GET')
check.equal('the token works', (await me.json()).client_id, ID)
const seen = await client.tokenIntrospection(config, tokens.access_token)
check.equal('introspection', [seen.active, Object.keys(seen.cnf)], [true, ['x5t#S256']])
await client.tokenRevocation(config, tokens.access_token)
check.equal('revoked', (await client.tokenIntrospection(config, tokens.access_token)).active, false)

const bare = await client.discovery(new URL(ISSUER), ID, {}, client.TlsClientAuth(), {
  algorithm: 'oauth2',
  [client.customFetch]: over({}),
})
await check.rejects('without the certificate', client.clientCredentialsGrant(bare), (error) => error.error, 'invalid_client')
check.done()
