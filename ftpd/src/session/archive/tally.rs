//! What an archive came to, for the reply.

use common::jail::Failure;
use common::proto::reply::{Code, Reply};
use common::stage::Confirmation;
use common::stage::tar::Wrong;

use crate::session::files::Denied;
use crate::session::names::Names;
use crate::session::outcome;

/// The most octets of a name that a reply repeats.
const LONGEST_NAME_SHOWN: usize = 200;

/// Counts entries of an archive that was made; of what went wrong the first is remembered.
#[derive(Debug, Default)]
pub(super) struct Sent {
    pub(super) entries: u64,
    missing: Noted<Failure>,
    shrunk: Noted<()>,
    grown: Noted<()>,
}

#[derive(Debug)]
struct Noted<T> {
    count: u64,
    first: Option<(Vec<u8>, T)>,
}

impl<T> Default for Noted<T> {
    fn default() -> Self {
        Noted {
            count: 0,
            first: None,
        }
    }
}

impl<T> Noted<T> {
    fn note(&mut self, path: &[u8], what: T) {
        self.count += 1;
        self.first.get_or_insert_with(|| (path.to_vec(), what));
    }
}

impl Sent {
    /// Something could not be had.
    pub(super) fn missing(&mut self, path: &[u8], why: Failure) {
        self.missing.note(path, why);
    }

    /// A file ended before its size; zeros took the place of the rest.
    pub(super) fn shrunk(&mut self, path: &[u8]) {
        self.shrunk.note(path, ());
    }

    /// A file went on behind its size, where it was cut.
    pub(super) fn grown(&mut self, path: &[u8]) {
        self.grown.note(path, ());
    }

    /// The reply for an archive of which everything was sent. It is well-formed in any case; but who asked for a tree
    /// must not take part of it for the whole.
    pub(super) fn reply(&self, names: Names, confirmation: Option<&Confirmation>) -> Reply {
        let entries = self.entries;
        let shown = |path: &[u8]| shown(names, path);
        if let Some((path, why)) = &self.missing.first {
            let text = format!(
                "The archive is incomplete: {entries} entries, without {}. The first is ",
                self.missing.count
            );
            let text = [
                text.as_bytes(),
                &shown(path),
                b": ",
                outcome::text(*why).as_bytes(),
            ];
            return Reply::new(Code::LOCAL_ERROR, text.concat());
        }
        if let Some((path, ())) = &self.shrunk.first {
            let text = format!(
                "{entries} entries; {} became shorter while read and end in zeros. The first is ",
                self.shrunk.count
            );
            return Reply::new(
                Code::LOCAL_ERROR,
                [text.as_bytes(), &shown(path), b"."].concat(),
            );
        }
        let text = format!("Transfer complete, {entries} entries");
        let mut text = text.into_bytes();
        if let Some((path, ())) = &self.grown.first {
            let count = self.grown.count;
            let grown = format!("; {count} grew while read and were cut. The first is ");
            text.extend_from_slice(grown.as_bytes());
            text.extend_from_slice(&shown(path));
        }
        text.push(b'.');
        if let Some(confirmation) = confirmation {
            text.extend_from_slice(format!(" {confirmation}").as_bytes());
        }
        Reply::new(Code::DATA_DONE, text)
    }
}

/// Counts what became of an archive that was unpacked.
#[derive(Debug, Default)]
pub(super) struct Received {
    /// Files and directories that are there now.
    pub(super) entries: u64,
    /// Links, devices and the like.
    pub(super) left_out: u64,
    /// Directories whose times or permissions could not be set.
    pub(super) unfinished: u64,
    /// The entry that was read last, as it is called in the archive.
    pub(super) last: Vec<u8>,
    refused: Option<Why>,
}

/// Why an archive is not unpacked any further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Why {
    Malformed(Wrong),
    /// Its name is none that may be.
    Name(&'static str),
    Denied(Denied),
}

impl Received {
    pub(super) fn refuse(&mut self, why: Why) {
        self.refused.get_or_insert(why);
    }

    pub(super) fn is_refused(&self) -> bool {
        self.refused.is_some()
    }

    /// The reply for an archive that was read to its end, or to where it was refused.
    pub(super) fn reply(&self, names: Names, confirmation: Option<&Confirmation>) -> Reply {
        let entries = self.entries;
        let Some(why) = &self.refused else {
            let mut text = format!("Transfer complete, {entries} entries.");
            for (count, what) in [
                (self.left_out, "links and special files were left out."),
                (self.unfinished, "directories have other times or modes."),
            ] {
                if count > 0 {
                    text.push_str(&format!(" {count} {what}"));
                }
            }
            if let Some(confirmation) = confirmation {
                text.push_str(&format!(" {confirmation}"));
            }
            return Reply::new(Code::DATA_DONE, text);
        };
        let (code, why) = match why {
            Why::Malformed(Wrong::Truncated) => {
                (Code::TRANSFER_ABORTED, format!("{}.", Wrong::Truncated))
            }
            Why::Malformed(wrong) => (Code::LOCAL_ERROR, format!("{wrong}.")),
            Why::Name(wrong) => (Code::NAME_NOT_ALLOWED, format!("{wrong}.")),
            Why::Denied(denied) => {
                let (code, why) = outcome::reason(denied);
                (code, why.to_owned())
            }
        };
        let mut text = shown(names, &self.last);
        if !text.is_empty() {
            text.extend_from_slice(b": ");
        }
        text.extend_from_slice(why.as_bytes());
        text.extend_from_slice(format!(" {entries} entries are unpacked.").as_bytes());
        Reply::new(code, text)
    }
}

/// A name for a reply.
pub(super) fn shown(names: Names, path: &[u8]) -> Vec<u8> {
    let mut shown = names
        .on_wire(&path[..path.len().min(LONGEST_NAME_SHOWN)])
        .into_owned();
    if path.len() > LONGEST_NAME_SHOWN {
        shown.extend_from_slice(b"...");
    }
    shown
}
