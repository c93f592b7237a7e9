//! The pages besides the board: what operators see of agents, runs, repositories and settings, and do there; over plain
//! HTTP, as a browser without a script does it, and looked at in a real one.

#[path = "../board/browser.rs"]
mod browser;
#[path = "../board/chromium.rs"]
mod chromium;
#[path = "../board/devtools.rs"]
mod devtools;
#[path = "../support/mod.rs"]
mod support;

mod empty;
mod files;
mod fleet;
mod forgery;
mod hostile;
mod issue;
mod lists;
mod looks;
mod open;
mod outbox;
mod overview;
mod pr_fix;
mod repositories;
mod settings;
mod world;

const API: &str = "acme/api";

impl browser::Browser {
    /// Goes where it is led.
    async fn follow(&self, page: &browser::Page) -> browser::Page {
        self.get(page.location()).await
    }
}
