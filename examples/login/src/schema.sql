CREATE TABLE IF NOT EXISTS users (name TEXT PRIMARY KEY COLLATE NOCASE, password TEXT NOT NULL) STRICT;

CREATE TABLE IF NOT EXISTS sessions (
    id BLOB PRIMARY KEY, -- the digest of the cookie
    user TEXT NOT NULL,
    since INTEGER NOT NULL, -- in milliseconds
    request TEXT NOT NULL, -- the query of the authorization request that the user signed in for or answered
    answer TEXT -- where its answer led
) STRICT;
