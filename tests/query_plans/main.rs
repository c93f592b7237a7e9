//! Lists stay fast when the tables are large: each uses the index that was made for it.

mod board;
mod issues;
mod pages;
mod queue;
mod records;
#[path = "../support/mod.rs"]
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
                CASE WHEN n % 100 = 0 THEN 'pending' ELSE 'settled' END, FALSE, n, 'x', n FROM {};
         INSERT INTO webhook_deliveries (guid, event, repository, repo_key, received_at, payload, state, next_try_at, settled_at)
             SELECT 'd' || n, 'issues', 'acme/r' || (n % 100), 'acme/r' || (n % 100), n, CASE WHEN n % 10 = 0 THEN '{{}}' END,
                CASE WHEN n % 100 = 0 THEN 'pending' ELSE 'applied' END, n, CASE WHEN n % 100 > 0 THEN n END FROM {};
         INSERT INTO pulls (repository_id, number, title, state, url, draft, created_at, updated_at, content_hash, look_at, own_head, head_sha)
             SELECT 'r' || (n % 100 + 1), n, 'Mends it', CASE WHEN n % 2 = 0 THEN 'open' ELSE 'closed' END, 'https://github.com/x',
                FALSE, 0, n, 'hash', n, TRUE, 'sha' || n FROM {};
         INSERT INTO claims (id, fence, agent_name, agent_key, issue_id, terms, state, checkpoint, started, created_at, renewed_at,
                expires_at, ended_at, end_reason)
             SELECT 'c' || n, n, 'x', 'x', 'i' || n, 'leased', 'DONE', 'work_complete', TRUE, n, n, n, n, 'finished' FROM {};
         UPDATE issues SET linked_pull = number WHERE number % 20 = 0;",
        numbers(100), numbers(100_000), numbers(20_000), numbers(20_000), numbers(100_000), numbers(20_000), numbers(20_000), numbers(20_000), numbers(20_000), numbers(20_000), numbers(20_000)
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
    ["p", "s", "a", "h", "heads", "CONSTANT"].contains(&what) || line.contains(" CONSTANT ROWS")
}

/// Is it a row for each repository that was asked for?
fn is_of_each_repository(line: &str, sql: &str) -> bool {
    line == "SCAN r" && sql.contains("FROM repositories r")
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

/// The tables that are filled; a statement is of the first that it reads from.
const TABLES: [&str; 10] = [
    "claims",
    "issues",
    "dependencies",
    "runs",
    "audit_log",
    "pr_fix_items",
    "pr_fix_history",
    "outbox",
    "pulls",
    "webhook_deliveries",
];

each_db! {
    async fn large_lists_use_their_indexes(db) {
        db.open().await.close().await;
        fill(&db).await;
        for case in board::CASES.iter().chain(issues::CASES).chain(queue::CASES).chain(pages::CASES).chain(records::CASES) {
            case.assert_current();
            let sql = case.sql();
            let explain = if db.is_postgres() { "EXPLAIN" } else { "EXPLAIN QUERY PLAN" };
            let plan = db.texts(&format!("{explain} {sql}")).await.join("\n");
            let table = TABLES.into_iter().find(|table| sql.contains(&format!("FROM {table}"))).expect("a table of the list");
            let scans = if db.is_postgres() {
                plan.contains(&format!("Seq Scan on {table}"))
            } else {
                plan.lines().any(|line| line.starts_with("SCAN") && !line.contains(" USING INDEX ") && !is_constant(line) && !is_of_each_repository(line, &sql))
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
