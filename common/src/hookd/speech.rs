//! What of a program's output a client may hear. Pure: no I/O.
// SECURITY: whoever controls the output, in part a client by the name of a file, must not make it a second reply.

use super::message::LONGEST_TEXT;

/// The most lines of a reply that are a program's.
const MOST_LINES: usize = 20;
/// So much of a reply is a program's at most, in octets.
const MOST_OCTETS: usize = 4096;

/// What a program that refuses says: the first line of its output.
pub(super) fn refusal(output: &[u8]) -> Vec<u8> {
    match lines(output).next() {
        Some(line) => line,
        None => b"Refused.".to_vec(),
    }
}

/// The name that a program gives a file: the first line of its output, as it is.
pub(super) fn name(output: &[u8]) -> Option<Vec<u8>> {
    let line = output.split(|&octet| octet == b'\n').next()?;
    (!line.is_empty()).then(|| line.to_vec())
}

/// Adds the lines of an output to those of a reply, each ended by a line feed.
pub(super) fn add(output: &[u8], reply: &mut Vec<u8>) {
    for line in lines(output) {
        let count = reply.iter().filter(|&&octet| octet == b'\n').count();
        if count >= MOST_LINES || reply.len() + line.len() >= MOST_OCTETS {
            return;
        }
        reply.extend_from_slice(&line);
        reply.push(b'\n');
    }
}

/// The lines that are not empty, without controls and of bounded length.
fn lines(output: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let lines = output.split(|&octet| matches!(octet, b'\n' | b'\r'));
    let plain = lines.map(|line| {
        let plain = line.iter().filter(|octet| !octet.is_ascii_control());
        plain.copied().take(LONGEST_TEXT / 2).collect::<Vec<u8>>()
    });
    plain.filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_one_line() {
        assert_eq!(refusal(b"no\r\n230 You are root\r\n"), b"no");
        assert_eq!(refusal(b"\r\n\x1b[2J\x07late"), b"[2Jlate");
        assert_eq!(refusal(b"\n\n"), b"Refused.");
        assert_eq!(refusal(&[b'x'; 10_000]).len(), LONGEST_TEXT / 2);
    }

    #[test]
    fn lines_of_a_reply_are_bounded() {
        let mut reply = Vec::new();
        add(b"one\r\n230 two\r\xff\n", &mut reply);
        assert_eq!(reply, b"one\n230 two\n\xff\n");
        add("line\n".repeat(100).as_bytes(), &mut reply);
        assert_eq!(
            reply.iter().filter(|&&octet| octet == b'\n').count(),
            MOST_LINES
        );
        let mut long = Vec::new();
        add(&[b'x'; 300], &mut long);
        add(
            [&[b'y'; 250][..], b"\n"].concat().repeat(30).as_slice(),
            &mut long,
        );
        assert!(long.len() <= MOST_OCTETS);
    }
}
