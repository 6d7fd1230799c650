// Signing out in Chromium, without JavaScript: the question in two tabs, no, a form of another site, the back button, and a hint.

import { Checks } from './checks.mjs'
import { Site, press, signIn as fillIn } from './site.mjs'

const ISSUER = process.env.GRANTOR_ISSUER
const check = new Checks('Signing out in a browser')

// The site has a form that would sign its visitors out.
const site = await Site.open(
  `<form method="post" action="${ISSUER}/logout"><input type="hidden" name="client_id" value="browser">` +
    '<input type="hidden" name="confirmed" value="true"><input type="hidden" name="decision" value="approve">' +
    '<button id="forged">Win a prize</button></form>',
)
const AFTER = `${site.origin}/signed-out`

function logout(more) {
  return `${ISSUER}/logout?${new URLSearchParams({ client_id: 'browser', post_logout_redirect_uri: AFTER, ...more })}`
}

/** Signs in where that is needed, and agrees; the tokens. */
async function signIn(page) {
  const asked = site.request()
  await page.goto(asked.url)
  if (await page.locator('#login-submit').count()) await fillIn(page)
  return site.redeem(asked, await site.decide(page))
}

/** The error of a silent request: `consent_required` while the user is signed in, as this client always needs a consent. */
async function silent(page) {
  await page.goto(site.request({ prompt: 'none' }).url)
  return site.arrived.at(-1).get('error')
}

const first = await site.visitor()
const tokens = await signIn(first)
check.equal('signed in', await silent(first), 'consent_required')

// No is no.
await first.goto(logout({ state: 'no' }))
check.equal('the question names the client', (await first.textContent('body')).includes('App in a browser'), true)
await press(first, 'logout-deny')
check.equal('no: still signed in', await silent(first), 'consent_required')

// A form of another site asks, and does not sign out.
await first.goto(`http://localhost:${site.port}/`)
await press(first, 'forged')
check.equal('a form of another site: the question', await first.locator('#logout-approve').count(), 1)
check.equal('a form of another site: still signed in', await silent(first), 'consent_required')

// Two tabs with the same question: one yes signs out, and the other is no error.
const second = await first.context().newPage()
await first.goto(logout({ state: 'first' }))
await second.goto(logout({ state: 'second' }))
await press(first, 'logout-approve')
check.equal('first tab: at the application, with state', first.url(), `${AFTER}?state=first`)
await press(second, 'logout-approve')
check.equal('second tab: signed out, too', await second.locator('#signed-out').count(), 1)
check.equal('second tab: no address that was not proven', new URL(second.url()).origin, ISSUER)
check.equal('signed out', await silent(second), 'login_required')
const refused = await site.token({ grant_type: 'refresh_token', refresh_token: tokens.refresh_token })
check.equal('the refresh token is dead', refused.error, 'invalid_grant')

// The back button leads to no page of the session that is gone.
await first.goBack()
check.equal('back: no question any more', await first.locator('#logout-approve').count(), 0)
check.equal('back: signed out', await silent(first), 'login_required')
await second.goto(site.request().url)
check.equal('a new request: the login page', new URL(second.url()).pathname, '/login')

// A hint of this very session needs no question, and one of the last session does.
const old = tokens.id_token
const again = await signIn(second)
await second.goto(logout({ id_token_hint: old, state: 'old' }))
check.equal('a hint of a session that is gone: the question', await second.locator('#logout-approve').count(), 1)
await second.goto(logout({ id_token_hint: again.id_token, state: 'hint' }))
check.equal('a hint of this session: at the application', second.url(), `${AFTER}?state=hint`)
check.equal('a hint of this session: signed out', await silent(second), 'login_required')

// The browser is sent to no address that is not registered.
await second.goto(logout({ id_token_hint: again.id_token, post_logout_redirect_uri: `${AFTER}?more=1` }))
check.equal('another address: an error page', await second.textContent('#oauth-error'), 'invalid_request')

await site.close()
check.done()
