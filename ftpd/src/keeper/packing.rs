//! An archive that is being made: the entries of a tree, one for each request, found a piece at a time.

use std::os::fd::OwnedFd;

use common::channel::{EntryPath, FileAnswer, OwnerName, PackedContent, PackedOwner, Ticket};
use common::jail::{Content, Failure, Next, Pack, Packed, Progress};
use common::proto::facts::Permissions;
use common::wire::Octets;

/// A tree, and the request that waits for its next entry.
pub(super) struct Packing {
    pack: Pack,
    asked: Option<Ticket>,
}

/// An answer to a request that took its own time.
pub(super) type Later = (Ticket, FileAnswer, Option<OwnedFd>);

impl Packing {
    pub(super) fn new(pack: Pack) -> Packing {
        Packing { pack, asked: None }
    }

    /// Begins to look for the next entry; the other half asks for one at a time.
    pub(super) fn ask(&mut self, ticket: Ticket) -> Result<(), Failure> {
        if self.asked.is_some() {
            return Err(Failure::Busy);
        }
        self.asked = Some(ticket);
        Ok(())
    }

    /// Whether there is something to look for.
    pub(super) fn is_asked(&self) -> bool {
        self.asked.is_some()
    }

    /// Looks for a while; gives the answer when there is one.
    pub(super) fn step(&mut self) -> Option<Later> {
        let ticket = self.asked?;
        let Progress::Done(next) = self.pack.step() else {
            return None;
        };
        self.asked = None;
        let (answer, file) = told(next);
        Some((ticket, answer, file))
    }

    /// Leaves it; gives the answer of a request that waits.
    pub(super) fn cancel(self) -> Option<Later> {
        let why = Failure::Busy;
        self.asked
            .map(|ticket| (ticket, FileAnswer::Failed { why }, None))
    }
}

fn told(next: Next) -> (FileAnswer, Option<OwnedFd>) {
    match next {
        Next::End => (FileAnswer::AllPacked, None),
        Next::Missing(path, why) => (missing(&path, why), None),
        Next::Entry(packed) => {
            let path = packed.path.clone();
            entry(packed).unwrap_or_else(|| (missing(&path, Failure::NameTooLong), None))
        }
    }
}

fn missing(path: &[u8], why: Failure) -> FileAnswer {
    // What is too long to be told is cut, and still says where.
    let shown = &path[..path.len().min(common::path::LONGEST_PATH)];
    FileAnswer::NotPacked {
        path: Octets::new(shown).unwrap_or_default(),
        why,
    }
}

fn entry(packed: Packed) -> Option<(FileAnswer, Option<OwnedFd>)> {
    let (content, file) = match packed.content {
        Content::File { file, size } => (PackedContent::File { size }, Some(file)),
        Content::Directory => (PackedContent::Directory, None),
        Content::Link(target) => {
            let target = EntryPath::new(&target)?;
            (PackedContent::Link { target }, None)
        }
    };
    let owner = PackedOwner {
        uid: packed.owner.uid,
        gid: packed.owner.gid,
        user: OwnerName::new(&packed.owner.user)?,
        group: OwnerName::new(&packed.owner.group)?,
    };
    let answer = FileAnswer::Packed {
        path: EntryPath::new(&packed.path)?,
        content,
        mode: Permissions::of(packed.mode),
        modified: packed.modified,
        owner,
    };
    Some((answer, file))
}
