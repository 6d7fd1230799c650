//! An embeddable OAuth 2.0 and 2.1 authorization server.
