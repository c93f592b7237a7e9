//! The lists of the pages besides the board.

use super::Case;

const ACTIVITY: &str = include_str!("../../src/store/activity.rs");
const OVERVIEW: &str = include_str!("../../src/store/overview.rs");
const FLEET: &str = include_str!("../../src/store/fleet.rs");
const REPOS: &str = include_str!("../../src/store/repo_list.rs");
const PR_FIX: &str = include_str!("../../src/store/pr_fix.rs");
const RUNS: &str = include_str!("../../src/store/runs.rs");

pub const CASES: &[Case] = &[
    Case {
        what: "an agent with its last heartbeat",
        pieces: &[
            "SELECT a.name, a.first_seen_at,",
            "(SELECT r.created_at FROM runs r WHERE r.agent_key = a.agent_key AND r.run_type || '' = 'heartbeat' \
             ORDER BY r.created_at DESC, r.id DESC LIMIT 1) AS beat_at{,}",
            "(SELECT count(*) FROM pr_fix_items f WHERE f.status = 'QUEUED' AND f.holder_key IS NOT NULL \
             AND f.holder_key = a.agent_key) AS fixes",
            "FROM agents a WHERE",
            "a.agent_key > {'a'}",
            "ORDER BY a.agent_key LIMIT {51}",
        ],
        source: FLEET,
        indexes: &["runs_of_agent"],
    },
    Case {
        what: "issues of a few repositories by status",
        pieces: &[
            "SELECT repository_id, status, count(*) FROM issues \
             WHERE removed_at IS NULL AND excluded = FALSE AND state = 'open' AND repository_id IN",
            "{('r1', 'r2')}",
            "GROUP BY repository_id, status",
        ],
        source: REPOS,
        // Either begins with the repository, and a repository's issues are read once.
        indexes: &["issues_of_repository", "sqlite_autoindex_issues_2", "issues_repository_id_number_key"],
    },
    Case {
        what: "runs of a time",
        pieces: &[
            "SELECT {}id, agent_name, run_type, status,",
            "FROM runs WHERE TRUE",
            "AND created_at >= {100}",
            "AND created_at < {200}",
            "ORDER BY created_at DESC, id DESC LIMIT {51}",
        ],
        source: RUNS,
        indexes: &["runs_by_time"],
    },
    Case {
        what: "runs of hours by status",
        pieces: &[
            "WITH hours (at, until) AS (VALUES {(1000, 2000), (2000, 3000)}",
            ") SELECT h.at",
            ", (SELECT count(*) FROM runs r WHERE r.status IN {('ok', 'OK')}",
            "AND r.created_at >= h.at AND r.created_at < h.until)",
            "FROM hours h ORDER BY h.at",
        ],
        source: ACTIVITY,
        // Of two hours PostgreSQL reads the rows: they are few.
        indexes: &["runs_of_status", "runs_by_time"],
    },
    Case {
        what: "runs of hours",
        pieces: &[
            "WITH hours (at, until) AS (VALUES {(1000, 2000), (2000, 3000)}",
            ") SELECT h.at",
            ", (SELECT count(*) FROM runs r WHERE r.created_at >= h.at AND r.created_at < h.until) AS total \
             FROM hours h ORDER BY h.at",
        ],
        source: ACTIVITY,
        indexes: &["runs_by_time"],
    },
    Case {
        what: "heartbeats of agents",
        pieces: &[
            "SELECT b.name, b.beats FROM ( SELECT a.name, a.agent_key, (SELECT count(*) FROM runs r \
             WHERE r.run_type = 'heartbeat' AND r.agent_key = a.agent_key AND r.created_at >= {100}",
            ") AS beats FROM agents a) AS b WHERE b.beats > 0 ORDER BY b.beats DESC, b.agent_key LIMIT {50}",
        ],
        source: ACTIVITY,
        indexes: &["runs_beats"],
    },
    Case {
        what: "how many agents beat",
        pieces: &[
            "SELECT count(*) FROM agents a WHERE EXISTS (SELECT 1 FROM runs r \
             WHERE r.run_type = 'heartbeat' AND r.agent_key = a.agent_key AND r.created_at >= {100}",
            ")",
        ],
        source: ACTIVITY,
        indexes: &["runs_beats"],
    },
    Case {
        what: "how many claims of a day there are",
        pieces: &[
            "SELECT count(*) FROM claims WHERE issue_id IS NOT NULL AND created_at >= {100} AND created_at < {200}",
        ],
        source: ACTIVITY,
        indexes: &["claims_made"],
    },
    Case {
        what: "the head of the claims of a day",
        pieces: &[
            "SELECT issue_id, created_at FROM claims WHERE issue_id IS NOT NULL AND created_at >= {100} AND created_at < {10000} \
             ORDER BY created_at DESC, id DESC LIMIT {100}",
        ],
        source: ACTIVITY,
        indexes: &["claims_made"],
    },
    Case {
        what: "the head of the items of a status",
        pieces: &[
            "SELECT f.id FROM pr_fix_items f WHERE",
            "f.is_open = FALSE",
            "AND f.status = {'FIXED'}",
            "ORDER BY f.updated_at DESC, f.id DESC",
            "LIMIT {51}",
        ],
        source: PR_FIX,
        indexes: &["pr_fix_settled"],
    },
    Case {
        what: "failed runs",
        pieces: &[
            "SELECT id, agent_name AS agent, run_type, created_at, COALESCE(error_message, summary) AS said FROM runs \
             WHERE status IN {('error', 'ERROR')}",
            "AND created_at >= {100}",
            "ORDER BY created_at DESC, id DESC LIMIT {50}",
        ],
        source: OVERVIEW,
        indexes: &["runs_of_status", "runs_by_time"],
    },
];
