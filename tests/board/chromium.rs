//! Windows of a real Chromium: what people see and do there.

use serde_json::{Value, json};

use crate::{
    devtools::{Devtools, PATIENCE, Program, event},
    support::App,
};

/// A Chromium.
pub struct Chromium {
    _program: Program,
    devtools: Devtools,
}

/// A window of it.
pub struct Window {
    devtools: Devtools,
    session: String,
}

impl Chromium {
    pub async fn start() -> Self {
        let program = Program::start();
        let devtools = Devtools::connect(&program.address().await).await;
        Self { _program: program, devtools }
    }

    /// A window on this page.
    pub async fn open(&self, app: &App, path: &str) -> Window {
        let ask = async |method, params| self.devtools.call(None, method, params).await.expect(method);
        let target = ask("Target.createTarget", json!({ "url": "about:blank" })).await;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session =
            ask("Target.attachToTarget", attach).await["sessionId"].as_str().expect("a session").to_owned();
        let window = Window { devtools: self.devtools.clone(), session };
        for domain in ["Page.enable", "Runtime.enable"] {
            window.call(domain, json!({})).await;
        }
        window.go(app, path).await;
        window
    }

    /// A window that is signed in by a link, as a person is, and then on this page.
    pub async fn sign_in(&self, app: &App, path: &str) -> Window {
        let link = app.post("/api/auth/login-link", json!({})).await.expect(201);
        let window = self.open(app, link["path"].as_str().expect("a path")).await;
        window.click("main form button").await;
        window.until("document.querySelector('.user')").await;
        window.go(app, path).await;
        window
    }
}

impl Window {
    async fn call(&self, method: &str, params: Value) -> Value {
        let answer = self.devtools.call(Some(&self.session), method, params).await;
        answer.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    pub async fn go(&self, app: &App, path: &str) {
        let mut heard = self.devtools.listen();
        self.call("Page.navigate", json!({ "url": app.url(path) })).await;
        event(&mut heard, &self.session, "Page.loadEventFired").await;
    }

    pub async fn reload(&self) {
        let mut heard = self.devtools.listen();
        self.call("Page.reload", json!({})).await;
        event(&mut heard, &self.session, "Page.loadEventFired").await;
    }

    /// Waits until this is so in the window.
    #[track_caller]
    pub fn until(&self, condition: &str) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        let script = format!(
            "(async () => {{ const end = Date.now() + {}; while (!({condition})) {{ if (Date.now() > end) return false; await new Promise((done) => setTimeout(done, 20)); }} return true; }})()",
            PATIENCE.as_millis()
        );
        async move {
            // A page that is left meanwhile takes the answer with it; the next one is asked.
            for _ in 0..20 {
                let ask = json!({ "expression": script, "awaitPromise": true, "returnByValue": true });
                let Ok(answer) = self.devtools.call(Some(&self.session), "Runtime.evaluate", ask).await
                else {
                    continue;
                };
                if answer["result"]["value"] == true {
                    return;
                }
                if answer["result"]["value"] == false {
                    break;
                }
            }
            panic!("{place}: it never was so: {condition}\n{}", self.value("document.body.innerText").await);
        }
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
