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
