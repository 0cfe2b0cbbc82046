//! What every end-to-end test needs. Looks at the programs from outside: it shares no code with them.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_possible_wrap,
    reason = "this is test code: whatever fails shall end the test"
)]

pub mod binaries;
pub mod client;
pub mod environment;
mod faults;
pub mod fed;
pub mod gateway;
pub mod input;
pub mod lab;
pub mod log;
pub mod mounts;
pub mod namespaces;
pub mod passed;
pub mod peer;
pub mod processes;
pub mod real;
pub mod reply;
pub mod require;
pub mod scratch;
pub mod server;
pub mod strace;
pub mod tape;
pub mod terminal;
pub mod transcript;
pub mod tree;
pub mod trust;
pub mod twins;
pub mod user;
pub mod wait;

pub use client::{Client, Data, DataConnection};
pub use gateway::{Gateway, GatewaySetup};
pub use reply::Reply;
pub use scratch::Scratch;
pub use server::{Login, Server, Setup};
pub use user::{Account, SystemUser};
