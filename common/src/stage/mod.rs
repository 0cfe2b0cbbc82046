//! Transformers of data on its way: octets in, octets out. They own no descriptor and never wait. Pure: no I/O.

pub mod ascii;
pub mod charset;

/// One step between file and network.
pub trait Stage {
    /// Transforms a piece; the result is appended to `out`.
    fn push(&mut self, input: &[u8], out: &mut Vec<u8>);
    /// Says that there is no more input.
    fn finish(&mut self, out: &mut Vec<u8>);
}
