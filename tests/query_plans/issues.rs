//! The cache of issues.

use super::Case;

const ISSUE_LIST: &str = include_str!("../../src/store/issue_list.rs");
const ISSUES: &str = include_str!("../../src/store/issues.rs");
const AT_REST: &str = "NOT EXISTS (SELECT 1 FROM claims c WHERE c.issue_id = {i}.id AND c.ended_at IS NULL) \
     AND NOT EXISTS (SELECT 1 FROM label_edits e WHERE e.issue_id = {i}.id AND e.state IN ('pending', 'parked')) \
     AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.issue_id = {i}.id AND o.state IN ('pending', 'parked'))";
const VISIBLE: &str = "FROM issues i JOIN repositories r ON r.id = i.repository_id \
     LEFT JOIN pulls p ON p.repository_id = i.repository_id AND p.number = i.linked_pull{} \
     WHERE r.tracked = TRUE AND i.removed_at IS NULL AND i.excluded = FALSE";
const RECENT: &str = "AND (i.state = 'open' OR i.closed_at >= {0})";
const AFTER: &str = "AND (i.updated_at, i.id) < ({50000}, {'i'})";
const NEWEST: &str = "ORDER BY i.updated_at DESC, i.id DESC";
const WINDOW: &[&str] = &[
    "SELECT id, number, url FROM issues WHERE repository_id = {'r7'} AND updated_at > {90000} AND updated_at <= {100000} \
     AND removed_at IS NULL ORDER BY number",
];

pub const CASES: &[Case] = &[
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
            "FROM issues i JOIN repositories r ON r.id = i.repository_id \
             LEFT JOIN pulls p ON p.repository_id = i.repository_id AND p.number = i.linked_pull{} \
             WHERE i.shown = TRUE AND i.status IS NULL",
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
        what: "an issue by the name of its repository",
        pieces: &["SELECT id FROM issues WHERE number = {7} AND repository_id = COALESCE( \
             (SELECT id FROM repositories WHERE name_key = {'acme/r7'}), \
             (SELECT repository_id FROM repository_aliases WHERE name_key = {'acme/r7'}))"],
        source: ISSUE_LIST,
        indexes: &["issues_repository_id_number_key", "sqlite_autoindex_issues_2"],
    },
];
