use super::*;

fn mistakes(text: &str) -> Vec<String> {
    Config::parse(text).err().unwrap_or_default()
}

#[test]
fn the_demo_is_sound() {
    assert_eq!(mistakes(DEMO), Vec::<String>::new());
}

/// The sections of a file, except `[[clients]]`, whose keys are those of the standard.
const SECTIONS: [&str; 17] = [
    "",
    "[tls]",
    "[forwarded_certificates]",
    "[fapi]",
    "[dpop]",
    "[lifetimes]",
    "[limits]",
    "[keys]",
    "[introspection]",
    "[registration]",
    "[openid]",
    "[outbound]",
    "[[resources]]",
    "[[authorization_details]]",
    "[[assertion_issuers]]",
    "[[exchange]]",
    "[[users]]",
];

#[test]
fn the_demo_explains_every_key() {
    let is_explained = |key: &str| {
        [format!("{key} ="), format!("{key}."), format!("[{key}]")].iter().any(|form| {
            let mut places = DEMO.match_indices(form.as_str());
            places.any(|(at, _)| !DEMO[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
        })
    };
    for section in SECTIONS {
        let found = mistakes(&format!("{section}\ncolour = \"red\""));
        let line = found.iter().find(|line| line.contains("`colour`"));
        let line = line.unwrap_or_else(|| panic!("{section}: {found:?}"));
        let (_, known) =
            ["known keys are ", "expected "].iter().find_map(|start| line.split_once(start)).unwrap();
        let words = known.split([',', ' ']).map(|word| word.trim_matches('`'));
        let keys: Vec<&str> = words.filter(|word| !["", "one", "of", "or"].contains(word)).collect();
        assert!(!keys.is_empty(), "{line}");
        for key in keys {
            assert!(is_explained(key), "{section} {key}");
        }
    }
}

#[test]
fn ft_19_a_proxy_that_is_not_listed_is_warned_of() {
    let warnings =
        |text: &str| Config::parse(text).unwrap_or_else(|found| panic!("{found:?}")).warnings().len();
    let https = "issuer = \"https://login.example\"\n";
    assert_eq!(warnings(https), 1);
    assert_eq!(warnings(&format!("{https}trusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\"]")), 0);
    assert_eq!(warnings(&format!("{https}trusted_proxies = []")), 0, "said so");
    assert_eq!(warnings(&format!("{https}listen = \"192.0.2.1:443\"")), 0);
    assert_eq!(warnings("issuer = \"http://127.0.0.1:9400\""), 0);
    assert_eq!(warnings(DEMO), 0);
    assert_eq!(mistakes("listen = \"127.0.0.1:0\"\ntrusted_proxies = [\"10.0.0.1/8\"]").len(), 1);
}

#[test]
fn every_mistake_is_named_at_once() {
    let found = mistakes(
        r#"
        issuer = "http://127.0.0.1:0"
        colour = "red"
        profile = "oauth3"
        store = 4711
        scopes = ["read write"]
        [lifetimes]
        cod = 60
        [introspection]
        clients = ["nobody"]
        [[users]]
        username = "alice"
        sub = "app"
        pasword = "x"
        [[users]]
        username = "bob"
        sub = "app"
        password = "x"
        [[clients]]
        client_id = "app"
        client_secret = "s"
        redirect_uris = ["https://app.example/cb"]
        [[clients]]
        client_id = "typo"
        redirect_uri = ["https://app.example/cb"]
        "#,
    );
    for part in [
        "port 0",
        "unknown key `colour`",
        "\"oauth3\"",
        "store: ",
        "\"read write\" is not one token",
        "lifetimes: unknown field `cod`",
        "\"nobody\" is not a client_id",
        "users 1 (alice): password is missing",
        "users 1 (alice): unknown key `pasword`",
        "sub \"app\" is also a client_id",
        "clients 2 (typo): unknown field `redirect_uri`",
    ] {
        let lines = found.iter().filter(|line| line.contains(part)).count();
        assert_eq!(lines, 1, "{part:?} in {found:#?}");
    }
    assert!(found.iter().all(|line| !line.contains('\n')));
}

#[test]
fn a_mistake_repeats_no_secret() {
    let found = mistakes(
        r#"
        [[users]]
        username = "alice"
        sub = "a"
        password = 4711
        [[users]]
        username = "bob"
        sub = "b"
        password_hash = "4711"
        [[clients]]
        client_id = "app"
        client_secret = [4711]
        grant_types = []
        "#,
    );
    assert!(found.len() >= 3 && found.iter().all(|line| !line.contains("4711")), "{found:#?}");
}

#[test]
fn a_secret_in_the_place_of_a_table_or_a_list_is_not_repeated() {
    let head = "listen = \"127.0.0.1:0\"\n";
    let registered = format!("{head}[registration]\nmode = \"token\"\ntokens = \"THE-SECRET\"");
    assert_eq!(mistakes(&registered), ["registration.tokens must be a list of strings, in brackets"]);
    for key in
        ["registration", "openid", "dpop", "users", "clients", "scopes", "trusted_proxies", "lifetimes"]
    {
        let found = mistakes(&format!("{head}{key} = \"THE, \\\"SECRET\""));
        let is_named = found.iter().any(|line| line.starts_with(&format!("{key}: invalid type: string, ")));
        assert!(is_named && !found.join("").contains("SECRET"), "{found:?}");
    }
    for line in
        ["sealing_key = THE-SECRET", "sealing_key = \"THE-SECRET", "[openid]\npairwise_secret = THE-SECRET"]
    {
        let found = mistakes(&format!("{head}{line}"));
        assert!(!found.is_empty() && !found.join("").contains("SECRET"), "{found:?}");
    }
}

#[test]
fn every_key_of_a_table_is_named_with_its_mistake() {
    let found = mistakes(
        r#"
        listen = "127.0.0.1:0"
        scopes = ["read", "write"]
        trusted_proxies = ["10.0.0.1/8", "127.0.0.1", "nowhere"]
        access_tokens = 3
        [lifetimes]
        code = "60"
        access_token = -1
        foo = 1
        [limits]
        login = "many"
        device = {}
        [openid]
        id_token_lifetime = "long"
        frontchannel_logout = 1
        [fapi]
        sender = "dpop"
        signed_requests = "yes"
        [introspection]
        clients = "app"
        [scope_text]
        read = 1
        write = 2
        [[clients]]
        client_id = "app"
        client_secret = "s"
        redirect_uris = "https://app.example/cb"
        grant_types = 7
        profile = ["fapi2"]
        colour = "red"
        "#,
    );
    let text = "invalid type: integer, expected a string";
    for expected in [
        "trusted_proxies: \"10.0.0.1/8\"",
        "trusted_proxies: \"nowhere\"",
        "access_tokens: expected a string",
        "lifetimes.code: invalid type: string, expected a whole number of 0 or more",
        "lifetimes.access_token: invalid value: integer `-1`, expected a whole number of 0 or more",
        "lifetimes: unknown field `foo`",
        "limits.login: ",
        "limits.device: ",
        "openid.id_token_lifetime: ",
        "openid.frontchannel_logout: ",
        "fapi.sender: invalid type: string, expected a list",
        "fapi.signed_requests: ",
        "introspection.clients: ",
        &format!("scope_text.read: {text}"),
        &format!("scope_text.write: {text}"),
        "clients 1 (app).redirect_uris: ",
        "clients 1 (app).grant_types: ",
        "clients 1 (app).profile: expected a string",
        "clients 1 (app): unknown field `colour`",
    ] {
        let lines = found.iter().filter(|line| line.starts_with(expected)).count();
        assert_eq!(lines, 1, "{expected:?} in {found:#?}");
    }
    assert_eq!(found.len(), 19, "{found:#?}");
}

#[test]
fn a_mistake_causes_no_second_line() {
    let client = "[[clients]]\nclient_id = \"a\"\nclient_secret = \"s\"\ngrant_types = []\n";
    for (head, tail) in [
        (
            "scopes = \"read\"",
            "[scope_text]\nread = \"Read\"\n[[resources]]\nidentifier = \"urn:a\"\nscopes = [\"read\"]",
        ),
        ("scopes = \"read\"", &format!("{client}scope = \"read\"")),
        ("scopes = [1]", "[registration]\nmode = \"open\"\nscopes = [\"read\"]"),
        ("openid = 3", &format!("{client}scope = \"openid\"")),
        (
            "profile = \"rfc6479\"",
            &format!(
                "{client}[[clients]]\nclient_id = \"b\"\nclient_secret = \"s\"\ngrant_types = [\"password\"]"
            ),
        ),
        ("issuer = 3\nlisten = \"192.0.2.1:443\"", ""),
        ("trusted_proxies = \"127.0.0.1\"", "[forwarded_certificates]\nform = \"rfc9440\""),
        ("clients = \"a\"", "[introspection]\nclients = [\"a\"]"),
        ("", "[[clients]]\nclient_id = 1\n[introspection]\nclients = [\"a\"]"),
        ("", "[[clients]]\nclient_id = \"a\"\nclient_secret = 4711\ngrant_types = []"),
        ("", "[[users]]\nusername = \"a\"\nsub = \"a\"\npassword_hash = \"4711\""),
        ("", "[[users]]\nusername = \"a\"\nsub = \"a\"\npassword = \"p\"\npassword_hash = \"$argon2id$\""),
        ("", "[tls]\ncertificate = \"a\"\nkey = \"b\"\nclient_certificates = 1\nclient_authorities = \"c\""),
        ("access_tokens = \"jwt\"", "[keys]\nalgorithms = \"RS256\"\nretire = 1"),
        ("", "[registration]\nmode = \"token\"\ntokens = [\"\"]"),
    ] {
        let listen = if head.contains("listen") { "" } else { "listen = \"127.0.0.1:0\"" };
        let found = mistakes(&format!("{listen}\n{head}\n{tail}"));
        assert_eq!(found.len(), 1, "{head}, {tail}: {found:#?}");
    }
}

#[test]
fn a_hash_that_no_password_can_match_is_a_mistake() {
    let cut = "$argon2id$v=19$m=64,t=1,p=1$u70sMuONsxsxhWh6vIQIag";
    let user = format!("[[users]]\nusername = \"a\"\nsub = \"a\"\npassword_hash = \"{cut}\"");
    let client = format!("[[clients]]\nclient_id = \"b\"\nclient_secret = \"{cut}\"\ngrant_types = []");
    let what = "the hash is cut off: its salt or its output is missing";
    assert_eq!(
        mistakes(&format!("listen = \"127.0.0.1:0\"\n{user}\n{client}")),
        [format!("users 1 (a).password_hash: {what}"), format!("clients 1 (b).client_secret: {what}")]
    );
}

#[test]
fn the_terms_of_registration_are_checked_with_the_rest() {
    let listen = "listen = \"127.0.0.1:0\"\nscopes = [\"read\"]\n[registration]\n";
    for good in ["mode = \"open\"", "mode = \"token\"\ntokens = [\"t\"]\nscopes = [\"read\"]"] {
        assert_eq!(mistakes(&format!("{listen}{good}")), Vec::<String>::new());
    }
    for bad in [
        "mode = \"closed\"",
        "tokens = [\"t\"]",
        "mode = \"token\"",
        "mode = \"open\"\ntokens = [\"t\"]",
        "mode = \"open\"\nscopes = [\"admin\"]",
        "mode = \"open\"\ngrants = [\"telepathy\"]",
        "mode = \"open\"\nscope = \"read\"",
    ] {
        assert_eq!(mistakes(&format!("{listen}{bad}")).len(), 1, "{bad}");
    }
}

#[test]
fn an_origin_is_mapped_to_this_machine_alone() {
    let listen = "listen = \"127.0.0.1:0\"\nclient_id_metadata_documents = true\n[outbound]\n";
    let good = "map = { \"https://client.example\" = \"127.0.0.1:1234\" }";
    assert_eq!(mistakes(&format!("{listen}{good}")), Vec::<String>::new());
    for bad in [
        "map = { \"https://client.example\" = \"10.0.0.1:1234\" }",
        "map = { \"http://client.example\" = \"127.0.0.1:1234\" }",
        "map = { \"https://client.example\" = \"localhost\" }",
        "maps = {}",
    ] {
        assert_eq!(mistakes(&format!("{listen}{bad}")).len(), 1, "{bad}");
    }
}

#[test]
fn a_syntax_error_has_its_line() {
    assert!(mistakes("issuer = \"a\"\nlisten = \n").first().is_some_and(|line| line.starts_with("line 2: ")));
}

#[test]
fn the_issuer_may_be_left_to_the_port_on_loopback_only() {
    assert_eq!(mistakes("listen = \"127.0.0.1:0\""), Vec::<String>::new());
    assert_eq!(mistakes("listen = \"0.0.0.0:80\"").len(), 1);
}

#[test]
fn an_issuer_is_https_or_on_loopback() {
    let listen = "listen = \"127.0.0.1:0\"\n";
    for good in
        ["https://login.example", "https://login.example/a", "http://127.0.0.1:9400", "http://[::1]:1"]
    {
        assert_eq!(mistakes(&format!("{listen}issuer = {good:?}")), Vec::<String>::new());
    }
    for bad in ["http://login.example", "login.example", "http://127.0.0.1:0/a"] {
        assert_eq!(mistakes(&format!("{listen}issuer = {bad:?}")).len(), 1, "{bad}");
    }
}

#[test]
fn a_lifetime_of_nothing_is_a_mistake_but_a_leeway_is_not() {
    let text = "listen = \"127.0.0.1:0\"\n[lifetimes]\ncode = 601\nfamily = 0\nleeway = 0";
    assert_eq!(mistakes(text).len(), 2);
    let leeway = |seconds| mistakes(&format!("listen = \"127.0.0.1:0\"\n[lifetimes]\nleeway = {seconds}"));
    assert_eq!(leeway(86_400), Vec::<String>::new());
    assert_eq!(leeway(86_401), ["lifetimes.leeway must be at most 86400"]);
}

#[test]
fn listen_follows_an_http_issuer() {
    assert_eq!(listen_of(Some("http://127.0.0.1:9500/a")).port(), 9500);
    assert_eq!(listen_of(Some("https://login.example")), DEFAULT_LISTEN);
}
