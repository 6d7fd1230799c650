// jose verifies a signed access token of the example server by its metadata and key set alone (RFC 9068 section 4).

import * as jose from 'jose'
import { Checks } from './checks.mjs'

const ISSUER = process.env.GRANTOR_ISSUER
const API = 'https://api.example'
const SERVICE = 'service:service-secret-B4mYx9QwTz2KvRn7HcLp5Gs8'

const check = new Checks('jose')
const metadata = await (await fetch(`${ISSUER}/.well-known/oauth-authorization-server`)).json()
const answer = await fetch(metadata.token_endpoint, {
  method: 'POST',
  headers: { authorization: `Basic ${Buffer.from(SERVICE).toString('base64')}` },
  body: new URLSearchParams({ grant_type: 'client_credentials', resource: API }),
})
const { access_token: token } = await answer.json()

const keys = jose.createRemoteJWKSet(new URL(metadata.jwks_uri))
const rules = {
  issuer: ISSUER,
  audience: API,
  subject: 'service',
  typ: 'at+jwt',
  algorithms: ['EdDSA'],
  requiredClaims: ['client_id', 'exp', 'iat', 'jti'],
}
const { payload } = await jose.jwtVerify(token, keys, rules)
check.equal('claims: client_id', payload.client_id, 'service')
check.equal('claims: scope', payload.scope, 'read')

const other = jose.jwtVerify(token, keys, { ...rules, audience: 'https://other.example' })
await check.rejects('another audience is refused', other, (error) => error.code, 'ERR_JWT_CLAIM_VALIDATION_FAILED')
const [head, body, signature] = token.split('.')
const forged = `${head}.${body}.${signature[0] === 'A' ? 'B' : 'A'}${signature.slice(1)}`
const refused = jose.jwtVerify(forged, keys, rules)
await check.rejects('another signature is refused', refused, (e) => e.code, 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED')
check.done()
