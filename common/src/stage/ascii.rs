//! TYPE A: lines end in CR LF on the wire and in LF in files (RFC 959 §3.1.1.1). Pure: no I/O.

use memchr::memchr;

use super::{Fault, Stage};

/// File to wire: each LF that has no CR before it gets one.
#[derive(Debug, Default)]
pub struct ToWire {
    after_cr: bool,
}

impl Stage for ToWire {
    fn push(&mut self, mut input: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        out.reserve(input.len() + input.len() / 16);
        while let Some(end) = memchr(b'\n', input) {
            let cr_before = if end == 0 {
                self.after_cr
            } else {
                input[end - 1] == b'\r'
            };
            out.extend_from_slice(&input[..end]);
            out.extend_from_slice(if cr_before { b"\n" } else { b"\r\n" });
            self.after_cr = false;
            input = &input[end + 1..];
        }
        out.extend_from_slice(input);
        if let Some(&last) = input.last() {
            self.after_cr = last == b'\r';
        }
        Ok(())
    }

    fn finish(&mut self, _: &mut Vec<u8>) -> Result<(), Fault> {
        Ok(())
    }
}

/// Wire to file: CR LF becomes LF; any other CR stays.
#[derive(Debug, Default)]
pub struct FromWire {
    /// The last octet was a CR whose meaning the next one decides.
    held_cr: bool,
}

impl Stage for FromWire {
    fn push(&mut self, mut input: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        out.reserve(input.len() + 1);
        if let (true, Some(&first)) = (self.held_cr, input.first()) {
            if first != b'\n' {
                out.push(b'\r');
            }
            self.held_cr = false;
        }
        while let Some(cr) = memchr(b'\r', input) {
            out.extend_from_slice(&input[..cr]);
            match input.get(cr + 1) {
                None => {
                    self.held_cr = true;
                    return Ok(());
                }
                Some(b'\n') => {}
                Some(_) => out.push(b'\r'),
            }
            input = &input[cr + 1..];
        }
        out.extend_from_slice(input);
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Fault> {
        if std::mem::take(&mut self.held_cr) {
            out.push(b'\r');
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(mut stage: impl Stage, input: &[u8], chunk: usize) -> Vec<u8> {
        let mut out = Vec::new();
        for piece in input.chunks(chunk) {
            stage.push(piece, &mut out).unwrap();
        }
        stage.finish(&mut out).unwrap();
        out
    }

    #[test]
    fn line_ends_are_right_at_every_split() {
        let file = b"a\n\nb\r\nc\r\0\rd\n";
        let wire = b"a\r\n\r\nb\r\nc\r\0\rd\r\n";
        let back = b"a\n\nb\nc\r\0\rd\n";
        for chunk in 1..=wire.len() {
            assert_eq!(
                run(ToWire::default(), file, chunk),
                wire,
                "chunks of {chunk}"
            );
            assert_eq!(
                run(FromWire::default(), wire, chunk),
                back,
                "chunks of {chunk}"
            );
        }
        assert_eq!(run(FromWire::default(), b"x\r", 1), b"x\r");
        assert_eq!(run(FromWire::default(), b"\r\r\n", 1), b"\r\n");
    }

    proptest! {
        #[test]
        fn text_without_cr_survives_the_way_there_and_back(
            text in proptest::collection::vec(any::<u8>().prop_filter("no CR", |&b| b != b'\r'), 0..300), chunk in 1usize..40
        ) {
            prop_assert_eq!(run(FromWire::default(), &run(ToWire::default(), &text, chunk), 7), text);
        }
    }
}
