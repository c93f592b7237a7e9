-- Who is signed in at the board. The cookie itself is not kept, only its SHA-256.
CREATE TABLE sessions (
    hash       TEXT PRIMARY KEY,
    id         TEXT NOT NULL UNIQUE,
    name       TEXT NOT NULL,
    -- What it hangs on: a token's id, the server's own word, or the password that was right then.
    source     TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE INDEX sessions_of_source ON sessions (source);
CREATE INDEX sessions_by_end ON sessions (expires_at);

-- Links that sign in once, by the SHA-256 of what they hold.
CREATE TABLE login_links (
    hash       TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    source     TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE INDEX login_links_by_end ON login_links (expires_at);

-- The columns of the board: what is open stands as the queue has it, what is done has the newest first.
CREATE INDEX issues_on_board ON issues ((COALESCE(status, 'backlog')), priority, created_at, id) WHERE shown = TRUE;
CREATE INDEX issues_done ON issues (updated_at DESC, id DESC)
    WHERE status = 'done' AND removed_at IS NULL AND excluded = FALSE;
