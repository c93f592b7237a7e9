//! The queue, the PR-fix queue, and what waits for whom.

use super::Case;

const QUEUE: &str = include_str!("../../src/store/queue.rs");
const DEPENDENCIES: &str = include_str!("../../src/store/dependencies.rs");
const PR_FIX: &str = include_str!("../../src/store/pr_fix.rs");
const PULL_HEALTH: &str = include_str!("../../src/store/pull_health.rs");
const PULL_LINKS: &str = include_str!("../../src/store/pull_links.rs");
const PR_FIX_NOTES: &str = include_str!("../../src/store/pr_fix_notes.rs");
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
     AND f.issue = {h}.number AND f.is_open = TRUE AND f.issue IS NOT NULL) AND {h}.linked_defers = FALSE";
const CLASS: &str = "FROM issues WHERE shown = TRUE AND rests = FALSE AND open_blockers = 0 AND";

pub const CASES: &[Case] = &[
    Case {
        what: "pull requests that are to be read",
        pieces: &[
            "SELECT p.repository_id, p.number FROM pulls p JOIN repositories r ON r.id = p.repository_id AND r.tracked = TRUE \
             WHERE p.state = 'open' AND p.look_at IS NOT NULL AND p.look_at <= {500} \
             AND EXISTS (SELECT 1 FROM issues i WHERE i.repository_id = p.repository_id AND i.linked_pull IS NOT NULL \
             AND i.linked_pull = p.number AND i.shown = TRUE) ORDER BY p.look_at, p.repository_id, p.number LIMIT {200}",
        ],
        source: PULL_HEALTH,
        indexes: &["pulls_due"],
    },
    Case {
        what: "open pull requests of a commit",
        pieces: &[
            "SELECT number FROM pulls WHERE repository_id = {'r7'} AND state = 'open' AND head_sha = {'sha70'}",
        ],
        source: PULL_HEALTH,
        indexes: &["pulls_open"],
    },
    Case {
        what: "the issues that show a pull request",
        pieces: &["SELECT id, number, lane, shown, (SELECT min(l.position) FROM pull_links l \
             WHERE l.repository_id = issues.repository_id AND l.number = issues.linked_pull \
             AND l.issue_number = issues.number) AS position \
             FROM issues WHERE repository_id = {'r7'} AND linked_pull IS NOT NULL AND linked_pull = {700}"],
        source: PULL_LINKS,
        indexes: &["issues_linked"],
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
];
