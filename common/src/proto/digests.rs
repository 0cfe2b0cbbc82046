//! How FEAT tells which digests HASH has (draft-bryan-ftpext-hash §4). Pure: no I/O.

use crate::digest::Algorithm;

/// The FEAT line of HASH before a client chooses.
pub const FEAT: &str = "HASH CRC32;MD5;SHA-1;SHA-256*;SHA-512;WHIRLPOOL;BLAKE3;";

/// The digest of HASH before a client chooses.
pub const DEFAULT: Algorithm = Algorithm::Sha256;

/// The FEAT line with a star at the one that is chosen.
pub fn feature(chosen: Algorithm) -> String {
    let names = Algorithm::ALL.map(|algorithm| {
        let star = if algorithm == chosen { "*" } else { "" };
        format!("{}{star};", algorithm.label())
    });
    format!("HASH {}", names.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_feature_is_what_the_table_says_at_first() {
        assert_eq!(feature(DEFAULT), FEAT);
    }
}
