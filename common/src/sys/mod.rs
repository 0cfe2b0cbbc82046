//! To be filled.

pub mod directory;
