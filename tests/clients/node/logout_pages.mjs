// Signing out in Chromium, without JavaScript: the question in two tabs, no, a form of another site, the back button, and a hint.

import { createHash, randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import { chromium } from 'playwright-core'
import { Checks } from './checks.mjs'
import { PASSWORD, USERNAME } from './user.mjs'

const ISSUER = process.env.GRANTOR_ISSUER
const check = new Checks('Signing out in a browser')

// The client: it notes what reaches its callback, and has a form that would sign its visitors out.
const arrived = []
const application = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://client')
  if (pathname === '/callback') arrived.push(searchParams)
  response.setHeader('content-type', 'text/html')
  response.end(
    `<!doctype html><title>${pathname}</title><p id="arrived">Back at the application` +
      `<form method="post" action="${ISSUER}/logout"><input type="hidden" name="client_id" value="browser">` +
      '<input type="hidden" name="confirmed" value="true"><input type="hidden" name="decision" value="approve">' +
      '<button id="forged">Win a prize</button></form>',
  )
})
await new Promise((ready) => application.listen(0, '127.0.0.1', ready))
const { port } = application.address()
const CALLBACK = `http://127.0.0.1:${port}/callback`
const AFTER = `http://127.0.0.1:${port}/signed-out`

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
})
const context = await browser.newContext({ javaScriptEnabled: false })
context.setDefaultTimeout(20_000)

function asked(more = {}) {
  const verifier = randomBytes(32).toString('base64url')
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: 'browser',
    redirect_uri: CALLBACK,
    scope: 'openid',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    ...more,
  })
  return { url: `${ISSUER}/authorize?${query}`, verifier }
}

function logout(more) {
  return `${ISSUER}/logout?${new URLSearchParams({ client_id: 'browser', post_logout_redirect_uri: AFTER, ...more })}`
}

async function token(form) {
  const body = new URLSearchParams({ client_id: 'browser', ...form })
  return (await fetch(`${ISSUER}/token`, { method: 'POST', body })).json()
}

/** Signs in where that is needed, and agrees; the tokens. */
async function signIn(page) {
  const { url, verifier } = asked()
  await page.goto(url)
  if (await page.locator('#login-submit').count()) {
    await page.fill('#username', USERNAME)
    await page.fill('#password', PASSWORD)
    await Promise.all([page.waitForEvent('domcontentloaded'), page.click('#login-submit')])
  }
  await page.waitForSelector('#consent-approve')
  await page.click('#consent-approve')
  await page.waitForSelector('#arrived')
  const code = arrived.at(-1).get('code')
  return token({ grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: verifier })
}

/** What a silent request is answered with: `consent_required` for a user who is signed in, for this client is always asked about. */
async function silent(page) {
  await page.goto(asked({ prompt: 'none' }).url)
  return arrived.at(-1).get('error')
}

async function press(page, id) {
  await Promise.all([page.waitForEvent('domcontentloaded'), page.click(`#${id}`)])
}

const first = await context.newPage()
const tokens = await signIn(first)
check.equal('signed in', await silent(first), 'consent_required')

// No is no.
await first.goto(logout({ state: 'no' }))
check.equal('the question names the client', (await first.textContent('body')).includes('App in a browser'), true)
await press(first, 'logout-deny')
check.equal('no: still signed in', await silent(first), 'consent_required')

// A form of another site asks, and does not sign out.
await first.goto(`http://localhost:${port}/`)
await press(first, 'forged')
check.equal('a form of another site: the question', await first.locator('#logout-approve').count(), 1)
check.equal('a form of another site: still signed in', await silent(first), 'consent_required')

// Two tabs with the same question: one yes signs out, and the other is no error.
const second = await context.newPage()
await first.goto(logout({ state: 'first' }))
await second.goto(logout({ state: 'second' }))
await press(first, 'logout-approve')
check.equal('first tab: at the application, with state', first.url(), `${AFTER}?state=first`)
await press(second, 'logout-approve')
check.equal('second tab: signed out, too', await second.locator('#signed-out').count(), 1)
check.equal('second tab: no address that was not proven', new URL(second.url()).origin, ISSUER)
check.equal('signed out', await silent(second), 'login_required')
const refused = await token({ grant_type: 'refresh_token', refresh_token: tokens.refresh_token })
check.equal('the refresh token is dead', refused.error, 'invalid_grant')

// The back button leads to no page of the session that is gone.
await first.goBack()
check.equal('back: no question any more', await first.locator('#logout-approve').count(), 0)
check.equal('back: signed out', await silent(first), 'login_required')
await second.goto(asked().url)
check.equal('a new request: the login page', new URL(second.url()).pathname, '/login')

// A hint of this very session needs no question, and one of the last session does.
const old = tokens.id_token
const again = await signIn(second)
await second.goto(logout({ id_token_hint: old, state: 'old' }))
check.equal('a hint of a session that is gone: the question', await second.locator('#logout-approve').count(), 1)
await second.goto(logout({ id_token_hint: again.id_token, state: 'hint' }))
check.equal('a hint of this session: at the application', second.url(), `${AFTER}?state=hint`)
check.equal('a hint of this session: signed out', await silent(second), 'login_required')

// An address that is not registered is gone to by nobody.
await second.goto(logout({ id_token_hint: again.id_token, post_logout_redirect_uri: `${AFTER}?more=1` }))
check.equal('another address: an error page', await second.textContent('#oauth-error'), 'invalid_request')

await browser.close()
application.close()
check.done()
