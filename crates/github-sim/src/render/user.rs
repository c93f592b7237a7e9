//! The simple user object (docs.github.com/rest/users/users).

use serde::Serialize;
use serde_json::{Value, json};

use super::{Urls, with};
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
        // An App's user is spelled `name[bot]`; its page is the App's.
        let app = login.strip_suffix("[bot]");
        let url = match app {
            Some(app) => format!("{}/users/{app}%5Bbot%5D", urls.api),
            None => format!("{}/users/{login}", urls.api),
        };
        Self {
            login,
            id,
            node_id: ids::node("U", id),
            avatar_url: format!("https://avatars.githubusercontent.com/u/{id}?v=4"),
            gravatar_id: "",
            html_url: match app {
                Some(app) => format!("{}/apps/{app}", urls.html),
                None => format!("{}/{login}", urls.html),
            },
            followers_url: format!("{url}/followers"),
            following_url: format!("{url}/following{{/other_user}}"),
            gists_url: format!("{url}/gists{{/gist_id}}"),
            starred_url: format!("{url}/starred{{/owner}}{{/repo}}"),
            subscriptions_url: format!("{url}/subscriptions"),
            organizations_url: format!("{url}/orgs"),
            repos_url: format!("{url}/repos"),
            events_url: format!("{url}/events{{/privacy}}"),
            received_events_url: format!("{url}/received_events"),
            kind: if app.is_some() { "Bot" } else { "User" },
            user_view_type: "public",
            site_admin: false,
            url,
        }
    }
}

/// The answer of `GET /user`, as it is for a token that may not see what is private.
pub(crate) fn account(urls: &Urls, login: &str) -> Value {
    let more = json!({
        "name": login,
        "company": null,
        "blog": null,
        "location": null,
        "email": null,
        "hireable": null,
        "bio": null,
        "public_repos": 0,
        "public_gists": 0,
        "followers": 0,
        "following": 0,
        "created_at": "2011-01-25T18:44:36Z",
        "updated_at": "2011-01-25T18:44:36Z",
    });
    with(json!(UserBody::new(urls, login)), more)
}
