-- What agents reported of their tasks, and what that settled. The row is written with the run; what must be settled
-- is `pending` until the report's own request, a retry of it or the scheduler is through.
CREATE TABLE reports (
    id              TEXT PRIMARY KEY,
    agent_name      TEXT NOT NULL,
    agent_key       TEXT NOT NULL,
    idempotency_key TEXT,
    payload_hash    TEXT NOT NULL,
    payload         TEXT NOT NULL,
    run_id          TEXT REFERENCES runs (id) ON DELETE SET NULL,
    state           TEXT NOT NULL,
    resolution      TEXT,
    created_at      INTEGER NOT NULL,
    settled_at      INTEGER
) STRICT;

CREATE UNIQUE INDEX reports_once ON reports (agent_key, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX reports_pending ON reports (created_at, id) WHERE state = 'pending';
CREATE INDEX reports_by_time ON reports (created_at);
CREATE INDEX reports_of_run ON reports (run_id) WHERE run_id IS NOT NULL;
