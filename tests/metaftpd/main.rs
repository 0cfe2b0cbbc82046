//! What somebody brings along who has run MetaFTPd: its flags, keys, configuration and user file.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

mod behaviour;
mod permitted;
mod sample;
mod surface;
