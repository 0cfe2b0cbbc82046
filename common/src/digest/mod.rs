//! Digests of octets behind one enum: for files (`HASH`, `XMD5`, `ftphash`) and for old password records. Pure: no I/O.

pub mod parts;
mod recorded;

use std::fmt;

use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA512};
use fast_md5::Md5;
use whirlpool::{Digest as _, Whirlpool};

pub use recorded::{Jh, Recorded};

/// Which digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// CRC-32 of ISO 3309: finds accidents, not attacks.
    Crc32,
    Md5,
    Sha1,
    Sha256,
    Sha512,
    Whirlpool,
    Blake3,
}

/// Each algorithm with its length in octets and all its spellings, ours first.
#[rustfmt::skip]
const NAMES: [(Algorithm, usize, &[&str]); 7] = [
    (Algorithm::Crc32,      4, &["crc32", "crc-32"]),
    (Algorithm::Md5,       16, &["md5", "md-5"]),
    (Algorithm::Sha1,      20, &["sha-1", "sha1", "sha"]),
    (Algorithm::Sha256,    32, &["sha-256", "sha256"]),
    (Algorithm::Sha512,    64, &["sha-512", "sha512"]),
    (Algorithm::Whirlpool, 64, &["whirlpool", "whirl"]),
    (Algorithm::Blake3,    32, &["blake3", "blake-3", "b3"]),
];

impl Algorithm {
    pub const ALL: [Algorithm; 7] = [
        Algorithm::Crc32,
        Algorithm::Md5,
        Algorithm::Sha1,
        Algorithm::Sha256,
        Algorithm::Sha512,
        Algorithm::Whirlpool,
        Algorithm::Blake3,
    ];

    /// Finds an algorithm by any of its spellings, in any case.
    pub fn find(name: &str) -> Option<Algorithm> {
        NAMES
            .iter()
            .find(|(_, _, names)| names.iter().any(|n| n.eq_ignore_ascii_case(name)))
            .map(|&(algorithm, ..)| algorithm)
    }

    /// The spelling that we write: lower case, and one that MetaFTPd reads too.
    pub fn name(self) -> &'static str {
        self.row().2[0]
    }

    /// The spelling of the protocol's replies: upper case, as the registry of textual names for hash functions has it.
    pub fn label(self) -> String {
        self.name().to_ascii_uppercase()
    }

    /// The length of the digest in octets.
    pub fn length(self) -> usize {
        self.row().1
    }

    fn row(self) -> &'static (Algorithm, usize, &'static [&'static str]) {
        &NAMES[self as usize]
    }

    /// The digest of octets that are all there already.
    pub fn digest(self, octets: &[u8]) -> Digest {
        let mut hasher = Hasher::new(self);
        hasher.update(octets);
        hasher.finish()
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whoever takes a digest of octets that come piece by piece.
pub trait Take {
    /// Takes in the next octets.
    fn update(&mut self, octets: &[u8]);
    fn finish(self: Box<Self>) -> Digest;
}

/// A digest under way.
pub struct Hasher(State);

enum State {
    Crc32(crc32fast::Hasher),
    Md5(Md5),
    /// SHA of either family: twice as fast as in Rust alone where the processor has no instructions for it.
    Sha(Context),
    Whirlpool(Whirlpool),
    Blake3(Box<blake3::Hasher>),
}

impl Hasher {
    pub fn new(algorithm: Algorithm) -> Hasher {
        Hasher(match algorithm {
            Algorithm::Crc32 => State::Crc32(crc32fast::Hasher::new()),
            Algorithm::Md5 => State::Md5(Md5::new()),
            Algorithm::Sha1 => State::Sha(Context::new(&SHA1_FOR_LEGACY_USE_ONLY)),
            Algorithm::Sha256 => State::Sha(Context::new(&SHA256)),
            Algorithm::Sha512 => State::Sha(Context::new(&SHA512)),
            Algorithm::Whirlpool => State::Whirlpool(Whirlpool::new()),
            Algorithm::Blake3 => State::Blake3(Box::default()),
        })
    }

    /// Takes in the next octets.
    pub fn update(&mut self, octets: &[u8]) {
        match &mut self.0 {
            State::Crc32(state) => state.update(octets),
            State::Md5(state) => state.update(octets),
            State::Sha(state) => state.update(octets),
            State::Whirlpool(state) => state.update(octets),
            State::Blake3(state) => {
                state.update(octets);
            }
        }
    }

    pub fn finish(self) -> Digest {
        Digest(match self.0 {
            State::Crc32(state) => state.finalize().to_be_bytes().to_vec(),
            State::Md5(state) => state.finalize().to_vec(),
            State::Sha(state) => state.finish().as_ref().to_vec(),
            State::Whirlpool(state) => state.finalize().to_vec(),
            State::Blake3(state) => state.finalize().as_bytes().to_vec(),
        })
    }
}

impl Take for Hasher {
    fn update(&mut self, octets: &[u8]) {
        Hasher::update(self, octets);
    }

    fn finish(self: Box<Self>) -> Digest {
        Hasher::finish(*self)
    }
}

/// The octets of a digest. Shown as lower-case hex.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest(Vec<u8>);

impl Digest {
    /// Reads hex in either case; `None` where it is anything else.
    pub fn from_hex(hex: &[u8]) -> Option<Digest> {
        let (pairs, []) = hex.as_chunks::<2>() else {
            return None;
        };
        pairs
            .iter()
            .map(|&[high, low]| Some(nibble(high)? << 4 | nibble(low)?))
            .collect::<Option<Vec<u8>>>()
            .map(Digest)
    }

    /// Takes octets for a digest of this algorithm; `None` where there are not as many as it has.
    pub fn of(algorithm: Algorithm, octets: &[u8]) -> Option<Digest> {
        (octets.len() == algorithm.length()).then(|| Digest(octets.to_vec()))
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

/// Octets as lower-case hex.
pub fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_algorithm_has_its_own_row() {
        for algorithm in Algorithm::ALL {
            assert_eq!(algorithm.row().0, algorithm);
            assert_eq!(algorithm.digest(b"").as_bytes().len(), algorithm.length());
        }
    }

    #[test]
    fn the_spellings_of_metaftpd_are_known() {
        #[rustfmt::skip]
        let spellings = [
            ("md5", Algorithm::Md5), ("MD5", Algorithm::Md5), ("sha1", Algorithm::Sha1), ("SHA-1", Algorithm::Sha1),
            ("sha256", Algorithm::Sha256), ("sha-256", Algorithm::Sha256), ("sha512", Algorithm::Sha512),
            ("SHA-512", Algorithm::Sha512), ("whirl", Algorithm::Whirlpool), ("WHIRLPOOL", Algorithm::Whirlpool),
            ("BLAKE3", Algorithm::Blake3),
        ];
        for (name, algorithm) in spellings {
            assert_eq!(Algorithm::find(name), Some(algorithm), "{name}");
        }
        assert_eq!(Algorithm::find(""), None);
    }

    /// The test vectors of RFC 1321, FIPS 180, ISO/IEC 10118-3, the CRC catalogue and BLAKE3's paper.
    #[test]
    fn known_answers_come_out() {
        #[rustfmt::skip]
        let answers: [(Algorithm, &[u8], &str); 7] = [
            (Algorithm::Crc32, b"123456789", "cbf43926"),
            (Algorithm::Md5, b"abc", "900150983cd24fb0d6963f7d28e17f72"),
            (Algorithm::Sha1, b"abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (Algorithm::Sha256, b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (Algorithm::Sha512, b"abc", "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                                         2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"),
            (Algorithm::Whirlpool, b"abc", "4e2448a4c6f486bb16b6562c73b4020bf3043e3a731bce721ae1b303d97e6d4c\
                                            7181eebdb6c57e277d0e34957114cbd6c797fc9d95d8b582d225292076d4eef5"),
            (Algorithm::Blake3, b"abc", "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"),
        ];
        for (algorithm, octets, hex) in answers {
            assert_eq!(algorithm.digest(octets).to_string(), hex, "{algorithm}");
        }
    }

    /// Two implementations that share nothing come to the same, whatever the length is to the size of their blocks.
    #[test]
    fn md5_and_sha_are_what_other_implementations_say() {
        let octets: Vec<u8> = (0u32..1000).map(|n| (n * 7 % 251) as u8).collect();
        for end in (0..300).chain([511, 512, 513, 1000]) {
            let octets = &octets[..end];
            let ours = [
                Algorithm::Md5,
                Algorithm::Sha1,
                Algorithm::Sha256,
                Algorithm::Sha512,
            ]
            .map(|algorithm| algorithm.digest(octets).0);
            let theirs = [
                md5::Md5::digest(octets).to_vec(),
                sha1::Sha1::digest(octets).to_vec(),
                sha2::Sha256::digest(octets).to_vec(),
                sha2::Sha512::digest(octets).to_vec(),
            ];
            assert_eq!(ours, theirs, "{end} octets");
        }
    }

    #[test]
    fn only_hex_is_read_as_hex() {
        assert_eq!(Digest::from_hex(b"00fF"), Some(Digest(vec![0, 255])));
        assert_eq!(Digest::from_hex(b"0"), None);
        assert_eq!(Digest::from_hex(b"0g"), None);
        assert_eq!(Digest::from_hex(b"+1"), None);
    }

    proptest! {
        #[test]
        fn pieces_hash_as_the_whole(octets in proptest::collection::vec(any::<u8>(), 0..600), cut in 0usize..600) {
            let (head, tail) = octets.split_at(cut.min(octets.len()));
            for algorithm in Algorithm::ALL {
                let mut hasher = Hasher::new(algorithm);
                hasher.update(head);
                hasher.update(tail);
                let digest = hasher.finish();
                prop_assert_eq!(&digest, &algorithm.digest(&octets));
                prop_assert_eq!(Digest::from_hex(digest.to_string().as_bytes()), Some(digest));
            }
        }
    }
}
