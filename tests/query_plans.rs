//! Lists stay fast when the tables are large: each uses the index that was made for it.

mod support;

use support::TestDb;

/// A statement of the store: its text, the file it is in, and the indexes that it may use.
struct Case {
    what: &'static str,
    /// Pieces of the statement, values in braces; what stands between them must stand in `source` too.
    pieces: &'static [&'static str],
    source: &'static str,
    /// The first is the one made for it; the others read no more rows.
    indexes: &'static [&'static str],
}

const ISSUE_LIST: &str = include_str!("../src/store/issue_list.rs");
const QUEUE: &str = include_str!("../src/store/queue.rs");
const DEPENDENCIES: &str = include_str!("../src/store/dependencies.rs");
const ISSUES: &str = include_str!("../src/store/issues.rs");
const RUNS: &str = include_str!("../src/store/runs.rs");
const PR_FIX: &str = include_str!("../src/store/pr_fix.rs");
const PR_FIX_NOTES: &str = include_str!("../src/store/pr_fix_notes.rs");
const AUDIT: &str = include_str!("../src/store/audit.rs");
const OUTBOX: &str = include_str!("../src/store/outbox.rs");
const OUTBOX_FIELDS: &str = include_str!("../src/store/outbox_fields.rs");
const OUTBOX_LIST: &str = include_str!("../src/store/outbox_list.rs");
const AT_REST: &str = "NOT EXISTS (SELECT 1 FROM claims c WHERE c.issue_id = {i}.id AND c.ended_at IS NULL) \
     AND NOT EXISTS (SELECT 1 FROM label_edits e WHERE e.issue_id = {i}.id AND e.state IN ('pending', 'parked')) \
     AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.issue_id = {i}.id AND o.state IN ('pending', 'parked'))";

const VISIBLE: &str = "FROM issues i JOIN repositories r ON r.id = i.repository_id \
     WHERE r.tracked = TRUE AND i.removed_at IS NULL AND i.excluded = FALSE";
const RECENT: &str = "AND (i.state = 'open' OR i.closed_at >= {0})";
const AFTER: &str = "AND (i.updated_at, i.id) < ({50000}, {'i'})";
const NEWEST: &str = "ORDER BY i.updated_at DESC, i.id DESC";
const RUN_ORDER: &str = "ORDER BY created_at DESC, id DESC LIMIT {51}";
const WINDOW: &[&str] = &[
    "SELECT id, number, url FROM issues WHERE repository_id = {'r7'} AND updated_at > {90000} AND updated_at <= {100000} \
     AND removed_at IS NULL ORDER BY number",
];

const HEAD: &str =
    "SELECT (SELECT h.id FROM issues h WHERE h.shown = TRUE AND h.rests = FALSE AND h.open_blockers = 0 AND";
const OWN: &str = "AND h.automated = a.automated AND h.priority = p.priority AND h.status = s.status AND h.agent = {'agent-7'} \
     AND (h.decomposed = FALSE OR {FALSE} = FALSE) \
     ORDER BY h.agent, h.created_at, h.repository_id, h.number LIMIT 1) AS id FROM";
const FREE: &str = "AND h.automated = a.automated AND h.priority = p.priority AND h.status = s.status AND h.agent IS NULL \
     AND (h.decomposed = FALSE OR {FALSE} = FALSE) \
     ORDER BY h.agent, h.created_at, h.repository_id, h.number LIMIT 1) AS id FROM";
const CLASSES: &str = "(SELECT 0 AS priority UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4) AS p \
     CROSS JOIN (SELECT 'ready' AS status UNION ALL SELECT 'in-progress') AS s \
     CROSS JOIN (SELECT FALSE AS automated UNION ALL SELECT TRUE) AS a";
const HEADS_END: &str = ") AS heads JOIN issues i ON i.id = heads.id \
     JOIN repositories r ON r.id = i.repository_id AND r.tracked = TRUE";
const UPDATES: &str = "WHERE a.automated = FALSE OR {FALSE} = TRUE";
const BUT_DEFERRED: &str = "AND NOT EXISTS (SELECT 1 FROM repositories fr JOIN pr_fix_items f ON f.repo = fr.name_key WHERE fr.id = {h}.repository_id \
     AND f.issue = {h}.number AND f.is_open = TRUE AND f.issue IS NOT NULL)";
const CLASS: &str = "FROM issues WHERE shown = TRUE AND rests = FALSE AND open_blockers = 0 AND";

const CASES: &[Case] = &[
    Case {
        what: "what closed long ago",
        pieces: &[
            "SELECT i.id FROM issues i WHERE i.state = 'closed' AND i.closed_at < {1000} AND",
            AT_REST,
            "ORDER BY i.closed_at, i.id LIMIT {500}",
        ],
        source: ISSUES,
        indexes: &["issues_closed"],
    },
    Case {
        what: "what vanished long ago",
        pieces: &[
            "SELECT i.id FROM issues i WHERE i.removed_at IS NOT NULL AND i.removed_at < {1000} AND",
            AT_REST,
            "ORDER BY i.removed_at, i.id LIMIT {500}",
        ],
        source: ISSUES,
        indexes: &["issues_removed"],
    },
    Case {
        what: "the heads of the queue",
        pieces: &[
            "SELECT i.id, i.repository_id, i.number, i.status, i.rests, i.priority, i.agent, i.lane, i.lane_closed,",
            "i.automated, i.decomposed, i.open_blockers, i.created_at, r.full_name, i.title, i.url, i.labels, i.current_lane",
            "FROM (",
            HEAD,
            "{h.lane_closed = FALSE}",
            OWN,
            CLASSES,
            UPDATES,
            "UNION ALL",
            HEAD,
            "{h.lane_closed = FALSE}",
            FREE,
            CLASSES,
            UPDATES,
            HEADS_END,
        ],
        source: QUEUE,
        indexes: &["issues_served "],
    },
    Case {
        what: "the heads of a lane",
        pieces: &[
            "SELECT i.id, i.repository_id, i.number, i.status, i.rests, i.priority, i.agent, i.lane, i.lane_closed,",
            "i.automated, i.decomposed, i.open_blockers, i.created_at, r.full_name, i.title, i.url, i.labels, i.current_lane",
            "FROM (",
            HEAD,
            "{h.lane = 'cloud'}",
            OWN,
            CLASSES,
            UPDATES,
            "UNION ALL",
            HEAD,
            "{h.lane = 'cloud'}",
            FREE,
            CLASSES,
            UPDATES,
            HEADS_END,
        ],
        source: QUEUE,
        indexes: &["issues_served_by_lane"],
    },
    Case {
        what: "the heads of the queue, without those whose pull requests are to be mended",
        pieces: &[
            "SELECT i.id, i.repository_id, i.number, i.status, i.rests, i.priority, i.agent, i.lane, i.lane_closed,",
            "i.automated, i.decomposed, i.open_blockers, i.created_at, r.full_name, i.title, i.url, i.labels, i.current_lane",
            "FROM (",
            HEAD,
            "{h.lane_closed = FALSE}",
            BUT_DEFERRED,
            OWN,
            CLASSES,
            UPDATES,
            "UNION ALL",
            HEAD,
            "{h.lane_closed = FALSE}",
            BUT_DEFERRED,
            FREE,
            CLASSES,
            UPDATES,
            HEADS_END,
        ],
        source: QUEUE,
        indexes: &["issues_served "],
    },
    Case {
        what: "the head of a lane of pull requests",
        pieces: &[
            "SELECT id, kind_rank, turn_at FROM pr_fix_items WHERE status = 'QUEUED' AND holder_key IS NULL AND waiting_since IS NULL AND lane = {'NORMAL'}",
            "ORDER BY kind_rank, turn_at, id LIMIT {8}",
        ],
        source: PR_FIX,
        indexes: &["pr_fix_free"],
    },
    Case {
        what: "what an agent has",
        pieces: &[
            "SELECT 1 FROM pr_fix_items WHERE status = 'QUEUED' AND holder_key IS NOT NULL AND holder_key = {'agent-7'} \
             AND lane IN ({'NORMAL'}, {'ESCALATED'}, {'NORMAL'})",
        ],
        source: PR_FIX,
        indexes: &["pr_fix_held "],
    },
    Case {
        what: "hand-outs whose time is up",
        pieces: &[
            "SELECT {f.id}",
            "FROM pr_fix_items f WHERE",
            "f.status = 'QUEUED' AND f.holder_key IS NOT NULL AND f.held_until <= {100}",
            "AND (f.held_until, f.id) > ({5}, {'p'})",
            "ORDER BY f.held_until, f.id LIMIT {100}",
        ],
        source: PR_FIX,
        indexes: &["pr_fix_held_until"],
    },
    Case {
        what: "items that wait",
        pieces: &[
            "SELECT {f.id}",
            "FROM pr_fix_items f WHERE",
            "f.status = 'QUEUED' AND f.waiting_since IS NOT NULL AND f.look_at <= {100}",
            "ORDER BY f.look_at, f.id LIMIT {100}",
        ],
        source: PR_FIX,
        indexes: &["pr_fix_waiting"],
    },
    Case {
        what: "the list of pull requests to be mended",
        pieces: &[
            "SELECT {f.id}",
            "FROM pr_fix_items f WHERE",
            "f.is_open = TRUE",
            "AND f.status = 'QUEUED'",
            "ORDER BY f.kind_rank, f.turn_at, f.id",
            "LIMIT {50}",
        ],
        source: PR_FIX,
        indexes: &["pr_fix_by_urgency"],
    },
    Case {
        what: "the same by age",
        pieces: &[
            "SELECT {f.reason}",
            "FROM pr_fix_items f WHERE",
            "f.is_open = TRUE",
            "ORDER BY f.turn_at, f.id",
            "LIMIT {50}",
        ],
        source: PR_FIX,
        indexes: &["pr_fix_by_age"],
    },
    Case {
        what: "what holds an issue back",
        pieces: &[
            "SELECT {f.id}",
            "FROM pr_fix_items f WHERE",
            "f.is_open = TRUE AND f.issue IS NOT NULL AND f.repo = {'acme/r7'}",
            "AND f.issue = {7}",
            "ORDER BY f.id LIMIT 1",
        ],
        source: PR_FIX,
        indexes: &["pr_fix_of_issue"],
    },
    Case {
        what: "when an agent was last heard of",
        pieces: &[
            "SELECT created_at FROM runs WHERE agent_key = {'agent-7'} ORDER BY created_at DESC, id DESC LIMIT 1",
        ],
        source: PR_FIX,
        indexes: &["runs_of_agent"],
    },
    Case {
        what: "the history of a pull request",
        pieces: &[
            "SELECT at, action, status, lane, reason, note, evidence_key FROM pr_fix_history WHERE item_id = {'p7'} ORDER BY seq DESC LIMIT {50}",
        ],
        source: PR_FIX_NOTES,
        indexes: &["sqlite_autoindex_pr_fix_history_1", "pr_fix_history_pkey"],
    },
    Case {
        what: "a class of the queue",
        pieces: &[
            "SELECT {id}",
            CLASS,
            "lane_closed = FALSE",
            "AND automated = FALSE",
            "AND priority = {2}",
            "AND status = {'ready'}",
            "AND agent IS NULL",
            "ORDER BY agent, created_at, repository_id, number",
            "LIMIT {1000}",
        ],
        source: QUEUE,
        indexes: &["issues_served "],
    },
    Case {
        what: "everybody's issues of a lane",
        pieces: &[
            "SELECT {id}",
            CLASS,
            "lane = {'cloud'}",
            "AND automated = FALSE",
            "AND priority = {2}",
            "AND status = {'ready'}",
            "AND (agent IS NULL OR agent <> {'agent-7'})",
            "ORDER BY created_at, repository_id, number",
            "LIMIT {1000}",
        ],
        source: QUEUE,
        indexes: &["issues_served_by_lane"],
    },
    Case {
        what: "who waits for some issues",
        pieces: &[
            "SELECT DISTINCT issue_id FROM dependencies WHERE repo_key = (SELECT name_key FROM repositories WHERE id = {'r7'}) AND number IN {(7, 8)}",
        ],
        source: DEPENDENCIES,
        indexes: &["dependencies_on"],
    },
    Case {
        what: "the first page of issues",
        pieces: &[
            "SELECT {}i.id, i.repository_id, r.full_name, i.number, i.title, i.body, i.state, i.url, i.labels,",
            VISIBLE,
            RECENT,
            NEWEST,
            "LIMIT {1001}",
        ],
        source: ISSUE_LIST,
        indexes: &["issues_by_update"],
    },
    Case {
        what: "a later page of issues",
        pieces: &[
            "SELECT {}i.id, i.repository_id, r.full_name, i.number, i.title, i.body, i.state, i.url, i.labels,",
            VISIBLE,
            RECENT,
            AFTER,
            NEWEST,
            "LIMIT {1001}",
        ],
        source: ISSUE_LIST,
        indexes: &["issues_by_update"],
    },
    Case {
        what: "the issues of a repository",
        pieces: &[
            "SELECT {}i.id, i.repository_id, r.full_name, i.number, i.title, i.body, i.state, i.url, i.labels,",
            VISIBLE,
            "AND i.repository_id = {'r7'}",
            RECENT,
            NEWEST,
        ],
        source: ISSUE_LIST,
        // Without a limit all of them are read: the order may come from a sort as well.
        indexes: &["issues_of_repository", "issues_repository_id_number_key"],
    },
    Case {
        what: "a page of the issues of a repository",
        pieces: &[
            "SELECT {}i.id, i.repository_id, r.full_name, i.number, i.title, i.body, i.state, i.url, i.labels,",
            VISIBLE,
            "AND i.repository_id = {'r7'}",
            RECENT,
            AFTER,
            NEWEST,
            "LIMIT {101}",
        ],
        source: ISSUE_LIST,
        indexes: &["issues_of_repository"],
    },
    Case {
        what: "issues without a place on the board",
        pieces: &[
            "SELECT {}i.id, i.repository_id, r.full_name, i.number, i.title, i.body, i.state, i.url, i.labels,",
            "FROM issues i JOIN repositories r ON r.id = i.repository_id WHERE i.shown = TRUE AND i.status IS NULL",
            "AND i.automated = FALSE",
            AFTER,
            "ORDER BY i.updated_at DESC, i.id DESC LIMIT",
            "{51}",
        ],
        source: ISSUE_LIST,
        indexes: &["issues_untriaged"],
    },
    Case {
        what: "issues within a window",
        pieces: WINDOW,
        source: ISSUES,
        indexes: &["issues_of_repository"],
    },
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
        what: "the audit log",
        pieces: &[
            "SELECT id, at, actor, token_id, action, repo, issue_number, issue_id, before, after, success, error, notes FROM audit_log WHERE TRUE",
            "ORDER BY at DESC, id DESC LIMIT {51}",
        ],
        source: AUDIT,
        indexes: &["audit_by_time"],
    },
    Case {
        what: "the audit log of a repository",
        pieces: &[
            "SELECT id, at, actor, token_id, action, repo, issue_number, issue_id, before, after, success, error, notes FROM audit_log WHERE TRUE",
            "AND repo_key = {'acme/r7'}",
            "ORDER BY at DESC, id DESC LIMIT {51}",
        ],
        source: AUDIT,
        indexes: &["audit_of_repo"],
    },
    Case {
        what: "writes that are due",
        pieces: &[
            "SELECT o.id, o.issue_id, i.number, o.kind, r.full_name, o.next_try_at AS since FROM outbox o",
            "JOIN repositories r ON r.id = o.repository_id LEFT JOIN issues i ON i.id = o.issue_id",
            "WHERE o.state = 'pending' AND o.next_try_at <= {90000} AND (o.sending_until IS NULL OR o.sending_until <= {90000}",
            "OR NOT EXISTS (SELECT 1 FROM instances x WHERE x.id = o.sender))",
            "AND (o.tried_at IS NULL OR o.kind = 'edit' OR o.tried_at <= {60000}) AND NOT EXISTS (SELECT 1 FROM outbox e WHERE e.issue_id = o.issue_id AND e.state = 'pending' AND e.place < o.place)",
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
            "SELECT {}o.id, r.full_name, r.tracked, o.issue_id, i.number, o.content, o.state,",
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
            "SELECT {}o.id, r.full_name, r.tracked, o.issue_id, i.number, o.content, o.state,",
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

/// A hundred thousand issues in a hundred repositories, and twenty thousand runs and audit rows.
async fn fill(db: &TestDb) {
    let numbers = |to: u32| {
        if db.is_postgres() {
            format!("(SELECT n FROM generate_series(1, {to}) AS g(n)) AS numbers")
        } else {
            format!(
                "(WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < {to}) SELECT n FROM g) AS numbers"
            )
        }
    };
    db.sql(&format!(
        "INSERT INTO repositories (id, full_name, name_key, tracked, source, created_at, updated_at)
             SELECT 'r' || n, 'acme/r' || n, 'acme/r' || n, TRUE, 'user', 0, 0 FROM {};
         INSERT INTO issues (id, repository_id, number, github_id, title, state, url, assignees, comments, created_at,
                updated_at, synced_at, content_hash, github_labels, labels, label_keys, priority, excluded, shown, status, agent, lane)
             SELECT 'i' || n, 'r' || (n % 100 + 1), n, n, 'Issue ' || n, 'open', 'https://github.com/x', '[]', 0, 0,
                n, 0, 'hash', '[]', '[]', '[]', n % 5, FALSE, TRUE, CASE WHEN n % 3 = 0 THEN 'ready' END,
                CASE WHEN n % 7 = 0 THEN 'agent-' || (n % 100) END, CASE WHEN n % 4 = 0 THEN 'cloud' ELSE 'local' END FROM {};
         INSERT INTO dependencies (issue_id, repo_key, number, native)
             SELECT 'i' || n, 'acme/r' || (n % 100), n % 1000, FALSE FROM {};
         INSERT INTO runs (id, agent_name, agent_key, run_type, status, started_at, warnings, errors, touched, reads,
                uneventful, created_at)
             SELECT 'run' || n, 'agent-' || (n % 100), 'agent-' || (n % 100), 'type-' || (n % 20),
                CASE WHEN n % 50 = 0 THEN 'warning' ELSE 'ok' END, n, '[]', '[]', '[]', '[]', n % 2 = 0, n FROM {};
         INSERT INTO audit_log (id, at, actor, action, repo, repo_key, before, after, success)
             SELECT 'a' || n, n, 'x', 'add_tracked_repo', 'acme/r' || (n % 100), 'acme/r' || (n % 100), '[]', '[]', TRUE
             FROM {};
         INSERT INTO pr_fix_items (id, repo, pr, issue, lane, kind, kind_rank, reason, status, is_open, queued_at, updated_at,
                turn_at, generation, fix_attempts, handout_reclaims, holder_name, holder_key, held_until, waiting_since, look_at)
             SELECT 'p' || n, 'acme/r' || (n % 100), n, CASE WHEN n % 2 = 0 THEN n % 1000 END,
                CASE WHEN n % 4 = 0 THEN 'ESCALATED' ELSE 'NORMAL' END, 'OTHER', n % 4, 'red',
                CASE WHEN n % 5 < 2 THEN 'FIXED' ELSE 'QUEUED' END, n % 5 > 1, n, n, n, 1, 1, 0,
                CASE WHEN n % 5 = 3 THEN 'agent-' || (n % 100) END, CASE WHEN n % 5 = 3 THEN 'agent-' || (n % 100) END,
                CASE WHEN n % 5 = 3 THEN n END, CASE WHEN n % 5 = 4 THEN n END, CASE WHEN n % 5 = 4 THEN n END FROM {};
         INSERT INTO pr_fix_history (item_id, seq, at, action, status, lane, reason)
             SELECT 'p' || (n % 100 + 1), n, n, 'enqueue', 'QUEUED', 'NORMAL', 'red' FROM {};
         INSERT INTO outbox (id, kind, repository_id, issue_id, content, place, version, state, lies_over, next_try_at,
                actor, created_at)
             SELECT 'o' || n, 'comment', 'r' || (n % 100 + 1), 'i' || n, '{{\"comment\":\"x\"}}', 1, 1,
                CASE WHEN n % 100 = 0 THEN 'pending' ELSE 'settled' END, FALSE, n, 'x', n FROM {};",
        numbers(100), numbers(100_000), numbers(20_000), numbers(20_000), numbers(20_000), numbers(20_000), numbers(20_000), numbers(20_000)
    ))
    .await;
    if db.is_postgres() {
        // Autovacuum does so by itself, later.
        db.sql("ANALYZE").await;
    }
}

/// Does SQLite scan rows that the statement itself spells out?
fn is_constant(line: &str) -> bool {
    let what = line.split_whitespace().nth(1).unwrap_or_default();
    ["p", "s", "a", "heads", "CONSTANT"].contains(&what)
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Case {
    /// The statement with its values.
    fn sql(&self) -> String {
        squeezed(&self.pieces.join(" ").replace(['{', '}'], "")).replace(", FROM", " FROM")
    }

    /// The product says it in the same words.
    fn assert_current(&self) {
        let source = squeezed(self.source);
        for words in self.pieces.iter().flat_map(|piece| piece.split(['{', '}']).step_by(2)) {
            let words = squeezed(words);
            assert!(source.contains(&words), "{}: the product has other words than: {words}", self.what);
        }
    }
}

each_db! {
    async fn large_lists_use_their_indexes(db) {
        db.open().await.close().await;
        fill(&db).await;
        for case in CASES {
            case.assert_current();
            let sql = case.sql();
            let explain = if db.is_postgres() { "EXPLAIN" } else { "EXPLAIN QUERY PLAN" };
            let plan = db.texts(&format!("{explain} {sql}")).await.join("\n");
            let table = ["issues", "dependencies", "runs", "audit_log", "pr_fix_items", "pr_fix_history", "outbox"].into_iter().find(|table| sql.contains(&format!("FROM {table}"))).unwrap();
            let scans = if db.is_postgres() {
                plan.contains(&format!("Seq Scan on {table}"))
            } else {
                plan.lines().any(|line| line.starts_with("SCAN") && !line.contains(" USING INDEX ") && !is_constant(line))
            };
            println!("{}:\n{plan}\n", case.what);
            let uses = case.indexes.iter().any(|index| plan.contains(index));
            assert!(uses && !scans, "{}: {sql}\n{plan}", case.what);
            // The index itself has the order: the work does not grow with the class.
            let sorts = plan.contains("Sort Key") || plan.contains("TEMP B-TREE");
            assert!(!(case.what.contains("head") || case.what.contains("class")) || !sorts, "{}: {plan}", case.what);
        }
    }
}
