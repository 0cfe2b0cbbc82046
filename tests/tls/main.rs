//! TLS from outside: what is refused and what works, by the rows in our table of attacks and with real clients.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

mod certified;
mod clear;
mod client;
mod clients;
mod data;
mod gnutls;
mod handshake;
mod login;
mod pieces;
mod pki;
mod programs;
mod renewal;
mod revocation;
mod server;
mod tickets;
mod ways;
