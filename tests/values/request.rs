//! What an adapter copies out of a request besides its form.

use axum::body::Body;
use axum::http::Request as HttpRequest;
use axum::{Router, routing};
use grantor::adapter::axum::read;
use grantor::http::{Certificate, Headers, Request};
use tower::ServiceExt as _;

/// What the protocol reads of a request at `/outer/inner`, where the router of `/outer` is nested.
async fn seen(request: HttpRequest<Body>) -> Request {
    let (send, mut receive) = tokio::sync::mpsc::channel(1);
    let handler = move |request: HttpRequest<Body>| async move {
        send.send(read(request).await).await.expect("a reader");
    };
    let inner: Router = Router::new().route("/inner", routing::any(handler));
    let response = Router::new().nest("/outer", inner).oneshot(request).await.expect("an answer");
    assert_eq!(response.status(), 200);
    receive.recv().await.expect("a request")
}

#[tokio::test]
async fn an_adapter_hands_on_the_whole_path_of_a_request_with_a_proof() {
    let request = || HttpRequest::builder().method("PATCH").uri("/outer/inner?x=1");
    let plain = seen(request().body(Body::empty()).expect("a request")).await;
    assert_eq!((plain.path, plain.method.as_str()), (None, "PATCH"));
    let proven =
        seen(request().header("dpop", "a").header("dpop", "b").body(Body::empty()).expect("one")).await;
    assert_eq!(proven.path.as_deref(), Some("/outer/inner"));
    assert_eq!(proven.headers.all("dpop").collect::<Vec<_>>(), ["a", "b"]);
    assert!(Headers::READ.contains(&"dpop"));
}

#[tokio::test]
async fn an_adapter_hands_on_the_certificate_that_the_host_vouches_for() {
    let certificate = Certificate::from_der(*b"der");
    let request = HttpRequest::builder().uri("/outer/inner").extension(certificate.clone());
    let read = seen(request.body(Body::empty()).expect("a request")).await;
    assert_eq!(read.certificate, Some(certificate));
    let forged = HttpRequest::builder().uri("/outer/inner").header("client-cert", ":ZGVy:");
    assert_eq!(seen(forged.body(Body::empty()).expect("a request")).await.certificate, None);
}
