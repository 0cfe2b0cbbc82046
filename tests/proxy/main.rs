//! `ftpproxy` from outside, between our clients and servers.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

mod command_line;
mod hooks;
mod hostile_client;
mod hostile_server;
mod inside_ftpd;
mod life;
mod logs;
mod ports;
mod sandbox;
#[allow(dead_code, reason = "some of it is for the tests of hooks alone")]
#[path = "../hooks/scripts.rs"]
mod scripts;
mod session;
mod tls;
mod trees;
mod upstream;
mod user_rules;
