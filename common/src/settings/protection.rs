//! What TLS is demanded of a session. Pure: no I/O.

/// What an end of data without close_notify is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseNotify {
    /// A broken transfer: somebody may have cut it.
    Strict,
    /// An end.
    Lax,
}
