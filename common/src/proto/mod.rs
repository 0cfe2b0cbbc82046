//! The File Transfer Protocol without I/O: octets to commands, replies to octets.

pub mod answer;
pub mod args;
pub mod destination;
pub mod digests;
pub mod facts;
pub mod hostport;
pub mod line;
pub mod listing;
pub mod proxied;
pub mod reply;
pub mod representation;
pub mod request;
pub mod verbs;
