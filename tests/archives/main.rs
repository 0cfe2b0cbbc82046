//! STRU T: archives that are made and taken apart while they move. GNU tar and bsdtar are the other side.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

mod corpus;
mod differential;
mod hostile;
mod pack;
mod programs;
mod unpack;
