//! The columns of the board.

use super::Case;

const BOARD: &str = include_str!("../../src/store/board.rs");
const CARD: &str = "SELECT i.id, r.full_name, i.number, i.title, i.state, i.status, i.priority, i.lane, i.agent, i.labels, \
     i.open_blockers, i.decomposed, i.created_at, i.updated_at, \
     c.agent_name AS holder, c.terms, c.expires_at, c.pr_url, f.pr AS fix_pr, f.kind AS fix_kind, \
     u.number AS linked, u.url AS linked_url, u.needs_followup, u.failing_checks, \
     (EXISTS (SELECT 1 FROM label_edits e WHERE e.issue_id = i.id AND e.state = 'pending') \
     OR EXISTS (SELECT 1 FROM outbox o WHERE o.issue_id = i.id AND o.state = 'pending')) AS waits, \
     (EXISTS (SELECT 1 FROM label_edits e WHERE e.issue_id = i.id AND e.state = 'parked') \
     OR EXISTS (SELECT 1 FROM outbox o WHERE o.issue_id = i.id AND o.state = 'parked')) AS parked \
     FROM issues i JOIN repositories r ON r.id = i.repository_id \
     LEFT JOIN claims c ON c.issue_id = i.id AND c.ended_at IS NULL \
     LEFT JOIN pulls u ON u.repository_id = i.repository_id AND u.number = i.linked_pull AND u.state = 'open' \
     LEFT JOIN pr_fix_items f ON f.id = (SELECT min(p.id) FROM pr_fix_items p \
     WHERE p.repo = r.name_key AND p.issue = i.number AND p.is_open = TRUE)";
const OPEN: &str = "WHERE i.shown = TRUE AND COALESCE(i.status, 'backlog') = {'ready'}";
const DONE: &str = "WHERE i.status = 'done' AND i.removed_at IS NULL AND i.excluded = FALSE AND r.tracked = TRUE \
     AND (i.state = 'open' OR i.closed_at >= {1000})";

pub const CASES: &[Case] = &[
    Case {
        what: "the head of a column",
        pieces: &[CARD, OPEN, "ORDER BY i.priority, i.created_at, i.id LIMIT {51}"],
        source: BOARD,
        indexes: &["issues_on_board"],
    },
    Case {
        what: "a later part of a column, behind its head",
        pieces: &[
            CARD,
            OPEN,
            "AND (i.priority, i.created_at, i.id) > ({2}, {0}, {'i5'})",
            "ORDER BY i.priority, i.created_at, i.id LIMIT {51}",
        ],
        source: BOARD,
        indexes: &["issues_on_board"],
    },
    Case {
        what: "what was done lately",
        pieces: &[CARD, DONE, "ORDER BY i.updated_at DESC, i.id DESC LIMIT {51}"],
        source: BOARD,
        indexes: &["issues_done"],
    },
];
