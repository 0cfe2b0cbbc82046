//! The arguments of AUTH, PBSZ and PROT (RFC 2228 §3, RFC 4217). Pure: no I/O.

use super::{ArgError, text};

/// How data connections are protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataLevel {
    /// `C`: not at all.
    Clear,
    /// `P`: by TLS.
    Private,
}

/// AUTH's mechanism, as the level of data connections that it implies. `SSL` and `TLS-P` come from drafts of RFC 4217, in which
/// they protected the data too.
pub(in crate::proto) fn mechanism(argument: &[u8]) -> Result<DataLevel, ArgError> {
    match text(argument)?.trim().to_ascii_uppercase().as_str() {
        "TLS" | "TLS-C" => Ok(DataLevel::Clear),
        "SSL" | "TLS-P" => Ok(DataLevel::Private),
        _ => Err(ArgError::NotOffered),
    }
}

/// The largest piece of protected data, of which TLS takes care itself (RFC 4217 §9).
pub(in crate::proto) fn buffer_size(argument: &[u8]) -> Result<u32, ArgError> {
    let text = text(argument)?;
    let is_number = text.bytes().all(|octet| octet.is_ascii_digit());
    match text.parse() {
        Ok(size) if is_number => Ok(size),
        _ => Err(ArgError::Syntax),
    }
}

/// The level of protection of data; `None` for those that TLS does not have (RFC 4217 §9).
pub(in crate::proto) fn level(argument: &[u8]) -> Result<Option<DataLevel>, ArgError> {
    match text(argument)?.trim().to_ascii_uppercase().as_str() {
        "C" => Ok(Some(DataLevel::Clear)),
        "P" => Ok(Some(DataLevel::Private)),
        "S" | "E" => Ok(None),
        _ => Err(ArgError::NotOffered),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mechanisms_imply_a_level_of_data() {
        for (argument, level) in [
            (&b"TLS"[..], DataLevel::Clear),
            (b"tls-c", DataLevel::Clear),
            (b"SSL", DataLevel::Private),
            (b"Tls-P ", DataLevel::Private),
        ] {
            assert_eq!(mechanism(argument), Ok(level));
        }
        assert_eq!(mechanism(b"GSSAPI"), Err(ArgError::NotOffered));
        assert_eq!(mechanism(b""), Err(ArgError::Missing));
    }

    #[test]
    fn sizes_are_numbers_of_32_bits() {
        assert_eq!(buffer_size(b"0"), Ok(0));
        assert_eq!(buffer_size(b"4294967295"), Ok(u32::MAX));
        for wrong in ["4294967296", "-1", "+1", "x", "1 2"] {
            assert_eq!(buffer_size(wrong.as_bytes()), Err(ArgError::Syntax));
        }
    }

    #[test]
    fn levels_of_other_mechanisms_are_known() {
        assert_eq!(level(b"p"), Ok(Some(DataLevel::Private)));
        assert_eq!(level(b"C"), Ok(Some(DataLevel::Clear)));
        assert_eq!((level(b"S"), level(b"E")), (Ok(None), Ok(None)));
        assert_eq!(level(b"X"), Err(ArgError::NotOffered));
    }
}
