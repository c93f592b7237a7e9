//! Apps and installations (docs.github.com/rest/apps/apps).

use serde_json::{Value, json};

use super::{Urls, UserBody};
use crate::access::Permission;
use crate::apps::{App, Installation};
use crate::clock::iso;
use crate::ids;

/// The App as `GET /app` shows it.
pub(crate) fn app(urls: &Urls, app: &App, installations: usize) -> Value {
    json!({
        "id": app.id,
        "client_id": app.client_id(),
        "slug": app.slug,
        "node_id": ids::node("A", app.id),
        "owner": UserBody::new(urls, "octocat"),
        "name": app.slug,
        "description": null,
        "external_url": urls.html,
        "html_url": format!("{}/apps/{}", urls.html, app.slug),
        "created_at": iso(app.created_at),
        "updated_at": iso(app.created_at),
        "permissions": permissions(Permission::Write),
        "events": [],
        "installations_count": installations,
    })
}

/// One entry of `GET /app/installations`.
pub(crate) fn installation(urls: &Urls, app: &App, installation: &Installation) -> Value {
    let Installation { id, account, .. } = installation;
    json!({
        "id": id,
        "account": UserBody::new(urls, account),
        "repository_selection": "all",
        "access_tokens_url": format!("{}/app/installations/{id}/access_tokens", urls.api),
        "repositories_url": format!("{}/installation/repositories", urls.api),
        "html_url": format!("{}/organizations/{account}/settings/installations/{id}", urls.html),
        "app_id": app.id,
        "client_id": app.client_id(),
        "app_slug": app.slug,
        "target_id": ids::user(account),
        "target_type": "Organization",
        "permissions": permissions(installation.permission),
        "events": [],
        "created_at": iso(installation.created_at),
        "updated_at": iso(installation.created_at),
        "single_file_name": null,
        "has_multiple_single_files": false,
        "single_file_paths": [],
        "suspended_by": installation.suspended_at.map(|_| UserBody::new(urls, account)),
        "suspended_at": installation.suspended_at.map(iso),
    })
}

/// What an installation was granted.
pub(crate) fn permissions(permission: Permission) -> Value {
    match permission {
        Permission::None => json!({ "metadata": "read" }),
        Permission::Read | Permission::Write => {
            json!({ "issues": permission, "metadata": "read", "pull_requests": permission })
        }
    }
}
