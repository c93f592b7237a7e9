-- Times are milliseconds since 1970, UTC. `*_key` columns hold lower-case forms of names that compare without case.

CREATE TABLE repositories (
    id             TEXT PRIMARY KEY,
    full_name      TEXT NOT NULL,
    name_key       TEXT NOT NULL UNIQUE,
    github_id      INTEGER,
    default_branch TEXT NOT NULL DEFAULT 'main',
    tracked        INTEGER NOT NULL,
    source         TEXT NOT NULL,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL
) STRICT;

-- Former names of renamed repositories; they keep working in requests.
CREATE TABLE repository_aliases (
    name_key      TEXT PRIMARY KEY,
    repository_id TEXT NOT NULL REFERENCES repositories (id) ON DELETE CASCADE
) STRICT;

-- How far the cache of a repository is; written only by reads of it.
CREATE TABLE sync_state (
    repository_id TEXT PRIMARY KEY REFERENCES repositories (id) ON DELETE CASCADE,
    phase         TEXT NOT NULL DEFAULT 'new',
    began_at      INTEGER,
    cursor_at     INTEGER,
    mark          INTEGER,
    etag          TEXT,
    etag_token    TEXT,
    rules         TEXT NOT NULL DEFAULT '',
    confirmed_at  INTEGER,
    changed_at    INTEGER,
    swept_at      INTEGER,
    failures      INTEGER NOT NULL DEFAULT 0,
    error         TEXT,
    error_at      INTEGER
) STRICT;

CREATE TABLE issues (
    id            TEXT PRIMARY KEY,
    repository_id TEXT NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    number        INTEGER NOT NULL,
    github_id     INTEGER NOT NULL,
    title         TEXT NOT NULL,
    body          TEXT,
    state         TEXT NOT NULL,
    url           TEXT NOT NULL,
    assignees     TEXT NOT NULL,
    comments      INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    closed_at     INTEGER,
    synced_at     INTEGER NOT NULL,
    content_hash  TEXT NOT NULL,
    -- What GitHub listed; the columns below are derived from it by `domain::issue::Derived`.
    github_labels TEXT NOT NULL,
    labels        TEXT NOT NULL,
    label_keys    TEXT NOT NULL,
    status        TEXT,
    priority      INTEGER NOT NULL,
    agent         TEXT,
    excluded      INTEGER NOT NULL,
    -- Ours, never written by a read.
    current_lane  TEXT,
    decomposed    INTEGER NOT NULL DEFAULT FALSE,
    removed_at    INTEGER,
    UNIQUE (repository_id, number)
) STRICT;

CREATE INDEX issues_by_update ON issues (updated_at DESC, id DESC)
    WHERE removed_at IS NULL AND excluded = FALSE;
CREATE INDEX issues_of_repository ON issues (repository_id, updated_at DESC, id DESC)
    WHERE removed_at IS NULL;
CREATE TABLE pulls (
    repository_id TEXT NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    number        INTEGER NOT NULL,
    title         TEXT NOT NULL,
    state         TEXT NOT NULL,
    url           TEXT NOT NULL,
    author        TEXT,
    draft         INTEGER NOT NULL,
    merged_at     INTEGER,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    closed_at     INTEGER,
    content_hash  TEXT NOT NULL,
    PRIMARY KEY (repository_id, number)
) STRICT;

-- Agents as they were first spelled.
CREATE TABLE agents (
    agent_key     TEXT PRIMARY KEY,
    name          TEXT NOT NULL,
    first_seen_at INTEGER NOT NULL
) STRICT;

-- One row per process; a running run of an expired instance was interrupted.
CREATE TABLE instances (
    id         TEXT PRIMARY KEY,
    started_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

CREATE TABLE runs (
    id                TEXT PRIMARY KEY,
    agent_name        TEXT NOT NULL,
    agent_key         TEXT NOT NULL,
    run_type          TEXT NOT NULL,
    status            TEXT NOT NULL,
    started_at        INTEGER NOT NULL,
    finished_at       INTEGER,
    summary           TEXT,
    error_message     TEXT,
    warnings          TEXT NOT NULL,
    errors            TEXT NOT NULL,
    touched           TEXT NOT NULL,
    reads             TEXT NOT NULL,
    issue_id          TEXT REFERENCES issues (id) ON DELETE SET NULL,
    outcome           TEXT,
    next_heartbeat_at INTEGER,
    uneventful        INTEGER NOT NULL DEFAULT FALSE,
    instance_id       TEXT,
    created_at        INTEGER NOT NULL
) STRICT;

CREATE INDEX runs_by_time ON runs (created_at DESC, id DESC);
CREATE INDEX runs_of_agent ON runs (agent_key, created_at DESC, id DESC);
CREATE INDEX runs_of_type ON runs (run_type, created_at DESC, id DESC);
CREATE INDEX runs_of_status ON runs (status, created_at DESC, id DESC);
CREATE INDEX runs_uneventful ON runs (created_at) WHERE uneventful = TRUE;
CREATE INDEX runs_of_issue ON runs (issue_id) WHERE issue_id IS NOT NULL;

-- What a read of a repository touched; runs that shared the read name it.
CREATE TABLE reads (
    id            TEXT PRIMARY KEY,
    repository_id TEXT NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    began_at      INTEGER NOT NULL,
    ended_at      INTEGER NOT NULL,
    touched       TEXT NOT NULL,
    touched_count INTEGER NOT NULL
) STRICT;

CREATE INDEX reads_by_time ON reads (ended_at);
CREATE INDEX reads_of_repository ON reads (repository_id);

CREATE TABLE idempotency_keys (
    agent_key  TEXT NOT NULL,
    key        TEXT NOT NULL,
    body_hash  TEXT NOT NULL,
    run_id     TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (agent_key, key)
) STRICT;

CREATE INDEX idempotency_keys_by_time ON idempotency_keys (created_at);

CREATE TABLE audit_log (
    id           TEXT PRIMARY KEY,
    at           INTEGER NOT NULL,
    actor        TEXT NOT NULL,
    token_id     TEXT,
    action       TEXT NOT NULL,
    repo         TEXT NOT NULL,
    repo_key     TEXT NOT NULL,
    issue_number INTEGER,
    issue_id     TEXT REFERENCES issues (id) ON DELETE SET NULL,
    before       TEXT NOT NULL,
    after        TEXT NOT NULL,
    success      INTEGER NOT NULL,
    error        TEXT,
    notes        TEXT
) STRICT;

CREATE INDEX audit_by_time ON audit_log (at DESC, id DESC);
CREATE INDEX audit_of_repo ON audit_log (repo_key, at DESC, id DESC);
CREATE INDEX audit_of_issue ON audit_log (issue_id) WHERE issue_id IS NOT NULL;
