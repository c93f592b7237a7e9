-- Pull requests: which issues they are about, and whether they need another look.

ALTER TABLE pulls ADD COLUMN labels JSONB NOT NULL DEFAULT '[]';
ALTER TABLE pulls ADD COLUMN head_sha TEXT;
ALTER TABLE pulls ADD COLUMN head_ref TEXT;
-- The branch is in the repository itself: agents can push to it.
ALTER TABLE pulls ADD COLUMN own_head BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE pulls ADD COLUMN base_ref TEXT;
-- What speaks for and against it: the last word of each reviewer, the newest run of each check of this head.
ALTER TABLE pulls ADD COLUMN opinions JSONB NOT NULL DEFAULT '[]';
ALTER TABLE pulls ADD COLUMN checks JSONB NOT NULL DEFAULT '[]';
ALTER TABLE pulls ADD COLUMN merge_state TEXT;
-- What it comes to (`domain::pull::health`).
ALTER TABLE pulls ADD COLUMN review_decision TEXT;
ALTER TABLE pulls ADD COLUMN failing_checks BIGINT NOT NULL DEFAULT 0;
ALTER TABLE pulls ADD COLUMN needs_followup BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE pulls ADD COLUMN followup_reasons JSONB NOT NULL DEFAULT '[]';
ALTER TABLE pulls ADD COLUMN causes JSONB NOT NULL DEFAULT '[]';
ALTER TABLE pulls ADD COLUMN checked_at BIGINT;
-- Counts what was written of all that, so that a read which began before does not undo it.
ALTER TABLE pulls ADD COLUMN version BIGINT NOT NULL DEFAULT 0;
-- When it is to be read, and how often that was in vain.
ALTER TABLE pulls ADD COLUMN look_at BIGINT;
ALTER TABLE pulls ADD COLUMN looks BIGINT NOT NULL DEFAULT 0;

CREATE INDEX pulls_due ON pulls (look_at, repository_id, number) WHERE state = 'open' AND look_at IS NOT NULL;
CREATE INDEX pulls_open ON pulls (repository_id, head_sha) WHERE state = 'open';

CREATE TABLE pull_links (
    repository_id TEXT NOT NULL,
    number        BIGINT NOT NULL,
    issue_number  BIGINT NOT NULL,
    linked_by     TEXT NOT NULL,
    PRIMARY KEY (repository_id, number, issue_number, linked_by),
    FOREIGN KEY (repository_id, number) REFERENCES pulls (repository_id, number) ON DELETE CASCADE
);

CREATE INDEX pull_links_of_issue ON pull_links (repository_id, issue_number, number);

-- What was read last, so that reading it again costs nothing. Number 0 is the repository's lists.
CREATE TABLE pull_etags (
    repository_id TEXT NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    number        BIGINT NOT NULL,
    what          TEXT NOT NULL,
    -- The commit that it is of, for checks.
    about         TEXT NOT NULL,
    etag          TEXT NOT NULL,
    etag_token    TEXT NOT NULL,
    PRIMARY KEY (repository_id, number, what)
);

-- The open pull request that is about an issue, and whether the issue is not given out because of it.
ALTER TABLE issues ADD COLUMN linked_pull BIGINT;
ALTER TABLE issues ADD COLUMN linked_defers BOOLEAN NOT NULL DEFAULT FALSE;

CREATE INDEX issues_linked ON issues (repository_id, linked_pull) WHERE linked_pull IS NOT NULL;
CREATE INDEX issues_deferred ON issues (id) WHERE linked_defers = TRUE AND shown = TRUE;
