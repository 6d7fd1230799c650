//! The response to a token request (RFC 6749 section 5.1).

use std::fmt;
use std::io::Write as _;

use serde::Serialize;

use super::exchange::ACCESS_TOKEN;
use super::id_token::IdToken;
use crate::base::{AccessRights, AuthorizationDetails, Confirmation, Secret, SecretText};
use crate::client::GrantType;
use crate::grant::{Grant, GrantId, Handle, Issued, Kind, Prefixes};
use crate::http::Response;
use crate::issuance::Facts;
use crate::signing::{self, AccessTokens, Algorithm, Claims, Unsigned};
use crate::store::BackendError;

/// A successful response: ready, or waiting for a signature.
#[derive(Debug)]
#[must_use]
#[non_exhaustive]
pub enum Reply {
    /// Ready.
    Ready(TokenReply),
    /// A part of it has to be signed.
    Sign(Box<AwaitPart>),
}

/// The tokens for the client.
#[derive(Debug)]
pub struct TokenReply(Box<Tokens>);

#[derive(Debug)]
struct Tokens {
    grant: GrantId,
    /// An opaque access token.
    opaque: Option<Secret>,
    /// Its text, if an `id_token` is bound to it.
    text: Option<SecretText>,
    refresh: Option<Secret>,
    rights: AccessRights,
    /// In seconds.
    expires_in: u64,
    issued_token_type: Option<&'static str>,
    signed: Vec<Signed>,
}

/// A signed member of the response.
struct Signed {
    member: &'static str,
    text: String,
}

/// A member of the response that has to be signed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Part {
    /// The access token.
    AccessToken {
        /// Its claims; the host may add to them.
        claims: Box<Claims>,
        /// The algorithm that its resource or the client's profile requires.
        algorithm: Option<Algorithm>,
    },
    /// The `id_token` (OpenID Connect Core section 2).
    IdToken(Box<IdToken>),
}

/// Waits for the signature of one part; there may be more.
#[derive(Debug)]
pub struct AwaitPart {
    reply: TokenReply,
    next: Part,
    rest: Vec<Part>,
}

impl Reply {
    /// The response with the tokens of this grant.
    pub(crate) fn new(grant: &Grant, tokens: Issued, facts: &Facts<'_>) -> Self {
        let Facts { now, rules, .. } = *facts;
        let left = (tokens.expires - now).num_seconds();
        let part = match tokens.format {
            AccessTokens::Opaque => None,
            AccessTokens::Jwt => {
                let claims = Box::new(grant.claims(&tokens, rules));
                Some(Part::AccessToken { claims, algorithm: tokens.algorithm })
            }
        };
        let Issued { access, refresh, rights, .. } = tokens;
        let reply = TokenReply(Box::new(Tokens {
            grant: grant.id(),
            opaque: part.is_none().then_some(access),
            text: None,
            refresh,
            rights,
            expires_in: u64::try_from(left).unwrap_or_default(),
            issued_token_type: None,
            signed: Vec::new(),
        }));
        match part {
            Some(next) => Self::Sign(Box::new(AwaitPart { reply, next, rest: Vec::new() })),
            None => Self::Ready(reply),
        }
    }

    /// Adds the members that only this grant type has (RFC 8693 section 2.2.1).
    pub(super) fn for_grant_type(mut self, grant_type: &GrantType) -> Self {
        let issued = (*grant_type == GrantType::TokenExchange).then_some(ACCESS_TOKEN);
        match &mut self {
            Self::Ready(reply) => reply.0.issued_token_type = issued,
            Self::Sign(waiting) => waiting.reply.0.issued_token_type = issued,
        }
        self
    }

    /// Adds an `id_token`, which is bound to the access token once that is known.
    pub(super) fn with_id_token(mut self, mut id_token: IdToken, prefixes: &Prefixes) -> Self {
        if let Self::Ready(TokenReply(tokens)) = &mut self
            && let Tokens { grant, opaque: Some(secret), text, .. } = &mut **tokens
        {
            let access = Handle::new(*grant, secret.duplicate()).into_text(Kind::Access, prefixes);
            id_token.bind(&access);
            *text = Some(SecretText::new(access));
        }
        self.with_part(Part::IdToken(Box::new(id_token)))
    }

    /// The `id_token` that is still to be signed.
    pub(super) fn id_token_mut(&mut self) -> Option<&mut IdToken> {
        self.parts_mut().find_map(Part::id_token_mut)
    }

    /// The claims of the access token that is still to be signed.
    pub(super) fn access_claims_mut(&mut self) -> Option<&mut Claims> {
        self.parts_mut().find_map(Part::access_claims_mut)
    }

    /// The parts that are still to be signed.
    fn parts_mut(&mut self) -> impl Iterator<Item = &mut Part> {
        let waiting = match self {
            Self::Sign(waiting) => Some(waiting),
            Self::Ready(_) => None,
        };
        waiting.into_iter().flat_map(|waiting| std::iter::once(&mut waiting.next).chain(&mut waiting.rest))
    }

    /// The parameters of a response through the browser (RFC 6749 section 4.2.2), and the parts that still
    /// have to be signed.
    pub(in crate::flow) fn into_parameters(
        self,
        prefixes: &Prefixes,
    ) -> (Vec<(&'static str, String)>, Vec<Part>) {
        match self {
            Self::Ready(reply) => (reply.into_fields(prefixes), Vec::new()),
            Self::Sign(waiting) => {
                let AwaitPart { reply, next, rest } = *waiting;
                (reply.into_fields(prefixes), std::iter::once(next).chain(rest).collect())
            }
        }
    }

    /// Adds a part, which is signed after the existing ones.
    fn with_part(self, part: Part) -> Self {
        match self {
            Self::Ready(reply) => Self::Sign(Box::new(AwaitPart { reply, next: part, rest: Vec::new() })),
            Self::Sign(mut waiting) => {
                waiting.rest.push(part);
                Self::Sign(waiting)
            }
        }
    }
}

impl AwaitPart {
    /// What has to be signed.
    #[must_use]
    pub fn part(&self) -> &Part {
        &self.next
    }

    /// Takes the signed token.
    pub fn with_token(self, text: String) -> Reply {
        let Self { mut reply, next, mut rest } = self;
        next.is_followed_by(&mut rest, &text);
        reply.0.signed.push(Signed { member: next.member(), text });
        match rest.is_empty() {
            true => Reply::Ready(reply),
            false => {
                let next = rest.remove(0);
                Reply::Sign(Box::new(Self { reply, next, rest }))
            }
        }
    }
}

impl Part {
    /// Its name in the answer.
    #[must_use]
    pub fn member(&self) -> &'static str {
        match self {
            Self::AccessToken { .. } => ACCESS_TOKEN_MEMBER,
            Self::IdToken(_) => "id_token",
        }
    }

    /// The secret of its client that signs it; `None` if a key of the server does.
    pub(crate) fn secret(&self) -> Option<&SecretText> {
        match self {
            Self::IdToken(id_token) => id_token.secret(),
            Self::AccessToken { .. } => None,
        }
    }

    /// What has to be signed.
    ///
    /// # Errors
    /// The claims cannot be written as JSON.
    pub fn unsigned(&self) -> Result<Unsigned, BackendError> {
        match self {
            Self::AccessToken { claims, algorithm } => {
                Unsigned::new(signing::ACCESS_TOKEN, &**claims, *algorithm)
            }
            Self::IdToken(id_token) => id_token.unsigned(),
        }
    }

    /// Passes its signed text to the later parts: an `id_token` is bound to the access token.
    pub(in crate::flow) fn is_followed_by(&self, rest: &mut [Part], text: &str) {
        if let Self::AccessToken { .. } = self {
            rest.iter_mut().filter_map(Self::id_token_mut).for_each(|id_token| id_token.bind(text));
        }
    }

    pub(in crate::flow) fn id_token_mut(&mut self) -> Option<&mut IdToken> {
        match self {
            Self::IdToken(id_token) => Some(id_token),
            Self::AccessToken { .. } => None,
        }
    }

    pub(in crate::flow) fn access_claims_mut(&mut self) -> Option<&mut Claims> {
        match self {
            Self::AccessToken { claims, .. } => Some(claims),
            Self::IdToken(_) => None,
        }
    }
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_token_type: Option<&'static str>,
    token_type: &'static str,
    expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    scope: &'a str,
    #[serde(skip_serializing_if = "AuthorizationDetails::is_empty")]
    authorization_details: &'a AuthorizationDetails,
}

impl TokenReply {
    /// The grant that the tokens belong to.
    #[must_use]
    pub fn grant_id(&self) -> GrantId {
        self.0.grant
    }

    /// The JSON response: the only way to get the tokens out.
    pub fn into_response(self, prefixes: &Prefixes) -> Response {
        let Tokens { grant, opaque, text, refresh, rights, expires_in, issued_token_type, signed } = *self.0;
        let write = |secret, kind| Handle::new(grant, secret).into_text(kind, prefixes);
        let opaque = opaque.filter(|_| text.is_none()).map(|secret| write(secret, Kind::Access));
        let refresh = refresh.map(|secret| write(secret, Kind::Refresh));
        let body = Body {
            access_token: text.as_ref().map(SecretText::reveal).or(opaque.as_deref()),
            issued_token_type,
            token_type: Confirmation::token_type_of(rights.confirmation.as_ref()),
            expires_in,
            refresh_token: refresh.as_deref(),
            scope: rights.scope.as_str(),
            authorization_details: &rights.details,
        };
        match body.json(&signed) {
            Ok(json) => Response::secret_json(200, json),
            Err(_) => Response::empty(500),
        }
    }

    fn into_fields(self, prefixes: &Prefixes) -> Vec<(&'static str, String)> {
        let Tokens { grant, opaque, rights, expires_in, signed, .. } = *self.0;
        let opaque = opaque.map(|secret| Handle::new(grant, secret).into_text(Kind::Access, prefixes));
        let opaque = opaque.map(|text| (ACCESS_TOKEN_MEMBER, text));
        let signed = signed.into_iter().map(|part| (part.member, part.text));
        let mut fields: Vec<_> = opaque.into_iter().chain(signed).collect();
        let token_type = Confirmation::token_type_of(rights.confirmation.as_ref());
        fields.push(("token_type", token_type.to_owned()));
        fields.push(("expires_in", expires_in.to_string()));
        let AccessRights { scope, details, .. } = &rights;
        if !scope.is_empty() {
            fields.push(("scope", scope.to_string()));
        }
        if let (false, Ok(details)) = (details.is_empty(), serde_json::to_string(details)) {
            fields.push(("authorization_details", details));
        }
        fields
    }
}

impl Body<'_> {
    /// As JSON, with the signed members at the end.
    fn json(&self, signed: &[Signed]) -> serde_json::Result<Vec<u8>> {
        let length: usize = signed.iter().map(|part| part.text.len()).sum();
        let mut json = Vec::with_capacity(300 + length);
        serde_json::to_writer(&mut json, self)?;
        for Signed { member, text } in signed {
            json.pop(); // the brace
            write!(json, ",\"{member}\":").map_err(serde_json::Error::io)?;
            write_text(&mut json, text)?;
            json.push(b'}');
        }
        Ok(json)
    }
}

/// Writes a text as JSON. A token has nothing to escape: seeing that for all of it at once takes much less
/// time than serde_json's look at each character.
fn write_text(json: &mut Vec<u8>, text: &str) -> serde_json::Result<()> {
    let is_escaped = |byte: u8| (byte < b' ') | (byte == b'"') | (byte == b'\\');
    if text.bytes().fold(false, |found, byte| found | is_escaped(byte)) {
        return serde_json::to_writer(json, text);
    }
    json.push(b'"');
    json.extend_from_slice(text.as_bytes());
    json.push(b'"');
    Ok(())
}

impl fmt::Debug for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signed({})", self.member)
    }
}

pub(in crate::flow) const ACCESS_TOKEN_MEMBER: &str = "access_token";

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    fn without_access_token() -> Reply {
        Reply::Ready(TokenReply(Box::new(Tokens {
            grant: GrantId::new([7; 16]),
            opaque: None,
            text: None,
            refresh: None,
            rights: AccessRights::default(),
            expires_in: 600,
            issued_token_type: None,
            signed: Vec::new(),
        })))
    }

    fn access_token() -> Part {
        let claims = serde_json::json!({
            "iss": "https://as.example",
            "sub": "alice",
            "sub_type": "user",
            "aud": "https://api.example",
            "client_id": "app",
            "iat": 0,
            "exp": 600,
            "jti": "1",
        });
        Part::AccessToken { claims: serde_json::from_value(claims).unwrap(), algorithm: None }
    }

    #[test]
    fn an_answer_is_ready_when_every_part_of_it_is_signed() {
        let id_token = Part::IdToken(Box::new(IdToken::of_alice()));
        let mut reply = without_access_token().with_part(access_token()).with_part(id_token);
        for (member, typ) in [("access_token", signing::ACCESS_TOKEN), ("id_token", "JWT")] {
            let Reply::Sign(waiting) = reply else { panic!("{member} is not signed") };
            assert_eq!(waiting.part().member(), member);
            let unsigned = waiting.part().unsigned().unwrap();
            assert_eq!(unsigned.typ, typ);
            assert_eq!(unsigned.claims.contains("at_hash"), member == "id_token");
            reply = waiting.with_token(format!("signed {member}"));
        }
        let Reply::Ready(reply) = reply else { panic!("all is signed") };
        let json: serde_json::Value =
            serde_json::from_slice(&reply.into_response(&Prefixes::default()).body).unwrap();
        assert_eq!(json["access_token"], "signed access_token");
        assert_eq!(json["id_token"], "signed id_token");
    }
}
