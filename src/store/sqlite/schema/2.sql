-- Version 2: the grants of a session are found.
ALTER TABLE grantor_grants ADD COLUMN session BLOB;
CREATE INDEX IF NOT EXISTS grantor_grants_session ON grantor_grants (space, session, id) WHERE session IS NOT NULL;

INSERT INTO grantor_schema (version) VALUES (2);
