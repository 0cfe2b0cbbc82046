//! What the four tools share. `ARCHITECTURE.md` has the map; the order below is the direction of use:
//! mechanism uses pure code, and only `sys` is allowed to be unsafe.

// Pure: bytes in, values out. No I/O, no clock, no environment.
pub mod charset;
pub mod digest;
pub mod hooks;
pub mod journal;
pub mod part;
pub mod path;
pub mod pattern;
pub mod policy;
pub mod proto;
pub mod rate;
pub mod settings;
pub mod stage;
pub mod wire;

// Mechanism: descriptors, files, processes.
pub mod activity;
pub mod auth;
pub mod channel;
pub mod cli;
pub mod clock;
pub mod control;
pub mod dialer;
pub mod entrances;
pub mod fault;
pub mod gateway;
pub mod hashing;
pub mod hookd;
pub mod jail;
pub mod listener;
pub mod log;
pub mod lookup;
pub mod memory;
pub mod net;
pub mod pid_file;
pub mod pool;
pub mod proxied;
pub mod proxy;
pub mod pump;
pub mod sandbox;
pub mod sinks;
pub mod spool;
pub mod startup;
pub mod tls;
pub mod turns;

pub mod sys;
