//! What one message to the logger says: a sentence, and facts for sinks that want them one by one. Pure: no I/O.

/// Stands before each fact. No sentence and no fact holds it.
const SEPARATOR: u8 = 0x1f;

/// What is told of something beside the sentence about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact<'a> {
    /// Octets as a client sent them: whoever writes them down escapes them.
    Text(&'a [u8]),
    Number(u64),
}

/// The facts of an entry, by their names.
pub type Facts<'a> = [(&'static str, Fact<'a>)];

/// Puts a sentence and its facts into one message of at most so many octets. Half of them are the sentence's, and a fact that has
/// no room is left out.
pub(super) fn encode(text: &str, facts: &Facts<'_>, longest: usize) -> Vec<u8> {
    let mut message: Vec<u8> = text.bytes().map(in_text).collect();
    message.truncate(longest / 2);
    for (name, fact) in facts {
        let before = message.len();
        message.push(SEPARATOR);
        message.extend_from_slice(name.as_bytes());
        match fact {
            Fact::Text(octets) => {
                message.push(b'=');
                message.extend(octets.iter().copied().map(in_text));
            }
            Fact::Number(number) => message.extend_from_slice(format!("#{number}").as_bytes()),
        }
        if message.len() > longest {
            message.truncate(before);
        }
    }
    message
}

fn in_text(octet: u8) -> u8 {
    match octet {
        SEPARATOR => b'?',
        octet => octet,
    }
}

/// A message, as the logger reads it. Nothing in it is to be trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub(super) text: &'a [u8],
    pub(super) facts: Vec<(&'a str, Told<'a>)>,
}

/// A fact, as the logger reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told<'a> {
    Text(&'a [u8]),
    Number(u64),
}

/// More facts than that are nobody's honest entry.
const MOST_FACTS: usize = 16;

impl<'a> Entry<'a> {
    /// Reads any octets: what is no fact is left out.
    pub(super) fn decode(message: &'a [u8]) -> Entry<'a> {
        let mut pieces = message.split(|&octet| octet == SEPARATOR);
        let text = pieces.next().unwrap_or_default();
        let facts = pieces.take(MOST_FACTS).filter_map(fact).collect();
        Entry { text, facts }
    }

    pub(super) fn text_of(&self, name: &str) -> Option<&'a [u8]> {
        self.facts.iter().find_map(|fact| match fact {
            (known, Told::Text(octets)) if *known == name => Some(*octets),
            _ => None,
        })
    }

    pub(super) fn number_of(&self, name: &str) -> Option<u64> {
        self.facts.iter().find_map(|fact| match fact {
            (known, Told::Number(number)) if *known == name => Some(*number),
            _ => None,
        })
    }
}

fn fact(piece: &[u8]) -> Option<(&str, Told<'_>)> {
    let end = piece.iter().position(|octet| !octet.is_ascii_lowercase())?;
    let (name, rest) = piece.split_at(end);
    let name = std::str::from_utf8(name)
        .ok()
        .filter(|name| !name.is_empty())?;
    match rest.split_first()? {
        (b'=', octets) => Some((name, Told::Text(octets))),
        (b'#', digits) => {
            let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
            Some((name, Told::Number(number)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_entry_reads_back_as_it_was_told() {
        let facts = [
            ("user", Fact::Text(b"fr\x1fed=#")),
            ("octets", Fact::Number(7)),
        ];
        let message = encode("a line", &facts, 100);
        let entry = Entry::decode(&message);
        assert_eq!(entry.text, b"a line");
        assert_eq!(entry.text_of("user"), Some(&b"fr?ed=#"[..]));
        assert_eq!(entry.number_of("octets"), Some(7));
        assert_eq!(entry.number_of("user"), None);
        // What has no room is left out whole.
        let message = encode("a line", &facts, 14);
        assert_eq!(Entry::decode(&message).facts, []);
    }

    proptest! {
        #[test]
        fn any_octets_are_an_entry(octets in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Entry::decode(&octets).facts.len() <= MOST_FACTS);
        }
    }
}
