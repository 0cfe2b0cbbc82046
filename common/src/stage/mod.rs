//! Transformers of data on its way: octets in, octets out. They own no descriptor and never wait. Pure: no I/O.

pub mod ascii;
mod chain;
pub mod charset;
pub mod deflate;
mod plan;
mod tap;
pub mod tar;

pub use self::chain::Chain;
pub use self::plan::{Cargo, NotOffered, Options, Plan};
pub use self::tap::{Confirm, Confirmation};

/// What is wrong with the octets that a client sent: the transfer fails, nothing else does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// They are not what the transfer mode says.
    Corrupt,
    /// They end too early.
    Truncated,
    /// There are more behind their end.
    Trailing,
    /// They become far more than was sent.
    Swollen,
}

/// One step between file and network.
pub trait Stage {
    /// Transforms a piece, which is not longer than the [`appetite`](Self::appetite); the result is appended to `out`.
    ///
    /// # Errors
    /// The octets cannot be transformed; the stage is of no use any more.
    fn push(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), Fault>;

    /// Says that there is no more input.
    ///
    /// # Errors
    /// More should have come.
    fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Fault>;

    /// The most octets that it takes at once, so that what comes out is bounded.
    fn appetite(&self) -> usize {
        usize::MAX
    }
}
