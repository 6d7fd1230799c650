// The official MCP SDK against the example MCP server: discovery from the resource on, a client ID metadata document and
// dynamic registration, and a further scope after a 403.

import { createServer } from 'node:http'
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { Checks } from './checks.mjs'
import { User } from './user.mjs'

const ISSUER = process.env.GRANTOR_ISSUER
const ENDPOINT = new URL(`${ISSUER}/mcp`)
const DOCUMENTS = 'https://client.example'
const check = new Checks('@modelcontextprotocol/sdk')

// What `https://client.example` is mapped to.
const [hostname, port] = process.env.GRANTOR_DOCUMENTS.split(':')
const documents = { fetched: 0 }
const server = createServer((request, response) => {
  documents.fetched++
  const document = documents[request.url]
  response.writeHead(document ? 200 : 404, { 'content-type': 'application/json', 'cache-control': 'max-age=600' })
  response.end(document && JSON.stringify(document))
})
await new Promise((listening) => server.listen(Number(port), hostname, listening))

/** Puts a document at this path, and answers its URL: portless loopback addresses, as Claude Code has them. */
function publish(path, grant_types) {
  documents[path] = {
    client_id: DOCUMENTS + path,
    client_name: 'An agent of ours',
    redirect_uris: ['http://localhost/callback', 'http://127.0.0.1/callback'],
    grant_types,
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  }
  return DOCUMENTS + path
}

/** Keeps what the SDK hands over, and lets alice answer for the browser. */
class Provider {
  callback = undefined
  scopes = []

  constructor(redirectUrl, clientMetadataUrl) {
    Object.assign(this, { redirectUrl, clientMetadataUrl })
    // The user signs in anew in each flow.
    this.user = new User(ISSUER, 'alice', 'wonderland')
    this.clientMetadata = {
      client_name: 'An agent of ours',
      redirect_uris: [redirectUrl],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    }
  }

  state = () => 'a state'
  clientInformation = () => this.information
  saveClientInformation = (information) => void (this.information = information)
  tokens = () => this.kept
  saveTokens = (tokens) => void (this.kept = tokens)
  saveCodeVerifier = (verifier) => void (this.verifier = verifier)
  codeVerifier = () => this.verifier

  async redirectToAuthorization(url) {
    this.scopes.push(url.searchParams.get('scope'))
    this.resource = url.searchParams.get('resource')
    const page = await this.user.walk(url, 'nothing')
    this.host = page.html.match(/id="consent-client-host">([^<]*)</)?.[1]
    this.callback = new URL((await this.user.decide(page, 'approve')).redirect)
  }
}

/** The browser stops at the consent page. */
User.prototype.walk = async function (url) {
  const page = await this.open(String(url))
  return page.has('login-submit') ? this.signIn(page) : page
}

/** Runs it; if the user is needed, lets the user answer and runs it again. */
async function withUser(provider, run) {
  try {
    return await run()
  } catch (error) {
    if (!(error instanceof UnauthorizedError)) throw error
  }
  const { callback } = provider
  check.equal('the answer names its issuer', callback.searchParams.get('iss'), ISSUER)
  check.equal('the answer goes where it was asked to', callback.origin + callback.pathname, provider.redirectUrl)
  await new StreamableHTTPClientTransport(ENDPOINT, { authProvider: provider }).finishAuth(callback.searchParams.get('code'))
  return run()
}

async function connected(provider) {
  return withUser(provider, async () => {
    const client = new Client({ name: 'a test', version: '1' })
    await client.connect(new StreamableHTTPClientTransport(ENDPOINT, { authProvider: provider }))
    return client
  })
}

const text = ({ content }) => content[0].text

for (const [name, redirectUrl, url] of [
  ['document, localhost', 'http://localhost:54545/callback', publish('/oauth/localhost.json', ['authorization_code'])],
  ['document, 127.0.0.1', 'http://127.0.0.1:54546/callback', publish('/oauth/loopback.json', ['authorization_code'])],
  ['registration', 'http://localhost:54547/callback', undefined],
]) {
  const provider = new Provider(redirectUrl, url)
  let client = await connected(provider)
  check.equal(`${name}: the id`, provider.information.client_id === url, url !== undefined)
  check.equal(`${name}: the host is shown`, provider.host, url && 'client.example')
  check.equal(`${name}: the resource is named`, provider.resource, ENDPOINT.href)
  check.equal(`${name}: the scope of the challenge`, provider.scopes, ['notes:read'])
  const { tools } = await client.listTools()
  check.equal(`${name}: the tools`, tools.map((tool) => tool.name).sort(), ['add_note', 'list_notes'])

  const add = () => client.callTool({ name: 'add_note', arguments: { text: `by ${name}` } })
  if (url === undefined) {
    // This SDK tries to get the further scope by a refresh, which cannot give it, and then stops.
    await check.rejects(`${name}: 403 without the scope`, add(), (error) => error.code, 403)
    provider.kept = undefined
    client = await connected({ __proto__: provider, redirectToAuthorization: upgraded(provider) })
  }
  check.equal(`${name}: the further scope`, text(await withUser(provider, add)), 'added')
  check.equal(`${name}: was asked for`, provider.scopes.at(-1), 'notes:write')
  check.matches(`${name}: and it is there`, text(await client.callTool({ name: 'list_notes' })), new RegExp(`by ${name}`))
  if (url === undefined) {
    const before = provider.kept.refresh_token
    provider.kept = { ...provider.kept, access_token: 'gone' }
    check.matches(`${name}: a new token without the user`, text(await client.callTool({ name: 'list_notes' })), /by/)
    check.differ(`${name}: refresh tokens rotate`, provider.kept.refresh_token, before)
  }
  await client.close()
}

function upgraded(provider) {
  return (url) => {
    url.searchParams.set('scope', 'notes:write')
    return provider.redirectToAuthorization(url)
  }
}

check.equal('each document was fetched once', documents.fetched, 2)
server.close()
check.done()
