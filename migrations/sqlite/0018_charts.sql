-- When Dispatch saw its status become ready, and in-review, for the last time: how long work waits and takes.
ALTER TABLE issues ADD COLUMN ready_at INTEGER;
ALTER TABLE issues ADD COLUMN review_at INTEGER;

-- Heartbeats are counted by agent and time.
CREATE INDEX runs_beats ON runs (agent_key, created_at) WHERE run_type = 'heartbeat';
-- Claims are counted by the day that they were made on.
CREATE INDEX claims_made ON claims (created_at DESC, id DESC) WHERE issue_id IS NOT NULL;

-- Items of the PR-fix queue that are settled stay in sight, and with the issue that they are about.
CREATE INDEX pr_fix_settled ON pr_fix_items (status, updated_at DESC, id DESC) WHERE is_open = FALSE;
CREATE INDEX pr_fix_about ON pr_fix_items (repo, issue) WHERE is_open = FALSE AND issue IS NOT NULL;
