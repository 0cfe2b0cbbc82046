//! Data connections through firewalls, address translation and tunnels: real kernels' rules, in network namespaces. The
//! numbers of the scenarios are those of the table in doc/networks.md.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

mod active;
mod advertised;
mod attempt;
mod families;
mod filters;
mod relay;
#[allow(dead_code, reason = "some of it is for the tests of hooks alone")]
#[path = "../hooks/scripts.rs"]
mod scripts;
mod strangers;
mod timeouts;
mod tproxy;
mod transparent;
mod tunnels;
