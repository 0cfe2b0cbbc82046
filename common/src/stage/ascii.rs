//! TYPE A: lines end in CR LF on the wire and in LF in files (RFC 959 §3.1.1.1). Pure: no I/O.

use memchr::memchr_iter;

use super::{Fault, Stage};

/// File to wire: each LF that has no CR before it gets one.
#[derive(Debug, Default)]
pub struct ToWire {
    after_cr: bool,
}

impl Stage for ToWire {
    fn push(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        out.reserve(input.len() + input.len() / 16);
        // What is up to here has been copied: whole stretches at a time, and LFs that have their CR among them.
        let mut copied = 0;
        for end in memchr_iter(b'\n', input) {
            let cr_before = match end {
                0 => self.after_cr,
                end => input[end - 1] == b'\r',
            };
            if !cr_before {
                out.extend_from_slice(&input[copied..end]);
                out.push(b'\r');
                copied = end;
            }
        }
        out.extend_from_slice(&input[copied..]);
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
        let mut copied = 0;
        for cr in memchr_iter(b'\r', input) {
            match input.get(cr + 1) {
                Some(b'\n') => {
                    out.extend_from_slice(&input[copied..cr]);
                    copied = cr + 1;
                }
                Some(_) => {}
                None => {
                    self.held_cr = true;
                    input = &input[..cr];
                }
            }
        }
        out.extend_from_slice(&input[copied..]);
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

    /// As slowly and as plainly as it can be said.
    fn plainly(file: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let (mut wire, mut back) = (Vec::new(), Vec::new());
        for (place, &octet) in file.iter().enumerate() {
            let before = place.checked_sub(1).map(|before| file[before]);
            if octet == b'\n' && before != Some(b'\r') {
                wire.push(b'\r');
            }
            wire.push(octet);
            if octet != b'\r' || file.get(place + 1) != Some(&b'\n') {
                back.push(octet);
            }
        }
        (wire, back)
    }

    /// Row 33 of the attacks: every text of a few octets, in every way to cut it in two and in pieces of every size.
    #[test]
    fn row_33_no_text_and_no_split_is_converted_wrongly() {
        const OCTETS: [u8; 4] = [b'\r', b'\n', 0, b'x'];
        for length in 0..=6u32 {
            for number in 0..4usize.pow(length) {
                let text: Vec<u8> = (0..length)
                    .map(|place| OCTETS[number >> (2 * place) & 3])
                    .collect();
                let (wire, back) = plainly(&text);
                for chunk in 1..=text.len().max(1) {
                    assert_eq!(
                        run(ToWire::default(), &text, chunk),
                        wire,
                        "{text:?} {chunk}"
                    );
                    assert_eq!(
                        run(FromWire::default(), &text, chunk),
                        back,
                        "{text:?} {chunk}"
                    );
                }
                for cut in 0..=text.len() {
                    let (head, tail) = text.split_at(cut);
                    let mut stage = FromWire::default();
                    let mut out = Vec::new();
                    for part in [head, b"", tail] {
                        stage.push(part, &mut out).unwrap();
                    }
                    stage.finish(&mut out).unwrap();
                    assert_eq!(out, back, "{text:?} cut at {cut}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_is_converted_as_plainly(text in proptest::collection::vec(
            prop_oneof![Just(b'\r'), Just(b'\n'), any::<u8>()], 0..400), chunk in 1usize..90)
        {
            let (wire, back) = plainly(&text);
            prop_assert_eq!(run(ToWire::default(), &text, chunk), wire);
            prop_assert_eq!(run(FromWire::default(), &text, chunk), back);
        }

        #[test]
        fn text_without_cr_survives_the_way_there_and_back(
            text in proptest::collection::vec(any::<u8>().prop_filter("no CR", |&b| b != b'\r'), 0..300), chunk in 1usize..40
        ) {
            prop_assert_eq!(run(FromWire::default(), &run(ToWire::default(), &text, chunk), 7), text);
        }
    }
}
