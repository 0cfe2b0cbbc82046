//! Work that takes its own time: done a piece at a time between requests, so that keeper always hears of a client that is
//! gone or has changed its mind.

use common::channel::{Failed, FileAnswer, FileRequest, Ticket};
use common::hookd::Told;
use common::jail::{Copying, Failure, Jail, Outcome, Progress, Tree};
use common::settings::Durability;
use common::wire::Octets;

use super::hooks;

/// What is being done, and the request that waits for it.
pub(super) struct Work {
    ticket: Ticket,
    kind: Kind,
    durability: Durability,
    /// What hooks are told when it is done.
    told: Option<Told>,
}

enum Kind {
    Tree(Tree),
    /// Nothing once it is done.
    Copy(Option<Copying>),
}

/// Whether a request is for work of this kind.
pub(super) fn takes_its_time(request: &FileRequest) -> bool {
    matches!(
        request,
        FileRequest::MeasureTree { .. }
            | FileRequest::RemoveTree { .. }
            | FileRequest::Copy { .. }
            | FileRequest::PackNext
    )
}

impl Work {
    pub(super) fn begin(
        jail: &Jail,
        durability: Durability,
        ticket: Ticket,
        request: &FileRequest,
    ) -> Result<Work, Failure> {
        let kind = match request {
            FileRequest::MeasureTree { path } => Kind::Tree(jail.measure_tree(path)?),
            FileRequest::RemoveTree { path } => Kind::Tree(jail.remove_tree(path, durability)?),
            FileRequest::Copy { from, to } => Kind::Copy(Some(jail.copy(from, to)?)),
            _ => return Err(Failure::Denied),
        };
        Ok(Work {
            ticket,
            kind,
            durability,
            told: hooks::act(request),
        })
    }

    /// What hooks are told.
    pub(super) fn into_told(self) -> Option<Told> {
        self.told
    }

    /// Goes on for a while; gives the answer when it is done.
    pub(super) fn step(&mut self) -> Option<(Ticket, FileAnswer)> {
        let answer = match &mut self.kind {
            Kind::Tree(tree) => match tree.step() {
                Progress::More => return None,
                Progress::Done(outcome) => told(outcome),
            },
            Kind::Copy(copying) => match copying.as_mut().map(Copying::step) {
                Some(Ok(Progress::More)) => return None,
                Some(Err(why)) => FileAnswer::Failed { why },
                Some(Ok(Progress::Done(()))) | None => self.commit(),
            },
        };
        Some((self.ticket, answer))
    }

    /// Gives the whole copy its name.
    fn commit(&mut self) -> FileAnswer {
        let Kind::Copy(copying) = &mut self.kind else {
            return FileAnswer::Done;
        };
        let upload = copying.take().map(Copying::into_upload);
        match upload.map(|upload| upload.commit(self.durability)) {
            Some(Ok(_)) | None => FileAnswer::Done,
            Some(Err(why)) => FileAnswer::Failed { why },
        }
    }

    /// Leaves it as far as it came; a copy that is not whole is dropped.
    pub(super) fn cancel(self) -> (Ticket, FileAnswer) {
        let answer = match self.kind {
            Kind::Tree(tree) => told(tree.cancel()),
            Kind::Copy(_) => FileAnswer::Failed { why: Failure::Busy },
        };
        (self.ticket, answer)
    }
}

fn told(outcome: Outcome) -> FileAnswer {
    let failed = outcome.failed.map(|(path, why)| Failed {
        // A path that is too long to be told is not worth its own failure.
        path: Octets::new(&path).unwrap_or_default(),
        why,
    });
    FileAnswer::Tree {
        count: outcome.count,
        failed,
    }
}
