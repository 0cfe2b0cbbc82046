//! `ftpproxy` from outside, between our clients and servers.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

mod command_line;
mod hostile_client;
mod hostile_server;
mod inside_ftpd;
mod life;
mod logs;
mod sandbox;
mod session;
mod tls;
mod trees;
mod upstream;
mod user_rules;
