-- The attempt that was the present one when a maintainer reported without naming any.
ALTER TABLE reports ADD COLUMN attempt JSONB;
