-- What only one of several processes may do, and which one does. Every term has a fence of its own, never used twice.
CREATE TABLE leases (
    name       TEXT PRIMARY KEY,
    holder     TEXT NOT NULL,
    fence      INTEGER NOT NULL,
    taken_at   INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

-- Issues that are forgotten when their time is up.
CREATE INDEX issues_closed ON issues (closed_at, id) WHERE state = 'closed';
CREATE INDEX issues_removed ON issues (removed_at, id) WHERE removed_at IS NOT NULL;

-- Label edits that GitHub will never take, counted when metrics are asked for.
CREATE INDEX label_edits_parked ON label_edits (created_at) WHERE state = 'parked';
