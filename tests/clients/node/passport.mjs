// passport-openidconnect as a relying party, driven as passport drives it: a strategy gets a request, and redirects, fails or
// succeeds. It knows no PKCE, so its client is one that does without.

import OpenIDConnectStrategy from 'passport-openidconnect'
import { Checks } from './checks.mjs'
import { User } from './user.mjs'

const ISSUER = process.env.GRANTOR_ISSUER
const CALLBACK = 'https://passport.example/callback'
const check = new Checks('passport-openidconnect')

const strategy = new OpenIDConnectStrategy(
  {
    issuer: ISSUER,
    authorizationURL: `${ISSUER}/authorize`,
    tokenURL: `${ISSUER}/token`,
    userInfoURL: `${ISSUER}/userinfo`,
    clientID: 'passport',
    clientSecret: 'passport-secret-Hq5xTn8RcW1yVz3PbLk6Jd0M',
    callbackURL: CALLBACK,
    scope: ['profile', 'email'],
    nonce: true,
    skipUserProfile: false,
  },
  (issuer, profile, context, idToken, accessToken, refreshToken, verified) =>
    verified(null, { issuer, profile, context, idToken, accessToken, refreshToken }),
)

/** One request of a browser with this session, as the strategy answers it. */
function authenticate(session, query) {
  return new Promise((resolve, reject) => {
    const request = Object.assign(Object.create(strategy), {
      success: (user) => resolve({ user }),
      fail: (challenge, status) => resolve({ failed: challenge, status }),
      redirect: (url) => resolve({ redirect: url }),
      error: reject,
    })
    request.authenticate({ session, query, body: {}, headers: {}, connection: {}, app: {} }, {})
  })
}

const session = {}
const { redirect } = await authenticate(session, {})
const callback = await new User(ISSUER).authorize(redirect)
check.equal('callback', callback.href.startsWith(`${CALLBACK}?`), true)
const { user } = await authenticate(session, Object.fromEntries(callback.searchParams))
check.equal('who', [user.issuer, user.profile.id], [ISSUER, 'user-alice'])
check.equal('profile', [user.profile.displayName, user.profile.emails?.[0]?.value], ['Alice Liddell', 'alice@example.com'])
check.equal('tokens', [typeof user.idToken, typeof user.accessToken], ['string', 'string'])

const denied = {}
const asked = await authenticate(denied, {})
const no = await new User(ISSUER).authorize(asked.redirect, 'deny')
const answer = await authenticate(denied, Object.fromEntries(no.searchParams)).catch((error) => ({ error }))
check.equal('a denial logs nobody in', answer.user, undefined)

check.done()
