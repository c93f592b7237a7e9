-- When Dispatch saw its status become ready, and in-review, for the last time: how long work waits and takes.
ALTER TABLE issues ADD COLUMN ready_at BIGINT;
ALTER TABLE issues ADD COLUMN review_at BIGINT;

-- Heartbeats are counted by agent and time.
CREATE INDEX runs_beats ON runs (agent_key, created_at) WHERE run_type = 'heartbeat';
