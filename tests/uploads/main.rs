//! Uploads from outside: what is kept, what is refused, and that nothing acknowledged is ever lost.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

mod deaths;
mod full;
mod limits;
mod locks;
mod power;
mod resume;
