//! TLS from outside: what is refused and what works, by the rows in our table of attacks and with real clients.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

mod client;
mod data;
mod handshake;
mod login;
mod programs;
mod renewal;
mod server;
mod ways;
