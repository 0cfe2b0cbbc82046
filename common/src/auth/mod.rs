//! Who a client is: passwords, the native user file, and the identity that a session takes on.

mod secret;

pub use secret::Secret;

/// The system's view of a user: what a session becomes after login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
    /// All groups, as the system lists them.
    pub groups: Vec<u32>,
    pub home: std::path::PathBuf,
}
