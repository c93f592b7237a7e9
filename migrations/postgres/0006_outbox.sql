-- What Dispatch wants at GitHub besides labels: comments, edits and new issues.
CREATE TABLE outbox (
    id            TEXT PRIMARY KEY,
    kind          TEXT NOT NULL,
    repository_id TEXT NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    -- None until GitHub has given a new issue its number.
    issue_id      TEXT REFERENCES issues (id) ON DELETE CASCADE,
    -- What an edit changes; none for the rest.
    field         TEXT,
    content       JSONB NOT NULL,
    -- The order within an issue.
    place         BIGINT NOT NULL,
    version       BIGINT NOT NULL,
    state         TEXT NOT NULL,
    -- An edit that the cache shows, and what GitHub said last of that field.
    lies_over     BOOLEAN NOT NULL,
    beneath       JSONB,
    sending_until BIGINT,
    -- The process that sends it; a dead one sends no more.
    sender        TEXT,
    attempts      BIGINT NOT NULL DEFAULT 0,
    -- When it went out, until it is known what came of it; and when the first such try was that nobody knows the end of.
    tried_at      BIGINT,
    unsure_since  BIGINT,
    next_try_at   BIGINT NOT NULL,
    error         TEXT,
    made          JSONB,
    actor         TEXT NOT NULL,
    token_id      TEXT,
    agent         TEXT,
    created_at    BIGINT NOT NULL,
    settled_at    BIGINT
);

-- A newer wish for a field takes the place of the older one.
CREATE UNIQUE INDEX outbox_edit ON outbox (issue_id, field) WHERE state IN ('pending', 'parked');
CREATE INDEX outbox_pending ON outbox (next_try_at, id) WHERE state = 'pending';
CREATE INDEX outbox_parked ON outbox (kind) WHERE state = 'parked';
CREATE INDEX outbox_of_issue ON outbox (issue_id, place);
CREATE INDEX outbox_over ON outbox (issue_id, place) WHERE lies_over = TRUE;
CREATE INDEX outbox_by_time ON outbox (created_at, id);
CREATE INDEX outbox_ended ON outbox (created_at) WHERE state IN ('settled', 'discarded');

-- The name of a label edit in lists.
ALTER TABLE label_edits ADD COLUMN id TEXT;
UPDATE label_edits SET id = gen_random_uuid()::text;
CREATE UNIQUE INDEX label_edits_id ON label_edits (id);
CREATE INDEX label_edits_by_time ON label_edits (created_at, id);
