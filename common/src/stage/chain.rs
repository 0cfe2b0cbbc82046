//! Stages one behind the other, which are a stage again. Pure: no I/O.

use super::tap::Tap;
use super::{Confirm, Confirmation, Fault, Stage};

/// The stages of a transfer, in the order in which the octets come through. Without any, what goes in comes out.
#[derive(Default)]
pub struct Chain {
    links: Vec<Link>,
}

enum Link {
    Change {
        stage: Box<dyn Stage>,
        /// What it has made for the next one.
        made: Vec<u8>,
    },
    /// Only looks at what comes by.
    Look(Tap),
}

impl Chain {
    /// Puts a stage behind the others.
    #[must_use]
    pub fn then(mut self, stage: impl Stage + 'static) -> Chain {
        self.links.push(Link::Change {
            stage: Box::new(stage),
            made: Vec::new(),
        });
        self
    }

    /// Has a digest taken of what comes out of the stages so far.
    #[must_use]
    pub fn tapped(mut self, confirm: Confirm) -> Chain {
        self.links.push(Link::Look(Tap::new(confirm)));
        self
    }

    pub fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    /// Whether what comes out may be something else than what goes in.
    pub fn changes(&self) -> bool {
        self.links
            .iter()
            .any(|link| matches!(link, Link::Change { .. }))
    }

    /// What comes out for a piece: itself if nothing changes it, else what is made in `out`, whose content is replaced.
    ///
    /// # Errors
    /// As for [`push`](Stage::push).
    pub fn through<'o>(
        &mut self,
        input: &'o [u8],
        out: &'o mut Vec<u8>,
    ) -> Result<&'o [u8], Fault> {
        out.clear();
        if self.changes() {
            self.push(input, out)?;
            return Ok(out);
        }
        for link in &mut self.links {
            if let Link::Look(tap) = link {
                tap.look(input);
            }
        }
        Ok(input)
    }

    /// The digest of all that came by, where one is taken; it is told once, when the transfer has ended.
    pub fn confirmation(&mut self) -> Option<Confirmation> {
        self.links.iter_mut().find_map(|link| match link {
            Link::Look(tap) => tap.confirmation(),
            Link::Change { .. } => None,
        })
    }
}

impl Stage for Chain {
    fn push(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        pass(&mut self.links, input, out)
    }

    /// What a stage still has goes through those behind it before they are finished too.
    fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Fault> {
        let mut links = self.links.as_mut_slice();
        while let [first, rest @ ..] = links {
            if let Link::Change { stage, made } = first {
                made.clear();
                stage.finish(made)?;
                pass(rest, made, out)?;
            }
            links = rest;
        }
        Ok(())
    }

    fn appetite(&self) -> usize {
        match self.links.first() {
            Some(Link::Change { stage, .. }) => stage.appetite(),
            Some(Link::Look(_)) | None => usize::MAX,
        }
    }
}

/// Sends a piece through these stages.
fn pass(links: &mut [Link], input: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    match links {
        [] => out.extend_from_slice(input),
        [Link::Look(tap), rest @ ..] => {
            tap.look(input);
            pass(rest, input, out)?;
        }
        [Link::Change { stage, .. }] => push(stage.as_mut(), input, out)?,
        [Link::Change { stage, made }, rest @ ..] => {
            made.clear();
            push(stage.as_mut(), input, made)?;
            pass(rest, made, out)?;
        }
    }
    Ok(())
}

/// A stage behind another one gets what that one has made, however much it is.
fn push(stage: &mut dyn Stage, input: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    input
        .chunks(stage.appetite())
        .try_for_each(|piece| stage.push(piece, out))
}

#[cfg(test)]
mod tests {
    use super::super::ascii;
    use super::*;
    use crate::digest::{Algorithm, Hasher};

    /// Takes two octets at once, doubles each, and says at the end how often it was called.
    #[derive(Default)]
    struct Double(u8);

    impl Stage for Double {
        fn push(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
            assert!(input.len() <= self.appetite());
            self.0 += 1;
            input.iter().for_each(|&octet| out.extend([octet, octet]));
            Ok(())
        }
        fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Fault> {
            out.push(b'0' + self.0);
            Ok(())
        }
        fn appetite(&self) -> usize {
            2
        }
    }

    struct Broken;

    impl Stage for Broken {
        fn push(&mut self, _: &[u8], _: &mut Vec<u8>) -> Result<(), Fault> {
            Err(Fault::Corrupt)
        }
        fn finish(&mut self, _: &mut Vec<u8>) -> Result<(), Fault> {
            Err(Fault::Truncated)
        }
    }

    #[test]
    fn octets_come_through_all_stages_in_order() {
        let mut chain = Chain::default()
            .then(ascii::ToWire::default())
            .then(Double::default())
            .then(Double::default());
        let mut out = Vec::new();
        chain.push(b"a\n", &mut out).unwrap();
        chain.finish(&mut out).unwrap();
        // Three octets are two pieces for the first, which makes six, and at its end one, for the second: three pieces and one.
        assert_eq!(out, b"aaaa\r\r\r\r\n\n\n\n224");
    }

    #[test]
    fn without_stages_nothing_changes() {
        let mut chain = Chain::default();
        let mut out = b"before ".to_vec();
        chain.push(b"as it is\n", &mut out).unwrap();
        chain.finish(&mut out).unwrap();
        assert_eq!(out, b"before as it is\n");
        assert!(chain.is_empty());
        assert_eq!(chain.through(b"as it is", &mut out), Ok(&b"as it is"[..]));
    }

    #[test]
    fn a_tap_sees_what_comes_by_and_copies_nothing() {
        let confirm = Confirm {
            algorithm: Algorithm::Md5,
            begin: |algorithm| Box::new(Hasher::new(algorithm)),
        };
        let mut out = Vec::new();
        let mut alone = Chain::default().tapped(confirm);
        let input = b"a\n";
        let same = alone.through(input, &mut out).unwrap();
        assert!(std::ptr::eq(same, input));
        let mut between = Chain::default()
            .then(ascii::ToWire::default())
            .tapped(confirm)
            .then(Double::default());
        assert_eq!(between.through(input, &mut out), Ok(&b"aa\r\r\n\n"[..]));
        let mut first = Chain::default().tapped(confirm).then(Double::default());
        // Once: what a later stage makes anew must not be looked at again.
        assert_eq!(first.through(input, &mut out), Ok(&b"aa\n\n"[..]));
        for (mut chain, seen) in [(alone, &b"a\n"[..]), (between, b"a\r\n"), (first, b"a\n")] {
            let told = chain.confirmation().unwrap();
            assert_eq!(told.digest, Algorithm::Md5.digest(seen));
            assert_eq!(chain.confirmation(), None);
        }
    }

    #[test]
    fn a_fault_anywhere_is_one_of_the_chain() {
        let mut chain = Chain::default().then(Double::default()).then(Broken);
        assert_eq!(chain.push(b"a", &mut Vec::new()), Err(Fault::Corrupt));
        // What the first stage still has meets the second one too.
        assert_eq!(chain.finish(&mut Vec::new()), Err(Fault::Corrupt));
        assert_eq!(
            Chain::default().then(Broken).finish(&mut Vec::new()),
            Err(Fault::Truncated)
        );
    }
}
