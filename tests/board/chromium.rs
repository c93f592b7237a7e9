//! Windows of a real Chromium: what people see and do there.

#![allow(dead_code, clippy::allow_attributes, reason = "each test file does its own part of it")]

use std::{future::Future, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::{
    sync::broadcast::{Receiver, error::TryRecvError},
    time::timeout,
};

use crate::{
    devtools::{Devtools, PATIENCE, Program, event},
    support::{App, MAINTAINER, app::send, child::Server},
};

/// A server whose pages are looked at: in this process, or the real program.
pub trait Site {
    /// Where a page is.
    fn address(&self, path: &str) -> String;
    /// A maintainer's request.
    fn maintain(&self, method: &str, path: &str) -> reqwest::RequestBuilder;
}

impl Site for App {
    fn address(&self, path: &str) -> String {
        self.url(path)
    }

    fn maintain(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.request(method, path, MAINTAINER)
    }
}

impl Site for Server {
    fn address(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    fn maintain(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.request(method, path)
    }
}

/// A Chromium.
pub struct Chromium {
    _program: Program,
    devtools: Devtools,
}

/// A window of it.
pub struct Window {
    devtools: Devtools,
    session: String,
    /// What happened that nobody asked about yet.
    heard: Mutex<Receiver<Value>>,
}

impl Chromium {
    pub async fn start() -> Self {
        let program = Program::start();
        let devtools = Devtools::connect(&program.address().await).await;
        Self { _program: program, devtools }
    }

    /// A window on nothing yet, seen beside all others.
    pub async fn window(&self) -> Window {
        self.target(json!({ "url": "about:blank", "newWindow": true })).await
    }

    /// A tab of the window that was opened last, which hides its other tabs.
    pub async fn tab(&self) -> Window {
        self.target(json!({ "url": "about:blank" })).await
    }

    async fn target(&self, what: Value) -> Window {
        let ask = async |method, params| self.devtools.call(None, method, params).await.expect(method);
        let target = ask("Target.createTarget", what).await;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session =
            ask("Target.attachToTarget", attach).await["sessionId"].as_str().expect("a session").to_owned();
        let heard = Mutex::new(self.devtools.listen());
        let window = Window { devtools: self.devtools.clone(), session, heard };
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            window.call(domain, json!({})).await;
        }
        window
    }

    /// A window on this page.
    pub async fn open(&self, site: &impl Site, path: &str) -> Window {
        let window = self.window().await;
        window.go(site, path).await;
        window
    }

    /// A window that is signed in, and then on this page.
    pub async fn sign_in(&self, site: &impl Site, path: &str) -> Window {
        let window = self.window().await;
        window.sign_in(site).await;
        window.go(site, path).await;
        window
    }
}

impl Window {
    async fn call(&self, method: &str, params: Value) -> Value {
        let answer = self.devtools.call(Some(&self.session), method, params).await;
        answer.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// Signs in by a link, as a person does.
    pub async fn sign_in(&self, site: &impl Site) {
        let link = send(site.maintain("POST", "/api/auth/login-link").body("{}")).await.expect(201);
        self.go(site, link["path"].as_str().expect("a path")).await;
        self.follow("main form button").await;
        self.until("document.querySelector('.user')").await;
    }

    pub async fn go(&self, site: &impl Site, path: &str) {
        self.visit(&site.address(path)).await;
    }

    /// Goes to an address.
    pub async fn visit(&self, address: &str) {
        let mut heard = self.devtools.listen();
        self.call("Page.navigate", json!({ "url": address })).await;
        event(&mut heard, &self.session, "Page.loadEventFired").await;
    }

    /// Clicks on what leads to another page, and waits for that.
    pub async fn follow(&self, selector: &str) {
        let mut heard = self.devtools.listen();
        self.click(selector).await;
        event(&mut heard, &self.session, "Page.loadEventFired").await;
    }

    /// Holds requests back to addresses like this.
    pub async fn hold(&self, pattern: &str) {
        self.call("Fetch.enable", json!({ "patterns": [{ "urlPattern": pattern }] })).await;
    }

    /// Sends on what was held back.
    pub async fn let_go(&self) {
        self.call("Fetch.disable", json!({})).await;
    }

    /// Runs a script that leads to another page, and waits for that.
    pub async fn leave(&self, script: &str) {
        let mut heard = self.devtools.listen();
        self.value(script).await;
        event(&mut heard, &self.session, "Page.loadEventFired").await;
    }

    /// From the next page on no script of a page runs.
    pub async fn without_script(&self) {
        self.call("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
    }

    /// As wide as this, and as the system has it: `light` or `dark`.
    pub async fn be(&self, width: u32, height: u32, theme: &str) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", size).await;
        let wish = json!({ "features": [{ "name": "prefers-color-scheme", "value": theme }] });
        self.call("Emulation.setEmulatedMedia", wish).await;
    }

    /// What is seen, as a PNG.
    pub async fn picture(&self) -> Vec<u8> {
        let ask = json!({ "format": "png", "captureBeyondViewport": false });
        let shot = self.call("Page.captureScreenshot", ask).await;
        BASE64_STANDARD.decode(shot["data"].as_str().expect("a picture")).expect("base64")
    }

    /// What the browser complained about since it was asked last: exceptions, and what it refused to load or to do.
    pub fn complaints(&self) -> Vec<String> {
        let (mut heard, mut all) = (self.heard.lock(), Vec::new());
        loop {
            let event = match heard.try_recv() {
                Ok(event) => event,
                Err(TryRecvError::Empty) => return all,
                Err(error) => panic!("complaints were missed: {error}"),
            };
            let (params, entry) = (&event["params"], &event["params"]["entry"]);
            if event["sessionId"] != self.session.as_str() {
                continue;
            }
            match event["method"].as_str() {
                Some("Runtime.exceptionThrown") => all.push(params["exceptionDetails"].to_string()),
                Some("Log.entryAdded") if entry["level"] == "error" => {
                    all.push(format!("{} {}", entry["text"], entry["url"]));
                }
                _ => {}
            }
        }
    }

    pub async fn reload(&self) {
        let mut heard = self.devtools.listen();
        self.call("Page.reload", json!({})).await;
        event(&mut heard, &self.session, "Page.loadEventFired").await;
    }

    /// Waits until this is so in the window; also where no script of the page runs.
    #[track_caller]
    pub fn until(&self, condition: &str) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        let script = format!("Boolean({condition})");
        let is_so = async move {
            loop {
                let ask = json!({ "expression": script, "returnByValue": true });
                // A page that is left meanwhile takes the answer with it; the next one is asked.
                let answer = self.devtools.call(Some(&self.session), "Runtime.evaluate", ask).await;
                if answer.is_ok_and(|answer| answer["result"]["value"] == true) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        async move {
            if timeout(PATIENCE, is_so).await.is_err() {
                let text = self.value("document.body.innerText").await;
                panic!("{place}: it never was so: {condition}\n{text}");
            }
        }
    }

    /// The value of a script, once it is there.
    pub async fn run(&self, script: &str) -> Value {
        let ask = json!({ "expression": script, "awaitPromise": true, "returnByValue": true });
        let answer = self.call("Runtime.evaluate", ask).await;
        assert!(answer["exceptionDetails"].is_null(), "{script:.100}: {answer}");
        answer["result"]["value"].clone()
    }

    /// What the page says came of the last form.
    pub async fn told(&self) -> String {
        self.value("document.getElementById('flash').innerText").await.as_str().expect("a text").to_owned()
    }

    /// Chooses of a list.
    pub async fn choose(&self, selector: &str, value: &str) {
        self.until(&format!("document.querySelector(`{selector}`)")).await;
        let chosen = self
            .value(&format!("(document.querySelector(`{selector}`).value = '{value}', document.querySelector(`{selector}`).value)"))
            .await;
        assert_eq!(chosen, value, "{selector} has no such choice");
    }

    /// The value of a script.
    pub async fn value(&self, script: &str) -> Value {
        let answer =
            self.call("Runtime.evaluate", json!({ "expression": script, "returnByValue": true })).await;
        assert!(answer["exceptionDetails"].is_null(), "{script}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Clicks with the mouse, where a person would.
    pub async fn click(&self, selector: &str) {
        self.come_to_front().await;
        let at = self.middle(selector).await;
        self.mouse("mousePressed", at).await;
        self.mouse("mouseReleased", at).await;
    }

    pub async fn write(&self, selector: &str, text: &str) {
        self.focus(selector).await;
        self.call("Input.insertText", json!({ "text": text })).await;
    }

    pub async fn focus(&self, selector: &str) {
        self.until(&format!("document.querySelector(`{selector}`)")).await;
        self.value(&format!("document.querySelector(`{selector}`).focus()")).await;
    }

    /// Presses a key with Shift held.
    pub async fn press_with_shift(&self, key: &str) {
        for kind in ["rawKeyDown", "keyUp"] {
            let event = json!({ "type": kind, "key": key, "code": key, "modifiers": 8 });
            self.call("Input.dispatchKeyEvent", event).await;
        }
    }

    /// Drags one thing onto another with the mouse.
    pub async fn drag(&self, what: &str, onto: &str) {
        self.come_to_front().await;
        self.call("Input.setInterceptDrags", json!({ "enabled": true })).await;
        let mut heard = self.devtools.listen();
        let (from, to) = (self.middle(what).await, self.middle(onto).await);
        self.mouse("mousePressed", from).await;
        self.mouse("mouseMoved", (from.0 + 8.0, from.1 + 8.0)).await;
        self.mouse("mouseMoved", to).await;
        let drag = event(&mut heard, &self.session, "Input.dragIntercepted").await;
        for kind in ["dragEnter", "dragOver", "drop"] {
            let event = json!({ "type": kind, "x": to.0, "y": to.1, "data": drag["data"] });
            self.call("Input.dispatchDragEvent", event).await;
        }
        self.mouse("mouseReleased", to).await;
        self.call("Input.setInterceptDrags", json!({ "enabled": false })).await;
    }

    /// A window behind another is drawn seldom, and the mouse waits for that.
    pub async fn come_to_front(&self) {
        self.call("Page.bringToFront", json!({})).await;
    }

    async fn middle(&self, selector: &str) -> (f64, f64) {
        self.until(&format!("document.querySelector(`{selector}`)")).await;
        let place = self
            .value(&format!(
                "(() => {{ const it = document.querySelector(`{selector}`); it.scrollIntoView({{ block: 'nearest' }}); const box = it.getBoundingClientRect(); return [box.x + box.width / 2, box.y + Math.min(box.height / 2, 40)]; }})()"
            ))
            .await;
        (place[0].as_f64().expect("a place"), place[1].as_f64().expect("a place"))
    }

    async fn mouse(&self, kind: &str, (x, y): (f64, f64)) {
        let buttons = u8::from(kind != "mouseReleased");
        let event =
            json!({ "type": kind, "x": x, "y": y, "button": "left", "buttons": buttons, "clickCount": 1 });
        self.call("Input.dispatchMouseEvent", event).await;
    }
}
