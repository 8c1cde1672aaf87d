// A certified OpenID provider for the tests: `node provider.mjs PORT KID ALG` (port 0 takes a free one).
// Prints `ready URL` once it answers. Keys are made at start: started again with another KID, it has rotated them.

import { createServer } from 'node:http';
import { exportJWK, generateKeyPair } from 'jose';
import Provider from 'oidc-provider';

const [port, kid, alg] = process.argv.slice(2);
const RESOURCE = 'https://bastion.test';

const { privateKey } = await generateKeyPair(alg, { extractable: true });
const key = { ...(await exportJWK(privateKey)), kid, alg, use: 'sig' };

const configuration = {
  jwks: { keys: [key] },
  cookies: { keys: ['only-for-tests'] },
  clients: [
    {
      client_id: 'agent',
      client_secret: 'agent-secret',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
    },
    {
      client_id: 'person',
      token_endpoint_auth_method: 'none',
      application_type: 'native',
      grant_types: ['urn:ietf:params:oauth:grant-type:device_code'],
      redirect_uris: [],
      response_types: [],
      id_token_signed_response_alg: alg,
    },
  ],
  claims: { openid: ['sub', 'groups'] },
  conformIdTokenClaims: false,
  clientDefaults: { id_token_signed_response_alg: alg },
  enabledJWA: { idTokenSigningAlgValues: [alg] },
  extraTokenClaims: () => ({ groups: ['agents'] }),
  findAccount: (_ctx, sub) => ({ accountId: sub, claims: () => ({ sub, groups: ['people', 'on-call'] }) }),
  features: {
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_ctx, resource) => {
        if (resource !== RESOURCE) throw new Error('unknown resource');
        return {
          scope: '',
          audience: 'bastion',
          accessTokenTTL: 300,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg } },
        };
      },
    },
  },
  ttl: { ClientCredentials: 300, DeviceCode: 300, IdToken: 300, AccessToken: 300, Interaction: 300, Session: 300, Grant: 300 },
};

let handle = (_request, response) => response.writeHead(503).end();
const server = createServer((request, response) => handle(request, response));
server.listen(Number(port), '127.0.0.1', () => {
  const url = `http://127.0.0.1:${server.address().port}`;
  handle = new Provider(url, configuration).callback();
  console.log(`ready ${url}`);
});
