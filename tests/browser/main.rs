//! An operator at a real Chromium, over the real program and the simulated GitHub.

#[path = "../board/browser.rs"]
mod browser;
#[path = "../board/chromium.rs"]
mod chromium;
#[path = "../board/devtools.rs"]
mod devtools;
#[path = "../support/mod.rs"]
mod support;

mod board;
mod first_sync;
mod restart;
mod scriptless;
mod strangers;
mod tabs;
mod tokens;
mod world;

const API: &str = "acme/api";
