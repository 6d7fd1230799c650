-- The tables of grantor on SQLite, version 1.
CREATE TABLE IF NOT EXISTS grantor_schema (version INTEGER NOT NULL) STRICT;

CREATE TABLE IF NOT EXISTS grantor_grants (
    space     TEXT NOT NULL,
    id        BLOB NOT NULL,
    version   INTEGER NOT NULL,
    client    TEXT NOT NULL,
    subject   TEXT NOT NULL,    -- `user:…` or `client:…`
    expires   INTEGER NOT NULL, -- seconds since 1970
    user_code BLOB,
    body      TEXT NOT NULL,    -- JSON
    PRIMARY KEY (space, id)
) STRICT;
CREATE INDEX IF NOT EXISTS grantor_grants_subject ON grantor_grants (space, subject, id);
CREATE INDEX IF NOT EXISTS grantor_grants_client ON grantor_grants (space, client, id);
CREATE INDEX IF NOT EXISTS grantor_grants_expires ON grantor_grants (space, expires);
CREATE UNIQUE INDEX IF NOT EXISTS grantor_grants_user_code ON grantor_grants (space, user_code) WHERE user_code IS NOT NULL;

CREATE TABLE IF NOT EXISTS grantor_clients (
    space    TEXT NOT NULL,
    id       TEXT NOT NULL,
    revision INTEGER NOT NULL,
    owner    TEXT,
    body     TEXT NOT NULL, -- JSON
    PRIMARY KEY (space, id)
) STRICT;
CREATE INDEX IF NOT EXISTS grantor_clients_owner ON grantor_clients (space, owner, id) WHERE owner IS NOT NULL;

CREATE TABLE IF NOT EXISTS grantor_replays (
    space TEXT NOT NULL,
    id    BLOB NOT NULL,
    until INTEGER NOT NULL, -- seconds since 1970
    PRIMARY KEY (space, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS grantor_replays_until ON grantor_replays (space, until);

CREATE TABLE IF NOT EXISTS grantor_keys ( -- private keys
    space   TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    body    TEXT NOT NULL
) STRICT;

INSERT INTO grantor_schema (version) VALUES (1);
