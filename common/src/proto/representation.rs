//! How octets on the wire relate to octets in files: what TYPE chooses (RFC 959 §3.1). Pure: no I/O.

/// The representation type (RFC 959 §3.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// NVT-ASCII, non-print: lines end in CR LF on the wire, in LF in the file.
    Ascii,
    /// As it is.
    Image,
}

/// What a session has chosen for all its transfers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Representation {
    pub kind: Type,
}

impl Default for Representation {
    /// RFC 959 §5.1
    fn default() -> Self {
        Representation { kind: Type::Ascii }
    }
}
