//! Programs that are run when something happens: F1 to F13 are the failures of hooks elsewhere that must not be here.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

mod accept;
mod checks;
mod commands;
mod data;
mod deaths;
mod details;
mod directives;
mod elsewhere;
mod events;
mod firewall;
mod kills;
mod names;
mod patience;
mod programs;
mod reloads;
mod scripts;
mod spool;
mod uploads;
mod web;
mod webhooks;
