//! [`Authorized`]: an extractor, for every framework, that gives a handler the access of a request.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use crate::http::{Request, Response};
use crate::resource::{Access, Guard, Requirement};

/// The requirement of an [`Authorized`] request, as a type.
///
/// ```
/// use grantor::adapter::{Authorized, Required};
/// use grantor::resource::Requirement;
///
/// struct Write;
/// impl Required for Write {
///     fn requirement() -> Requirement {
///         Requirement::scopes(["write"])
///     }
/// }
///
/// async fn rename(access: Authorized<Write>) -> String {
///     format!("renamed for {:?}", access.user())
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say what a request has to bring along",
    label = "implement `Required` for it, or write `AnyToken`"
)]
pub trait Required: 'static {
    /// The requirement.
    fn requirement() -> Requirement;
}

/// Any live token.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum AnyToken {}

impl Required for AnyToken {
    fn requirement() -> Requirement {
        Requirement::any()
    }
}

/// An extractor: the access of a request that meets `R`, checked by the guard in the app's state. Any other
/// request gets a challenge before the handler runs.
///
/// An app with several guards uses a separate type `G` for each, which its state provides and which
/// implements [`AsRef`] of a guard:
///
/// ```
/// use grantor::adapter::{AnyToken, Authorized};
/// use grantor::resource::Guard;
///
/// #[derive(Clone)]
/// struct Admin(Guard);
///
/// impl AsRef<Guard> for Admin {
///     fn as_ref(&self) -> &Guard {
///         &self.0
///     }
/// }
///
/// async fn restart(access: Authorized<AnyToken, Admin>) -> String {
///     format!("restarted by {:?}", access.user())
/// }
/// ```
///
/// A type that is not [`Required`] does not compile, and the error is about that type:
///
/// ```compile_fail,E0277
/// use grantor::adapter::Authorized;
///
/// struct Write; // without `impl Required for Write`
/// async fn rename(access: Authorized<Write>) {}
/// ```
pub struct Authorized<R: Required = AnyToken, G = Guard> {
    access: Access,
    required: PhantomData<fn() -> (R, G)>,
}

impl<R: Required, G> Authorized<R, G> {
    /// The access of a request that meets `R`, for the extractor of a framework.
    ///
    /// # Errors
    /// The response to send, as for [`Guard::check`].
    pub async fn check(guard: &Guard, request: &Request) -> Result<Self, Response> {
        let access = guard.check(request, &R::requirement()).await?;
        Ok(Self { access, required: PhantomData })
    }

    /// The access.
    #[must_use]
    pub fn into_access(self) -> Access {
        self.access
    }
}

impl<R: Required, G> Deref for Authorized<R, G> {
    type Target = Access;

    fn deref(&self) -> &Access {
        &self.access
    }
}

impl<R: Required, G> fmt::Debug for Authorized<R, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Authorized").field(&self.access).finish()
    }
}
