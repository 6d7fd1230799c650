// The user's browser, as far as a server can tell: cookies, redirects and forms.

export const USERNAME = 'alice'
export const PASSWORD = 'correct horse battery staple'

const ENTITIES = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

function unescape(text) {
  return text.replace(/&(#x[0-9a-f]+|#[0-9]+|[a-z]+);/gi, (whole, name) => {
    if (name.startsWith('#x')) return String.fromCodePoint(parseInt(name.slice(2), 16))
    if (name.startsWith('#')) return String.fromCodePoint(parseInt(name.slice(1), 10))
    return ENTITIES[name] ?? whole
  })
}

function attributes(tag) {
  const found = {}
  for (const [, name, quoted, single, bare] of tag.matchAll(
    /\s([a-z][a-z0-9-]*)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>"']+)))?/gi,
  )) {
    found[name.toLowerCase()] = unescape(quoted ?? single ?? bare ?? '')
  }
  return found
}

/** Where the browser stands: on a page of the server, or sent away to `redirect`. */
export class Page {
  constructor(url, response, html, redirect) {
    Object.assign(this, { url, html, redirect, status: response.status, headers: response.headers })
    this.forms = [...html.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/gi)].map(([, own, inner]) => ({
      ...attributes(own),
      fields: [...inner.matchAll(/<(input|button)\b[^>]*>/gi)].map(([tag, kind]) => ({
        kind: kind.toLowerCase(),
        ...attributes(tag),
      })),
    }))
  }

  has(id) {
    return this.html.includes(`id="${id}"`)
  }

  formWith(id) {
    const form = this.forms.find(({ fields }) => fields.some((field) => field.id === id))
    if (!form) throw new Error(`no form with #${id} at ${this.url} (${this.status}):\n${this.html.slice(0, 2000)}`)
    return form
  }
}

/** What a browser sends of a form as it stands, buttons left out. */
export function values(form) {
  return Object.fromEntries(
    form.fields
      .filter(({ kind, name, type }) => kind === 'input' && name && !['submit', 'button'].includes(type))
      .filter(({ type, checked }) => !['checkbox', 'radio'].includes(type) || checked !== undefined)
      .map(({ name, value = '' }) => [name, value]),
  )
}

export class User {
  #cookies = new Map()

  constructor(issuer, username = USERNAME, password = PASSWORD) {
    Object.assign(this, { issuer, username, password })
  }

  open(url) {
    return this.#go('GET', url)
  }

  submit(page, form, button, typed = {}) {
    if (form.method?.toLowerCase() !== 'post') throw new Error('a form that changes something is posted')
    const sent = { ...values(form), ...typed }
    const pressed = form.fields.find(({ id }) => id === button)
    if (pressed?.name) sent[pressed.name] = pressed.value ?? ''
    return this.#go('POST', new URL(form.action ?? '', page.url).href, new URLSearchParams(sent))
  }

  signIn(page) {
    return this.submit(page, page.formWith('login-submit'), 'login-submit', {
      username: this.username,
      password: this.password,
    })
  }

  decide(page, decision) {
    return this.submit(page, page.formWith(`consent-${decision}`), `consent-${decision}`)
  }

  /** Signs in if asked to, decides, and stops where the server hands over to the client. */
  async walk(url, decision = 'approve') {
    let page = await this.open(String(url))
    if (page.has('login-submit')) page = await this.signIn(page)
    if (!page.redirect && page.has('consent-approve')) page = await this.decide(page, decision)
    return page
  }

  /** Enters the code of a device, signs in on the way if asked to, and decides. */
  async connect(url, decision = 'approve', user_code) {
    let page = await this.open(String(url))
    page = await this.submit(page, page.formWith('device-submit'), 'device-submit', user_code ? { user_code } : {})
    if (page.has('login-submit')) page = await this.signIn(page)
    return page.has('consent-approve') ? this.decide(page, decision) : page
  }

  /** The callback that the browser is sent to. */
  async authorize(url, decision = 'approve') {
    const page = await this.walk(url, decision)
    if (!page.redirect) throw new Error(`no redirect, but ${page.status} at ${page.url}:\n${page.html.slice(0, 2000)}`)
    return new URL(page.redirect)
  }

  async #go(method, url, body) {
    for (let hops = 0; hops < 8; hops++) {
      const response = await fetch(url, {
        method,
        body,
        redirect: 'manual',
        headers: {
          cookie: [...this.#cookies].map((pair) => pair.join('=')).join('; '),
          'sec-fetch-site': 'same-origin',
        },
      })
      for (const cookie of response.headers.getSetCookie()) {
        const [name, ...value] = cookie.split(';')[0].split('=')
        this.#cookies.set(name, value.join('='))
      }
      const html = await response.text()
      const location = response.headers.get('location')
      if (!location) return new Page(url, response, html)
      // RFC 9700 4.12: a 307 would send the password on.
      if (response.status !== 303) throw new Error(`redirected by ${response.status} at ${url}`)
      const target = new URL(location, url)
      if (target.origin !== new URL(this.issuer).origin) return new Page(url, response, html, target.href)
      ;[method, url, body] = ['GET', target.href, undefined]
    }
    throw new Error(`redirects without end at ${url}`)
  }
}
