-- Who is asked for compares without case; and which agent a decision is about, who need not be its actor.
ALTER TABLE audit_log ADD COLUMN actor_key TEXT NOT NULL DEFAULT '';
ALTER TABLE audit_log ADD COLUMN agent TEXT;
ALTER TABLE audit_log ADD COLUMN agent_key TEXT;

UPDATE audit_log SET actor_key = lower(actor);
UPDATE audit_log SET agent = actor, agent_key = lower(actor)
 WHERE action IN ('claim_issue', 'unclaim_issue', 'agent_work_started', 'agent_work_checkpoint', 'agent_work_finished');

CREATE INDEX audit_of_actor ON audit_log (actor_key, at DESC, id DESC);
CREATE INDEX audit_of_agent ON audit_log (agent_key, at DESC, id DESC) WHERE agent_key IS NOT NULL;
CREATE INDEX audit_of_action ON audit_log (action, at DESC, id DESC);
DROP INDEX audit_of_issue;
CREATE INDEX audit_of_issue ON audit_log (issue_id, at DESC, id DESC) WHERE issue_id IS NOT NULL;
