-- What operators say of an issue: that it was split, and how it was groomed.
ALTER TABLE issues ADD COLUMN decomposed_at INTEGER;
ALTER TABLE issues ADD COLUMN decomposed_by TEXT;
ALTER TABLE issues ADD COLUMN decomposed_note TEXT;
ALTER TABLE issues ADD COLUMN follow_up_urls TEXT NOT NULL DEFAULT '[]';
ALTER TABLE issues ADD COLUMN groomed_at INTEGER;
ALTER TABLE issues ADD COLUMN groomed_by TEXT;
ALTER TABLE issues ADD COLUMN grooming_summary TEXT;
ALTER TABLE issues ADD COLUMN not_ready_reason TEXT;
ALTER TABLE issues ADD COLUMN needs_info_reason TEXT;
ALTER TABLE issues ADD COLUMN next_grooming_action TEXT;

-- Issues that have no place on the board yet.
CREATE INDEX issues_untriaged ON issues (updated_at DESC, id DESC) WHERE shown = TRUE AND status IS NULL;
