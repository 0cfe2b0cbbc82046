//! The handlers, by topic. Each returns its reply; only opening a data connection sends one of its own.

pub(super) mod access;
pub(super) mod change;
pub(super) mod digest;
pub(super) mod inspect;
pub(super) mod listing;
pub(super) mod modify;
pub(super) mod navigate;
pub(super) mod options;
pub(super) mod password;
pub(super) mod security;
pub(super) mod site;
pub(super) mod transfer;
pub(super) mod tree;
pub(super) mod who;
