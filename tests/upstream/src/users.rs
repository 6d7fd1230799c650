//! Your users, as they are already. These are kept in memory.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum_login::{AuthUser, AuthnBackend};
use webauthn_rs::prelude::Passkey;

/// A user, by the id that grantor calls the subject.
#[derive(Clone, Debug, Default)]
pub struct User {
    pub id: String,
    /// Changes when all sessions of the user have to end.
    pub epoch: Vec<u8>,
    pub passkeys: Vec<Passkey>,
}

impl AuthUser for User {
    type Id = String;

    fn id(&self) -> String {
        self.id.clone()
    }

    fn session_auth_hash(&self) -> &[u8] {
        &self.epoch
    }
}

#[derive(Clone, Default)]
pub struct Users {
    by_id: Arc<Mutex<HashMap<String, User>>>,
    /// The users of other providers, by issuer and subject.
    linked: Arc<Mutex<HashMap<(String, String), String>>>,
}

impl Users {
    pub fn put(&self, user: User) {
        self.by_id.lock().unwrap().insert(user.id.clone(), user);
    }

    pub fn find(&self, id: &str) -> Option<User> {
        self.by_id.lock().unwrap().get(id).cloned()
    }

    pub fn link(&self, issuer: &str, subject: &str, id: &str) {
        self.linked.lock().unwrap().insert((issuer.to_owned(), subject.to_owned()), id.to_owned());
    }

    pub fn linked(&self, issuer: &str, subject: &str) -> Option<User> {
        let id = self.linked.lock().unwrap().get(&(issuer.to_owned(), subject.to_owned())).cloned();
        self.find(&id?)
    }
}

impl AuthnBackend for Users {
    type User = User;
    /// Passwords are not checked here.
    type Credentials = Infallible;
    type Error = Infallible;

    async fn authenticate(&self, never: Infallible) -> Result<Option<User>, Infallible> {
        match never {}
    }

    async fn get_user(&self, id: &String) -> Result<Option<User>, Infallible> {
        Ok(self.find(id))
    }
}
