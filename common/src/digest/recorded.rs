//! The digests that MetaFTPd's user files have passwords in: some that files have too, and JH, which is for nothing else here.
//! Pure: no I/O.

use jh::{Jh224, Jh256, Jh384, Jh512};

use super::{Algorithm, Digest, Hasher};

/// Which digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    File(Algorithm),
    Jh(Jh),
}

/// JH, a finalist of the competition for SHA-3, by the length of its digest in bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jh {
    Jh224,
    Jh256,
    Jh384,
    Jh512,
}

impl Jh {
    pub const ALL: [Jh; 4] = [Jh::Jh224, Jh::Jh256, Jh::Jh384, Jh::Jh512];

    /// Finds one by its name in any case, with or without the dash.
    pub fn find(name: &str) -> Option<Jh> {
        let is = |jh: &Jh| {
            let dashed = jh.name();
            name.eq_ignore_ascii_case(dashed) || name.eq_ignore_ascii_case(&dashed.replace('-', ""))
        };
        Jh::ALL.into_iter().find(is)
    }

    /// The only spelling that MetaFTPd reads.
    pub fn name(self) -> &'static str {
        match self {
            Jh::Jh224 => "jh-224",
            Jh::Jh256 => "jh-256",
            Jh::Jh384 => "jh-384",
            Jh::Jh512 => "jh-512",
        }
    }
}

impl Recorded {
    pub fn name(self) -> &'static str {
        match self {
            Recorded::File(algorithm) => algorithm.name(),
            Recorded::Jh(jh) => jh.name(),
        }
    }

    /// The length of the digest in octets.
    pub fn length(self) -> usize {
        match self {
            Recorded::File(algorithm) => algorithm.length(),
            Recorded::Jh(Jh::Jh224) => 28,
            Recorded::Jh(Jh::Jh256) => 32,
            Recorded::Jh(Jh::Jh384) => 48,
            Recorded::Jh(Jh::Jh512) => 64,
        }
    }

    /// The digest of octets that are one behind the other.
    pub fn digest(self, parts: &[&[u8]]) -> Digest {
        match self {
            Recorded::File(algorithm) => {
                let mut hasher = Hasher::new(algorithm);
                parts.iter().for_each(|part| hasher.update(part));
                hasher.finish()
            }
            Recorded::Jh(Jh::Jh224) => of::<Jh224>(parts),
            Recorded::Jh(Jh::Jh256) => of::<Jh256>(parts),
            Recorded::Jh(Jh::Jh384) => of::<Jh384>(parts),
            Recorded::Jh(Jh::Jh512) => of::<Jh512>(parts),
        }
    }
}

fn of<D: jh::Digest>(parts: &[&[u8]]) -> Digest {
    let mut hasher = D::new();
    parts.iter().for_each(|part| hasher.update(part));
    Digest(hasher.finalize().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of nothing and of one octet from the known answers of JH's submission to NIST (ShortMsgKAT), of text from the tests of
    /// another implementation, in Java.
    #[test]
    fn known_answers_of_jh_come_out() {
        let letters = b"abcdefghijklmnopqrstuvwxyz";
        #[rustfmt::skip]
        let answers: [(Jh, &[u8], &str); 9] = [
            (Jh::Jh224, b"", "2c99df889b019309051c60fecc2bd285a774940e43175b76b2626630"),
            (Jh::Jh224, b"\xcc", "f79c791ac9b9d80ec934312d6b26748481198e3ca78ebb01b2c9ca51"),
            (Jh::Jh224, letters, "8f4a448b971e639f7a05ae52d9c3ae25b5dbb4f348963462b4d6f394"),
            (Jh::Jh256, b"", "46e64619c18bb0a92a5e87185a47eef83ca747b8fcc8e1412921357e326df434"),
            (Jh::Jh256, letters, "c392a84988b82fb5b745b7174e9f808b38a14dc00b34250775fa31dd58ab053d"),
            (Jh::Jh384, b"", "2fe5f71b1b3290d3c017fb3c1a4d02a5cbeb03a0476481e25082434a881994b0\
                              ff99e078d2c16b105ad069b569315328"),
            (Jh::Jh384, letters, "8aa48c3ee261534441d91ffd0b647638640ea5c7473dd6a823456e0d96cb0219\
                                  528492862f7b684d47fcfd5c59c6df65"),
            (Jh::Jh512, b"", "90ecf2f76f9d2c8017d979ad5ab96b87d58fc8fc4b83060f3f900774faa2c8fa\
                              be69c5f4ff1ec2b61d6b316941cedee117fb04b1f4c5bc1b919ae841c50eec4f"),
            (Jh::Jh512, letters, "8735238cc6ac144c2639f5024cfb8706bed077094d4c5f9bde87275cc1eb6897\
                                  2b1cb7e2a01e80f26fcf0242a540a0e9ff515ed3dc54de308c624c134e9ebe3d"),
        ];
        for (jh, octets, hex) in answers {
            let digest = Recorded::Jh(jh).digest(&[octets]);
            assert_eq!(digest.to_string(), hex, "{jh:?}");
            assert_eq!(digest.as_bytes().len(), Recorded::Jh(jh).length());
        }
    }

    #[test]
    fn both_spellings_in_any_case_are_jh_and_files_have_none() {
        for jh in Jh::ALL {
            assert_eq!(Jh::find(jh.name()), Some(jh));
            assert_eq!(
                Jh::find(&jh.name().replace('-', "").to_uppercase()),
                Some(jh)
            );
            assert_eq!(Algorithm::find(jh.name()), None);
        }
        assert_eq!(Jh::find("jh"), None);
        assert_eq!(Jh::find("j-h224"), None);
    }
}
