// The site of the client `browser`, and a Chromium without JavaScript that visits it.

import { createHash, randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import { chromium } from 'playwright-core'
import { PASSWORD, USERNAME } from './user.mjs'

const ISSUER = process.env.GRANTOR_ISSUER

export class Site {
  /** What reached the callback. */
  arrived = []

  /** Each page of the site has this body. */
  static async open(body = '') {
    const site = new Site()
    site.server = createServer((request, response) => {
      const { pathname, searchParams } = new URL(request.url, 'http://client')
      if (pathname === '/callback') site.arrived.push(searchParams)
      response.setHeader('content-type', 'text/html')
      response.end(`<!doctype html><title>${pathname}</title><p id="arrived">Back at the application${body}`)
    })
    await new Promise((ready) => site.server.listen(0, '127.0.0.1', ready))
    site.port = site.server.address().port
    site.origin = `http://127.0.0.1:${site.port}`
    site.callback = `${site.origin}/callback`
    site.browser = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
    })
    return site
  }

  async visitor() {
    const context = await this.browser.newContext({ javaScriptEnabled: false })
    context.setDefaultTimeout(20_000)
    return context.newPage()
  }

  request(more = {}) {
    const verifier = randomBytes(32).toString('base64url')
    const query = new URLSearchParams({
      response_type: 'code',
      client_id: 'browser',
      redirect_uri: this.callback,
      scope: 'openid',
      nonce: randomBytes(8).toString('hex'),
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
      ...more,
    })
    return { url: `${ISSUER}/authorize?${query}`, verifier, nonce: query.get('nonce') }
  }

  /** What then reached the callback. */
  async decide(page, decision = 'approve') {
    await page.waitForSelector(`#consent-${decision}`)
    await page.click(`#consent-${decision}`)
    await page.waitForSelector('#arrived')
    return this.arrived.at(-1)
  }

  async token(form) {
    const body = new URLSearchParams({ client_id: 'browser', ...form })
    return (await fetch(`${ISSUER}/token`, { method: 'POST', body })).json()
  }

  redeem({ verifier }, answer) {
    return this.token({
      grant_type: 'authorization_code',
      code: answer.get('code'),
      redirect_uri: this.callback,
      code_verifier: verifier,
    })
  }

  async close() {
    await this.browser.close()
    this.server.close()
  }
}

/** Presses a button and waits for the page that follows. */
export async function press(page, id) {
  await Promise.all([page.waitForEvent('domcontentloaded'), page.click(`#${id}`)])
}

export async function signIn(page, username = USERNAME, password = PASSWORD) {
  await page.fill('#username', username)
  await page.fill('#password', password)
  await press(page, 'login-submit')
}
