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
const AUDIT: &str = include_str!("../src/store/audit.rs");

const VISIBLE: &str = "FROM issues i JOIN repositories r ON r.id = i.repository_id \
     WHERE r.tracked = TRUE AND i.removed_at IS NULL AND i.excluded = FALSE";
const RECENT: &str = "AND (i.state = 'open' OR i.closed_at >= {0})";
const AFTER: &str = "AND (i.updated_at, i.id) < ({50000}, {'i'})";
const NEWEST: &str = "ORDER BY i.updated_at DESC, i.id DESC";
const RUN_ORDER: &str = "ORDER BY created_at DESC, id DESC LIMIT {51}";
const AUDIT_ROWS: &str = "SELECT {}id, at, actor, token_id, action, repo, issue_number, issue_id, before, after, success, error, notes, agent \
     FROM audit_log WHERE TRUE";
const AUDIT_AFTER: &str = "AND (at, id) < ({40500}, {'a'})";
const AUDIT_ORDER: &str = "ORDER BY at DESC, id DESC LIMIT {51}";
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
const CLASS: &str = "FROM issues WHERE shown = TRUE AND rests = FALSE AND open_blockers = 0 AND";

const CASES: &[Case] = &[
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
        what: "an issue by the name of its repository",
        pieces: &["SELECT id FROM issues WHERE number = {7} AND repository_id = COALESCE( \
             (SELECT id FROM repositories WHERE name_key = {'acme/r7'}), \
             (SELECT repository_id FROM repository_aliases WHERE name_key = {'acme/r7'}))"],
        source: ISSUE_LIST,
        indexes: &["issues_repository_id_number_key", "sqlite_autoindex_issues_2"],
    },
];

/// A hundred thousand issues in a hundred repositories, as many audit rows, and twenty thousand runs.
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
         INSERT INTO audit_log (id, at, actor, actor_key, agent, agent_key, action, repo, repo_key, issue_id, before, after, success)
             SELECT 'a' || n, n, 'Actor-' || (n % 100), 'actor-' || (n % 100), 'agent-' || (n % 90), 'agent-' || (n % 90),
                'action-' || (n % 20), 'acme/r' || (n % 100), 'acme/r' || (n % 100), 'i' || (n % 5000 + 1), '[]', '[]', TRUE
             FROM {};",
        numbers(100), numbers(100_000), numbers(20_000), numbers(20_000), numbers(100_000)
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
            let table = ["issues", "dependencies", "runs", "audit_log"].into_iter().find(|table| sql.contains(&format!("FROM {table}"))).unwrap();
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
            assert!(!["head", "class", "audit"].iter().any(|word| case.what.contains(word)) || !sorts, "{}: {plan}", case.what);
        }
    }
}
