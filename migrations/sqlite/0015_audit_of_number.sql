-- Decisions about issues that rows do not name by id: the issue was forgotten, or the row is about its pull request.
CREATE INDEX audit_of_number ON audit_log (repo_key, issue_number, at DESC, id DESC)
    WHERE issue_id IS NULL AND issue_number IS NOT NULL;
