// A sign-in by OpenID Connect in Chromium, without JavaScript: login, back button, single claims, step-up, another account, and
// prompt=none.

import { Checks } from './checks.mjs'
import { Site, signIn } from './site.mjs'

const check = new Checks('OpenID Connect in a browser')
const site = await Site.open()
const path = (page) => new URL(page.url()).pathname

/** What the id_token says that a code leads to. */
async function redeem(asked, answer) {
  const { id_token } = await site.redeem(asked, answer)
  const claims = JSON.parse(Buffer.from(id_token.split('.')[1], 'base64url'))
  check.equal('the nonce comes back', claims.nonce, asked.nonce)
  return claims
}

// Sign in, with a hint that is only text, and go back.
const page = await site.visitor()
const first = site.request({ login_hint: '<b>buffy</b>@x', claims: JSON.stringify({ id_token: { email: null, shoe_size: null } }) })
await page.goto(first.url)
check.equal('login: a signed-out visitor signs in', path(page), '/login')
check.equal('login: the hint is text', await page.textContent('#login-hint'), '<b>buffy</b>@x')
await signIn(page)
await page.waitForSelector('#consent-approve')
check.equal('consent: the single claims by name', await page.locator('#consent-claims li').allTextContents(), ['email', 'shoe_size'])
await page.goBack()
await page.goto(first.url)
check.equal('back: the same request goes on', path(page), '/consent')
const claims = await redeem(first, await site.decide(page))
check.equal('id_token: who, and the claims', [claims.sub, claims.email, claims.shoe_size, claims.acr], ['user-alice', 'alice@example.com', 36, '1'])

// What was granted does not count for a program on the user's device, which any other one there can pose as.
await page.goto(site.request({ prompt: 'none' }).url)
check.equal('prompt=none: a program on the device', site.arrived.at(-1).get('error'), 'consent_required')

// A stronger sign-in, which the client needs.
const strong = site.request({ claims: JSON.stringify({ id_token: { acr: { essential: true, values: ['2'] } } }) })
await page.goto(strong.url)
check.equal('step-up: the second page', path(page), '/login/pin')
await page.fill('#pin', '4711')
await Promise.all([page.waitForEvent('domcontentloaded'), page.press('#pin', 'Enter')])
const stronger = await redeem(strong, await site.decide(page))
check.equal('step-up: acr and amr', [stronger.acr, stronger.amr], ['2', ['pwd', 'pin', 'mfa']])
check.equal('step-up: not before the first sign-in', stronger.auth_time >= claims.auth_time, true)

// Sign in again, and as another one.
const again = site.request({ prompt: 'login' })
await page.goto(again.url)
check.equal('prompt=login: the login page', path(page), '/login')
await signIn(page)
check.equal('prompt=login: a later sign-in', (await redeem(again, await site.decide(page))).auth_time >= claims.auth_time, true)
const other = site.request({ prompt: 'select_account' })
await page.goto(other.url)
check.equal('select_account: the login page', path(page), '/login')
await signIn(page, 'bob', 'another battery staple')
check.equal('select_account: the chosen one', (await redeem(other, await site.decide(page))).sub, 'user-bob')

// Errors have the element that programs look for.
await page.goto(site.request({ redirect_uri: 'https://evil.example/' }).url)
check.equal('an error page', await page.textContent('#oauth-error'), 'invalid_request')
const refused = site.request()
await page.goto(refused.url)
check.equal('a denial', (await site.decide(page, 'deny')).get('error'), 'access_denied')

await site.close()
check.done()
