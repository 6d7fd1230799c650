// node-oidc-provider with its memory adapter, and the client that the other contenders of the figures have:
// `node provider.mjs PORT`. `/authorize` answers with a code at once; what a user would see is not measured.

import { Provider } from "oidc-provider";

const [issuer, clientId, redirectUri, scope] = [
    "https://as.example.com", "bench-client", "https://app.example.com/callback", "read write",
];

const provider = new Provider(issuer, {
    clients: [{
        client_id: clientId,
        client_secret: "Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MGFiY2RlZmdoaWo",
        redirect_uris: [redirectUri],
        grant_types: ["authorization_code", "refresh_token", "client_credentials"],
        response_types: ["code"],
        token_endpoint_auth_method: "client_secret_post",
        scope,
    }],
    scopes: scope.split(" "),
    features: {
        clientCredentials: { enabled: true },
        introspection: { enabled: true },
        devInteractions: { enabled: false },
    },
    routes: { token: "/token", introspection: "/introspect" },
    issueRefreshToken: () => true,
    rotateRefreshToken: true,
    ttl: { AccessToken: 3600, AuthorizationCode: 60, ClientCredentials: 3600, Grant: 86400, RefreshToken: 86400 },
    findAccount: (_, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
});

async function code() {
    const client = await provider.Client.find(clientId);
    const grant = new provider.Grant({ clientId, accountId: "alice" });
    grant.addOIDCScope(scope);
    const grantId = await grant.save();
    const code = new provider.AuthorizationCode({
        accountId: "alice",
        client,
        grantId,
        redirectUri,
        scope,
        codeChallenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        codeChallengeMethod: "S256",
        gty: "authorization_code",
    });
    return code.save();
}

provider.use(async (context, next) => {
    if (context.path !== "/authorize") return next();
    context.status = 303;
    context.set("location", `${redirectUri}?code=${await code()}`);
    context.body = "";
});

provider.listen(Number(process.argv[2]), "127.0.0.1");
