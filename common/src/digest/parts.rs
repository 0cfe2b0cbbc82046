//! BLAKE3 of octets that are hashed in parts: at once, and in any order. Pure: no I/O.

use blake3::hazmat::{
    ChainingValue, HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root,
};

use super::Digest;

/// The length of each part in octets, except the last one, which has at least one octet. A power of two, as the tree of
/// chunks demands (BLAKE3 §2.1).
pub const PART: u64 = 1 << 20;

/// A part under way.
pub struct PartHasher(Box<blake3::Hasher>);

/// What a part came to.
pub struct PartValue(ChainingValue);

impl PartHasher {
    /// Begins the part with this number, counted from 0.
    pub fn new(number: u64) -> PartHasher {
        let mut hasher = Box::<blake3::Hasher>::default();
        hasher.set_input_offset(number * PART);
        PartHasher(hasher)
    }

    /// Takes in the next octets of the part; there must be some, and not more than [`PART`] in all.
    pub fn update(&mut self, octets: &[u8]) {
        self.0.update(octets);
    }

    pub fn finish(&self) -> PartValue {
        PartValue(self.0.finalize_non_root())
    }
}

/// Joins what the parts came to.
#[derive(Default)]
pub struct Joined {
    /// The subtrees that are whole and still without a sibling, from left to right, each smaller than the one before.
    open: Vec<ChainingValue>,
    parts: u64,
}

impl Joined {
    /// Adds the next part, in the order of their numbers.
    pub fn push(&mut self, part: &PartValue) {
        // Joined only now: what is joined last is the root, and hashed differently.
        while self.open.len() > self.parts.count_ones() as usize {
            self.join();
        }
        self.open.push(part.0);
        self.parts += 1;
    }

    fn join(&mut self) {
        if let (Some(right), Some(left)) = (self.open.pop(), self.open.pop()) {
            self.open
                .push(merge_subtrees_non_root(&left, &right, Mode::Hash));
        }
    }

    /// The digest of all parts; `None` of fewer than two, whose digest is that of [`Hasher`](super::Hasher).
    pub fn finish(mut self) -> Option<Digest> {
        while self.open.len() > 2 {
            self.join();
        }
        let right = self.open.pop()?;
        let left = self.open.pop()?;
        let root = merge_subtrees_root(&left, &right, Mode::Hash);
        Some(Digest(root.as_bytes().to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Algorithm;

    #[test]
    fn parts_come_to_the_digest_of_the_whole() {
        let part = usize::try_from(PART).unwrap();
        for parts in 2..=9 {
            for last in [1, 1024, 5000, part] {
                let length = (parts - 1) * part + last;
                let octets: Vec<u8> = (0..251).cycle().take(length).collect();
                let mut joined = Joined::default();
                for (number, octets) in (0..).zip(octets.chunks(part)) {
                    let mut hasher = PartHasher::new(number);
                    octets
                        .chunks(part / 4)
                        .for_each(|piece| hasher.update(piece));
                    joined.push(&hasher.finish());
                }
                assert_eq!(
                    joined.finish(),
                    Some(Algorithm::Blake3.digest(&octets)),
                    "{parts} parts, {last}"
                );
            }
        }
    }

    #[test]
    fn one_part_is_no_tree() {
        assert_eq!(Joined::default().finish(), None);
        let mut hasher = PartHasher::new(0);
        hasher.update(b"x");
        let mut joined = Joined::default();
        joined.push(&hasher.finish());
        assert_eq!(joined.finish(), None);
    }
}
