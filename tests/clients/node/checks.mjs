// One line for each check, a count at the end, and an exit code.

import { isDeepStrictEqual } from 'node:util'

export class Checks {
  #passed = 0
  #failed = 0

  constructor(name) {
    this.name = name
  }

  equal(what, actual, expected) {
    const detail = `expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`
    return this.#line(what, isDeepStrictEqual(actual, expected), detail)
  }

  differ(what, one, other) {
    return this.#line(what, !isDeepStrictEqual(one, other), `both are ${JSON.stringify(one)}`)
  }

  matches(what, actual, pattern) {
    return this.#line(what, typeof actual === 'string' && pattern.test(actual), `expected ${pattern}, got ${actual}`)
  }

  /** The promise is rejected, and what `seen` reads of the error equals `expected`. */
  async rejects(what, promise, seen, expected) {
    let answer
    try {
      answer = await promise
    } catch (error) {
      return this.equal(what, seen(error), expected)
    }
    return this.#line(what, false, `expected ${JSON.stringify(expected)}, but it succeeded: ${JSON.stringify(answer)}`)
  }

  done() {
    console.log(`${this.name}: ${this.#passed} checks passed, ${this.#failed} failed`)
    process.exit(this.#failed ? 1 : 0)
  }

  #line(what, good, detail) {
    good ? this.#passed++ : this.#failed++
    console.log(good ? `ok      ${what}` : `FAILED  ${what}: ${detail}`)
    return good
  }
}
