-- What Dispatch wants at GitHub besides labels: comments, edits and new issues.
CREATE TABLE outbox (
    id            TEXT PRIMARY KEY,
    kind          TEXT NOT NULL,
    repository_id TEXT NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    -- None until GitHub has given a new issue its number.
    issue_id      TEXT REFERENCES issues (id) ON DELETE CASCADE,
    -- What an edit changes; none for the rest.
    field         TEXT,
    content       TEXT NOT NULL,
    -- The order within an issue.
    place         INTEGER NOT NULL,
    version       INTEGER NOT NULL,
    state         TEXT NOT NULL,
    -- An edit that the cache shows, and what GitHub said last of that field.
    lies_over     INTEGER NOT NULL,
    beneath       TEXT,
    sending_until INTEGER,
    -- The process that sends it; a dead one sends no more.
    sender        TEXT,
    attempts      INTEGER NOT NULL DEFAULT 0,
    -- When it went out, until it is known what came of it; and when the first such try was that nobody knows the end of.
    tried_at      INTEGER,
    unsure_since  INTEGER,
    next_try_at   INTEGER NOT NULL,
    error         TEXT,
    made          TEXT,
    actor         TEXT NOT NULL,
    token_id      TEXT,
    agent         TEXT,
    created_at    INTEGER NOT NULL,
    settled_at    INTEGER
) STRICT;

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
UPDATE label_edits SET id = lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-8' || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)));
CREATE UNIQUE INDEX label_edits_id ON label_edits (id);
CREATE INDEX label_edits_by_time ON label_edits (created_at, id);
