//! What the endpoints answer, by the RFC of each.

mod authorize;
mod configure;
mod device;
mod document_cache;
mod document_strangers;
mod documents;
mod dpop;
mod every_endpoint;
mod every_secret;
mod fapi;
mod introspect;
mod jarm;
mod limits;
mod metadata;
mod openapi;
mod openid;
mod pushed;
mod pushed_terms;
mod register;
mod register_terms;
mod request_object_attacks;
mod request_object_terms;
mod request_objects;
mod revoke;
mod signed_introspection;
mod token;
