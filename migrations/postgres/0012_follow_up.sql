-- What is asked for again and again: by what GitHub tells whether it changed, and how far it was read.
CREATE TABLE conditional_reads (
    repository_id TEXT NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    place         TEXT NOT NULL,
    -- Worth something with that token alone.
    etag          TEXT,
    token_id      TEXT,
    since         BIGINT,
    read_at       BIGINT NOT NULL,
    PRIMARY KEY (repository_id, place)
);

-- Issues about workflows that fail on the default branch.
CREATE TABLE ci_failures (
    id            TEXT PRIMARY KEY,
    repository_id TEXT NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    workflow_id   BIGINT NOT NULL,
    workflow      TEXT NOT NULL,
    signature     TEXT NOT NULL,
    run_id        BIGINT NOT NULL,
    -- The wish for the issue, and its number once GitHub has given it one.
    entry_id      TEXT,
    issue_number  BIGINT,
    state         TEXT NOT NULL,
    closed_at     BIGINT,
    created_at    BIGINT NOT NULL
);

-- One issue tells of a failure.
CREATE UNIQUE INDEX ci_failures_open ON ci_failures (repository_id, workflow_id, signature) WHERE state = 'open';
CREATE INDEX ci_failures_of_repository ON ci_failures (repository_id, workflow_id);

-- What GitHub says of a repository itself.
ALTER TABLE repositories ADD COLUMN archived BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE repositories ADD COLUMN latest_commit TEXT;
ALTER TABLE repositories ADD COLUMN described_by TEXT;
ALTER TABLE repositories ADD COLUMN describe_began_at BIGINT;
ALTER TABLE repositories ADD COLUMN described_at BIGINT;
ALTER TABLE repositories ADD COLUMN describe_error TEXT;

-- Merges that were followed once: what a person does with the issue afterwards stands.
CREATE TABLE settled_merges (
    repository_id TEXT NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    pull_number   BIGINT NOT NULL,
    issue_number  BIGINT NOT NULL,
    settled_at    BIGINT NOT NULL,
    PRIMARY KEY (repository_id, pull_number, issue_number)
);

CREATE INDEX pulls_of_author ON pulls (repository_id, author) WHERE state = 'open';
