//! Where GitHub's pages and its description do not say the same: answers that the description leaves out of
//! operations, and schemas that GitHub's own answers do not fit.

use serde_json::{Value, json};

/// A status that the description of some operations leaves out.
pub struct Exception {
    pub status: u16,
    /// Empty where every operation may be answered thus.
    pub kinds: &'static [&'static str],
    /// The component that describes the body; without one there is no body.
    pub schema: Option<&'static str>,
    /// Where GitHub says so, below docs.github.com/rest.
    pub page: &'static str,
}

const fn exception(
    status: u16,
    kinds: &'static [&'static str],
    schema: Option<&'static str>,
    page: &'static str,
) -> Exception {
    Exception { status, kinds, schema, page }
}

const ERROR: Option<&str> = Some("basic-error");
const BEST_PRACTICES: &str = "using-the-rest-api/best-practices-for-using-the-rest-api";

pub const EXCEPTIONS: [Exception; 8] = [
    exception(304, &[], None, BEST_PRACTICES),
    exception(307, &["issues.create", "issues.update"], ERROR, BEST_PRACTICES),
    exception(401, &[], ERROR, "authentication/authenticating-to-the-rest-api"),
    exception(403, &[], ERROR, "using-the-rest-api/rate-limits-for-the-rest-api"),
    exception(429, &[], ERROR, "using-the-rest-api/rate-limits-for-the-rest-api"),
    // Said there in words: a commit that is not there cannot be processed.
    exception(422, &["check_runs.list"], ERROR, "checks/runs"),
    // Said there of whatever is not there, or not shown to who asks.
    exception(
        404,
        &["comments.update", "comments.delete"],
        ERROR,
        "using-the-rest-api/troubleshooting-the-rest-api",
    ),
    // Said there of a repository whose issues are turned off; the list of such a one is gone too.
    exception(410, &["issues.list"], ERROR, "issues/issues"),
];

/// Lists whose pages are found by `Link`, as the description says of their cursor and not of their answer; with the page.
pub const LINKED: [(&str, &str); 2] =
    [("deliveries.list", "repos/webhooks"), ("app_deliveries.list", "apps/webhooks")];

/// The exception that covers an answer, by its place in the table.
pub fn find(kind: &str, status: u16) -> Option<usize> {
    let covers = |it: &Exception| it.status == status && (it.kinds.is_empty() || it.kinds.contains(&kind));
    EXCEPTIONS.iter().position(covers)
}

/// A schema of the description that is wrong.
pub struct Erratum {
    /// Where it stands.
    pub pointer: &'static str,
    pub right: Value,
    /// What GitHub answers, and the schema refuses.
    pub refused: Proof,
}

/// See [`Erratum::refused`].
pub enum Proof {
    /// An example in the description itself, by its pointer.
    Example(&'static str),
    Value(Value),
}

pub fn errata() -> [Erratum; 2] {
    [
        // There an account is a user and an enterprise at once; everywhere else it is one of them.
        Erratum {
            pointer: "/paths/~1app~1installations/get/responses/200/content/application~1json/schema/items",
            right: json!({ "$ref": "#/components/schemas/installation" }),
            refused: Proof::Example("/components/examples/base-installation-items/value/0"),
        },
        // There each label of a pull request has a description; the component `label` says that it may be null.
        Erratum {
            pointer: "/components/schemas/pull-request-simple/properties/labels/items/properties/description",
            right: json!({ "type": "string", "nullable": true }),
            refused: Proof::Value(Value::Null),
        },
    ]
}
