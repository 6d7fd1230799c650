// Loads the module and is its host: a clock, a stopwatch and timers that move only when a check says so, and random bytes.
// `node run.mjs MODULE`, without any package.

import { randomFillSync } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { Checks } from '../clients/node/checks.mjs'

const checks = new Checks('wasm')
const bytes = (at, length) => new Uint8Array(module.memory.buffer, at, length)

let now = Date.UTC(2027, 0, 15)
let elapsed = 0
let drawn
let answer
const timers = []
/** `setTimeout` fires at once for a longer time. Waking early is harmless: the module waits again. */
const LONGEST = 2 ** 31 - 1

const host = {
  now: () => now,
  elapsed: () => elapsed,
  fill(at, length) {
    drawn = Buffer.from(randomFillSync(bytes(at, length)))
  },
  wake_after(milliseconds, waker) {
    timers.push({ milliseconds: Math.min(milliseconds, LONGEST), waker })
  },
  answered(status, at, length) {
    answer = { status, body: new TextDecoder().decode(bytes(at, length)) }
  },
}

const compiled = await WebAssembly.compile(await readFile(process.argv[2]))
const module = (await WebAssembly.instantiate(compiled, { host })).exports

/** What the module answers at once; `undefined` while it waits for a timer. */
function call(name, argument = '') {
  const text = new TextEncoder().encode(argument)
  const at = module.room(text.length)
  bytes(at, text.length).set(text)
  answer = undefined
  module[name]()
  return answer
}

/** Lets the oldest timer ring; what that answers. */
function ring() {
  answer = undefined
  module.wake(timers.shift().waker)
  return answer
}

const waits = () => timers.map((timer) => timer.milliseconds)
const form = (client, secret) =>
  new URLSearchParams({ grant_type: 'client_credentials', scope: 'read', client_id: client, client_secret: secret }).toString()

const imports = WebAssembly.Module.imports(compiled).map(({ module, name }) => `${module}.${name}`)
checks.equal('the module needs nothing but its host', imports.sort(), Object.keys(host).map((name) => `host.${name}`).sort())

const missing = call('build_too_early').body.match(/call base::host::install/g)
checks.equal('without a host neither a server nor a guard is built', missing?.length, 2)
checks.equal('with one they are', call('start'), { status: 200, body: '' })

const issued = call('token', form('worker', 'a secret that was drawn, and not chosen'))
checks.equal('a client gets a token', issued.status, 200)
const { access_token: token, expires_in: lifetime, token_type: type } = JSON.parse(issued.body)
checks.equal('it is a bearer token', type, 'Bearer')
const named = Buffer.from(token.replace(/^gat_/, ''), 'base64url')
checks.equal('it is made of the random bytes of the host', named.toString('hex'), drawn.subarray(0, 48).toString('hex'))
const wrong = call('token', form('worker', 'a secret that was drawn, and not that one'))
checks.equal('a wrong secret gets none', [wrong.status, JSON.parse(wrong.body).error], [401, 'invalid_client'])

checks.equal('the guard lets it pass', call('read', token), { status: 200, body: 'read' })
checks.matches('and no other', call('read', `${token.slice(0, -4)}AAAA`).body, /error="invalid_token"/)
now += lifetime * 1000 - 1
checks.equal('until the clock of the host', call('read', token).status, 200)
now += 1
checks.equal('says that it has expired', call('read', token).status, 401)

for (const which of ['a call that is not answered', 'another one, on a timer that was kept']) {
  checks.equal(`${which}: waits`, call('token', form('lost', 'x')), undefined)
  checks.equal('for the deadline of the store', waits(), [3000])
  elapsed += 2000
  checks.equal('a timer that rings early ends nothing', ring(), undefined)
  checks.equal('and is set again', waits(), [1000])
  elapsed += 1000
  checks.equal('at the deadline the answer is 503', ring()?.status, 503)
  checks.equal('and no timer is left', waits(), [])
}

const month = 30 * 24 * 60 * 60 * 1000
checks.equal('a call with a deadline of a month: waits', call('patient_token', form('lost', 'x')), undefined)
checks.equal('for as long as a timer of JavaScript can', waits(), [LONGEST])
elapsed += LONGEST
checks.equal('then it has not ended', ring(), undefined)
checks.equal('and waits for the rest', waits().map(Math.round), [month - LONGEST])
elapsed += month - LONGEST
checks.equal('and at the deadline the answer is 503', ring()?.status, 503)

if (module.serve) {
  await import('./web.mjs').then(({ checkWeb }) => checkWeb(checks, call))
}
checks.done()
