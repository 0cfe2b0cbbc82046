//! Transfers with STRU T: archives that are made and taken apart while they move. Each entry is a request to keeper, so an
//! archive gains nothing that single commands would not.

mod entry;
mod names;
mod pack;
mod tally;
mod unpack;

pub(crate) use pack::retr;
pub(crate) use unpack::stor;
