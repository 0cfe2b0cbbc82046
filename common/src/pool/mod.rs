//! What becomes of the servers of a pool while a gateway runs: a watcher writes down how they are, the listener which of them
//! it takes out of service, and those who lead users read both. Speaks with no client.

mod check;
mod login;
mod standing;
mod watcher;

pub use login::Login;
pub use standing::{Health, Standing, State, Tables};
pub use watcher::Recipe;
