//! TLS on control and data connections, by rustls.

mod buffer;
mod fault;
mod stream;
#[cfg(test)]
pub(crate) mod testing;

pub use fault::Fault;
pub use stream::{Follows, Halt, Stream};

/// How a session speaks TLS.
pub use rustls::ServerConfig;
