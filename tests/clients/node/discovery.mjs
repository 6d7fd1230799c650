// The metadata of the server, as oauth4webapi reads them.

import * as oauth from 'oauth4webapi'

const issuer = new URL(process.env.GRANTOR_ISSUER)

export const insecure = { [oauth.allowInsecureRequests]: true }
export const as = await oauth
  .discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure })
  .then((response) => oauth.processDiscoveryResponse(issuer, response))
