-- What GitHub delivers by webhooks. A GUID is stored once, and applied once: with its state, in one transaction.
CREATE TABLE webhook_deliveries (
    guid        TEXT PRIMARY KEY,
    event       TEXT NOT NULL,
    action      TEXT,
    -- As GitHub spelled it, and as names compare.
    repository  TEXT,
    repo_key    TEXT,
    received_at BIGINT NOT NULL,
    -- Forgotten some time after it was applied.
    payload     TEXT,
    state       TEXT NOT NULL,
    attempts    BIGINT NOT NULL DEFAULT 0,
    -- A pending one may be taken from then on.
    next_try_at BIGINT NOT NULL,
    settled_at  BIGINT,
    words       TEXT
);
CREATE INDEX deliveries_pending ON webhook_deliveries (received_at, guid) WHERE state = 'pending';
CREATE INDEX deliveries_listed ON webhook_deliveries (received_at DESC, guid DESC);
CREATE INDEX deliveries_of_repo ON webhook_deliveries (repo_key, received_at DESC, guid DESC);
CREATE INDEX deliveries_with_payload ON webhook_deliveries (settled_at) WHERE payload IS NOT NULL AND settled_at IS NOT NULL;
