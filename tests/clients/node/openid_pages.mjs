// A sign-in by OpenID Connect in Chromium, without JavaScript: login, back button, single claims, step-up, another account, and
// prompt=none.

import { createHash, randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import { chromium } from 'playwright-core'
import { Checks } from './checks.mjs'
import { PASSWORD, USERNAME } from './user.mjs'

const ISSUER = process.env.GRANTOR_ISSUER
const check = new Checks('OpenID Connect in a browser')

// The client: it notes what reaches its callback.
const arrived = []
const application = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://client')
  if (pathname === '/callback') arrived.push(searchParams)
  response.setHeader('content-type', 'text/html')
  response.end('<!doctype html><title>callback</title><p id="arrived">Back at the application')
})
await new Promise((ready) => application.listen(0, '127.0.0.1', ready))
const CALLBACK = `http://127.0.0.1:${application.address().port}/callback`

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
})

async function visitor() {
  const context = await browser.newContext({ javaScriptEnabled: false })
  context.setDefaultTimeout(20_000)
  return context.newPage()
}

function asked(more = {}) {
  const verifier = randomBytes(32).toString('base64url')
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: 'browser',
    redirect_uri: CALLBACK,
    scope: 'openid',
    nonce: randomBytes(8).toString('hex'),
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    ...more,
  })
  return { url: `${ISSUER}/authorize?${query}`, verifier, nonce: query.get('nonce') }
}

const path = (page) => new URL(page.url()).pathname

async function signIn(page, username = USERNAME, password = PASSWORD) {
  await page.fill('#username', username)
  await page.fill('#password', password)
  await Promise.all([page.waitForEvent('domcontentloaded'), page.click('#login-submit')])
}

async function decide(page, decision = 'approve') {
  await page.click(`#consent-${decision}`)
  await page.waitForSelector('#arrived')
  return arrived.at(-1)
}

/** What the id_token says that a code leads to. */
async function redeem({ verifier, nonce }, answer) {
  const reply = await fetch(`${ISSUER}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      client_id: 'browser',
      code: answer.get('code'),
      redirect_uri: CALLBACK,
      code_verifier: verifier,
    }),
  })
  const { id_token } = await reply.json()
  const claims = JSON.parse(Buffer.from(id_token.split('.')[1], 'base64url'))
  check.equal('the nonce comes back', claims.nonce, nonce)
  return claims
}

// Sign in, with a hint that is only text, and go back.
const page = await visitor()
const first = asked({ login_hint: '<b>buffy</b>@x', claims: JSON.stringify({ id_token: { email: null, shoe_size: null } }) })
await page.goto(first.url)
check.equal('login: a signed-out visitor signs in', path(page), '/login')
check.equal('login: the hint is text', await page.textContent('#login-hint'), '<b>buffy</b>@x')
await signIn(page)
await page.waitForSelector('#consent-approve')
check.equal('consent: the single claims by name', await page.locator('#consent-claims li').allTextContents(), ['email', 'shoe_size'])
await page.goBack()
await page.goto(first.url)
check.equal('back: the same request goes on', path(page), '/consent')
const claims = await redeem(first, await decide(page))
check.equal('id_token: who, and the claims', [claims.sub, claims.email, claims.shoe_size, claims.acr], ['user-alice', 'alice@example.com', 36, '1'])

// What was granted does not count for a program on the user's device, which any other one there can pose as.
await page.goto(asked({ prompt: 'none' }).url)
check.equal('prompt=none: a program on the device', arrived.at(-1).get('error'), 'consent_required')

// A stronger sign-in, which the client needs.
const strong = asked({ claims: JSON.stringify({ id_token: { acr: { essential: true, values: ['2'] } } }) })
await page.goto(strong.url)
check.equal('step-up: the second page', path(page), '/login/pin')
await page.fill('#pin', '4711')
await Promise.all([page.waitForEvent('domcontentloaded'), page.press('#pin', 'Enter')])
await page.waitForSelector('#consent-approve')
const stronger = await redeem(strong, await decide(page))
check.equal('step-up: acr and amr', [stronger.acr, stronger.amr], ['2', ['pwd', 'pin', 'mfa']])
check.equal('step-up: not before the first sign-in', stronger.auth_time >= claims.auth_time, true)

// Sign in again, and as another one.
const again = asked({ prompt: 'login' })
await page.goto(again.url)
check.equal('prompt=login: the login page', path(page), '/login')
await signIn(page)
await page.waitForSelector('#consent-approve')
check.equal('prompt=login: a later sign-in', (await redeem(again, await decide(page))).auth_time >= claims.auth_time, true)
const other = asked({ prompt: 'select_account' })
await page.goto(other.url)
check.equal('select_account: the login page', path(page), '/login')
await signIn(page, 'bob', 'another battery staple')
await page.waitForSelector('#consent-approve')
check.equal('select_account: the chosen one', (await redeem(other, await decide(page))).sub, 'user-bob')

// Errors have the element that programs look for.
await page.goto(asked({ redirect_uri: 'https://evil.example/' }).url)
check.equal('an error page', await page.textContent('#oauth-error'), 'invalid_request')
const refused = asked()
await page.goto(refused.url)
check.equal('a denial', (await decide(page, 'deny')).get('error'), 'access_denied')

await browser.close()
application.close()
check.done()
