//! A browser that is signed in, as far as pages are concerned: its cookie, what it says it can unpack, what it is answered.

use anyhow::{Context as _, Result, ensure};
use reqwest::{
    Response,
    header::{ACCEPT, ACCEPT_ENCODING, COOKIE, HeaderMap, LOCATION, SET_COOKIE},
    redirect::Policy,
};
use serde_json::Value;

use super::server::{Server, TOKEN};

/// What browsers of today send.
const UNPACKS: &str = "gzip, deflate, br, zstd";

/// A signed-in browser; clones share its connections.
#[derive(Clone)]
pub struct Browser {
    base: String,
    cookie: String,
    http: reqwest::Client,
    /// Leaves answers packed.
    packed: reqwest::Client,
}

impl Browser {
    pub async fn sign_in(server: &Server) -> Result<Self> {
        let client = || reqwest::Client::builder().no_proxy().redirect(Policy::none());
        let (http, packed) = (client().build()?, client().gzip(false).build()?);
        let asked = http.post(format!("{}/api/auth/login-link", server.url)).bearer_auth(TOKEN);
        let link: Value = asked.json(&serde_json::json!({})).send().await?.error_for_status()?.json().await?;
        let path = link["path"].as_str().context("a link")?;
        let door = http.get(format!("{}{path}", server.url)).send().await?.error_for_status()?;
        let visit = cookies(door.headers());
        let page = door.text().await?;
        let form = page.split("action=\"/login\"").nth(1).context("a form")?;
        let fields: Vec<(&str, String)> = ["csrf", "callbackUrl", "link"]
            .into_iter()
            .map(|name| {
                let value = form.split(&format!("name=\"{name}\" value=\"")).nth(1)?.split('"').next()?;
                Some((name, value.replace("&#38;", "&")))
            })
            .collect::<Option<_>>()
            .context("fields")?;
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let entered = http
            .post(format!("{}/login", server.url))
            .header(COOKIE, visit)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("origin", server.url.as_str())
            .body(body)
            .send()
            .await?;
        let status = entered.status();
        let cookie = cookies(entered.headers());
        ensure!(
            status == 303 && cookie.contains("dispatch_session") && entered.headers().contains_key(LOCATION),
            "not signed in: {status}: {}",
            entered.text().await?
        );
        Ok(Self { base: server.url.clone(), cookie, http, packed })
    }

    /// A page, unpacked.
    pub async fn page(&self, path: &str) -> Result<String> {
        Ok(self.ask(&self.http, path).send().await?.error_for_status()?.text().await?)
    }

    /// How many bytes of a page go over the wire.
    pub async fn packed(&self, path: &str) -> Result<usize> {
        let asked = self.ask(&self.packed, path).header(ACCEPT_ENCODING, UNPACKS);
        let answer = asked.send().await?.error_for_status()?;
        ensure!(answer.headers().contains_key("content-encoding"), "{path} is not packed");
        Ok(answer.bytes().await?.len())
    }

    /// Events, for as long as the answer is read.
    pub async fn listen(&self, path: &str) -> Result<Response> {
        Ok(self.ask(&self.http, path).header(ACCEPT, "text/event-stream").send().await?.error_for_status()?)
    }

    fn ask(&self, http: &reqwest::Client, path: &str) -> reqwest::RequestBuilder {
        http.get(format!("{}{path}", self.base)).header(COOKIE, self.cookie.as_str())
    }
}

/// What is to be sent back of what was set.
fn cookies(headers: &HeaderMap) -> String {
    let set = headers.get_all(SET_COOKIE).iter().filter_map(|cookie| cookie.to_str().ok());
    let pairs: Vec<&str> = set.filter_map(|cookie| cookie.split(';').next()).collect();
    pairs.join("; ")
}
