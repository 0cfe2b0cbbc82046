//! Who a client is: passwords, the native user file, and the identity that a session takes on.

mod secret;

pub use secret::Secret;
