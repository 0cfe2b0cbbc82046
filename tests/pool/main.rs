//! `ftpproxy` in front of a pool of servers, from outside: who is led where, and what becomes of that when servers come and go.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

mod check;
mod header;
mod health;
mod members;
mod operator;
mod routing;
