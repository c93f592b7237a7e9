//! The simple user object (docs.github.com/rest/users/users).

use serde::Serialize;
use serde_json::{Value, json};

use super::Urls;
use crate::ids;

/// A user as it appears inside other objects.
#[derive(Serialize)]
pub(crate) struct UserBody<'a> {
    login: &'a str,
    id: u64,
    node_id: String,
    avatar_url: String,
    gravatar_id: &'static str,
    url: String,
    html_url: String,
    followers_url: String,
    following_url: String,
    gists_url: String,
    starred_url: String,
    subscriptions_url: String,
    organizations_url: String,
    repos_url: String,
    events_url: String,
    received_events_url: String,
    #[serde(rename = "type")]
    kind: &'static str,
    user_view_type: &'static str,
    site_admin: bool,
}

impl<'a> UserBody<'a> {
    pub fn new(urls: &Urls, login: &'a str) -> Self {
        let id = ids::user(login);
        let url = format!("{}/users/{login}", urls.api);
        Self {
            login,
            id,
            node_id: ids::node("U", id),
            avatar_url: format!("https://avatars.githubusercontent.com/u/{id}?v=4"),
            gravatar_id: "",
            html_url: format!("{}/{login}", urls.html),
            followers_url: format!("{url}/followers"),
            following_url: format!("{url}/following{{/other_user}}"),
            gists_url: format!("{url}/gists{{/gist_id}}"),
            starred_url: format!("{url}/starred{{/owner}}{{/repo}}"),
            subscriptions_url: format!("{url}/subscriptions"),
            organizations_url: format!("{url}/orgs"),
            repos_url: format!("{url}/repos"),
            events_url: format!("{url}/events{{/privacy}}"),
            received_events_url: format!("{url}/received_events"),
            kind: if login.ends_with("[bot]") { "Bot" } else { "User" },
            user_view_type: "public",
            site_admin: false,
            url,
        }
    }
}

/// The answer of `GET /user`.
pub(crate) fn account(urls: &Urls, login: &str) -> Value {
    let mut body = json!(UserBody::new(urls, login));
    body["name"] = json!(login);
    body["company"] = Value::Null;
    body["email"] = Value::Null;
    body["public_repos"] = json!(0);
    body["followers"] = json!(0);
    body["following"] = json!(0);
    body["created_at"] = json!("2011-01-25T18:44:36Z");
    body["updated_at"] = json!("2011-01-25T18:44:36Z");
    body
}
