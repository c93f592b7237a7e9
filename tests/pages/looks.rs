//! Pages in a real browser: no fault of accessibility at any width, in light and in dark, nothing wider than the window,
//! nothing that the browser complains about, pictures on demand.

#![expect(clippy::disallowed_methods, reason = "a test reads axe-core and writes pictures")]

use std::{env, path::PathBuf};

use dispatch::engine::sessions::SignIn;
use serde_json::{Value, json};

use crate::{
    chromium::{Chromium, Site, Window},
    empty,
    support::{App, AppBuilder, TestDb},
    world::{BROKEN_OUT, furnished, pages},
};

const SCRIPT: &str = include_str!("../../scripts/test");

/// What axe-core finds, of all rules or of some.
const AXE: &str = "((rules) => axe.run(document, { resultTypes: ['violations'], ...(rules.length > 0 && { runOnly: rules }) }).then((found) => \
    JSON.stringify(found.violations.map((fault) => ({ rule: fault.id, help: fault.help, \
    where: fault.nodes.map((node) => node.html.slice(0, 200) + ' ' + (node.any[0]?.message ?? '')) })))))";

/// How pages are looked at, and by which rules: what is dark differs in its colours alone.
const LOOKS: [(u32, u32, &str, &str); 5] = [
    (360, 740, "light", "[]"),
    (2560, 1440, "light", "[]"),
    (1440, 900, "light", "[]"),
    (1440, 900, "dark", "['color-contrast']"),
    (360, 740, "dark", "['color-contrast']"),
];

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

/// Goes to a page, and looks at it at all widths, in light and in dark.
async fn faults(window: &Window, site: &impl Site, path: &str, axe: &str) -> Vec<String> {
    window.go(site, path).await;
    let mut faults = faults_here(window, path, axe).await;
    faults.extend(window.complaints().into_iter().map(|words| format!("{path}: {words}")));
    faults
}

async fn faults_here(window: &Window, path: &str, axe: &str) -> Vec<String> {
    let mut faults = Vec::new();
    window.run(axe).await;
    for (width, height, theme, rules) in LOOKS {
        window.be(width, height, theme).await;
        let found = window.run(&format!("{AXE}({rules})")).await;
        let found: Vec<Value> = serde_json::from_str(found.as_str().expect("a list")).expect("JSON");
        faults.extend(found.iter().map(|fault| format!("{path} in {theme} at {width} px: {fault:#}")));
        let is_wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth";
        if window.value(is_wide).await == true {
            faults.push(format!("{path} is wider than {width} px"));
        }
    }
    let broken_out = format!("document.body.innerHTML.includes('{BROKEN_OUT}')");
    if window.value(&broken_out).await == true {
        faults.push(format!("{path}: a text became an element"));
    }
    faults
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_is_for_everybody_at_every_width() {
    let app = furnished(TestDb::sqlite().await).await;
    let chromium = Chromium::start().await;
    let window = chromium.sign_in(&app, "/").await;
    let (axe, mut found) = (axe(), Vec::new());
    for path in pages(&app).await {
        found.extend(faults(&window, &app, &path, &axe).await);
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_is_every_page_on_which_there_is_nothing_yet() {
    let app = App::with_repos(TestDb::sqlite().await, &[]).await;
    let password = SignIn::Password { user: "ann".to_owned(), password: "right horse".to_owned().into() };
    let by_name =
        AppBuilder { sign_in: password, ..AppBuilder::default() }.start(TestDb::sqlite().await).await;
    let chromium = Chromium::start().await;
    let (axe, mut found) = (axe(), Vec::new());
    // Who is not signed in sees three more.
    let link = app.post("/api/auth/login-link", json!({})).await.expect(201);
    let window = chromium.open(&app, "/login").await;
    for path in ["/login", link["path"].as_str().expect("a path")] {
        found.extend(faults(&window, &app, path, &axe).await);
    }
    found.extend(faults(&window, &by_name, "/login", &axe).await);
    window.write("input[name='user']", "ann").await;
    window.write("input[name='password']", "wrong").await;
    window.follow("main form button").await;
    found.extend(faults_here(&window, "/login after a wrong password", &axe).await);
    let window = chromium.sign_in(&app, "/").await;
    let mut paths: Vec<&str> = empty::PAGES.iter().map(|(path, _)| *path).collect();
    paths.dedup();
    for path in paths {
        found.extend(faults(&window, &app, path, &axe).await);
    }
    // The browser notes both answers, and need not: they are what was asked for.
    for path in ["/agents/nobody", "/runs?from=yesterday"] {
        window.go(&app, path).await;
        found.extend(faults_here(&window, path, &axe).await);
    }
    window.go(&app, "/settings").await;
    window.write("form[action='/settings/tokens'] input[name='agent']", "coder").await;
    window.follow("form[action='/settings/tokens'] button").await;
    found.extend(faults_here(&window, "a token that was made", &axe).await);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// The pictures of the operators' guide: `DISPATCH_TEST_PICTURES=docs/images` has them taken anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pictures_are_taken_where_they_are_asked_for() {
    let app = crate::world::friendly(TestDb::sqlite().await).await;
    let chromium = Chromium::start().await;
    let window = chromium.sign_in(&app, "/").await;
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
            let file = if is_shown { format!("{name}.png") } else { format!("{name}-{width}-{theme}.png") };
            let file = folder.join(file);
            std::fs::write(&file, window.picture().await).expect("a file");
            assert!(std::fs::metadata(&file).expect("the picture").len() > 5_000, "{name} is empty");
        }
    }
}

/// Each picture of the guide is there, and each that is taken is shown.
#[test]
fn the_guide_shows_the_pictures_that_are_taken() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs");
    let guide = std::fs::read_to_string(folder.join("operating.md")).expect("the guide");
    let mut shown: Vec<&str> =
        guide.split("](images/").skip(1).filter_map(|rest| rest.split(".png)").next()).collect();
    let mut taken = crate::world::PICTURES.map(|(name, _)| name);
    shown.sort_unstable();
    taken.sort_unstable();
    assert_eq!(shown, taken);
    for name in taken {
        assert!(
            folder.join(format!("images/{name}.png")).is_file(),
            "DISPATCH_TEST_PICTURES=docs/images takes {name}"
        );
    }
}
