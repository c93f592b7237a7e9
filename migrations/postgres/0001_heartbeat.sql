-- Times are milliseconds since 1970, UTC. `*_key` columns hold lower-case forms of names that compare without case.

CREATE TABLE repositories (
    id             TEXT PRIMARY KEY,
    full_name      TEXT NOT NULL,
    name_key       TEXT NOT NULL UNIQUE,
    github_id      BIGINT,
    default_branch TEXT NOT NULL DEFAULT 'main',
    tracked        BOOLEAN NOT NULL,
    source         TEXT NOT NULL,
    created_at     BIGINT NOT NULL,
    updated_at     BIGINT NOT NULL
);

-- Former names of renamed repositories; they keep working in requests.
CREATE TABLE repository_aliases (
    name_key      TEXT PRIMARY KEY,
    repository_id TEXT NOT NULL REFERENCES repositories (id) ON DELETE CASCADE
);

-- How far the cache of a repository is; written only by reads of it.
CREATE TABLE sync_state (
    repository_id TEXT PRIMARY KEY REFERENCES repositories (id) ON DELETE CASCADE,
    phase         TEXT NOT NULL DEFAULT 'new',
    began_at      BIGINT,
    cursor_at     BIGINT,
    mark          BIGINT,
    etag          TEXT,
    etag_token    TEXT,
    rules         TEXT NOT NULL DEFAULT '',
    confirmed_at  BIGINT,
    changed_at    BIGINT,
    swept_at      BIGINT,
    failures      BIGINT NOT NULL DEFAULT 0,
    error         TEXT,
    error_at      BIGINT
);

CREATE TABLE issues (
    id            TEXT PRIMARY KEY,
    repository_id TEXT NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    number        BIGINT NOT NULL,
    github_id     BIGINT NOT NULL,
    title         TEXT NOT NULL,
    body          TEXT,
    state         TEXT NOT NULL,
    url           TEXT NOT NULL,
    assignees     JSONB NOT NULL,
    comments      BIGINT NOT NULL,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    closed_at     BIGINT,
    synced_at     BIGINT NOT NULL,
    content_hash  TEXT NOT NULL,
    -- What GitHub listed; the columns below are derived from it by `domain::issue::Derived`.
    github_labels JSONB NOT NULL,
    labels        JSONB NOT NULL,
    label_keys    JSONB NOT NULL,
    status        TEXT,
    priority      BIGINT NOT NULL,
    agent         TEXT,
    excluded      BOOLEAN NOT NULL,
    -- Ours, never written by a read.
    current_lane  TEXT,
    decomposed    BOOLEAN NOT NULL DEFAULT FALSE,
    removed_at    BIGINT,
    UNIQUE (repository_id, number)
);

CREATE INDEX issues_by_update ON issues (updated_at DESC, id DESC)
    WHERE removed_at IS NULL AND excluded = FALSE;
CREATE INDEX issues_of_repository ON issues (repository_id, updated_at DESC, id DESC)
    WHERE removed_at IS NULL;
CREATE INDEX issues_by_label ON issues USING gin (label_keys jsonb_path_ops);
CREATE TABLE pulls (
    repository_id TEXT NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    number        BIGINT NOT NULL,
    title         TEXT NOT NULL,
    state         TEXT NOT NULL,
    url           TEXT NOT NULL,
    author        TEXT,
    draft         BOOLEAN NOT NULL,
    merged_at     BIGINT,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    closed_at     BIGINT,
    content_hash  TEXT NOT NULL,
    PRIMARY KEY (repository_id, number)
);

-- Agents as they were first spelled.
CREATE TABLE agents (
    agent_key     TEXT PRIMARY KEY,
    name          TEXT NOT NULL,
    first_seen_at BIGINT NOT NULL
);

-- One row per process; a running run of an expired instance was interrupted.
CREATE TABLE instances (
    id         TEXT PRIMARY KEY,
    started_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE TABLE runs (
    id                TEXT PRIMARY KEY,
    agent_name        TEXT NOT NULL,
    agent_key         TEXT NOT NULL,
    run_type          TEXT NOT NULL,
    status            TEXT NOT NULL,
    started_at        BIGINT NOT NULL,
    finished_at       BIGINT,
    summary           TEXT,
    error_message     TEXT,
    warnings          JSONB NOT NULL,
    errors            JSONB NOT NULL,
    touched           JSONB NOT NULL,
    reads             JSONB NOT NULL,
    issue_id          TEXT REFERENCES issues (id) ON DELETE SET NULL,
    outcome           TEXT,
    next_heartbeat_at BIGINT,
    uneventful        BOOLEAN NOT NULL DEFAULT FALSE,
    instance_id       TEXT,
    created_at        BIGINT NOT NULL
);

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
    began_at      BIGINT NOT NULL,
    ended_at      BIGINT NOT NULL,
    touched       JSONB NOT NULL,
    touched_count BIGINT NOT NULL
);

CREATE INDEX reads_by_time ON reads (ended_at);
CREATE INDEX reads_of_repository ON reads (repository_id);

CREATE TABLE idempotency_keys (
    agent_key  TEXT NOT NULL,
    key        TEXT NOT NULL,
    body_hash  TEXT NOT NULL,
    run_id     TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (agent_key, key)
);

CREATE INDEX idempotency_keys_by_time ON idempotency_keys (created_at);

CREATE TABLE audit_log (
    id           TEXT PRIMARY KEY,
    at           BIGINT NOT NULL,
    actor        TEXT NOT NULL,
    token_id     TEXT,
    action       TEXT NOT NULL,
    repo         TEXT NOT NULL,
    repo_key     TEXT NOT NULL,
    issue_number BIGINT,
    issue_id     TEXT REFERENCES issues (id) ON DELETE SET NULL,
    before       JSONB NOT NULL,
    after        JSONB NOT NULL,
    success      BOOLEAN NOT NULL,
    error        TEXT,
    notes        TEXT
);

CREATE INDEX audit_by_time ON audit_log (at DESC, id DESC);
CREATE INDEX audit_of_repo ON audit_log (repo_key, at DESC, id DESC);
CREATE INDEX audit_of_issue ON audit_log (issue_id) WHERE issue_id IS NOT NULL;
