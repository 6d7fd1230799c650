// @auth/core (Auth.js) as a relying party: its own handlers, from the sign-in form to the session.

import { Auth } from '@auth/core'
import { Checks } from './checks.mjs'
import { User } from './user.mjs'

const ISSUER = process.env.GRANTOR_ISSUER
const APP = 'https://auth.example'
const check = new Checks('@auth/core')

const config = {
  basePath: '/auth',
  trustHost: true,
  secret: 'a secret of the application alone',
  logger: { error: (error) => console.error(error), warn() {}, debug() {} },
  providers: [
    {
      id: 'grantor',
      name: 'grantor',
      type: 'oidc',
      issuer: ISSUER,
      clientId: 'auth-core',
      clientSecret: 'auth-secret-B4mYx9QwTz2KvRn7HcLp5Gs8',
      checks: ['pkce', 'state', 'nonce'],
      idToken: false,
    },
  ],
  callbacks: {
    jwt: ({ token, account, profile }) => (account ? { ...token, profile, scope: account.scope } : token),
    session: ({ session, token }) => ({ ...session, profile: token.profile, scope: token.scope }),
  },
}

const cookies = new Map()

/** A request of a browser to the application. */
async function send(path, body) {
  const response = await Auth(
    new Request(new URL(path, APP), {
      method: body ? 'POST' : 'GET',
      headers: { cookie: [...cookies].map((pair) => pair.join('=')).join('; ') },
      body,
    }),
    config,
  )
  for (const cookie of response.headers.getSetCookie()) {
    const [name, ...value] = cookie.split(';')[0].split('=')
    cookies.set(name, value.join('='))
  }
  return response
}

const { csrfToken } = await (await send('/auth/csrf')).json()
const begun = await send('/auth/signin/grantor', new URLSearchParams({ csrfToken, callbackUrl: APP }))
const asked = new URL(begun.headers.get('location'))
check.equal('asked', [asked.origin, asked.searchParams.get('code_challenge_method')], [new URL(ISSUER).origin, 'S256'])

const callback = await new User(ISSUER).authorize(asked)
const ended = await send(callback.pathname + callback.search)
check.equal('signed in', new URL(ended.headers.get('location')).origin, APP)
const session = await (await send('/auth/session')).json()
check.equal('session', [session.user?.name, session.user?.email], ['Alice Liddell', 'alice@example.com'])
check.equal('profile', [session.profile?.sub, session.profile?.email_verified], ['user-alice', true])

check.done()
