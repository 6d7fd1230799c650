//! The password grant: RFC 6749 section 4.3 where the profile has it, and nowhere else (RFC 9700 section
//! 2.4).

use grantor::Reason;

use crate::support::{Answer, Fixture, request};

const ALICE: [(&str, &str); 4] =
    [("grant_type", "password"), ("username", "alice"), ("password", "wonderland"), ("scope", "read")];

#[tokio::test]
async fn pw_01_under_oauth_2_1_there_is_no_password_grant() {
    let fixture = Fixture::new();
    for client in ["legacy", "conf", "pub"] {
        let error = fixture.token(client, &ALICE).await.error();
        assert_eq!(error, (400, "unsupported_grant_type".to_owned()), "{client}");
    }
    let metadata = Answer(fixture.server.metadata()).json();
    assert!(!metadata["grant_types_supported"].to_string().contains("password"));
}

#[tokio::test]
async fn pw_01_under_rfc_6749_it_works_for_clients_that_list_it() {
    let fixture = Fixture::legacy();
    let answer = fixture.token("legacy", &ALICE).await;
    assert_eq!((answer.status(), answer.text("scope")), (200, "read".to_owned()));
    let access = fixture.server.check(&answer.access_token()).await.unwrap();
    assert_eq!(access.user(), Some("alice"));
    assert_eq!(fixture.refresh("legacy", &answer.refresh_token()).await.status(), 200);
    assert_eq!(fixture.token("conf", &ALICE).await.error(), (400, "unauthorized_client".to_owned()));
}

#[tokio::test]
async fn pw_01_wrong_credentials_are_an_invalid_grant_and_make_nothing() {
    let fixture = Fixture::legacy();
    for (name, value) in [("password", "Wonderland"), ("username", "mallory"), ("password", "wonderland ")] {
        let form: Vec<_> = ALICE.iter().map(|(n, v)| (*n, if *n == name { value } else { *v })).collect();
        let error = fixture.token("legacy", &form).await.error();
        assert_eq!(error, (400, "invalid_grant".to_owned()), "{value:?}");
        assert_eq!(fixture.log.last_reason(), Some(Reason::OwnerCredentialsWrong));
    }
    for absent in ["username", "password"] {
        let form: Vec<_> = ALICE.into_iter().filter(|(n, _)| *n != absent).collect();
        assert_eq!(fixture.token("legacy", &form).await.error(), (400, "invalid_request".to_owned()));
    }
    assert!(fixture.store.is_empty());
}

#[tokio::test]
async fn pw_01_neither_the_password_nor_a_wrong_name_is_ever_logged() {
    let fixture = Fixture::legacy();
    let wrong = [("grant_type", "password"), ("username", "hunter1"), ("password", "hunter2")];
    let (right, wrong) = (request("legacy", &ALICE), request("legacy", &wrong));
    let facts = grantor::flow::Facts::new(grantor::Clock::now(&fixture.clock), fixture.server.rules());
    let mut seen = Vec::new();
    for request in [&right, &wrong] {
        let flow = grantor::flow::token::AwaitClient::parse(request, &facts).unwrap();
        let response = fixture.server.token(request).await;
        seen.extend([format!("{request:?}"), format!("{flow:?}"), format!("{response:?}")]);
    }
    seen.extend(fixture.log.texts());
    for text in seen {
        for secret in ["wonderland", "hunter1", "hunter2"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}
