// The endpoints over axum, and what the module signs, checked by the cryptography of Node.js.

import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto'

const decoded = (part) => JSON.parse(Buffer.from(part, 'base64url'))
const base = { grant_type: 'client_credentials', scope: 'read', client_id: 'worker' }
const client = { ...base, client_secret: 'a secret that was drawn, and not chosen' }

export function checkWeb(checks, call) {
  const serve = (target, token = '', form = {}) =>
    call('serve', `${target}\n${token}\n${new URLSearchParams(form)}`)

  checks.equal('a router is built', call('start_web'), { status: 200, body: '' })
  const metadata = JSON.parse(serve('GET /.well-known/oauth-authorization-server').body)
  checks.equal('it has the metadata of the server', metadata.jwks_uri, 'https://as.example/jwks')
  const { keys } = JSON.parse(serve('GET /jwks').body)
  checks.equal('a key of each algorithm is published', keys.map((key) => key.alg).sort(), ['ES256', 'EdDSA'])

  for (const [path, algorithm, digest] of [['/notes', 'ES256', 'sha256'], ['/mail', 'EdDSA', null]]) {
    const issued = serve('POST /token', '', { ...client, resource: `https://as.example${path}` })
    checks.equal(`${algorithm}: a client gets a token`, issued.status, 200)
    const token = JSON.parse(issued.body).access_token
    const [header, claims, signature] = token.split('.')
    checks.equal('that is signed by this algorithm', decoded(header).alg, algorithm)
    checks.equal('and names its audience', decoded(claims).aud, `https://as.example${path}`)
    const key = createPublicKey({ key: keys.find((key) => key.kid === decoded(header).kid), format: 'jwk' })
    const options = { key, dsaEncoding: 'ieee-p1363' }
    const signed = verify(digest, Buffer.from(`${header}.${claims}`), options, Buffer.from(signature, 'base64url'))
    checks.equal('as another library sees', signed, true)

    checks.equal('the guard lets it pass', serve(`GET ${path}`, token), { status: 200, body: 'read of worker' })
    const other = `${header}.${claims}.${(signature[0] === 'A' ? 'B' : 'A') + signature.slice(1)}`
    checks.equal('and none with another signature', serve(`GET ${path}`, other).status, 401)
  }

  for (const [algorithm, type, options, formats] of [
    ['ES256', 'ec', { namedCurve: 'P-256' }, ['pkcs8', 'sec1', 'jwk']],
    ['EdDSA', 'ed25519', {}, ['pkcs8', 'jwk']],
  ]) {
    const { publicKey, privateKey } = generateKeyPairSync(type, options)
    const { x, y } = publicKey.export({ format: 'jwk' })
    for (const format of formats) {
      const exported =
        format === 'jwk' ? JSON.stringify(privateKey.export({ format })) : privateKey.export({ type: format, format: 'pem' })
      const read = call('import', `${algorithm}\n${exported}`)
      const public_ = read.status === 200 ? JSON.parse(read.body) : read
      checks.equal(`${algorithm}: a key as ${format} is read`, [public_.x, public_.y], [x, y])
    }
    const other = generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' })
    const mixed = JSON.stringify({ ...other, x, y })
    checks.equal('a private half of another key is refused', call('import', `${algorithm}\n${mixed}`).status, 400)
  }
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' })
  checks.matches('an RSA key is not supported', call('import', `RS256\n${rsa}`).body, /not supported/)
}
