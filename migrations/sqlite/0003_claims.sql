-- What a heartbeat's answer held besides, because it was asked for.
ALTER TABLE runs ADD COLUMN asked TEXT;

-- What the queue goes by; kept by whoever writes the issue (`domain::issue::Derived`).
ALTER TABLE issues ADD COLUMN shown INTEGER NOT NULL DEFAULT FALSE;
ALTER TABLE issues ADD COLUMN rests INTEGER NOT NULL DEFAULT FALSE;
ALTER TABLE issues ADD COLUMN automated INTEGER NOT NULL DEFAULT FALSE;
ALTER TABLE issues ADD COLUMN lane TEXT NOT NULL DEFAULT '';
ALTER TABLE issues ADD COLUMN lane_closed INTEGER NOT NULL DEFAULT FALSE;
ALTER TABLE issues ADD COLUMN open_blockers INTEGER NOT NULL DEFAULT 0;
-- How many blockers GitHub counted when it was last asked to list them.
ALTER TABLE issues ADD COLUMN listed_blockers INTEGER NOT NULL DEFAULT 0;
-- When its status last ceased to be in-review or blocked: claims run from then.
ALTER TABLE issues ADD COLUMN clock_from INTEGER NOT NULL DEFAULT 0;
-- Ours, never written by a read.
ALTER TABLE issues ADD COLUMN blocked_reason TEXT;

CREATE INDEX issues_served_by_lane
    ON issues (lane, automated, priority, status, agent, created_at, repository_id, number)
    WHERE shown = TRUE AND rests = FALSE AND open_blockers = 0;
CREATE INDEX issues_served
    ON issues (lane_closed, automated, priority, status, agent, created_at, repository_id, number)
    WHERE shown = TRUE AND rests = FALSE AND open_blockers = 0;

CREATE INDEX issues_of_agent ON issues (agent, status, updated_at DESC, id DESC)
    WHERE shown = TRUE AND agent IS NOT NULL;

-- What issues wait for: named in their text, or GitHub's own "blocked by".
CREATE TABLE dependencies (
    issue_id TEXT NOT NULL REFERENCES issues (id) ON DELETE CASCADE,
    repo_key TEXT NOT NULL,
    number   INTEGER NOT NULL,
    native   INTEGER NOT NULL,
    PRIMARY KEY (issue_id, repo_key, number, native)
) STRICT;

CREATE INDEX dependencies_on ON dependencies (repo_key, number);

-- Every fence that was given out comes from here; a number is never used twice.
CREATE TABLE fences (
    fence INTEGER PRIMARY KEY AUTOINCREMENT,
    at    INTEGER NOT NULL
) STRICT;

-- One row is one attempt of one agent.
CREATE TABLE claims (
    id         TEXT PRIMARY KEY,
    fence      INTEGER NOT NULL UNIQUE,
    agent_name TEXT NOT NULL,
    agent_key  TEXT NOT NULL,
    issue_id   TEXT REFERENCES issues (id) ON DELETE CASCADE,
    terms      TEXT NOT NULL,
    state      TEXT NOT NULL,
    checkpoint TEXT NOT NULL,
    -- Made by `agent-work/start`; and when `agent-work` was last told of it.
    started    INTEGER NOT NULL,
    worked_at  INTEGER,
    run_id     TEXT,
    branch     TEXT,
    pr_url     TEXT,
    summary    TEXT,
    blocker    TEXT,
    created_at INTEGER NOT NULL,
    renewed_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    ended_at   INTEGER,
    end_reason TEXT
) STRICT;

-- The database itself refuses a second live claim of an issue.
CREATE UNIQUE INDEX claims_live ON claims (issue_id) WHERE ended_at IS NULL AND issue_id IS NOT NULL;
CREATE INDEX claims_live_of_agent ON claims (agent_key, renewed_at DESC, id DESC) WHERE ended_at IS NULL;
CREATE INDEX claims_by_expiry ON claims (expires_at, id) WHERE ended_at IS NULL;
CREATE INDEX claims_by_time ON claims (renewed_at DESC, id DESC);
CREATE INDEX claims_ended_of_agent ON claims (agent_key, ended_at DESC, fence DESC) WHERE ended_at IS NOT NULL;
CREATE INDEX claims_ended ON claims (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX claims_of_issue ON claims (issue_id, created_at DESC) WHERE issue_id IS NOT NULL;

CREATE TABLE claim_history (
    id         TEXT PRIMARY KEY,
    claim_id   TEXT NOT NULL REFERENCES claims (id) ON DELETE CASCADE,
    at         INTEGER NOT NULL,
    action     TEXT NOT NULL,
    state      TEXT NOT NULL,
    checkpoint TEXT NOT NULL,
    summary    TEXT,
    blocker    TEXT
) STRICT;

CREATE INDEX claim_history_of ON claim_history (claim_id, at DESC, id DESC);

-- Labels that Dispatch wants there or gone: the outbox, and the overlay of the cache until GitHub's word is newer.
CREATE TABLE label_edits (
    issue_id      TEXT NOT NULL REFERENCES issues (id) ON DELETE CASCADE,
    label_key     TEXT NOT NULL,
    label         TEXT NOT NULL,
    wanted        INTEGER NOT NULL,
    version       INTEGER NOT NULL,
    state         TEXT NOT NULL,
    sending_until INTEGER,
    -- The process that sends it; a dead one sends no more.
    sender        TEXT,
    settled_at    INTEGER,
    attempts      INTEGER NOT NULL DEFAULT 0,
    next_try_at   INTEGER NOT NULL,
    error         TEXT,
    created_at    INTEGER NOT NULL,
    PRIMARY KEY (issue_id, label_key)
) STRICT;

CREATE INDEX label_edits_pending ON label_edits (next_try_at, issue_id) WHERE state = 'pending';
CREATE INDEX label_edits_settled ON label_edits (settled_at) WHERE state = 'settled';

CREATE TABLE lane_history (
    id         TEXT PRIMARY KEY,
    issue_id   TEXT NOT NULL REFERENCES issues (id) ON DELETE CASCADE,
    lane       TEXT NOT NULL,
    confidence TEXT NOT NULL,
    reason     TEXT NOT NULL,
    model      TEXT,
    judged_at  INTEGER NOT NULL
) STRICT;

CREATE INDEX lane_history_of ON lane_history (issue_id, judged_at DESC, id DESC);
