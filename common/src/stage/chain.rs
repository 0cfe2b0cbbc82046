//! Stages one behind the other, which are a stage again. Pure: no I/O.

use super::{Confirmation, Fault, Stage};
/// The stages of a transfer, in the order in which the octets come through. Without any, what goes in comes out.
#[derive(Default)]
pub struct Chain {
    links: Vec<Link>,
}

struct Link {
    stage: Box<dyn Stage>,
    /// What it has made for the next one.
    made: Vec<u8>,
}

impl Chain {
    /// Puts a stage behind the others.
    #[must_use]
    pub fn then(mut self, stage: impl Stage + 'static) -> Chain {
        self.links.push(Link {
            stage: Box::new(stage),
            made: Vec::new(),
        });
        self
    }

    pub fn is_empty(&self) -> bool {
        self.links.is_empty()
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
            if rest.is_empty() {
                first.stage.finish(out)?;
            } else {
                first.made.clear();
                first.stage.finish(&mut first.made)?;
                pass(rest, &first.made, out)?;
            }
            links = rest;
        }
        Ok(())
    }

    fn confirmation(&mut self) -> Option<Confirmation> {
        self.links
            .iter_mut()
            .find_map(|link| link.stage.confirmation())
    }

    fn appetite(&self) -> usize {
        let first = self.links.first();
        first.map_or(usize::MAX, |link| link.stage.appetite())
    }
}

/// Sends a piece through these stages.
fn pass(links: &mut [Link], input: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    match links {
        [] => out.extend_from_slice(input),
        [last] => push(last.stage.as_mut(), input, out)?,
        [first, rest @ ..] => {
            first.made.clear();
            push(first.stage.as_mut(), input, &mut first.made)?;
            pass(rest, &first.made, out)?;
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
