//! Who a client is: passwords, the native user file, and the identity that a session takes on.
//! Nothing here keeps global state: the process that asks becomes somebody else soon after.

mod crypt;
mod identity;
pub mod native;
mod secret;

pub use crypt::{CryptError, Crypted};
pub use identity::{Identity, IdentityError, group_id};
pub use secret::Secret;
