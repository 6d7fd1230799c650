//! What a full flow leaves behind in a database, and what it does not.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grantor::jose::Algorithm;
use grantor::keys::{KeySchedule, KeyStore, Keys};
use grantor::{Client, Clock as _, GrantType, MemoryStore, Profile, Registrar, TokenStore};

use crate::support::{Fixture, SECRET, clients};

/// Every grant, a registration and a key. Returns the texts that must not be found in the database.
pub async fn full_flow(store: impl TokenStore + Registrar + KeyStore + Clone + 'static) -> Vec<String> {
    for client in clients() {
        store.insert(client).await.unwrap();
    }
    let fixture = Fixture::on(Arc::new(MemoryStore::new()), store.clone(), |builder| {
        builder.profile(Profile::Rfc6749).clients(store.clone()).registrar(store.clone())
    });
    let mut secrets = vec![SECRET.to_owned(), "wonderland".to_owned()];

    for client in ["pub", "conf"] {
        let code = fixture.code(client, "read").await;
        let first = fixture.redeem(client, &code).await;
        let second = fixture.refresh(client, &first.refresh_token()).await;
        let again = fixture.refresh(client, &first.refresh_token()).await;
        for answer in [&first, &second, &again] {
            secrets.extend([answer.access_token(), answer.refresh_token()]);
        }
        secrets.push(code);
    }
    let password = [("grant_type", "password"), ("username", "alice"), ("password", "wonderland")];
    for (client, form) in [("robot", &[("grant_type", "client_credentials")][..]), ("legacy", &password)] {
        let answer = fixture.token(client, form).await;
        assert_eq!(answer.status(), 200, "{:?}", answer.json());
        secrets.push(answer.access_token());
        assert_eq!(fixture.revoke(client, &answer.access_token()).await.status(), 200);
    }
    // One code waits; one is presented twice, which ends its grant.
    secrets.push(fixture.code("pub", "write").await);
    let replayed = fixture.code("conf", "write").await;
    secrets.push(fixture.redeem("conf", &replayed).await.access_token());
    assert_eq!(fixture.redeem("conf", &replayed).await.status(), 400);
    secrets.push(replayed);

    let service = Client::application().name("Service").grant_types([GrantType::ClientCredentials]);
    let registered = fixture.server.register(service.owner("user-alice")).await.unwrap();
    secrets.push(registered.secret.unwrap().reveal().to_owned());

    let keys = Keys::rotating(store, KeySchedule::default(), &[Algorithm::EdDsa]).unwrap();
    keys.current(fixture.clock.now()).await.unwrap();
    secrets
}

pub fn assert_none_of(secrets: &[String], dump: &[u8]) {
    let found = |bytes: &[u8]| dump.windows(bytes.len()).any(|window| window == bytes);
    // An empty dump would have no secrets either.
    for there in ["user:alice", "https://app.example/cb", "user-alice", "pkcs8"] {
        assert!(found(there.as_bytes()), "{there} is not in the dump");
    }
    for secret in secrets {
        assert!(!found(secret.as_bytes()), "{secret} is in the dump");
        // Of a handle, the grant's id may be there, but not the secret after it, in any form.
        let Some((_, handle)) = secret.split_once('_').filter(|(_, handle)| handle.len() == 64) else {
            continue;
        };
        let bytes = &URL_SAFE_NO_PAD.decode(handle).unwrap()[16..];
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        for text in
            [&handle.as_bytes()[24..], bytes, hex.as_bytes(), URL_SAFE_NO_PAD.encode(bytes).as_bytes()]
        {
            assert!(!found(text), "{secret} is in the dump");
        }
    }
}
