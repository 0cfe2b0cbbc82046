//! A gateway's conversation: FTP with the client on one side and with a server on the other. Commands are known by the
//! table, replies are read strictly and written anew, and each side has data connections of its own. It opens no socket:
//! it asks the dialer for them.

mod course;
mod data;
mod end;
mod exchange;
mod features;
mod hooked;
mod login;
mod pooled;
mod report;
mod security;
pub(crate) mod server;
mod session;
mod transfer;
mod upstream;

pub use hooked::HookTerms;
pub use security::{Agreement, Terms};
pub use session::{Setup, serve, take_over};
