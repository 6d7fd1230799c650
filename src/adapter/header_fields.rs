//! Which header fields an adapter copies out of a request.

use crate::http::{Headers, Method, Request};

/// Only the pages for development read `Host`, so without their feature no request pays for the check.
const READS_PAGES: bool = cfg!(feature = "dev_pages");

/// Copies the fields that the core reads from a request with this method. `values` finds the values of a
/// field.
pub(super) fn copy_header_fields<'a, V>(read: &mut Request, values: impl Fn(&'static str) -> V)
where
    V: Iterator<Item = &'a [u8]>,
{
    let accepts = |word: &[u8]| {
        let has_word = |value: &[u8]| value.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word));
        values("accept").any(has_word)
    };
    let lists = [
        (true, Headers::READ),
        // Introspection is a `POST`, so no other request pays for the check.
        (read.method == Method::Post && accepts(b"jwt"), Headers::READ_OF_SIGNED_ANSWERS),
        (read.method == Method::Options, Headers::READ_OF_A_PREFLIGHT),
        (READS_PAGES && accepts(b"text/html"), Headers::READ_OF_A_PAGE),
    ];
    for (_, names) in lists.into_iter().filter(|(is_read, _)| *is_read) {
        copy_these(names, read, &values);
    }
}

/// Copies the fields with these names.
pub(super) fn copy_these<'a, V>(
    names: &[&'static str],
    read: &mut Request,
    values: impl Fn(&'static str) -> V,
) where
    V: Iterator<Item = &'a [u8]>,
{
    for &name in names {
        for value in values(name) {
            // One that is not text is copied as an empty one, so that it counts as malformed and not as
            // absent.
            read.headers.push(name, text(value).unwrap_or_default());
        }
    }
}

/// The values of a field that a proxy sets. One that is not text becomes `?`, so that it counts as malformed
/// and not as absent.
pub(super) fn texts<'a>(values: impl Iterator<Item = &'a [u8]>) -> Vec<&'a str> {
    values.map(|value| text(value).unwrap_or("?")).collect()
}

fn text(value: &[u8]) -> Option<&str> {
    let is_text = value.iter().all(|&byte| matches!(byte, b'\t' | b' '..=b'~'));
    std::str::from_utf8(value).ok().filter(|_| is_text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names and values that are copied from a request with these fields.
    fn copied(method: Method, sent: &[(&str, &[u8])]) -> Vec<(&'static str, String)> {
        let mut read = Request::new(method);
        copy_header_fields(&mut read, |name| {
            sent.iter().filter(move |(own, _)| *own == name).map(|(_, value)| *value)
        });
        let names = ["authorization", "accept", "host", "access-control-request-method", "cookie"];
        let of = |name| read.headers.all(name).map(move |value| (name, value.to_owned())).collect::<Vec<_>>();
        names.into_iter().flat_map(of).collect()
    }

    #[test]
    fn what_is_copied_depends_on_the_method_and_on_what_is_accepted() {
        let common: &[(&str, &[u8])] = &[
            ("authorization", b"Basic YTpi"),
            ("host", b"as.example"),
            ("access-control-request-method", b"POST"),
            ("cookie", b"a=b"),
        ];
        let names = |method, accept: &'static [u8]| {
            let sent = [common, &[("accept", accept)]].concat();
            copied(method, &sent).into_iter().map(|(name, _)| name).collect::<Vec<_>>()
        };
        assert_eq!(names(Method::Get, b"*/*"), ["authorization"]);
        assert_eq!(names(Method::Get, b"application/JWT"), ["authorization"]);
        assert_eq!(names(Method::Post, b"application/JWT"), ["authorization", "accept"]);
        let of_a_page: &[&str] = if READS_PAGES { &["authorization", "host"] } else { &["authorization"] };
        assert_eq!(names(Method::Post, b"Text/HTML,*/*;q=0.8"), of_a_page);
        assert_eq!(names(Method::Options, b"*/*"), ["authorization", "access-control-request-method"]);
    }

    #[test]
    fn what_is_not_text_is_malformed_and_not_absent() {
        let latin: &[u8] = "Básic".as_bytes();
        let sent: &[(&str, &[u8])] = &[("authorization", latin), ("authorization", b"Basic \x7f")];
        let empty = ("authorization", String::new());
        assert_eq!(copied(Method::Post, sent), [empty.clone(), empty]);
    }
}
