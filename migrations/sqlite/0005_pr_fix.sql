-- Pull requests that need another attempt. One row per pull request; what grows has tables of its own.
CREATE TABLE pr_fix_items (
    id                   TEXT PRIMARY KEY,
    -- The repository's name in lower case, as it is now; it need not be tracked.
    repo                 TEXT NOT NULL,
    pr                   INTEGER NOT NULL,
    issue                INTEGER,
    branch               TEXT,
    url                  TEXT,
    title                TEXT,
    author               TEXT,
    lane                 TEXT NOT NULL,
    kind                 TEXT NOT NULL,
    -- The place of the kind in the order of urgency, so that an index has it.
    kind_rank            INTEGER NOT NULL,
    reason               TEXT NOT NULL,
    status               TEXT NOT NULL,
    -- QUEUED or BLOCKED: its issue is not given out meanwhile.
    is_open              INTEGER NOT NULL,
    queued_at            INTEGER NOT NULL,
    updated_at           INTEGER NOT NULL,
    -- Since when the present attempt waits for its turn.
    turn_at              INTEGER NOT NULL,
    head_sha             TEXT,
    attempt_head_sha     TEXT,
    generation           INTEGER NOT NULL,
    fix_attempts         INTEGER NOT NULL,
    handout_reclaims     INTEGER NOT NULL,
    dispatched_at        INTEGER,
    dispatched_generation INTEGER,
    -- Who has it, and until when at least.
    holder_name          TEXT,
    holder_key           TEXT,
    held_until           INTEGER,
    -- Handed to nobody until the pull request differs from this.
    waiting_since        INTEGER,
    waiting_head         TEXT,
    waiting_mergeable    INTEGER,
    checked_at           INTEGER,
    UNIQUE (repo, pr)
) STRICT;

CREATE INDEX pr_fix_free ON pr_fix_items (lane, kind_rank, turn_at, id)
    WHERE status = 'QUEUED' AND holder_key IS NULL AND waiting_since IS NULL;
CREATE INDEX pr_fix_held ON pr_fix_items (holder_key, lane) WHERE status = 'QUEUED' AND holder_key IS NOT NULL;
CREATE INDEX pr_fix_held_until ON pr_fix_items (held_until, id) WHERE status = 'QUEUED' AND holder_key IS NOT NULL;
CREATE INDEX pr_fix_waiting ON pr_fix_items (checked_at, id) WHERE status = 'QUEUED' AND waiting_since IS NOT NULL;
CREATE INDEX pr_fix_by_urgency ON pr_fix_items (kind_rank, turn_at, id) WHERE is_open = TRUE;
CREATE INDEX pr_fix_by_age ON pr_fix_items (turn_at, id) WHERE is_open = TRUE;
CREATE INDEX pr_fix_of_issue ON pr_fix_items (repo, issue) WHERE is_open = TRUE AND issue IS NOT NULL;
CREATE INDEX pr_fix_stale ON pr_fix_items (updated_at) WHERE status = 'STALE';

-- What was seen of a pull request, each once; the newest are shown, more are known.
CREATE TABLE pr_fix_evidence (
    item_id TEXT NOT NULL REFERENCES pr_fix_items (id) ON DELETE CASCADE,
    key     TEXT NOT NULL,
    seq     INTEGER NOT NULL,
    PRIMARY KEY (item_id, key)
) STRICT;

CREATE INDEX pr_fix_evidence_in_order ON pr_fix_evidence (item_id, seq);

CREATE TABLE pr_fix_feedback (
    item_id TEXT NOT NULL REFERENCES pr_fix_items (id) ON DELETE CASCADE,
    digest  TEXT NOT NULL,
    seq     INTEGER NOT NULL,
    text    TEXT NOT NULL,
    PRIMARY KEY (item_id, digest)
) STRICT;

CREATE INDEX pr_fix_feedback_in_order ON pr_fix_feedback (item_id, seq);

-- What came after an attempt was handed out.
CREATE TABLE pr_fix_late_evidence (
    item_id TEXT NOT NULL REFERENCES pr_fix_items (id) ON DELETE CASCADE,
    seq     INTEGER NOT NULL,
    key     TEXT NOT NULL,
    head    TEXT,
    PRIMARY KEY (item_id, seq)
) STRICT;

-- To whom the present attempt was handed.
CREATE TABLE pr_fix_handouts (
    item_id    TEXT NOT NULL REFERENCES pr_fix_items (id) ON DELETE CASCADE,
    agent_key  TEXT NOT NULL,
    agent_name TEXT NOT NULL,
    generation INTEGER NOT NULL,
    handed_at  INTEGER NOT NULL,
    acked_at   INTEGER,
    PRIMARY KEY (item_id, agent_key)
) STRICT;

CREATE TABLE pr_fix_history (
    item_id      TEXT NOT NULL REFERENCES pr_fix_items (id) ON DELETE CASCADE,
    seq          INTEGER NOT NULL,
    at           INTEGER NOT NULL,
    action       TEXT NOT NULL,
    status       TEXT NOT NULL,
    lane         TEXT NOT NULL,
    reason       TEXT NOT NULL,
    note         TEXT,
    evidence_key TEXT,
    PRIMARY KEY (item_id, seq)
) STRICT;

CREATE INDEX pr_fix_history_by_time ON pr_fix_history (at);
