//! A browser without a script: it keeps cookies, reads forms out of pages, and sends them as people do.

#![allow(dead_code, clippy::allow_attributes, reason = "each test file does its own part of it")]

use std::collections::BTreeMap;

use parking_lot::Mutex;
use reqwest::header::{HeaderMap, LOCATION, SET_COOKIE};

use crate::{
    chromium::Site,
    support::app::{client, send},
};

/// A browser's cookies, and where it looks.
pub struct Browser {
    base: String,
    http: reqwest::Client,
    cookies: Mutex<BTreeMap<String, String>>,
    /// Sent with every request.
    pub headers: Vec<(&'static str, String)>,
}

/// What came back.
pub struct Page {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

/// A form of a page: where it goes, and what it holds.
#[derive(Clone, Debug)]
pub struct Form {
    pub action: String,
    pub fields: Vec<(String, String)>,
}

/// Does a path fit a route?
pub fn fits(route: &str, path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    let (route, path): (Vec<&str>, Vec<&str>) = (route.split('/').collect(), path.split('/').collect());
    let fits = |(want, part): (&&str, &&str)| want.starts_with('{') || want == part;
    route.len() == path.len() && route.iter().zip(&path).all(fits)
}

impl Browser {
    pub fn new(site: &impl Site) -> Self {
        Self { base: site.address(""), http: client(), cookies: Mutex::default(), headers: Vec::new() }
    }

    /// One that is signed in by a link.
    pub async fn signed_in(site: &impl Site) -> Self {
        let browser = Self::new(site);
        let link = send(site.maintain("POST", "/api/auth/login-link").body("{}")).await.expect(201);
        let page = browser.get(link["path"].as_str().expect("a path")).await;
        let entered = browser.send(&page.form("/login"), &[]).await;
        assert_eq!(entered.status, 303, "{}", entered.text);
        browser
    }

    pub fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.lock().get(name).cloned()
    }

    pub fn set_cookie(&self, name: &str, value: &str) {
        self.cookies.lock().insert(name.to_owned(), value.to_owned());
    }

    pub fn drop_cookie(&self, name: &str) {
        self.cookies.lock().remove(name);
    }

    pub async fn get(&self, path: &str) -> Page {
        self.fetch(self.http.get(format!("{}{path}", self.base))).await
    }

    /// Sends a form with these fields instead of those it holds; a field that it has not is added.
    pub async fn send(&self, form: &Form, changed: &[(&str, &str)]) -> Page {
        let mut fields = form.fields.clone();
        for (name, value) in changed {
            fields.retain(|(field, _)| field != name);
            fields.push(((*name).to_owned(), (*value).to_owned()));
        }
        self.post(&form.action, &fields).await
    }

    pub async fn post(&self, path: &str, fields: &[(String, String)]) -> Page {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.http.post(format!("{}{path}", self.base));
        self.fetch(request.header("content-type", "application/x-www-form-urlencoded").body(body)).await
    }

    /// JSON, as a script of a page sends it.
    pub async fn post_json(&self, path: &str, body: &serde_json::Value, headers: &[(&str, &str)]) -> Page {
        let request = self.http.post(format!("{}{path}", self.base)).body(body.to_string());
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        self.fetch(request).await
    }

    /// Any request.
    pub async fn call(&self, method: &str, path: &str, body: &str) -> Page {
        let method = method.to_uppercase().parse().expect("a method");
        self.fetch(self.http.request(method, format!("{}{path}", self.base)).body(body.to_owned())).await
    }

    async fn fetch(&self, request: reqwest::RequestBuilder) -> Page {
        let pairs: Vec<String> =
            self.cookies.lock().iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = if pairs.is_empty() { request } else { request.header("cookie", pairs.join("; ")) };
        let request =
            self.headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        for cookie in headers.get_all(SET_COOKIE) {
            let cookie = cookie.to_str().expect("text");
            let (name, value) =
                cookie.split(';').next().and_then(|pair| pair.split_once('=')).expect("a pair");
            if value.is_empty() { self.drop_cookie(name) } else { self.set_cookie(name, value) }
        }
        Page { status, headers, text: response.text().await.expect("text") }
    }
}

impl Page {
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    #[track_caller]
    pub fn location(&self) -> &str {
        let place = self.headers.get(LOCATION);
        place
            .unwrap_or_else(|| panic!("{} leads nowhere: {}", self.status, self.text))
            .to_str()
            .expect("text")
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    #[track_caller]
    pub fn says(&self, words: &str) -> &Self {
        assert!(self.text.contains(words), "{words:?} is not in {}", self.text);
        self
    }

    /// All forms of the page that send something.
    pub fn forms(&self) -> Vec<Form> {
        let parts =
            self.text.split("<form ").skip(1).map(|rest| rest.split("</form>").next().expect("a form"));
        let forms =
            parts.filter(|form| form.split('>').next().is_some_and(|head| head.contains("method=\"post\"")));
        forms
            .map(|form| Form { action: attribute(form, "action").expect("an action"), fields: fields(form) })
            .collect()
    }

    /// The first form that goes there.
    #[track_caller]
    pub fn form(&self, action: &str) -> Form {
        let mut forms = self.forms().into_iter();
        forms
            .find(|form| form.action == action)
            .unwrap_or_else(|| panic!("no form goes to {action}: {}", self.text))
    }
}

/// What a form sends by itself: hidden and filled fields, and of each choice the one that is chosen.
fn fields(form: &str) -> Vec<(String, String)> {
    let inputs = form.split("<input ").skip(1).filter_map(|input| {
        let tag = input.split('>').next()?;
        let is_choice = tag.contains("type=\"checkbox\"") || tag.contains("type=\"radio\"");
        if is_choice && !tag.contains(" checked") {
            return None;
        }
        Some((attribute(tag, "name")?, attribute(tag, "value").unwrap_or_default()))
    });
    let selects = form.split("<select ").skip(1).filter_map(|select| {
        let select = select.split("</select>").next()?;
        let options: Vec<&str> = select.split("<option ").skip(1).collect();
        let chosen = options
            .iter()
            .find(|option| option.split('>').next().is_some_and(|tag| tag.contains(" selected")));
        let value = chosen.or(options.first()).and_then(|option| attribute(option, "value"));
        Some((attribute(select, "name")?, value.unwrap_or_default()))
    });
    inputs.chain(selects).collect()
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let tag = tag.split('>').next()?;
    let value = format!(" {tag}").split_once(&format!(" {name}=\""))?.1.split('"').next()?.to_owned();
    Some(
        value
            .replace("&#34;", "\"")
            .replace("&#39;", "'")
            .replace("&#60;", "<")
            .replace("&#62;", ">")
            .replace("&#38;", "&"),
    )
}
