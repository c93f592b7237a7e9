-- Webhooks whose deliveries are looked at, by what they tell of: `app`, or a repository.
CREATE TABLE webhooks (
    source       TEXT PRIMARY KEY,
    -- GitHub's number of it; none for the App's, and where none of ours was found.
    hook_id      BIGINT,
    url          TEXT,
    -- The newest failure that was seen.
    seen_id      BIGINT,
    -- Of the list of failures, and of the newest deliveries.
    failed_etag  TEXT,
    newest_etag  TEXT,
    etag_token   TEXT,
    looked_at    BIGINT,
    -- Why GitHub does not show its deliveries to us, in words.
    refused      TEXT
);

-- Deliveries that did not come, and what was done about each.
CREATE TABLE missed_deliveries (
    guid          TEXT PRIMARY KEY,
    source        TEXT NOT NULL,
    repository_id TEXT,
    -- GitHub's number of the newest attempt.
    delivery_id   BIGINT NOT NULL,
    event         TEXT NOT NULL,
    state         TEXT NOT NULL,
    asked_at      BIGINT NOT NULL
);
CREATE INDEX missed_deliveries_waiting ON missed_deliveries (asked_at, guid) WHERE state = 'asked';
CREATE INDEX missed_deliveries_by_time ON missed_deliveries (asked_at);
