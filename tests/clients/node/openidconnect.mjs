// The browser of the Rust crate `openidconnect`: starts its program, and goes where it says.

import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { User } from './user.mjs'

const program = spawn(process.env.GRANTOR_OPENIDCONNECT, { stdio: ['pipe', 'pipe', 'inherit'] })
const ended = new Promise((resolve) => program.on('close', resolve))
for await (const line of createInterface({ input: program.stdout })) {
  const [word, url] = line.split(' ')
  if (word !== 'visit') console.log(line)
  else program.stdin.write(`${await new User(process.env.GRANTOR_ISSUER).authorize(url)}\n`)
}
process.exit(await ended)
