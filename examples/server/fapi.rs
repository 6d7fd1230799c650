//! `profile` and `[fapi]` of the configuration file: which version of OAuth the server speaks, and the
//! settings of FAPI 2.0.

use grantor::client::MessageSigning;
use grantor::server::AuthorizationServerBuilder;
use grantor::{Client, Profile};
use serde::Deserialize;
use toml::Table;

use crate::config::Config;
use crate::toml_reader::Reader;

/// `[fapi]`. It has an effect if the server or one of its clients has a FAPI profile.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FapiSettings {
    signed_requests: bool,
    signed_responses: bool,
    signed_introspection: bool,
    /// How tokens can be sender-constrained.
    sender: Vec<Sender>,
}

/// How a client proves possession of the key of its tokens.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Sender {
    Dpop,
    Mtls,
}

impl Default for FapiSettings {
    fn default() -> Self {
        let MessageSigning { requests, responses, introspection, .. } = MessageSigning::default();
        Self {
            signed_requests: requests,
            signed_responses: responses,
            signed_introspection: introspection,
            sender: vec![Sender::Dpop, Sender::Mtls],
        }
    }
}

impl FapiSettings {
    fn message_signing(&self) -> MessageSigning {
        let mut signed = MessageSigning::default();
        signed.requests = self.signed_requests;
        signed.responses = self.signed_responses;
        signed.introspection = self.signed_introspection;
        signed
    }

    /// Whether the server signs responses to a client whose profile signs messages.
    pub(crate) fn signs_answers(&self) -> bool {
        self.signed_responses || self.signed_introspection
    }

    /// Whether tokens can be bound to keys with DPoP.
    pub(crate) fn takes_proofs(&self) -> bool {
        self.sender.contains(&Sender::Dpop)
    }

    /// Whether tokens can be bound to certificates.
    pub(crate) fn binds_to_certificates(&self) -> bool {
        self.sender.contains(&Sender::Mtls)
    }

    pub(crate) fn apply<C, S>(
        &self,
        builder: AuthorizationServerBuilder<C, S>,
        hands_over: bool,
    ) -> AuthorizationServerBuilder<C, S> {
        let builder = builder.message_signing(self.message_signing());
        match (self.binds_to_certificates(), hands_over) {
            (false, _) => builder.without_certificate_bound_access_tokens(),
            (true, true) => builder.certificate_bound_access_tokens(),
            (true, false) => builder,
        }
    }
}

impl Config {
    /// Whether the profile of the server or of a client makes the server sign responses.
    pub(crate) fn signs_messages(&self) -> bool {
        self.fapi.signs_answers() && profiles(self).any(|profile| profile == Profile::Fapi2MessageSigning)
    }
}

/// The profiles of the server and of the clients.
fn profiles(config: &Config) -> impl Iterator<Item = Profile> {
    config.clients.iter().filter_map(Client::profile).chain([config.profile])
}

impl Reader {
    pub(crate) fn profile(&mut self, file: &mut Table) -> Profile {
        match self.take::<String>(file, "profile").as_deref() {
            None | Some("oauth21") => Profile::OAuth21,
            Some("rfc6749") => Profile::Rfc6749,
            Some("mcp") => Profile::Mcp,
            Some("fapi2") => Profile::Fapi2Security,
            Some("fapi2-message-signing") => Profile::Fapi2MessageSigning,
            Some(other) => {
                self.mistakes.push(format!(
                    "profile: {other:?} is not one of \"oauth21\", \"mcp\", \"rfc6749\", \"fapi2\" and \"fapi2-message-signing\""
                ));
                Profile::OAuth21
            }
        }
    }

    /// The settings of the file, or the defaults.
    pub(crate) fn fapi(&mut self, file: &mut Table) -> FapiSettings {
        let settings: FapiSettings = self.table(file, "fapi");
        if settings.sender.is_empty() {
            self.mistakes.push("fapi.sender must name \"dpop\", \"mtls\" or both".to_owned());
        }
        settings
    }

    /// Reports clients of the file that the server would not serve.
    pub(crate) fn whole_fapi(&mut self, config: &Config) {
        if !self.has(&["profile", "fapi"]) {
            return;
        }
        for client in &config.clients {
            let signed = config.fapi.message_signing();
            let mistakes = client.check_profile_with(config.profile, signed).err();
            let mistakes = mistakes.iter().flat_map(|mistakes| mistakes.all());
            let id = client.id();
            self.mistakes.extend(mistakes.map(|mistake| format!("clients ({id}): {mistake}")));
        }
    }
}

#[cfg(test)]
mod tests {
    use grantor::{AuthorizationServer, MemoryRegistry, MemoryStore};

    use super::*;

    const HEAD: &str = "listen = \"127.0.0.1:0\"\n";
    const SECRET: &str = "[[clients]]\nclient_id = \"a\"\nclient_secret = \"s\"\ngrant_types = []\n";
    const KEYED: &str = "[[clients]]\nclient_id = \"b\"\nredirect_uris = [\"https://b.example/cb\"]\n\
        token_endpoint_auth_method = \"private_key_jwt\"\njwks_uri = \"https://b.example/jwks\"\n";

    fn read(text: &str) -> Result<Config, Vec<String>> {
        Config::parse(&format!("{HEAD}{text}"))
    }

    fn mistakes(text: &str) -> Vec<String> {
        read(text).err().unwrap_or_default()
    }

    #[test]
    fn a_client_that_does_not_fit_the_profile_is_named() {
        for profile in ["fapi2", "fapi2-message-signing"] {
            assert_eq!(mistakes(&format!("profile = {profile:?}\n{KEYED}")), Vec::<String>::new());
            let found = mistakes(&format!("profile = {profile:?}\n{SECRET}"));
            assert!(found.len() == 1 && found[0].contains("(a): token_endpoint_auth_method"), "{found:?}");
            let own = mistakes(&format!("{SECRET}profile = {profile:?}"));
            assert!(own.len() == 1 && own[0].contains("token_endpoint_auth_method"), "{own:?}");
            assert_eq!(mistakes(&format!("{SECRET}{KEYED}profile = {profile:?}")), Vec::<String>::new());
        }
    }

    #[test]
    fn each_kind_of_message_is_a_switch() {
        let signs = |text: &str| read(text).map(|config| config.signs_messages());
        for (text, expected) in [
            ("", false),
            ("profile = \"fapi2\"", false),
            ("profile = \"fapi2-message-signing\"", true),
            ("profile = \"fapi2-message-signing\"\n[fapi]\nsigned_responses = false", true),
            (
                "profile = \"fapi2-message-signing\"\n[fapi]\nsigned_responses = false\nsigned_introspection = false",
                false,
            ),
            (&format!("{KEYED}profile = \"fapi2-message-signing\""), true),
        ] {
            assert_eq!(signs(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_token_is_bound_by_something() {
        for good in [
            "sender = [\"dpop\"]",
            "sender = [\"mtls\"]",
            "sender = [\"dpop\", \"mtls\"]",
            "signed_requests = true",
        ] {
            assert_eq!(mistakes(&format!("[fapi]\n{good}")), Vec::<String>::new(), "{good}");
        }
        for bad in ["sender = []", "sender = \"dpop\"", "sender = [\"bearer\"]", "signed = true"] {
            assert_eq!(mistakes(&format!("[fapi]\n{bad}")).len(), 1, "{bad}");
        }
    }

    #[test]
    fn without_mtls_in_sender_a_certificate_binds_no_token() {
        for (sender, binds) in [("\"dpop\"", false), ("\"mtls\"", true), ("\"dpop\", \"mtls\"", true)] {
            let config = read(&format!("[fapi]\nsender = [{sender}]")).unwrap();
            let builder = AuthorizationServer::builder("https://as.example")
                .clients(MemoryRegistry::default())
                .store(MemoryStore::new())
                .mtls_endpoint_aliases("https://mtls.as.example");
            let server = config.fapi.apply(builder, true).build().unwrap();
            let metadata = String::from_utf8(server.metadata().body).unwrap();
            let listed = metadata.contains("\"tls_client_certificate_bound_access_tokens\":true");
            assert_eq!(listed, binds, "{sender}");
        }
    }
}
