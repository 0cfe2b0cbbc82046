//! Octets that come in at one end and go out at the other. Pure: no I/O.

use zeroize::Zeroize;

/// A queue of octets in one piece, which grows to what it is asked for and stays at that.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    octets: Vec<u8>,
    start: usize,
    end: usize,
}

impl Buffer {
    pub(super) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    pub(super) fn len(&self) -> usize {
        self.end - self.start
    }

    pub(super) fn queued(&self) -> &[u8] {
        &self.octets[self.start..self.end]
    }

    pub(super) fn queued_mut(&mut self) -> &mut [u8] {
        &mut self.octets[self.start..self.end]
    }

    /// Takes octets off the front.
    pub(super) fn discard(&mut self, count: usize) {
        self.start += count.min(self.len());
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Moves octets from the front to `out`, as many as there is room for, and wipes them here.
    pub(super) fn take(&mut self, out: &mut [u8]) -> usize {
        let count = self.len().min(out.len());
        let taken = &mut self.octets[self.start..self.start + count];
        out[..count].copy_from_slice(taken);
        taken.zeroize();
        self.discard(count);
        count
    }

    /// Drops what is queued, and wipes it.
    pub(super) fn wipe(&mut self) {
        self.queued_mut().zeroize();
        self.discard(self.len());
    }

    pub(super) fn put(&mut self, octets: &[u8]) {
        self.room(octets.len())[..octets.len()].copy_from_slice(octets);
        self.filled(octets.len());
    }

    /// The room behind what is queued: at least so much, or more where there is more.
    pub(super) fn room(&mut self, least: usize) -> &mut [u8] {
        if self.octets.len() - self.end < least && self.start > 0 {
            self.octets.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.len());
        }
        if self.octets.len() - self.end < least {
            self.octets.resize(self.end + least, 0);
        }
        &mut self.octets[self.end..]
    }

    /// So many octets of the room have been filled.
    pub(super) fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.octets.len());
    }

    /// How many octets it can hold as it is.
    pub(super) fn capacity(&self) -> usize {
        self.octets.len()
    }

    /// Gives the memory back if nothing is queued.
    pub(super) fn shrink(&mut self) {
        if self.is_empty() {
            *self = Buffer::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_come_out_in_the_order_they_went_in() {
        let mut buffer = Buffer::default();
        buffer.put(b"abc");
        buffer.put(b"defg");
        let mut out = [0; 5];
        assert_eq!(buffer.take(&mut out), 5);
        assert_eq!(&out, b"abcde");
        buffer.put(b"hijkl");
        assert_eq!((buffer.queued(), buffer.len()), (&b"fghijkl"[..], 7));
        // What was taken has made the room that was needed.
        assert_eq!(buffer.capacity(), 7);
        buffer.discard(100);
        assert!(buffer.is_empty());
        buffer.shrink();
        assert_eq!(buffer.capacity(), 0);
    }

    #[test]
    fn what_was_taken_is_wiped() {
        let mut buffer = Buffer::default();
        buffer.put(b"secret");
        buffer.take(&mut [0; 4]);
        assert_eq!(buffer.octets, b"\0\0\0\0et");
    }
}
