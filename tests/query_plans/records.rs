//! Runs, the audit log, and the outbox.

use super::Case;

const RUNS: &str = include_str!("../../src/store/runs.rs");
const AUDIT: &str = include_str!("../../src/store/audit.rs");
const OUTBOX: &str = include_str!("../../src/store/outbox.rs");
const OUTBOX_FIELDS: &str = include_str!("../../src/store/outbox_fields.rs");
const OUTBOX_LIST: &str = include_str!("../../src/store/outbox_list.rs");
const DELIVERIES: &str = include_str!("../../src/store/deliveries.rs");
const DELIVERY_ROWS: &str = "SELECT {}guid, event, action, repository, received_at, state, attempts, next_try_at, settled_at, \
     words, payload IS NOT NULL AS has_payload FROM webhook_deliveries{} WHERE TRUE";
const DELIVERY_ORDER: &str = "ORDER BY received_at DESC, guid DESC LIMIT {51}";
const RUN_ORDER: &str = "ORDER BY created_at DESC, id DESC LIMIT {51}";
const AUDIT_ROWS: &str = "SELECT {}id, at, actor, token_id, action, repo, issue_number, issue_id, before, after, success, error, notes, agent \
     FROM audit_log WHERE TRUE";
const AUDIT_AFTER: &str = "AND (at, id) < ({40500}, {'a'})";
const AUDIT_ORDER: &str = "ORDER BY at DESC, id DESC LIMIT {51}";

pub const CASES: &[Case] = &[
    Case {
        what: "all runs",
        pieces: &["SELECT {}id, agent_name, run_type, status,", "FROM runs WHERE TRUE", RUN_ORDER],
        source: RUNS,
        indexes: &["runs_by_time"],
    },
    Case {
        what: "runs of an agent",
        pieces: &[
            "SELECT {}id, agent_name, run_type, status,",
            "FROM runs WHERE TRUE",
            "AND agent_key = {'agent-7'}",
            "AND (created_at, id) < ({90000}, {'r'})",
            RUN_ORDER,
        ],
        source: RUNS,
        indexes: &["runs_of_agent"],
    },
    Case {
        what: "runs of a type",
        pieces: &[
            "SELECT {}id, agent_name, run_type, status,",
            "FROM runs WHERE TRUE",
            "AND run_type = {'type-7'}",
            RUN_ORDER,
        ],
        source: RUNS,
        indexes: &["runs_of_type"],
    },
    Case {
        what: "runs of a status",
        pieces: &[
            "SELECT {}id, agent_name, run_type, status,",
            "FROM runs WHERE TRUE",
            "AND status = {'warning'}",
            RUN_ORDER,
        ],
        source: RUNS,
        indexes: &["runs_of_status"],
    },
    Case {
        what: "runs to be interrupted",
        pieces: &[
            "SELECT {}id {}FROM runs",
            "WHERE status = 'running' AND run_type = 'heartbeat' AND NOT EXISTS (SELECT 1 FROM instances i WHERE i.id = runs.instance_id)",
        ],
        source: RUNS,
        indexes: &["runs_of_status"],
    },
    Case {
        what: "uneventful runs to be forgotten",
        pieces: &[
            "SELECT id FROM runs WHERE uneventful = TRUE AND created_at < {5000} ORDER BY created_at LIMIT {1000}",
        ],
        source: RUNS,
        indexes: &["runs_uneventful"],
    },
    Case {
        what: "deliveries of webhooks that are due",
        pieces: &[
            "SELECT guid, repo_key, event = 'issues' AND COALESCE(action, '') NOT IN ('deleted', 'transferred') \
             AND length(payload) < 100000 AS is_plain FROM webhook_deliveries WHERE state = 'pending' AND next_try_at <= {90000}",
            "ORDER BY received_at, guid LIMIT {100}",
        ],
        source: DELIVERIES,
        indexes: &["deliveries_pending"],
    },
    Case {
        what: "all deliveries of webhooks",
        pieces: &[DELIVERY_ROWS, "AND (received_at, guid) < ({15000}, {'d'})", DELIVERY_ORDER],
        source: DELIVERIES,
        indexes: &["deliveries_listed"],
    },
    Case {
        what: "deliveries of a repository",
        pieces: &[DELIVERY_ROWS, "AND repo_key = {'acme/r7'}", DELIVERY_ORDER],
        source: DELIVERIES,
        indexes: &["deliveries_of_repo"],
    },
    Case {
        what: "the last delivery of each repository",
        pieces: &[
            "SELECT r.id, (SELECT max(d.received_at) FROM webhook_deliveries d WHERE d.repo_key = r.name_key) \
             FROM repositories r WHERE r.tracked = TRUE",
        ],
        source: DELIVERIES,
        indexes: &["deliveries_of_repo"],
    },
    Case {
        what: "payloads of deliveries to be forgotten",
        pieces: &[
            "SELECT guid FROM webhook_deliveries WHERE payload IS NOT NULL AND settled_at IS NOT NULL \
             AND settled_at < {500} AND state IN ('applied', 'ignored') ORDER BY settled_at LIMIT {1000}",
        ],
        source: DELIVERIES,
        indexes: &["deliveries_with_payload"],
    },
    Case {
        what: "deliveries to be forgotten",
        pieces: &["SELECT guid FROM webhook_deliveries WHERE received_at < {500} \
             AND (state IN ('applied', 'ignored') OR state = 'failed' AND received_at < {100}) \
             ORDER BY received_at LIMIT {1000}"],
        source: DELIVERIES,
        indexes: &["deliveries_listed"],
    },
    Case {
        what: "the audit log",
        pieces: &[AUDIT_ROWS, AUDIT_ORDER],
        source: AUDIT,
        indexes: &["audit_by_time"],
    },
    Case {
        what: "the audit log of a repository",
        pieces: &[AUDIT_ROWS, "AND repo_key = {'acme/r7'}", AUDIT_ORDER],
        source: AUDIT,
        indexes: &["audit_of_repo"],
    },
    Case {
        what: "the audit log of an actor",
        pieces: &[AUDIT_ROWS, "AND actor_key = {'actor-7'}", AUDIT_AFTER, AUDIT_ORDER],
        source: AUDIT,
        indexes: &["audit_of_actor"],
    },
    Case {
        what: "the audit log about an agent",
        pieces: &[AUDIT_ROWS, "AND agent_key = {'agent-7'}", AUDIT_ORDER],
        source: AUDIT,
        indexes: &["audit_of_agent"],
    },
    Case {
        what: "the audit log of an action",
        pieces: &[AUDIT_ROWS, "AND action = {'action-7'}", AUDIT_ORDER],
        source: AUDIT,
        indexes: &["audit_of_action"],
    },
    Case {
        what: "decisions about an issue",
        pieces: &[AUDIT_ROWS, "AND issue_id = {'i7'}", AUDIT_ORDER],
        source: AUDIT,
        indexes: &["audit_of_issue"],
    },
    Case {
        what: "decisions about an issue that rows do not name by its id",
        pieces: &[
            AUDIT_ROWS,
            "AND issue_id IS NULL AND issue_number = {7}",
            "AND repo_key = {'acme/r7'}",
            AUDIT_ORDER,
        ],
        source: AUDIT,
        indexes: &["audit_of_number"],
    },
    Case {
        what: "the audit log of a day",
        pieces: &[AUDIT_ROWS, "AND at >= {40000}", "AND at < {41000}", AUDIT_AFTER, AUDIT_ORDER],
        source: AUDIT,
        indexes: &["audit_by_time"],
    },
    Case {
        what: "what an actor decided on a day",
        pieces: &[
            AUDIT_ROWS,
            "AND actor_key = {'actor-7'}",
            "AND at >= {40000}",
            "AND at < {41000}",
            AUDIT_ORDER,
        ],
        source: AUDIT,
        indexes: &["audit_of_actor", "audit_by_time"],
    },
    Case {
        what: "writes that are due",
        pieces: &[
            "SELECT o.id, o.repository_id, o.issue_id, o.pull, coalesce(i.number, o.pull) AS number, o.kind, r.full_name,",
            "r.github_id, o.next_try_at AS since FROM outbox o",
            "JOIN repositories r ON r.id = o.repository_id LEFT JOIN issues i ON i.id = o.issue_id",
            "WHERE o.state = 'pending' AND o.next_try_at <= {90000} AND (o.sending_until IS NULL OR o.sending_until <= {90000}",
            "OR NOT EXISTS (SELECT 1 FROM instances x WHERE x.id = o.sender))",
            "AND (o.tried_at IS NULL OR o.kind IN ('edit', 'label') OR o.made IS NOT NULL OR o.tried_at <= {60000}) AND NOT EXISTS (SELECT 1 FROM outbox e WHERE e.issue_id = o.issue_id AND e.state = 'pending' AND e.place < o.place)",
            "ORDER BY o.next_try_at, o.id LIMIT {50}",
        ],
        source: OUTBOX,
        indexes: &["outbox_pending"],
    },
    Case {
        what: "edits that lie over issues",
        pieces: &[
            "SELECT id, issue_id, field, content, beneath, created_at, settled_at FROM outbox WHERE lies_over = TRUE AND issue_id IN",
            "{('i1', 'i2')}",
            "ORDER BY issue_id, place",
        ],
        source: OUTBOX_FIELDS,
        indexes: &["outbox_over"],
    },
    Case {
        what: "a page of the outbox",
        pieces: &[
            "SELECT {}o.id, r.full_name, r.tracked, o.issue_id, i.number, o.pull, o.content, o.state,",
            "{o.created_at}",
            "FROM outbox o JOIN repositories r ON r.id = o.repository_id LEFT JOIN issues i ON i.id = o.issue_id",
            "WHERE o.id IS NOT NULL",
            "AND (o.created_at, o.id) > ({500}, {'o'})",
            "ORDER BY o.created_at, o.id LIMIT {51}",
        ],
        source: OUTBOX_LIST,
        indexes: &["outbox_by_time"],
    },
    Case {
        what: "a page of what waits in the outbox",
        pieces: &[
            "SELECT {}o.id, r.full_name, r.tracked, o.issue_id, i.number, o.pull, o.content, o.state,",
            "{o.created_at}",
            "FROM outbox o JOIN repositories r ON r.id = o.repository_id LEFT JOIN issues i ON i.id = o.issue_id",
            "WHERE o.id IS NOT NULL",
            "AND o.state IN (",
            "{'pending', 'parked'})",
            "ORDER BY o.created_at, o.id LIMIT {51}",
        ],
        source: OUTBOX_LIST,
        indexes: &["outbox_waiting"],
    },
];
