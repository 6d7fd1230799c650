//! The pure core, driven by hand: no runtime, no clock, no random source. Every run prints the same lines:
//! `cargo run -p grantor --example no_async`.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use grantor::base::FreshSecrets;
use grantor::flow::authorize::{self, Resolved, SignedIn};
use grantor::flow::token::{self, Authenticated, RedemptionDecision, Reply};
use grantor::flow::{AccountStatus, Checked, Facts, Finished, OpenedRedirect};
use grantor::issuance::Rules;
use grantor::store::{Record, Write};
use grantor::{AuthMethod, Client, GrantType, Login, Request, Response, Scope};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let now = DateTime::from_timestamp(1_800_000_000, 0).ok_or("no such moment")?;
    let rules = Rules::new("https://as.example", Scope::parse("read write")?);
    let client = Client::builder("app")
        .redirect_uri("https://app.example/cb")
        .grant_types([GrantType::AuthorizationCode, GrantType::RefreshToken])
        .auth_method(AuthMethod::None)
        .build()?;
    let client = Arc::new(client);

    let (record, code) = authorize(&rules, &client, now)?;
    let (record, tokens) = redeem(&rules, &client, record, &code, now)?;
    let refresh = member(&tokens, "refresh_token")?;
    let soon = now + TimeDelta::seconds(300);
    let (record, renewed) = refresh_with(&rules, &client, record, &refresh, FreshSecrets::fixed("2"), soon)?;

    // The response was lost on its way. The same request gets the same response again, whatever the random
    // source returns.
    let later = soon + TimeDelta::seconds(30);
    let (_, again) = refresh_with(&rules, &client, record, &refresh, FreshSecrets::fixed("3"), later)?;
    assert_eq!(member(&renewed, "refresh_token")?, member(&again, "refresh_token")?);
    println!("\nthe lost response was repeated");
    Ok(())
}

/// Query ─▶ AwaitClient ─▶ AwaitLogin ─▶ AwaitConsent ─▶ a write, and a redirect that it opens.
fn authorize(
    rules: &Rules,
    client: &Arc<Client>,
    now: DateTime<Utc>,
) -> Result<(Record, String), Box<dyn std::error::Error>> {
    let query = "response_type=code&client_id=app&scope=read&state=s\
        &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";
    let facts = Facts::new(now, rules);
    let state = authorize::AwaitClient::parse(&Request::get(query), &facts)?;
    println!("authorize: parsed, lacks the client {:?}", state.client_id().as_str());
    let Resolved::Direct(state) = state.with_client(Some(Arc::clone(client)), &facts)? else {
        return Err("nothing was pushed".into());
    };
    println!("authorize: the address is proven, lacks the user");
    let SignedIn::Consent(state) = state.with_login(Login::new("alice", now), &facts) else {
        return Err("the request is in order".into());
    };
    println!("authorize: checked, lacks the decision of the user on {:?}", state.scope().as_str());
    let (write, sealed) = state.approve(FreshSecrets::fixed("0"), &facts)?;
    let (record, proof) = store(&write);
    let OpenedRedirect::Ready(redirect) = sealed.open(proof)? else {
        return Err("a code needs no signature".into());
    };
    let Finished::Ready(response) = redirect.finish(|| now) else {
        return Err("no signed response was asked for".into());
    };
    let location = response.header("location").ok_or("a redirect")?;
    println!("authorize: {} {location}", response.status);
    let code = location.split(['=', '&']).nth(1).ok_or("a code")?;
    Ok((record, code.to_owned()))
}

fn redeem(
    rules: &Rules,
    client: &Arc<Client>,
    record: Record,
    code: &str,
    now: DateTime<Utc>,
) -> Result<(Record, Response), Box<dyn std::error::Error>> {
    let form = format!(
        "grant_type=authorization_code&client_id=app&code={code}\
         &code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    );
    token(rules, client, record, form, FreshSecrets::fixed("1"), now)
}

fn refresh_with(
    rules: &Rules,
    client: &Arc<Client>,
    record: Record,
    refresh_token: &str,
    fresh: FreshSecrets,
    now: DateTime<Utc>,
) -> Result<(Record, Response), Box<dyn std::error::Error>> {
    let form = format!("grant_type=refresh_token&client_id=app&refresh_token={refresh_token}");
    token(rules, client, record, form, fresh, now)
}

/// Form ─▶ AwaitClient ─▶ AwaitGrant ─▶ AwaitAccountStatus ─▶ RedemptionDecision.
fn token(
    rules: &Rules,
    client: &Arc<Client>,
    record: Record,
    form: String,
    fresh: FreshSecrets,
    now: DateTime<Utc>,
) -> Result<(Record, Response), Box<dyn std::error::Error>> {
    let facts = Facts::new(now, rules);
    let state = token::AwaitClient::parse(&Request::post_form(form), &facts)?;
    println!("\ntoken: parsed, lacks the client {:?}", state.client_id().as_str());
    let Checked::Ready(Authenticated::Grant(state)) = state.with_client(Some(Arc::clone(client)), &facts)?
    else {
        return Err("a public client with a code or a refresh token".into());
    };
    println!("token: the client is known, lacks the grant {}", state.grant_id());
    let question = state.with_record(Some(record.clone()))?;
    println!(
        "token: version {} of the grant, lacks the state of the account {:?}",
        record.version(),
        question.subject()
    );
    let (record, reply) = match question.decide(AccountStatus::Active, fresh, &facts) {
        RedemptionDecision::Refuse(refusal) => return Err(refusal.into()),
        RedemptionDecision::Repeat(reply) => {
            println!("token: decided to repeat a response; nothing to write");
            (record, reply)
        }
        RedemptionDecision::Commit(write, sealed) => {
            println!("token: decided to write version {}", write.next().version());
            let (record, proof) = store(&write);
            (record, sealed.open(proof)?)
        }
        _ => return Err("no other decision".into()),
    };
    let Reply::Ready(reply) = reply else {
        return Err("an opaque token needs no signature".into());
    };
    let response = reply.into_response(&rules.policy.prefixes);
    println!("token: {} {}", response.status, String::from_utf8_lossy(&response.body));
    Ok((record, response))
}

/// The simplest store: it has room for one record and one writer.
fn store(write: &Write) -> (Record, grantor::store::Committed) {
    (write.next().clone(), write.committed())
}

fn member(response: &Response, name: &str) -> Result<String, Box<dyn std::error::Error>> {
    let json: serde_json::Value = serde_json::from_slice(&response.body)?;
    Ok(json[name].as_str().ok_or("a text")?.to_owned())
}
