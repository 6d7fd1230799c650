//! The token endpoint: RFC 6749 sections 3.2, 4.1.3 and 5.

use crate::support::Fixture;

#[tokio::test]
async fn tk_01_the_answer_has_the_members_of_rfc_6749() {
    let fixture = Fixture::new();
    let answer = fixture.tokens("conf", "read write").await;
    assert_eq!(answer.json()["token_type"], "Bearer");
    assert_eq!(answer.json()["expires_in"], 600);
    assert_eq!(answer.json()["scope"], "read write");
    assert!(fixture.is_live(&answer.access_token()).await);
    assert_eq!(fixture.refresh("conf", &answer.refresh_token()).await.status(), 200);
}
