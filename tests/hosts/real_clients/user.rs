//! The user's browser, as far as a server can tell: cookies, redirects and forms, over plain HTTP/1.1.

use std::collections::BTreeMap;
use std::io::{Error, Read, Write};
use std::net::{SocketAddr, TcpStream};

use oauth2::http::{Request, Response};
use oauth2::url::{Url, form_urlencoded};

pub(crate) struct User {
    issuer: Url,
    password: &'static str,
    cookies: BTreeMap<String, String>,
}

/// The redirect that hands over to the client.
#[derive(Debug)]
pub(crate) struct Callback {
    pub(crate) base: String,
    pub(crate) in_fragment: bool,
    parameters: Vec<(String, String)>,
}

struct Page {
    url: Url,
    status: u16,
    html: String,
}

enum Place {
    Here(Page),
    Away(Url),
}

impl User {
    pub(crate) fn new(issuer: &str) -> Self {
        Self::with_password(issuer, "correct horse battery staple")
    }

    pub(crate) fn with_password(issuer: &str, password: &'static str) -> Self {
        Self { issuer: Url::parse(issuer).unwrap(), password, cookies: BTreeMap::new() }
    }

    /// Signs in, presses the button of this decision, and stops where the server hands over to the client.
    pub(crate) fn authorize(mut self, url: &str, decision: &str) -> Callback {
        let mut place = self.go("GET", Url::parse(url).unwrap(), Vec::new());
        if let Place::Here(page) = &place
            && page.has("login-submit")
        {
            let typed = [("username", "alice"), ("password", self.password)];
            place = self.submit(page, "login-submit", &typed);
        }
        if let Place::Here(page) = &place {
            place = self.submit(page, &format!("consent-{decision}"), &[]);
        }
        match place {
            Place::Away(url) => Callback::of(&url),
            Place::Here(page) => {
                panic!("no redirect to the client, but {} at {}: {}", page.status, page.url, page.html)
            }
        }
    }

    /// Enters the code that a device's address brings along, signs in, presses the button of this decision,
    /// and stays on the page that says what became of it.
    pub(crate) fn connect(mut self, url: &str, decision: &str) -> String {
        let mut place = self.go("GET", Url::parse(url).unwrap(), Vec::new());
        let signed_in = [("username", "alice"), ("password", "correct horse battery staple")];
        let consent = format!("consent-{decision}");
        for (button, typed) in [("device-submit", &[][..]), ("login-submit", &signed_in), (&consent, &[])] {
            let Place::Here(page) = &place else { panic!("sent away before {button}") };
            place = self.submit(page, button, typed);
        }
        match place {
            Place::Here(page) => page.html,
            Place::Away(url) => panic!("sent away to {url}"),
        }
    }

    fn submit(&mut self, page: &Page, button: &str, typed: &[(&str, &str)]) -> Place {
        let form = page.form_with(button);
        assert_eq!(attribute(form, "method").unwrap_or_default().to_lowercase(), "post");
        let mut fields = Vec::new();
        for tag in tags(form, "input").chain(tags(form, "button")) {
            let pressed = attribute(tag, "id").as_deref() == Some(button);
            let sent =
                pressed || (tag.starts_with("<input") && attribute(tag, "type").as_deref() != Some("submit"));
            if let Some(name) = attribute(tag, "name").filter(|_| sent) {
                let value = typed.iter().find(|(of, _)| *of == name).map(|(_, value)| (*value).to_owned());
                fields.push((name, value.or_else(|| attribute(tag, "value")).unwrap_or_default()));
            }
        }
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let target = page.url.join(&attribute(form, "action").unwrap_or_default()).unwrap();
        self.go("POST", target, body.into_bytes())
    }

    fn go(&mut self, method: &str, url: Url, body: Vec<u8>) -> Place {
        let (mut method, mut url, mut body) = (method, url, body);
        for _ in 0..8 {
            let cookies =
                self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
            let request = Request::builder()
                .method(method)
                .uri(url.as_str())
                .header("cookie", cookies.join("; "))
                .header("content-type", "application/x-www-form-urlencoded")
                .body(std::mem::take(&mut body))
                .unwrap();
            let address = url.socket_addrs(|| None).unwrap()[0];
            let reply = exchange(address, request).unwrap();
            for cookie in reply.headers().get_all("set-cookie") {
                let (name, value) =
                    cookie.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
            let Some(location) = reply.headers().get("location") else {
                let html = String::from_utf8(reply.body().clone()).unwrap();
                return Place::Here(Page { url, status: reply.status().as_u16(), html });
            };
            assert_eq!(reply.status(), 303, "RFC 9700 4.12: a 307 would send the password on");
            let target = url.join(location.to_str().unwrap()).unwrap();
            if target.origin() != self.issuer.origin() {
                return Place::Away(target);
            }
            (method, url) = ("GET", target);
        }
        panic!("redirects without end at {url}");
    }
}

impl Callback {
    fn of(url: &Url) -> Self {
        let in_fragment = url.fragment().is_some();
        let text = url.fragment().or(url.query()).unwrap_or_default();
        let parameters = form_urlencoded::parse(text.as_bytes()).into_owned().collect();
        let base = url.as_str().split(['?', '#']).next().unwrap_or_default().to_owned();
        Self { base, in_fragment, parameters }
    }

    /// The value of a parameter that is there exactly once.
    pub(crate) fn one(&self, name: &str) -> &str {
        let mut found = self.parameters.iter().filter(|(of, _)| of == name);
        match (found.next(), found.next()) {
            (Some((_, value)), None) => value,
            _ => panic!("{name} is not there once: {self:?}"),
        }
    }
}

impl Page {
    fn has(&self, id: &str) -> bool {
        self.html.contains(&format!("id=\"{id}\""))
    }

    fn form_with(&self, id: &str) -> &str {
        let id = format!("id=\"{id}\"");
        let forms = self.html.split("<form").skip(1).filter_map(|rest| rest.split("</form>").next());
        forms.into_iter().find(|form| form.contains(&id)).unwrap_or_else(|| {
            panic!("no form with {id} at {} ({}): {}", self.url, self.status, self.html);
        })
    }
}

/// One request on a connection of its own.
pub(crate) fn exchange(address: SocketAddr, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, Error> {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let mut sent =
        format!("{} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n", request.method());
    for (name, value) in request.headers() {
        sent += &format!("{name}: {}\r\n", value.to_str().map_err(Error::other)?);
    }
    sent += &format!("content-length: {}\r\n\r\n", request.body().len());
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(sent.as_bytes())?;
    stream.write_all(request.body())?;
    let mut received = Vec::new();
    stream.read_to_end(&mut received)?;

    let end =
        received.windows(4).position(|four| four == b"\r\n\r\n").ok_or_else(|| Error::other("no header"))?;
    let head = std::str::from_utf8(&received[..end]).map_err(Error::other)?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
    let mut response = Response::builder().status(status);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        assert_ne!(
            name.to_lowercase(),
            "transfer-encoding",
            "this small client reads bodies of known length"
        );
        response = response.header(name, value.trim());
    }
    response.body(received[end + 4..].to_vec()).map_err(Error::other)
}

fn tags<'a>(html: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    html.match_indices('<').filter_map(move |(at, _)| {
        let tag = html[at..].split('>').next()?;
        tag[1..].strip_prefix(name).filter(|rest| rest.starts_with(char::is_whitespace)).map(|_| tag)
    })
}

/// The value of an attribute of the first tag in `html`.
fn attribute(html: &str, name: &str) -> Option<String> {
    let tag = html.split('>').next()?;
    let at = tag.find(&format!(" {name}=\"")).or_else(|| tag.find(&format!("\n{name}=\"")))? + name.len() + 3;
    let value = tag[at..].split('"').next()?;
    let plain = value.replace("&quot;", "\"").replace("&#x27;", "'").replace("&#x2f;", "/");
    Some(plain.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
}
