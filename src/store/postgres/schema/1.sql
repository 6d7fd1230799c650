-- The tables of grantor on PostgreSQL, version 1.
CREATE TABLE IF NOT EXISTS grantor_schema (version BIGINT PRIMARY KEY);

CREATE TABLE IF NOT EXISTS grantor_grants (
    space     TEXT COLLATE "C" NOT NULL,
    id        BYTEA NOT NULL,
    version   BIGINT NOT NULL,
    client    TEXT COLLATE "C" NOT NULL,
    subject   TEXT COLLATE "C" NOT NULL, -- `user:…` or `client:…`
    expires   BIGINT NOT NULL,           -- seconds since 1970
    user_code BYTEA,
    body      TEXT NOT NULL,             -- JSON
    PRIMARY KEY (space, id)
);
CREATE INDEX IF NOT EXISTS grantor_grants_subject ON grantor_grants (space, subject, id);
CREATE INDEX IF NOT EXISTS grantor_grants_client ON grantor_grants (space, client, id);
CREATE INDEX IF NOT EXISTS grantor_grants_expires ON grantor_grants (space, expires);
CREATE UNIQUE INDEX IF NOT EXISTS grantor_grants_user_code ON grantor_grants (space, user_code) WHERE user_code IS NOT NULL;

CREATE TABLE IF NOT EXISTS grantor_clients (
    space    TEXT COLLATE "C" NOT NULL,
    id       TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL,
    owner    TEXT COLLATE "C",
    body     TEXT NOT NULL, -- JSON
    PRIMARY KEY (space, id)
);
CREATE INDEX IF NOT EXISTS grantor_clients_owner ON grantor_clients (space, owner, id) WHERE owner IS NOT NULL;

CREATE TABLE IF NOT EXISTS grantor_replays (
    space TEXT COLLATE "C" NOT NULL,
    id    BYTEA NOT NULL,
    until BIGINT NOT NULL, -- seconds since 1970
    PRIMARY KEY (space, id)
);
CREATE INDEX IF NOT EXISTS grantor_replays_until ON grantor_replays (space, until);

CREATE TABLE IF NOT EXISTS grantor_keys ( -- private keys
    space   TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    body    TEXT NOT NULL
);

INSERT INTO grantor_schema (version) VALUES (1);
