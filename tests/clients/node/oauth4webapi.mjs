// oauth4webapi as a relying party: discovery, a login with nonce and max_age, UserInfo as JSON and as a signed JWT, prompt=none
// by what was granted before, and pairwise identifiers.

import * as oauth from 'oauth4webapi'
import { Checks } from './checks.mjs'
import { User } from './user.mjs'

const ISSUER = process.env.GRANTOR_ISSUER
const check = new Checks('oauth4webapi (OpenID Connect)')
const http = { [oauth.allowInsecureRequests]: true }

const issuer = new URL(ISSUER)
const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { ...http, algorithm: 'oidc' }))
check.equal('discovery: prompt values', as.prompt_values_supported.includes('login'), true)
check.equal('discovery: subject types', as.subject_types_supported, ['public', 'pairwise'])

class App {
  constructor(id, secret, redirect_uri, metadata = {}) {
    this.client = { client_id: id, ...metadata }
    this.auth = oauth.ClientSecretBasic(secret)
    this.redirect_uri = redirect_uri
    this.user = new User(ISSUER)
  }

  async ask(more = {}) {
    this.verifier = oauth.generateRandomCodeVerifier()
    this.state = oauth.generateRandomState()
    this.nonce = oauth.generateRandomNonce()
    const url = new URL(as.authorization_endpoint)
    url.search = new URLSearchParams({
      client_id: this.client.client_id,
      redirect_uri: this.redirect_uri,
      response_type: 'code',
      scope: 'openid profile email',
      state: this.state,
      nonce: this.nonce,
      code_challenge: await oauth.calculatePKCECodeChallenge(this.verifier),
      code_challenge_method: 'S256',
      ...more,
    })
    return this.user.authorize(url)
  }

  /** The error of an answer, or nothing. */
  refused(callback) {
    try {
      oauth.validateAuthResponse(as, this.client, callback, this.state)
      return undefined
    } catch (error) {
      return error.error ?? error.cause?.get?.('error') ?? String(error)
    }
  }

  async login(more = {}, { maxAge } = {}) {
    const parameters = oauth.validateAuthResponse(as, this.client, await this.ask(more), this.state)
    const response = await oauth.authorizationCodeGrantRequest(
      as,
      this.client,
      this.auth,
      parameters,
      this.redirect_uri,
      this.verifier,
      http,
    )
    const tokens = await oauth.processAuthorizationCodeResponse(as, this.client, response, {
      expectedNonce: this.nonce,
      requireIdToken: true,
      maxAge,
    })
    await oauth.validateApplicationLevelSignature(as, response, http)
    return { ...tokens, claims: oauth.getValidatedIdTokenClaims(tokens) }
  }

  async userinfo(tokens) {
    const response = await oauth.userInfoRequest(as, this.client, tokens.access_token, http)
    const type = response.headers.get('content-type')
    const claims = await oauth.processUserInfoResponse(as, this.client, tokens.claims.sub, response)
    if (type === 'application/jwt') await oauth.validateApplicationLevelSignature(as, response, http)
    return { type, claims }
  }
}

const web = new App('web', 'web-secret-Zk3vQm81xNfT0aYc7LrUe5Hb', 'https://web.example/callback')
check.equal('prompt=none: nobody is signed in', web.refused(await web.ask({ prompt: 'none' })), 'login_required')
const tokens = await web.login({ max_age: '600' }, { maxAge: 600 })
check.equal('id_token', [tokens.claims.iss, tokens.claims.sub, tokens.claims.aud], [ISSUER, 'user-alice', 'web'])
const seen = await web.userinfo(tokens)
check.equal('UserInfo', [seen.type, seen.claims.email], ['application/json', 'alice@example.com'])

const silent = await web.login({ prompt: 'none' })
check.equal('prompt=none: a code at once', [silent.claims.sub, silent.claims.auth_time], ['user-alice', tokens.claims.auth_time])
const wider = web.refused(await web.ask({ prompt: 'none', scope: 'openid profile email read' }))
check.equal('prompt=none: more than was granted', wider, 'consent_required')
check.equal('prompt: an unknown value', web.refused(await web.ask({ prompt: 'surprise' })), 'invalid_request')

const refreshed = await oauth.processRefreshTokenResponse(
  as,
  web.client,
  await oauth.refreshTokenGrantRequest(as, web.client, web.auth, tokens.refresh_token, http),
)
check.equal('refresh: the same user', oauth.getValidatedIdTokenClaims(refreshed).sub, 'user-alice')

// One sector, two applications, and another sector.
const sub = async (id, secret, redirect_uri) => {
  const app = new App(id, secret, redirect_uri, { userinfo_signed_response_alg: 'RS256' })
  const tokens = await app.login()
  const { type, claims } = await app.userinfo(tokens)
  check.equal(`${id}: a signed UserInfo answer of the same user`, [type, claims.sub], ['application/jwt', tokens.claims.sub])
  return tokens.claims.sub
}
const one = await sub('pair-one', 'pair-secret-Vt7mYx9QwTz2KvRn7HcLp5Gs1', 'https://pair.example/one')
const two = await sub('pair-two', 'pair-secret-Vt7mYx9QwTz2KvRn7HcLp5Gs2', 'https://pair.example/two')
const far = await sub('pair-far', 'pair-secret-Vt7mYx9QwTz2KvRn7HcLp5Gs3', 'https://far.example/callback')
check.equal('pairwise: one sector', one, two)
check.equal('pairwise: another sector, and the name of the host', [far === one, one === 'user-alice'], [false, false])

check.done()
