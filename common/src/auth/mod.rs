//! Who a client is: passwords, the methods that check them, and the identity that a session takes on.
//! Nothing here keeps global state: the process that asks becomes somebody else soon after.
// SECURITY: on the way from root to the user nothing that fails is passed over without a reason.
#![deny(clippy::let_underscore_must_use)]

mod apache;
pub mod certificate;
pub mod chain;
mod crypt;
mod identity;
pub mod native;
pub mod pam;
mod secret;
pub mod system;

pub use crypt::{CryptError, Crypted};
pub use identity::{Identity, IdentityError, Wanted, group_id, session_group};
pub use secret::Secret;
