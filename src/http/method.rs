//! [`Method`]: the method of a request.

/// The request methods that the protocol distinguishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    /// `GET`
    Get,
    /// `HEAD`
    Head,
    /// `POST`
    Post,
    /// `PUT`, for a registered client that changes itself (RFC 7592).
    Put,
    /// `DELETE`, for a registered client that deletes itself.
    Delete,
    /// `OPTIONS`, which a browser sends before a cross-origin request.
    Options,
    /// Any other method, by name. Every endpoint answers 405; a resource may support it.
    Other(MethodName),
}

/// The name of a method, as the client sent it. One that is longer than [`MethodName::MAX`] is kept as an
/// empty name.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MethodName {
    length: u8,
    bytes: [u8; MethodName::MAX],
}

impl MethodName {
    /// The longest name, in bytes; no registered method has a longer one.
    pub const MAX: usize = 23;

    fn new(name: &str) -> Self {
        let mut bytes = [0; Self::MAX];
        let Some(room) = bytes.get_mut(..name.len()) else { return Self { length: 0, bytes } };
        room.copy_from_slice(name.as_bytes());
        Self { length: u8::try_from(name.len()).unwrap_or_default(), bytes }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..self.length.into()).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl std::fmt::Debug for MethodName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

impl Method {
    /// Its name; methods are case-sensitive.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
            Self::Other(name) => name.as_str(),
        }
    }
}

impl From<&str> for Method {
    fn from(name: &str) -> Self {
        match name {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "DELETE" => Self::Delete,
            "OPTIONS" => Self::Options,
            other => Self::Other(MethodName::new(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_keeps_its_name() {
        for name in
            ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "UPDATEREDIRECTREF", "get", ""]
        {
            assert_eq!(Method::from(name).as_str(), name);
        }
        assert_eq!(Method::from("X".repeat(24).as_str()).as_str(), "");
    }
}
