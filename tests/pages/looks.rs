//! Pages in a real browser: no fault of accessibility in light and dark, nothing wider than the window, pictures on demand.

#![expect(clippy::disallowed_methods, reason = "a test reads axe-core and writes pictures")]

use std::{env, path::PathBuf};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::{
    devtools::{Devtools, Program, event},
    support::{App, TestDb},
    world::{furnished, pages},
};

const SCRIPT: &str = include_str!("../../scripts/test");

/// What axe-core looks for.
const AXE: &str = "axe.run(document, { resultTypes: ['violations'] }).then((found) => JSON.stringify(found.violations.map((fault) => \
    ({ rule: fault.id, help: fault.help, where: fault.nodes.map((node) => node.html.slice(0, 200) + ' ' + (node.any[0]?.message ?? '')) }))))";

/// axe-core: where `scripts/test` says or, without it, where it keeps it.
fn axe() -> String {
    let file = env::var_os("DISPATCH_TEST_AXE").map_or_else(kept, PathBuf::from);
    std::fs::read_to_string(&file).unwrap_or_else(|error| {
        panic!("axe-core is not in {}: {error}; scripts/test fetches it, or set DISPATCH_TEST_AXE to its axe.min.js", file.display())
    })
}

fn kept() -> PathBuf {
    let home = || PathBuf::from(env::var_os("HOME").unwrap_or_default()).join(".cache");
    let cache = env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from);
    let version = SCRIPT.lines().find_map(|line| line.strip_prefix("axe_version=")).expect("a version");
    let version = version.split([' ', '#']).next().unwrap_or_default();
    cache.join("dispatch-tests").join(format!("axe-core-{version}")).join("axe.min.js")
}

/// A window that is signed in.
struct Window {
    devtools: Devtools,
    session: String,
    _program: Program,
}

impl Window {
    async fn signed_in(app: &App) -> Self {
        let program = Program::start();
        let devtools = Devtools::connect(&program.address().await).await;
        let ask = async |method, params| devtools.call(None, method, params).await.expect(method);
        let target = ask("Target.createTarget", json!({ "url": "about:blank" })).await;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = ask("Target.attachToTarget", attach).await;
        let session = attached["sessionId"].as_str().expect("a session").to_owned();
        let window = Self { devtools, session, _program: program };
        for domain in ["Page.enable", "Runtime.enable"] {
            window.call(domain, json!({})).await;
        }
        let link = app.post("/api/auth/login-link", json!({})).await.expect(201);
        window.go(app, link["path"].as_str().expect("a path")).await;
        let mut heard = window.devtools.listen();
        window.run("document.querySelector('main form button').click()").await;
        event(&mut heard, &window.session, "Page.loadEventFired").await;
        window
    }

    async fn call(&self, method: &str, params: Value) -> Value {
        let answer = self.devtools.call(Some(&self.session), method, params).await;
        answer.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    async fn go(&self, app: &App, path: &str) {
        let mut heard = self.devtools.listen();
        self.call("Page.navigate", json!({ "url": app.url(path) })).await;
        event(&mut heard, &self.session, "Page.loadEventFired").await;
    }

    async fn run(&self, script: &str) -> Value {
        let ask = json!({ "expression": script, "awaitPromise": true, "returnByValue": true });
        let answer = self.call("Runtime.evaluate", ask).await;
        assert!(answer["exceptionDetails"].is_null(), "{script:.100}: {answer}");
        answer["result"]["value"].clone()
    }

    /// As wide as this, and as the system has it: `light` or `dark`.
    async fn be(&self, width: u32, height: u32, theme: &str) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", size).await;
        let wish = json!({ "features": [{ "name": "prefers-color-scheme", "value": theme }] });
        self.call("Emulation.setEmulatedMedia", wish).await;
    }

    async fn picture(&self, file: &str) {
        let shot = self
            .call("Page.captureScreenshot", json!({ "format": "png", "captureBeyondViewport": false }))
            .await;
        let png = BASE64_STANDARD.decode(shot["data"].as_str().expect("a picture")).expect("base64");
        std::fs::write(file, png).expect("a file");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_is_for_everybody() {
    let app = furnished(TestDb::sqlite().await).await;
    let window = Window::signed_in(&app).await;
    let (axe, mut faults) = (axe(), Vec::new());
    for path in pages(&app).await {
        for theme in ["light", "dark"] {
            window.be(1440, 900, theme).await;
            window.go(&app, &path).await;
            window.run(&axe).await;
            let found = window.run(AXE).await;
            let found: Value = serde_json::from_str(found.as_str().expect("a list")).expect("JSON");
            faults.extend(
                found.as_array().expect("a list").iter().map(|fault| format!("{path} in {theme}: {fault:#}")),
            );
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_page_is_wider_than_its_window() {
    let app = furnished(TestDb::sqlite().await).await;
    let window = Window::signed_in(&app).await;
    for path in pages(&app).await {
        for (width, height) in [(360, 740), (1440, 900), (2560, 1440)] {
            window.be(width, height, "light").await;
            window.go(&app, &path).await;
            let is_wide = window
                .run("document.documentElement.scrollWidth > document.documentElement.clientWidth")
                .await;
            assert_eq!(is_wide, false, "{path} at {width} px");
        }
    }
}

/// The pictures of the operators' guide: `DISPATCH_TEST_PICTURES=docs/images` has them taken anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pictures_are_taken_where_they_are_asked_for() {
    let app = crate::world::friendly(TestDb::sqlite().await).await;
    let window = Window::signed_in(&app).await;
    let folder = env::var_os("DISPATCH_TEST_PICTURES").map(PathBuf::from);
    let kept = tempfile::tempdir().expect("a folder");
    let folder = folder.unwrap_or_else(|| kept.path().to_owned());
    for (name, path) in crate::world::PICTURES {
        for (width, height, theme) in
            [(360, 740, "light"), (1440, 900, "light"), (1440, 900, "dark"), (2560, 1440, "light")]
        {
            // The guide shows one of each; the others are for whoever looks after the pages.
            let is_shown = (width, theme) == (1440, "light");
            if !is_shown && env::var_os("DISPATCH_TEST_PICTURES_ALL").is_none() {
                continue;
            }
            window.be(width, height, theme).await;
            window.go(&app, path).await;
            window.run(&format!("document.getElementById('{name}')?.scrollIntoView()")).await;
            let file = if is_shown { format!("{name}.png") } else { format!("{name}-{width}-{theme}.png") };
            let file = folder.join(file);
            window.picture(file.to_str().expect("text")).await;
            assert!(std::fs::metadata(&file).expect("the picture").len() > 5_000, "{name} is empty");
        }
    }
}
