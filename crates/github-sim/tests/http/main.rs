//! The simulator as a client sees it, over real HTTP.

mod apps;
mod conditional;
mod control;
mod doctor;
mod exchanges;
mod faults;
mod gone;
mod hooks;
mod issues;
mod labels;
mod limits;
mod pages;
mod pulls;
mod receiver;
mod support;
mod talk;
mod webhook_api;
mod webhooks;
