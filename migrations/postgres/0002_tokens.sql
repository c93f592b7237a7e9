-- Tokens made by Dispatch itself; those of the environment are not in the database. Only the SHA-256 is kept.
CREATE TABLE tokens (
    id         TEXT PRIMARY KEY,
    hash       TEXT NOT NULL UNIQUE,
    name       TEXT NOT NULL,
    -- The agent that a worker token is bound to; a maintainer token has none.
    agent      TEXT,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    revoked_at BIGINT
);

CREATE INDEX tokens_by_time ON tokens (created_at DESC, id DESC);
