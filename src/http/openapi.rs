//! The description of the API: what is said once for all routes. The rest stands above the handlers.

use utoipa::{
    Modify, OpenApi as _,
    openapi::{
        Components, Content, Header, HeaderBuilder, Object, OneOfBuilder, OpenApi, Ref, RefOr, Required,
        Response, Schema, Type,
        path::{Operation, Parameter, ParameterIn, PathItem},
        security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
    },
};

use super::{api::events::Kinds, error::ErrorBody};

const JSON: &str = "application/json";

/// Answers that many routes give, in the order of their status.
const COMMON: [Common; 7] = [
    Common {
        status: "400",
        name: "BadRequest",
        says: "What was sent breaks a rule; `field` names what does.",
        header: None,
        given_by: takes_input,
    },
    Common {
        status: "401",
        name: "Unauthorized",
        says: "No token, or none that opens this server.",
        header: Some(("WWW-Authenticate", Type::String, "`Bearer`")),
        given_by: needs_token,
    },
    Common {
        status: "403",
        name: "Forbidden",
        says: "The token is not good for this: code `maintainer_required` or `other_agent`. It is in the audit log.",
        header: None,
        given_by: may_refuse_tokens,
    },
    Common {
        status: "413",
        name: "BodyTooLarge",
        says: "The body is larger than 1 MiB: code `body_too_large`.",
        header: None,
        given_by: takes_small_body,
    },
    Common {
        status: "429",
        name: "TooManyRequests",
        says: "A worker's token was used too often, or by too many listeners.",
        header: Some(("Retry-After", Type::Integer, "Seconds until the next request may come.")),
        given_by: needs_token,
    },
    Common {
        status: "500",
        name: "InternalError",
        says: "A fault of Dispatch; its log has the cause under the `requestId`.",
        header: None,
        given_by: |_| true,
    },
    Common {
        status: "503",
        name: "Unavailable",
        says: "The database failed (code `database_failed`), GitHub could not be asked, or too much is under way; try again.",
        header: None,
        given_by: needs_token,
    },
];

/// An answer that is described once.
struct Common {
    status: &'static str,
    name: &'static str,
    says: &'static str,
    header: Option<(&'static str, Type, &'static str)>,
    given_by: fn(&Operation) -> bool,
}

/// The description before any route.
pub fn head() -> OpenApi {
    Head::openapi()
}

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Dispatch",
        description = "Turns GitHub issues into claimable work for coding agents and keeps the record.\n\n\
            Every answer has the header `X-Request-Id`, which names the request in the server's log. Refusals \
            are of the form `Error`. Unknown fields and parameters are ignored; `null` counts as absent. \
            The Content-Type of a request is not looked at.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    servers((url = "/", description = "The server that this description comes from.")),
    components(schemas(ErrorBody, Kinds)),
    modifiers(&Tokens),
    tags(
        (name = "heartbeat", description = "The pass that an agent asks for."),
        (name = "claims", description = "Who works on what."),
        (name = "queue", description = "What an agent is served, in which order."),
        (name = "why", description = "Why it is served, or is not."),
        (name = "lanes", description = "Which lane an issue is in."),
        (name = "work", description = "What agents do, in the words of the Node edition's agent work."),
        (name = "operators", description = "What operators do to the work of agents."),
        (name = "reports", description = "What came of a task."),
        (name = "pr_fix", description = "Pull requests that need another attempt."),
        (name = "pr_fix_changes", description = "What is said of such pull requests."),
        (name = "pr_fix_handouts", description = "Who has them."),
        (name = "issues", description = "The cache of GitHub's issues."),
        (name = "actions", description = "What operators do to issues."),
        (name = "assignments", description = "Whose issues are."),
        (name = "grooming", description = "Sorting issues by hand."),
        (name = "triage", description = "Issues without a place on the board, and those closed long ago."),
        (name = "sync", description = "Reads of GitHub, asked for by hand or by cron."),
        (name = "repositories", description = "What is tracked."),
        (name = "automation", description = "What GitHub says of repositories themselves."),
        (name = "pr_followup", description = "What happens to the pull requests of bots."),
        (name = "pr_reconcile", description = "Issues that follow their pull requests."),
        (name = "ci_failures", description = "Workflows that fail."),
        (name = "runs", description = "The record of what agents did."),
        (name = "audit", description = "Who decided what."),
        (name = "events", description = "What changed, as hints to read again."),
        (name = "outbox", description = "What Dispatch wants at GitHub."),
        (name = "webhooks", description = "What GitHub delivers by itself."),
        (name = "deliveries", description = "What became of it."),
        (name = "tokens", description = "Credentials that Dispatch makes."),
        (name = "health", description = "Probes; open to anybody."),
        (name = "description", description = "This description; open to anybody."),
    ),
)]
struct Head;

/// How a caller shows who it is.
struct Tokens;

impl Modify for Tokens {
    fn modify(&self, document: &mut OpenApi) {
        let mut bearer = Http::new(HttpAuthScheme::Bearer);
        bearer.description = Some(
            "A token of the configuration, or one that Dispatch made. A `worker`'s is bound to an agent and \
             opens the routes that name this role; a `maintainer`'s opens all. With a maintainer's token the \
             header `X-Agent-Name` says who acts, for the audit log."
                .to_owned(),
        );
        let components = document.components.get_or_insert_with(Components::new);
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    }
}

/// Adds to every route what its handler does not say: common answers, the form of refusals, pages.
pub fn complete(mut document: OpenApi) -> OpenApi {
    let operations = document.paths.paths.values_mut().flat_map(operations);
    operations.for_each(complete_operation);
    let components = document.components.get_or_insert_with(Components::new);
    for Common { name, says, header, .. } in COMMON {
        let mut response = Response::new(says);
        if let Some((name, kind, says)) = header {
            response.headers.insert(name.to_owned(), describe(kind, says).into());
        }
        response.content.insert(JSON.to_owned(), error().into());
        components.responses.insert(name.to_owned(), response.into());
    }
    let next_cursor = describe(Type::String, "What to send as `cursor` for the next page; not on the last.");
    let link = describe(Type::String, "The next page (`rel=\"next\"`); not on the last.");
    components.headers.insert("NextCursor".to_owned(), next_cursor.into());
    components.headers.insert("Link".to_owned(), link.into());
    let tag = describe(Type::String, "What to send as `If-None-Match`, to get it only when it is another.");
    components.headers.insert("ETag".to_owned(), tag.into());
    document
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    [get, put, post, delete, patch].into_iter().flatten()
}

fn complete_operation(operation: &mut Operation) {
    let role = if needs_maintainer(operation) {
        "Needs a maintainer's token."
    } else if needs_token(operation) {
        "Needs a worker's or a maintainer's token."
    } else {
        "Open to anybody."
    };
    let said = operation.description.take().map(|said| format!("{said}\n\n")).unwrap_or_default();
    operation.description = Some(format!("{said}{role}"));
    leave_out_null(operation);
    name_next_page(operation);
    name_tag(operation);
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && status.as_str() >= "400"
            && response.content.is_empty()
        {
            response.content.insert(JSON.to_owned(), error().into());
        }
    }
    for common in COMMON {
        if (common.given_by)(operation) {
            add_common(operation, &common);
        }
    }
}

/// Where a route has an answer of its own with this status, a refusal is the other form of it.
fn add_common(operation: &mut Operation, common: &Common) {
    let responses = &mut operation.responses.responses;
    let Some(RefOr::T(own)) = responses.get_mut(common.status) else {
        responses.insert(common.status.to_owned(), Ref::from_response_name(common.name).into());
        return;
    };
    if let Some(RefOr::T(Content { schema: Some(schema), .. })) = own.content.get_mut(JSON) {
        if *schema == Ref::from_schema_name("Error").into() {
            own.description = format!("{} Or: {}", own.description, common.says);
            return;
        }
        let either = OneOfBuilder::new().item(schema.clone()).item(Ref::from_schema_name("Error"));
        *schema = either.into();
        own.description = format!("{} Or: {}", own.description, common.says);
    }
}

/// A body that may be left out is an object when it is there, and never `null`.
fn leave_out_null(operation: &mut Operation) {
    let Some(RefOr::T(body)) = &mut operation.request_body else { return };
    let Some(RefOr::T(Content { schema: Some(schema), .. })) = body.content.get_mut(JSON) else { return };
    if let RefOr::T(Schema::OneOf(either)) = schema
        && let Some(object) = either.items.iter().find(|item| matches!(item, RefOr::Ref(_)))
    {
        *schema = object.clone();
        body.required = Some(Required::False);
    }
}

fn name_next_page(operation: &mut Operation) {
    if parameters(operation).all(|parameter| parameter.name != "cursor") {
        return;
    }
    add_header(operation, "200", "Link", "Link");
    add_header(operation, "200", "X-Next-Cursor", "NextCursor");
}

/// What can be said to be unchanged has a tag.
fn name_tag(operation: &mut Operation) {
    if operation.responses.responses.contains_key("304") {
        add_header(operation, "200", "ETag", "ETag");
        add_header(operation, "304", "ETag", "ETag");
    }
}

fn add_header(operation: &mut Operation, status: &str, name: &str, component: &str) {
    if let Some(RefOr::T(response)) = operation.responses.responses.get_mut(status) {
        let header = Ref::new(format!("#/components/headers/{component}"));
        response.headers.insert(name.to_owned(), RefOr::Ref(header));
    }
}

fn error() -> Content {
    Content::new(Some(Ref::from_schema_name("Error")))
}

fn describe(kind: Type, says: &str) -> Header {
    HeaderBuilder::new().schema(Some(Object::with_type(kind))).description(Some(says)).build()
}

fn parameters(operation: &Operation) -> impl Iterator<Item = &Parameter> {
    operation.parameters.iter().flatten().filter_map(|parameter| match parameter {
        RefOr::T(parameter) => Some(parameter),
        RefOr::Ref(_) => None,
    })
}

fn takes_body(operation: &Operation) -> bool {
    operation.request_body.is_some()
}

/// A route that takes more says so itself.
fn takes_small_body(operation: &Operation) -> bool {
    takes_body(operation) && !operation.responses.responses.contains_key("413")
}

/// What opens files by their names has no rule to break.
fn takes_input(operation: &Operation) -> bool {
    takes_body(operation) || needs_token(operation) && parameters(operation).next().is_some()
}

fn needs_token(operation: &Operation) -> bool {
    operation.security.is_some()
}

fn needs_maintainer(operation: &Operation) -> bool {
    let maintainer = SecurityRequirement::new("bearer", ["maintainer"]);
    operation.security.iter().flatten().any(|wanted| *wanted == maintainer)
}

/// Worker routes refuse a token only where they act for the agent in the path.
fn may_refuse_tokens(operation: &Operation) -> bool {
    let names_agent = |parameter: &Parameter| {
        matches!(parameter.parameter_in, ParameterIn::Path) && parameter.name == "agentName"
    };
    needs_maintainer(operation) || parameters(operation).any(names_agent)
}
