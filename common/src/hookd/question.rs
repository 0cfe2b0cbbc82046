//! Sessions that wait for hooks: which ones are still to be heard, and what comes of it. Pure: no I/O.

use std::collections::HashMap;

use super::message::{Said, Verdict};
use super::speech;
use crate::wire::Octets;

/// Somebody who waits.
#[derive(Debug)]
struct Question {
    asker: Asker,
    /// So many hooks are still to be heard.
    open: usize,
    refused: Option<Vec<u8>>,
    /// Lines for the reply.
    said: Vec<u8>,
    name: Option<Vec<u8>>,
}

/// What a hook that was waited for has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Nothing,
    /// No, in these words.
    Refuse(Vec<u8>),
    /// Its output is for the reply.
    Say(Vec<u8>),
    /// The uploaded file is to have this name.
    Rename(Vec<u8>),
}

/// Who waits: a session, with its own number of the question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asker {
    pub(super) guest: u64,
    pub(super) number: u32,
}

#[derive(Debug, Default)]
pub(super) struct Questions {
    open: HashMap<u64, Question>,
    next: u64,
}

impl Questions {
    /// Notes a question, which is held open until [`heard`](Self::heard) is called once more than [`join`](Self::join).
    pub(super) fn open(&mut self, asker: Asker) -> u64 {
        let id = self.next;
        self.next += 1;
        let question = Question {
            asker,
            open: 1,
            refused: None,
            said: Vec::new(),
            name: None,
        };
        self.open.insert(id, question);
        id
    }

    /// One more hook is to be heard.
    pub(super) fn join(&mut self, id: u64) {
        if let Some(question) = self.open.get_mut(&id) {
            question.open += 1;
        }
    }

    /// One more was heard. Gives the verdict with the last one.
    pub(super) fn heard(&mut self, id: u64, word: Word) -> Option<(Asker, Verdict)> {
        let question = self.open.get_mut(&id)?;
        question.open -= 1;
        match word {
            Word::Nothing => {}
            Word::Refuse(text) => {
                question.refused.get_or_insert(text);
            }
            Word::Rename(name) => {
                question.name.get_or_insert(name);
            }
            Word::Say(output) => speech::add(&output, &mut question.said),
        }
        if question.open > 0 {
            return None;
        }
        let question = self.open.remove(&id)?;
        let name = question.name.and_then(|name| Octets::new(&name));
        let verdict = match (question.refused, name) {
            (Some(text), _) => Verdict::Refuse {
                text: Octets::new(&text).unwrap_or_default(),
            },
            (None, Some(name)) => Verdict::Rename { name },
            (None, None) if question.said.is_empty() => Verdict::Pass,
            (None, None) => Verdict::Say {
                text: Said::new(&question.said).unwrap_or_default(),
            },
        };
        Some((question.asker, verdict))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_comes_with_the_last_hook_and_the_first_refusal_counts() {
        let mut questions = Questions::default();
        let asker = Asker {
            guest: 1,
            number: 7,
        };
        let id = questions.open(asker);
        questions.join(id);
        questions.join(id);
        let no = |text: &[u8]| Word::Refuse(text.to_vec());
        assert_eq!(questions.heard(id, Word::Nothing), None);
        assert_eq!(questions.heard(id, no(b"no")), None);
        let text = Octets::new(b"no").unwrap();
        let last = questions.heard(id, no(b"never"));
        assert_eq!(last, Some((asker, Verdict::Refuse { text })));
        assert_eq!(questions.heard(id, Word::Nothing), None, "it is answered");
        let other = questions.open(asker);
        let passed = questions.heard(other, Word::Nothing);
        assert_eq!(passed, Some((asker, Verdict::Pass)));
        let third = questions.open(asker);
        let said = questions.heard(third, Word::Say(b"hello\r\n".to_vec()));
        let text = Octets::new(b"hello\n").unwrap();
        assert_eq!(said, Some((asker, Verdict::Say { text })));
    }
}
