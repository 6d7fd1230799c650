CREATE TABLE IF NOT EXISTS users (name TEXT PRIMARY KEY COLLATE NOCASE, password TEXT NOT NULL) STRICT;

CREATE TABLE IF NOT EXISTS sessions (
    number INTEGER PRIMARY KEY AUTOINCREMENT, -- applications know the session by it, so it is never used again
    id BLOB UNIQUE, -- the digest of the cookie; NULL if the session is over
    user TEXT NOT NULL,
    since INTEGER NOT NULL, -- in milliseconds
    request TEXT NOT NULL, -- the query of the authorization request that the user signed in for or answered
    answer TEXT -- where its answer led
) STRICT;

CREATE TABLE IF NOT EXISTS secrets (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
