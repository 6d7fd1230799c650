//! What a reader of the server's disk finds.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grantor::store::RedisStore;
use grantor::{MemoryStore, Profile};

use crate::servers::redis::RedisServer;
use crate::support::{Fixture, SECRET, VERIFIER, clients};
use grantor::Registrar as _;

#[tokio::test]
async fn everything_that_was_ever_written_shows_no_secret() {
    let server = RedisServer::start();
    let store = RedisStore::connect(&server.url()).await.unwrap();
    for client in clients() {
        store.insert(client).await.unwrap();
    }
    let fixture = Fixture::on(MemoryStore::new().into(), store.clone(), |builder| {
        builder.profile(Profile::Rfc6749).clients(store.clone())
    });
    let (spent, unspent) = (fixture.code("pub", "read").await, fixture.code("conf", "read").await);
    let first = fixture.redeem("pub", &spent).await;
    let second = fixture.refresh("pub", &first.refresh_token()).await;
    let password = [("grant_type", "password"), ("username", "alice"), ("password", "wonderland")];
    let third = fixture.token("legacy", &password).await;
    let mut handles = vec![spent, unspent];
    for answer in [&first, &second, &third] {
        handles.extend([answer.access_token(), answer.refresh_token()]);
    }
    fixture.revoke("pub", &second.access_token()).await;

    // The append-only file has every write, those among them that were replaced or removed.
    let written = server.written();
    let found = |bytes: &[u8]| written.windows(bytes.len()).any(|window| window == bytes);
    assert!(found(b"alice") && found(b"\"stage\""), "the file is not what it is taken for");
    for secret in [SECRET, VERIFIER, "wonderland"] {
        assert!(!found(secret.as_bytes()), "{secret}");
    }
    for handle in &handles {
        let bytes = URL_SAFE_NO_PAD.decode(&handle[4..]).unwrap();
        let secret = &bytes[16..];
        let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let base64 = URL_SAFE_NO_PAD.encode(secret);
        for trace in [handle.as_bytes(), &handle.as_bytes()[28..], secret, hex.as_bytes(), base64.as_bytes()]
        {
            assert!(!found(trace), "{handle}");
        }
    }
}
