//! `ftpproxy` from outside, between our clients and servers.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

mod command_line;
mod session;
