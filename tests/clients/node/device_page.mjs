// `/device` in Chromium, without JavaScript, while a television polls: RFC 8628 section 3.3.

import * as client from 'openid-client'

const WRONG = 'BCDF-GHJK'

/** A television that waits for its user. */
export async function television(issuer) {
  const config = await client.discovery(new URL(issuer), 'television', {}, client.None(), {
    algorithm: 'oauth2',
    execute: [client.allowInsecureRequests],
  })
  const codes = await client.initiateDeviceAuthorization(config, { scope: 'read write' })
  return { ...codes, poll: () => client.pollDeviceAuthorizationGrant(config, codes) }
}

/** What a user does there; `visitor`, `signIn`, `hardened` and `me` are those of `pages.mjs`. */
export async function connectTelevisions({ issuer, check, visitor, signIn, hardened, me }) {
  const page = await visitor()
  const at = () => new URL(page.url()).pathname

  // The code is typed in, wrong at first, and sign-in comes in between.
  const first = await television(issuer)
  const answer = first.poll()
  await hardened('device', await page.goto(first.verification_uri), page)
  check.equal('device: #user_code has a label', await page.locator('label[for="user_code"]').count(), 1)
  check.equal('device: and is empty', await page.inputValue('#user_code'), '')
  check.matches('device: it warns of codes that were sent', await page.textContent('main'), /If somebody sent you a code/)
  await page.fill('#user_code', WRONG)
  await page.click('#device-submit')
  check.matches('device: a wrong code', await page.textContent('#device-message'), /^No device is waiting/)
  check.equal('device: it is kept, to be mended', await page.inputValue('#user_code'), WRONG)
  await page.fill('#user_code', first.user_code.toLowerCase().replace('-', ' '))
  await page.press('#user_code', 'Enter')
  check.equal('device: a signed-out visitor signs in', at(), '/login')
  await signIn(page)
  await page.waitForSelector('#consent-approve')
  check.equal('device: and is asked', at(), '/device/consent')
  await hardened('device consent', await page.reload(), page)
  check.equal('device consent: the code', await page.textContent('#consent-code'), first.user_code)
  check.equal('device consent: the client', await page.textContent('#consent-client'), 'Television')
  const scopes = await page.textContent('#consent-scopes')
  check.equal('device consent: the scopes', [scopes.includes('read'), scopes.includes('write')], [true, true])
  const warning = await page.textContent('#consent-warnings')
  check.matches('device consent: the warning', warning, /the device is in your hands.*they would get into your account/)
  await page.click('#consent-approve')
  check.matches('device: connected', await page.textContent('#device-done'), /^Television will continue by itself/)
  const tokens = await answer
  check.equal('device: its tokens', [tokens.scope, await me(tokens.access_token)], ['read write', 'user-alice'])

  // A link fills the code in; the click is the user's, and from then on nobody else answers.
  const second = await television(issuer)
  const refusal = second.poll().catch(({ error }) => error)
  await page.goto(second.verification_uri_complete)
  check.equal('device: a link fills the code in', [at(), await page.inputValue('#user_code')], ['/device', second.user_code])
  await page.click('#device-submit')
  await page.waitForSelector('#consent-deny')
  const other = await visitor()
  await other.goto(second.verification_uri_complete)
  await other.click('#device-submit')
  check.matches("device: another browser's code", await other.textContent('#device-message'), /^No device is waiting/)
  await other.context().close()
  await page.click('#consent-deny')
  check.matches('device: refused', await page.textContent('#device-done'), /^Television gets no access/)
  check.equal('device: and is told so', await refusal, 'access_denied')
  await page.context().close()
}
