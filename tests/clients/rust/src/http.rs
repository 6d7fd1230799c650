//! HTTP/1.1 over one connection for each request, to a server on this machine.

use std::io::{Error, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use openidconnect::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use openidconnect::{HttpRequest, HttpResponse};

pub fn send(request: HttpRequest) -> Result<HttpResponse, Error> {
    let (head, body) = request.into_parts();
    let address = head.uri.authority().ok_or_else(|| bad("no authority"))?.as_str();
    let mut connection = TcpStream::connect(address)?;
    connection.set_read_timeout(Some(Duration::from_secs(30)))?;
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut message = format!("{} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n", head.method);
    for (name, value) in &head.headers {
        let value = value.to_str().map_err(|_| bad("a header field that is no text"))?;
        message.push_str(&format!("{name}: {value}\r\n"));
    }
    message.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    connection.write_all(message.as_bytes())?;
    connection.write_all(&body)?;
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer)?;
    read(&answer).ok_or_else(|| bad("no answer of HTTP/1.1 with a whole body"))
}

fn read(answer: &[u8]) -> Option<HttpResponse> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = StatusCode::from_bytes(lines.next()?.split(' ').nth(1)?.as_bytes()).ok()?;
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':')?;
        headers
            .append(HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(value.trim()).ok()?);
    }
    if headers.contains_key("transfer-encoding") {
        return None;
    }
    let mut response = Response::new(answer[end + 4..].to_vec());
    (*response.status_mut(), *response.headers_mut()) = (status, headers);
    Some(response)
}

fn bad(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, what)
}
