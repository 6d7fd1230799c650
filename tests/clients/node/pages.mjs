// The pages of the example server in Chromium, without JavaScript: sign-in, consent, errors, applications, access,
// devices.
// Pictures of every page, for phone and desktop in light and dark, are put into $GRANTOR_SCREENSHOTS.

import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { createServer } from 'node:http'
import * as client from 'openid-client'
import { chromium } from 'playwright-core'
import { Checks } from './checks.mjs'
import { connectTelevisions, television } from './device_page.mjs'
import { PASSWORD, USERNAME } from './user.mjs'

const ISSUER = process.env.GRANTOR_ISSUER
const SCREENSHOTS = process.env.GRANTOR_SCREENSHOTS ?? 'target/screenshots'
const PHONE = { width: 375, height: 740 }
const DESKTOP = { width: 1280, height: 800 }

const check = new Checks('pages')
mkdirSync(SCREENSHOTS, { recursive: true })

// The client: it notes what reaches its callback. `/frame` tries to show the sign-in page inside its own.
const arrived = []
const application = createServer((request, response) => {
  let body = ''
  request.on('data', (part) => (body += part))
  request.on('end', () => {
    const { pathname, search } = new URL(request.url, 'http://client')
    if (pathname.startsWith('/callback')) {
      arrived.push({ method: request.method, referer: request.headers.referer, query: new URLSearchParams(body || search) })
    }
    response.setHeader('content-type', 'text/html')
    response.end(
      pathname === '/frame'
        ? `<!doctype html><title>frame</title><iframe src="${ISSUER}/login"></iframe>`
        : '<!doctype html><title>callback</title><p id="arrived">Back at the application',
    )
  })
})
await new Promise((ready) => application.listen(0, '127.0.0.1', ready))
const CLIENT = `http://127.0.0.1:${application.address().port}`
const CALLBACK = `${CLIENT}/callback`

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
})

/** Every address that any page of this run has asked for, and every complaint on a console. */
const strangers = new Set()
const complaints = new Set()

async function visitor({ javaScriptEnabled = false, viewport = DESKTOP, colorScheme = 'light' } = {}) {
  const context = await browser.newContext({ javaScriptEnabled, viewport, colorScheme })
  context.setDefaultTimeout(10_000)
  context.on('request', (request) => {
    const { protocol, origin } = new URL(request.url())
    if (protocol !== 'data:' && origin !== ISSUER && origin !== CLIENT) strangers.add(request.url())
  })
  const page = await context.newPage()
  page.on('console', (message) => {
    // Chromium reports the status of error pages, too.
    const complains = message.type() === 'error' && !message.text().includes('a status of 400')
    if (complains) complaints.add(message.text())
  })
  page.on('pageerror', (error) => complaints.add(String(error)))
  return page
}

function request(more = {}) {
  const verifier = randomBytes(32).toString('base64url')
  const asked = {
    response_type: 'code',
    client_id: 'native',
    redirect_uri: CALLBACK,
    scope: 'read write',
    state: randomBytes(12).toString('base64url'),
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    ...more,
  }
  return { url: `${ISSUER}/authorize?${new URLSearchParams(asked)}`, verifier, ...asked }
}

async function signIn(page, password = PASSWORD) {
  await page.fill('#username', USERNAME)
  await page.fill('#password', password)
  const next = page.waitForEvent('domcontentloaded')
  await page.click('#login-submit')
  await next
}

/** Presses a button and gives what then reaches the callback. */
async function decide(page, decision) {
  const before = arrived.length
  await page.click(`#consent-${decision}`)
  await page.waitForURL(`${CALLBACK}**`)
  check.equal(`${decision}: the callback is reached once`, arrived.length - before, 1)
  return arrived.at(-1)
}

async function redeem({ verifier, redirect_uri }, code) {
  const reply = await fetch(`${ISSUER}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      client_id: 'native',
      code,
      redirect_uri,
      code_verifier: verifier,
    }),
  })
  return reply.json()
}

async function me(token) {
  const reply = await fetch(`${ISSUER}/api/me`, { headers: { authorization: `Bearer ${token}` } })
  return reply.status === 200 ? (await reply.json()).sub : reply.status
}

/** What every page must say of itself. */
async function hardened(what, response, page) {
  const headers = response.headers()
  const policy = Object.fromEntries(
    (headers['content-security-policy'] ?? '').split(';').map((part) => {
      const [name, ...sources] = part.trim().split(/\s+/)
      return [name, sources.join(' ')]
    }),
  )
  check.equal(`${what}: frame-ancestors`, policy['frame-ancestors'], "'none'")
  check.equal(`${what}: nothing by default`, policy['default-src'], "'none'")
  check.equal(`${what}: no script`, policy['script-src'] ?? policy['script-src-elem'], undefined)
  check.equal(`${what}: no source but its own`, /https?:|\*|unsafe/.test(headers['content-security-policy']), false)
  check.equal(`${what}: X-Frame-Options`, headers['x-frame-options'], 'DENY')
  check.equal(`${what}: Referrer-Policy`, headers['referrer-policy'], 'no-referrer')
  check.equal(`${what}: nosniff`, headers['x-content-type-options'], 'nosniff')
  check.equal(`${what}: Cache-Control`, headers['cache-control'], 'no-store')
  check.equal(`${what}: no script element`, await page.locator('script').count(), 0)
}

// Sign-in.
const page = await visitor()
let asked = request()
let response = await page.goto(asked.url)
check.equal('sign-in: where a signed-out visitor comes to', new URL(page.url()).pathname, '/login')
await hardened('sign-in', response, page)
for (const field of ['username', 'password']) {
  check.equal(`sign-in: #${field} has a label`, await page.locator(`label[for="${field}"]`).count(), 1)
}
const [planted] = await page.context().cookies(ISSUER)
check.equal('sign-in: the cookie', [planted.httpOnly, planted.sameSite, planted.path], [true, 'Lax', '/'])
await signIn(page, 'wrong')
check.equal('sign-in: wrong credentials show the form again', await page.locator('#password').count(), 1)
check.equal('sign-in: and nothing is signed in', (await page.context().cookies(ISSUER))[0].value, planted.value)
check.equal('sign-in: the name is kept', await page.inputValue('#username'), USERNAME)
check.equal('sign-in: the password is not', await page.inputValue('#password'), '')
await page.fill('#password', PASSWORD)
await page.press('#password', 'Enter')
await page.waitForSelector('#consent-approve')
check.differ('sign-in: the session has another id', (await page.context().cookies(ISSUER))[0].value, planted.value)

// Consent.
let text = await page.textContent('main')
check.equal('consent: the client', text.includes('Native App'), true)
check.equal('consent: the host of the callback', text.includes('127.0.0.1'), true)
check.equal('consent: the scopes', [text.includes('read'), text.includes('write')], [true, true])
check.equal('consent: the user', text.includes(USERNAME), true)
for (const decision of ['approve', 'deny']) {
  const button = page.locator(`#consent-${decision}`)
  check.equal(
    `consent: #consent-${decision}`,
    [await button.getAttribute('name'), await button.getAttribute('value')],
    ['decision', decision],
  )
}
await hardened('consent', await page.goto(asked.url), page)
let answer = await decide(page, 'approve')
check.equal('approve: state', answer.query.get('state'), asked.state)
check.equal('approve: iss', answer.query.get('iss'), ISSUER)
check.equal('approve: no referrer', answer.referer, undefined)
check.equal('approve: the user sees the application', await page.textContent('#arrived'), 'Back at the application')
const tokens = await redeem(asked, answer.query.get('code'))
check.equal('approve: the code gives tokens', [tokens.token_type, tokens.scope], ['Bearer', 'read write'])
check.equal('approve: the token is the user\'s', await me(tokens.access_token), 'user-alice')

asked = request()
await page.goto(asked.url)
answer = await decide(page, 'deny')
check.equal(
  'deny: the answer',
  [answer.query.get('error'), answer.query.get('state'), answer.query.get('iss'), answer.query.has('code')],
  ['access_denied', asked.state, ISSUER, false],
)

// Signing in again, because the application wants it, and why; and in a stronger way, on a second page.
for (const more of [{ prompt: 'login' }, { max_age: '0' }]) {
  const what = `again: ${new URLSearchParams(more)}`
  asked = request({ ...more, login_hint: `<b>${USERNAME}</b>` })
  response = await page.goto(asked.url)
  check.equal(`${what}: the sign-in page`, new URL(page.url()).pathname, '/login')
  check.equal(`${what}: it says why`, (await page.textContent('#login-reason')).trim().length > 0, true)
  check.equal(`${what}: the hint is text`, await page.textContent('#login-hint'), `<b>${USERNAME}</b>`)
  await hardened(what, response, page)
  await signIn(page)
  check.equal(`${what}: one is enough`, new URL(page.url()).pathname, '/consent')
  check.equal(`${what}: the answer`, (await decide(page, 'approve')).query.has('code'), true)
}
asked = request({ acr_values: '2' })
response = await page.goto(asked.url)
check.equal('step-up: the second page', new URL(page.url()).pathname, '/login/pin')
check.equal('step-up: #pin has a label', await page.locator('label[for="pin"]').count(), 1)
await hardened('step-up', response, page)
await page.fill('#pin', '0000')
await page.click('#login-submit')
check.equal('step-up: a wrong PIN shows the form again', await page.locator('#login-message').count(), 1)
await page.fill('#pin', '4711')
await page.click('#login-submit')
check.equal('step-up: and then the consent page', new URL(page.url()).pathname, '/consent')
check.equal('step-up: the answer', (await decide(page, 'approve')).query.has('code'), true)

// Two requests in two tabs of one browser do not get mixed up.
const [one, two] = [request(), request({ scope: 'read' })]
const tab = await page.context().newPage()
await page.goto(one.url)
await tab.goto(two.url)
check.equal('two tabs: the first', (await decide(page, 'approve')).query.get('state'), one.state)
answer = await decide(tab, 'approve')
check.equal('two tabs: the second', answer.query.get('state'), two.state)
check.equal('two tabs: its scope', (await redeem(two, answer.query.get('code'))).scope, 'read')
await tab.close()

// form_post: a button without JavaScript, by itself with it.
asked = request({ response_mode: 'form_post' })
await page.goto(asked.url)
await page.click('#consent-approve')
const before = arrived.length
await page.locator('form [type=submit], form button').first().click()
await page.waitForURL(`${CALLBACK}**`)
check.equal('form_post: by a button', [arrived.length - before, arrived.at(-1).method], [1, 'POST'])
check.equal('form_post: state', arrived.at(-1).query.get('state'), asked.state)
check.equal('form_post: nothing in the address', new URL(page.url()).search, '')
check.equal('form_post: the code gives tokens', (await redeem(asked, arrived.at(-1).query.get('code'))).token_type, 'Bearer')
const scripted = await visitor({ javaScriptEnabled: true })
asked = request({ response_mode: 'form_post' })
await scripted.goto(asked.url)
await signIn(scripted)
answer = await decide(scripted, 'approve')
check.equal('form_post: by itself', [answer.method, answer.query.get('state')], ['POST', asked.state])
await scripted.context().close()

// The error page: words, and no way to the address that was not proven.
for (const [what, error, more] of [
  ['an unknown client', 'invalid_client', { client_id: 'nobody' }],
  ['an unregistered callback', 'invalid_request', { redirect_uri: `${CLIENT}/elsewhere` }],
  ['a script for a callback', 'invalid_request', { redirect_uri: 'javascript:alert(1)' }],
]) {
  const sent = arrived.length
  response = await page.goto(request(more).url)
  check.equal(`error page: ${what}`, [response.status(), await page.textContent('#oauth-error')], [400, error])
  check.equal(`error page: ${what} is not followed`, [new URL(page.url()).origin, arrived.length], [ISSUER, sent])
  check.equal(`error page: ${what} has no link out`, await page.locator('a[href^="http"], a[href^="javascript"], meta[http-equiv]').count(), 0)
}
await hardened('error page', response, page)

// Framing: Chromium shows no page of ours inside another's.
const framer = await visitor()
await framer.goto(`${CLIENT}/frame`)
check.equal('frame: Chromium refuses', framer.frames()[1]?.url().startsWith('chrome-error:'), true)
await framer.context().close()
check.equal('frame: and says why', [...complaints].some((text) => text.includes('frame-ancestors')), true)
complaints.clear()

// Forms of another session, and tampered ones.
const mallory = await visitor()
await mallory.goto(`${ISSUER}/login`)
const theirs = await mallory.inputValue('input[name=csrf]')
asked = request()
await page.goto(asked.url)
const form = await page.locator('form:has(#consent-approve)').evaluate((form) => ({
  action: form.action,
  fields: Object.fromEntries([...form.querySelectorAll('input')].map((input) => [input.name, input.value])),
}))
async function forged(changes) {
  const sent = { ...form.fields, decision: 'approve', ...changes }
  const reply = await page.context().request.post(form.action, { form: sent, maxRedirects: 0 })
  return [reply.status(), reply.headers().location ?? null]
}
check.equal('forged consent: no token', await forged({ csrf: '' }), [403, null])
check.equal("forged consent: another session's token", await forged({ csrf: theirs }), [403, null])
for (const [name, value] of Object.entries(form.fields).filter(([name]) => name !== 'csrf')) {
  const evil = value.replaceAll(encodeURIComponent(CALLBACK), encodeURIComponent('https://evil.example/'))
  check.differ(`tampered consent: ${name} names the callback`, evil, value)
  const [status, location] = await forged({ [name]: evil })
  check.equal(`tampered consent: ${name} is checked again`, [status, location], [400, null])
}
// One page is one decision: another press repeats the first answer.
const pressed = [await forged({}), await forged({}), await forged({ decision: 'deny' })]
check.matches('pressed again: an answer', pressed[0][1], /[?&]code=/)
check.equal('pressed again: the same', pressed.slice(1), [pressed[0], pressed[0]])
for (const target of ['https://evil.example/', '//evil.example/', '/\\evil.example/', 'javascript:alert(1)']) {
  const guest = await visitor()
  await guest.goto(`${ISSUER}/login?${new URLSearchParams({ return_to: target })}`)
  await signIn(guest)
  await guest.waitForLoadState()
  check.equal(`sign-in: does not lead to ${target}`, new URL(guest.url()).origin, ISSUER)
  await guest.context().close()
}
await mallory.context().close()

// Applications: a developer registers one, sees its secret once, and uses it.
const HOSTILE = `<img src=x onerror="alert(1)"> & 'Sons'`
async function register(name, kind, addresses) {
  await page.goto(`${ISSUER}/applications`)
  await page.fill('#name', name)
  await page.check(`input[name=type][value=${kind}]`)
  await page.fill('#redirect_uris', addresses)
  await page.click('#register-submit')
}
await hardened('applications', await page.goto(`${ISSUER}/applications`), page)
for (const [what, address] of [
  ['plain http', 'http://app.example/callback'],
  ['a fragment', 'https://app.example/callback#here'],
  ['no address', 'callback'],
  ['a script', 'javascript:alert(1)'],
]) {
  await register('Broken', 'web', address)
  check.equal(`applications: a callback with ${what} is refused`, await page.locator('#client-id').count(), 0)
  check.equal(`applications: ${what}: the page says so`, (await page.textContent('#register-mistakes')).trim().length > 0, true)
  check.equal(`applications: ${what}: what was typed is kept`, await page.inputValue('#name'), 'Broken')
}
await page.goto(`${ISSUER}/applications`)
check.equal('applications: nothing of that was registered', (await page.textContent('main')).includes('Broken'), false)

await register(HOSTILE, 'web', `${CALLBACK}\n${CALLBACK}/two`)
const id = await page.textContent('#client-id')
const secret = await page.textContent('#client-secret')
check.matches('applications: the id', id, /^[\w-]{16,}$/)
check.matches('applications: the secret', secret, /^[\w-]{40,}$/)
check.equal('applications: the name is only text', await page.locator('main img').count(), 0)
check.equal('applications: and shown whole', (await page.textContent('main')).includes(HOSTILE), true)
await page.screenshot({ path: `${SCREENSHOTS}/registered.png`, fullPage: true })
await page.goto(`${ISSUER}/applications`)
check.equal(
  'applications: the secret is shown once',
  [await page.locator('#client-secret').count(), (await page.content()).includes(secret), (await page.content()).includes(id)],
  [0, false, true],
)

const config = await client.discovery(new URL(ISSUER), id, {}, client.ClientSecretBasic(secret), {
  algorithm: 'oauth2',
  execute: [client.allowInsecureRequests],
})
const pkceCodeVerifier = client.randomPKCECodeVerifier()
const own = {
  redirect_uri: `${CALLBACK}/two`,
  scope: 'read',
  state: client.randomState(),
  code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
  code_challenge_method: 'S256',
}
await page.goto(client.buildAuthorizationUrl(config, own).href)
check.equal('applications: its consent page shows its name', await page.textContent('#consent-client'), HOSTILE)
check.equal('applications: as text', await page.locator('main img[src="x"]').count(), 0)
answer = await decide(page, 'approve')
const to = new URL(`${own.redirect_uri}?${answer.query}`)
const granted = await client.authorizationCodeGrant(config, to, { pkceCodeVerifier, expectedState: own.state })
check.equal('applications: it gets tokens', [granted.scope, await me(granted.access_token)], ['read', 'user-alice'])

await register('On the device', 'native', 'http://127.0.0.1/callback')
check.matches('applications: a native one has an id', await page.textContent('#client-id'), /^[\w-]{16,}$/)
check.equal('applications: and no secret', await page.locator('#client-secret').count(), 0)

// Access: the user sees who may act for him, and takes it back.
await hardened('access', await page.goto(`${ISSUER}/account/grants`), page)
text = await page.textContent('#grants')
check.equal('access: both applications', [text.includes('Native App'), text.includes(HOSTILE)], [true, true])
check.equal('access: the scopes', [text.includes('read'), text.includes('write')], [true, true])
check.equal('access: the tokens still work', [await me(tokens.access_token), await me(granted.access_token)], ['user-alice', 'user-alice'])
await page.locator('#grants li.item', { hasText: 'Native App' }).locator('button').click()
await page.waitForLoadState()
text = await page.textContent('main')
check.equal('access: one is revoked', [text.includes('Native App'), text.includes(HOSTILE)], [false, true])
check.equal('access: its token is dead', await me(tokens.access_token), 401)
check.equal("access: the other's is not", await me(granted.access_token), 'user-alice')
const dead = await fetch(`${ISSUER}/token`, {
  method: 'POST',
  body: new URLSearchParams({ grant_type: 'refresh_token', client_id: 'native', refresh_token: tokens.refresh_token }),
})
check.equal('access: and cannot be refreshed', [dead.status, (await dead.json()).error], [400, 'invalid_grant'])

// An application that its developer deletes is gone, and so are its tokens.
await page.goto(`${ISSUER}/applications`)
const doomed = page.locator('li.item', { hasText: HOSTILE })
await doomed.locator('summary').click()
await doomed.locator('button').click()
await page.waitForLoadState()
check.equal('applications: deleted', (await page.content()).includes(id), false)
check.equal('applications: its tokens are dead', await me(granted.access_token), 401)
response = await page.goto(client.buildAuthorizationUrl(config, own).href)
check.equal('applications: and nobody is asked for it', [response.status(), await page.textContent('#oauth-error')], [400, 'invalid_client'])

// Another user sees none of this.
const bob = await visitor()
await bob.goto(`${ISSUER}/account/grants`)
check.equal('access: a signed-out visitor has to sign in', new URL(bob.url()).pathname, '/login')
await bob.fill('#username', 'bob')
await bob.fill('#password', 'tr0ub4dor&3 + 100%')
await bob.click('#login-submit')
check.equal('access: and then is where he wanted to be', new URL(bob.url()).pathname, '/account/grants')
check.equal("access: another user's is empty", await bob.locator('#grants').count(), 0)
await bob.goto(`${ISSUER}/applications`)
check.equal("applications: not another user's", (await bob.content()).includes(id), false)
await bob.context().close()

await connectTelevisions({ issuer: ISSUER, check, visitor, signIn, hardened, me })

// Pictures, and what can be measured of their looks.
async function measured(page) {
  return page.evaluate(() => {
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true })
    const rgba = (color) => {
      canvas.clearRect(0, 0, 1, 1)
      canvas.fillStyle = color
      canvas.fillRect(0, 0, 1, 1)
      return [...canvas.getImageData(0, 0, 1, 1).data]
    }
    const luminance = (color) => {
      const [r, g, b] = color.slice(0, 3).map((v) => (v / 255 <= 0.03928 ? v / 3294.6 : ((v / 255 + 0.055) / 1.055) ** 2.4))
      return 0.2126 * r + 0.7152 * g + 0.0722 * b
    }
    const background = (element) => {
      for (let at = element; at; at = at.parentElement) {
        const color = rgba(getComputedStyle(at).backgroundColor)
        if (color[3] === 255) return luminance(color)
      }
      return 1
    }
    let [ratio, weakest] = [21, '']
    for (const element of document.querySelectorAll('body *')) {
      const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim())
      const { width, height } = element.getBoundingClientRect()
      if (!own || width < 2 || height < 2 || element.closest('[aria-hidden=true]')) continue
      const [light, dark] = [luminance(rgba(getComputedStyle(element).color)), background(element)].sort((a, b) => b - a)
      const found = (light + 0.05) / (dark + 0.05)
      if (found < ratio) [ratio, weakest] = [found, element.outerHTML.slice(0, 80)]
    }
    const root = document.documentElement
    return { overflow: root.scrollWidth - root.clientWidth, ground: background(document.body), ratio, weakest }
  })
}

for (const [device, viewport] of Object.entries({ phone: PHONE, desktop: DESKTOP })) {
  for (const colorScheme of ['light', 'dark']) {
    const look = await visitor({ viewport, colorScheme })
    const pages = [
      ['login', () => look.goto(request().url)],
      ['login-again', () => signIn(look, 'wrong')],
      ['consent', () => signIn(look)],
      ['pin', () => look.goto(request({ acr_values: '2' }).url)],
      ['error', () => look.goto(request({ client_id: 'nobody' }).url)],
      ['home', () => look.goto(`${ISSUER}/`)],
      ['applications', () => look.goto(`${ISSUER}/applications`)],
      ['access', () => look.goto(`${ISSUER}/account/grants`)],
      ['device', async () => look.goto((await television(ISSUER)).verification_uri_complete)],
      ['device-consent', () => look.click('#device-submit')],
    ]
    for (const [name, go] of pages) {
      await go()
      const what = `looks: ${name}, ${device}, ${colorScheme}`
      const { overflow, ground, ratio, weakest } = await measured(look)
      check.equal(`${what}: nothing to scroll sideways`, overflow <= 0, true)
      check.equal(`${what}: the ground is ${colorScheme}`, ground > 0.5, colorScheme === 'light')
      check.matches(`${what}: all text has contrast`, ratio >= 4.5 ? 'enough' : `${ratio.toFixed(2)}: ${weakest}`, /^enough$/)
      await look.screenshot({ path: `${SCREENSHOTS}/${name}-${device}-${colorScheme}.png`, fullPage: true })
    }
    await look.context().close()
  }
}

// Sign-out ends the session, not only the cookie.
const [kept] = await page.context().cookies(ISSUER)
await page.goto(`${ISSUER}/account/grants`)
await page.click('#logout-submit')
await page.context().addCookies([kept])
await page.goto(`${ISSUER}/account/grants`)
check.equal('sign-out: the old cookie opens nothing', new URL(page.url()).pathname, '/login')

check.equal('nothing was asked of a third party', [...strangers], [])
check.equal('no page made Chromium complain', [...complaints], [])
await browser.close()
application.close()
console.log(`screenshots: ${SCREENSHOTS}`)
check.done()
