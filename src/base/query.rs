//! Adds a query to a URI that may have one.

use form_urlencoded::Serializer;

/// The URI with these parameters after its own query. It has no fragment.
pub(crate) fn with_parameters<'a>(
    uri: &str,
    parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> String {
    let joint = if uri.contains('?') { '&' } else { '?' };
    behind(uri, joint, parameters)
}

/// The URI, this character, and the parameters.
pub(crate) fn behind<'a>(
    uri: &str,
    joint: char,
    parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> String {
    let mut joined = String::with_capacity(uri.len() + 256);
    joined.push_str(uri);
    joined.push(joint);
    let start = joined.len();
    Serializer::for_suffix(joined, start).extend_pairs(parameters).finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_follow_those_that_are_there() {
        let pairs = [("a", "1 2"), ("b", "&")];
        assert_eq!(with_parameters("https://x.example/cb", pairs), "https://x.example/cb?a=1+2&b=%26");
        assert_eq!(
            with_parameters("https://x.example/cb?c=3", pairs),
            "https://x.example/cb?c=3&a=1+2&b=%26"
        );
    }
}
