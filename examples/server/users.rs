//! The people of the configuration file, and their passwords.

use std::collections::HashMap;
use std::sync::Arc;

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, PasswordHash, Version};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

/// Argon2 needs much memory, so only this many checks run at once, and the others wait.
const SLOW_CHECKS: usize = 4;
const LONGEST_PASSWORD: usize = 1024;

/// Someone who can sign in.
pub(crate) struct User {
    pub(crate) username: String,
    /// The user's `sub` in tokens; it never changes and is never reused.
    pub(crate) sub: String,
    password: Password,
    /// What applications may learn about the user, by OpenID Connect claim names.
    pub(crate) claims: Map<String, Value>,
    /// The digest of the PIN for a stronger sign-in, if the user has one.
    pin: Option<[u8; 32]>,
}

enum Password {
    /// SHA-256 of a password that is in plain text in the file.
    Plain([u8; 32]),
    /// A PHC string.
    Argon2(String),
}

impl User {
    /// `password` is an Argon2 PHC string, or the password itself.
    ///
    /// # Errors
    /// One line: no password can be checked with the hash.
    pub(crate) fn new(username: String, sub: String, password: &str) -> Result<Self, String> {
        let password = if password.starts_with("$argon2") {
            check_hash(password)?;
            Password::Argon2(password.to_owned())
        } else {
            Password::Plain(Sha256::digest(password).into())
        };
        Ok(Self { username, sub, password, claims: Map::new(), pin: None })
    }

    /// Gives the user a PIN.
    pub(crate) fn with_pin(self, pin: Option<&str>) -> Self {
        Self { pin: pin.map(|pin| Sha256::digest(pin).into()), ..self }
    }

    /// Sets what applications may learn about the user.
    pub(crate) fn with_claims(self, claims: Map<String, Value>) -> Self {
        Self { claims, ..self }
    }

    /// Whether the user has a PIN.
    pub(crate) fn has_pin(&self) -> bool {
        self.pin.is_some()
    }

    /// Whether this is the user's PIN.
    pub(crate) fn is_pin(&self, typed: &str) -> bool {
        let typed: [u8; 32] = Sha256::digest(typed).into();
        self.pin.is_some_and(|pin| pin.ct_eq(&typed).into())
    }

    #[cfg(test)]
    pub(crate) fn named(name: &str) -> Self {
        Self {
            username: name.to_owned(),
            sub: name.to_owned(),
            password: Password::Plain([0; 32]),
            claims: Map::new(),
            pin: None,
        }
    }
}

/// Checks that passwords can be compared with this PHC string. It costs no hash, so it does not find an output
/// that is cut off.
///
/// # Errors
/// One line, without the string.
pub(crate) fn check_hash(phc: &str) -> Result<(), String> {
    let malformed = |error: &dyn std::fmt::Display| format!("the hash is malformed: {error}");
    let hash = PasswordHash::new(phc).map_err(|error| malformed(&error))?;
    Algorithm::new(hash.algorithm.as_str()).map_err(|error| malformed(&error))?;
    let version = hash.version.map(Version::try_from).transpose();
    version.map_err(|error| malformed(&error))?;
    Params::try_from(&hash).map_err(|error| malformed(&error))?;
    match (hash.salt, hash.hash) {
        (Some(_), Some(_)) => Ok(()),
        _ => Err("the hash is cut off: its salt or its output is missing".to_owned()),
    }
}

/// The PHC string to put into the configuration file.
///
/// # Errors
/// One line: the user could not sign in with this password, or anyone could.
pub(crate) fn hash(password: &str) -> Result<String, String> {
    if password.is_empty() {
        return Err("the password is empty".to_owned());
    }
    if password.len() > LONGEST_PASSWORD {
        return Err(format!(
            "the password has more than {LONGEST_PASSWORD} bytes, the most that sign-in accepts"
        ));
    }
    let salt: [u8; 16] = rand::random();
    let phc = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt);
    phc.map(|phc| phc.to_string()).map_err(|error| error.to_string())
}

/// All users.
pub(crate) struct Users {
    by_name: HashMap<String, Arc<User>>,
    by_sub: HashMap<String, Arc<User>>,
    /// Checked when there is no hash to check, so that the time does not reveal whether a name exists.
    decoy: Option<String>,
    slow_checks: Semaphore,
}

impl Users {
    pub(crate) fn new(users: impl IntoIterator<Item = User>) -> Self {
        let users: Vec<Arc<User>> = users.into_iter().map(Arc::new).collect();
        let decoy = users.iter().find_map(|user| match &user.password {
            Password::Argon2(phc) => Some(phc.clone()),
            Password::Plain(_) => None,
        });
        Self {
            by_name: users.iter().map(|user| (user.username.clone(), Arc::clone(user))).collect(),
            by_sub: users.into_iter().map(|user| (user.sub.clone(), user)).collect(),
            decoy,
            slow_checks: Semaphore::new(SLOW_CHECKS),
        }
    }

    pub(crate) fn by_sub(&self, sub: &str) -> Option<&Arc<User>> {
        self.by_sub.get(sub)
    }

    /// The user, if name and password are right. An unknown name takes as long as a wrong password.
    pub(crate) async fn authenticate(&self, username: &str, password: &str) -> Option<Arc<User>> {
        if password.len() > LONGEST_PASSWORD {
            return None;
        }
        let user = self.by_name.get(username);
        let (plain, phc) = match user.map(|user| &user.password) {
            Some(Password::Plain(digest)) => (Some(digest), None),
            Some(Password::Argon2(phc)) => (None, Some(phc)),
            None => (None, None),
        };
        let digest: [u8; 32] = Sha256::digest(password).into();
        let same: bool = digest.ct_eq(plain.unwrap_or(&[0; 32])).into();
        let slow = match phc.or(self.decoy.as_ref()) {
            Some(hash) => self.slow_check(hash.clone(), password.to_owned()).await,
            None => false,
        };
        let right = if phc.is_some() { slow } else { plain.is_some() && same };
        user.filter(|_| right).cloned()
    }

    async fn slow_check(&self, phc: String, password: String) -> bool {
        let Ok(_slot) = self.slow_checks.acquire().await else { return false };
        let check = move || {
            let hash = PasswordHash::new(&phc);
            hash.is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
        };
        tokio::task::spawn_blocking(check).await.unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // "builder", m = 64 KiB, t = 1
    const PHC: &str =
        "$argon2id$v=19$m=64,t=1,p=1$u70sMuONsxsxhWh6vIQIag$jk0TN810C75NSSkz/Zt//JuOAywbQxfciCpjLs2kNZs";

    fn user(name: &str, password: &str) -> User {
        User::new(name.into(), format!("{name}-1"), password).unwrap_or(User::named("broken"))
    }

    #[tokio::test]
    async fn both_kinds_of_password_are_checked() {
        let users = Users::new([user("alice", "wonderland"), user("bob", PHC)]);
        let sub =
            async |name, password| users.authenticate(name, password).await.map(|user| user.sub.clone());
        assert_eq!(sub("alice", "wonderland").await.as_deref(), Some("alice-1"));
        assert_eq!(sub("bob", "builder").await.as_deref(), Some("bob-1"));
        for (name, password) in
            [("alice", "builder"), ("alice", ""), ("bob", "wonderland"), ("bob", PHC), ("carol", "builder")]
        {
            assert_eq!(sub(name, password).await, None, "{name} {password}");
        }
    }

    #[test]
    fn a_pin_is_one_users_own_and_none_is_none() {
        let alice = user("alice", "wonderland").with_pin(Some("4711"));
        assert!(alice.has_pin() && alice.is_pin("4711") && !alice.is_pin("4712") && !alice.is_pin(""));
        assert!(!user("bob", PHC).is_pin(""));
    }

    #[test]
    fn a_broken_hash_is_refused() {
        let (start, output) = PHC.rsplit_once('$').unwrap();
        let (parameters, _) = start.rsplit_once('$').unwrap();
        assert_eq!(check_hash(PHC), Ok(()));
        for bad in [
            "$argon2id$v=19$nonsense",
            start,
            parameters,
            &PHC.replace("argon2id", "argon2x"),
            &PHC.replace("v=19", "v=18"),
            &PHC.replace("m=64", "m=0"),
            &PHC.replace(output, "a"),
        ] {
            let error = User::new("bob".into(), "bob-1".into(), bad).err().unwrap_or_default();
            assert!(error.starts_with("the hash is "), "{bad}: {error}");
        }
    }
}
