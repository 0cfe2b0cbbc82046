//! What the argument of RETR with STRU T means: a name, a pattern, or several of them with blanks between.

use common::channel::{FileRequest, Pattern, Typed};
use common::path::VirtualPath;
use common::proto::reply::{Code, Reply};

use crate::session::commands::listing::{below, pattern_in};
use crate::session::commands::navigate::{join, not_a_path};
use crate::session::{Stop, User};

/// The most names of one argument.
const MOST: usize = 64;

/// What keeper is asked for each name, with the name as it was typed.
pub(super) fn requests(user: &mut User, text: &[u8]) -> Result<Vec<(Vec<u8>, FileRequest)>, Stop> {
    // Blanks belong to the name of something that is there.
    let whole = !text.contains(&b' ') || user.files.stat(join(user, text)?)?.is_ok();
    let words = match whole {
        true => vec![text.to_vec()],
        false => words(text).ok_or_else(|| wrong("A quote is not closed."))?,
    };
    if words.len() > MOST {
        return Err(wrong("These are too many names."));
    }
    words
        .into_iter()
        .map(|word| request(user, &word).map(|request| (word, request)))
        .collect()
}

fn request(user: &mut User, text: &[u8]) -> Result<FileRequest, Stop> {
    let (path, pattern, typed) = match pattern_in(user, text)? {
        None => (join(user, text)?, None, text.to_vec()),
        Some(start) => {
            let (head, tail) = text.split_at(start);
            let (path, pattern, typed) = below(join(user, head)?, head, tail);
            let pattern =
                Pattern::new(&pattern).ok_or_else(|| wrong("The pattern is too long."))?;
            (path, Some(pattern), typed)
        }
    };
    // In the archive a name leads nowhere but down.
    let name = VirtualPath::new(&typed).map_err(not_a_path)?;
    let name = match name.is_root() {
        true => b"".as_slice(),
        false => name.relative(),
    };
    let name = Typed::new(name).ok_or_else(|| wrong("The path is too long for an archive."))?;
    Ok(FileRequest::Pack {
        path,
        pattern,
        name,
    })
}

fn wrong(text: &str) -> Stop {
    Reply::new(Code::BAD_ARGUMENT, text).into()
}

/// The words of a text; quotes keep blanks. `None` where one is not closed.
fn words(text: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut quote = None;
    for &octet in text {
        match (quote, octet) {
            (Some(open), octet) if octet == open => quote = None,
            (None, b'"' | b'\'') => {
                quote = Some(octet);
                word.get_or_insert_default();
            }
            (None, b' ') => words.extend(word.take()),
            (_, octet) => word.get_or_insert_default().push(octet),
        }
    }
    words.extend(word);
    words.retain(|word| !word.is_empty());
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_part_words_and_quotes_keep_them() {
        let split = |text: &str| {
            words(text.as_bytes()).map(|words| {
                words
                    .into_iter()
                    .map(|word| String::from_utf8(word).unwrap())
                    .collect::<Vec<_>>()
                    .join("|")
            })
        };
        assert_eq!(split("a b"), Some("a|b".into()));
        assert_eq!(split("  a   b  "), Some("a|b".into()));
        assert_eq!(split("\"a b\" 'c d'e"), Some("a b|c de".into()));
        assert_eq!(split("\"it's\" x"), Some("it's|x".into()));
        assert_eq!(split("\"\" a"), Some("a".into()));
        assert_eq!(split("\"a b"), None);
        assert_eq!(split("it's a b"), None);
    }
}
