-- What is wanted of a pull request: its number in place of an issue, and one row for each thing that is wanted of it.
ALTER TABLE outbox ADD COLUMN pull BIGINT;
-- GitHub has it, and it is to be taken away some day.
ALTER TABLE outbox ADD COLUMN held BOOLEAN NOT NULL DEFAULT FALSE;
CREATE UNIQUE INDEX outbox_of_pull ON outbox (repository_id, pull, field) WHERE pull IS NOT NULL;
