//! Limits across sessions: what the listener holds clients to. Pure: no I/O.

use std::time::Duration;

use super::networks::Networks;

/// How many may connect, and what becomes of who fails too often. A count of zero is no limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Connections in all.
    pub clients: u32,
    /// Connections from one IPv4 address, or one /64 of IPv6.
    pub per_address: u32,
    /// Connections that are not logged in.
    pub unauthenticated: u32,
    /// Passwords that are checked at a time; zero is one for each processor core.
    pub password_checks: u32,
    /// Clients for whom all these are not meant.
    pub exempt: Option<Networks>,
    /// Front ends: a header says for whom each of their connections counts.
    pub front_ends: Option<Networks>,
    /// What an address owes for a wrong password.
    pub penalty: Duration,
    /// From which sum on it is refused.
    pub ban: Duration,
    pub longest_ban: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            clients: 2000,
            per_address: 50,
            unauthenticated: 100,
            password_checks: 0,
            exempt: None,
            front_ends: None,
            penalty: Duration::from_secs(10),
            ban: Duration::from_secs(60),
            longest_ban: Duration::from_secs(600),
        }
    }
}
