//! Work that takes its own time: done a piece at a time between requests, so that keeper always hears of a client that is
//! gone or has changed its mind.

use common::channel::{Failed, FileAnswer, FileRequest, Ticket};
use common::hookd::Told;
use common::jail::{Copying, Failure, Jail, Outcome, Progress, Tree, Upload};
use common::settings::Durability;
use common::wire::Octets;

use super::hooks;

/// What is being done, and the request that waits for it.
pub(super) struct Work {
    ticket: Ticket,
    kind: Kind,
    /// What hooks are told when it is done.
    told: Option<Told>,
}

/// What a while of work has come to, if it is done.
pub(super) enum Step {
    Done(Ticket, FileAnswer),
    /// A copy is whole and yet to get its name.
    Copied(Ticket, Upload),
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
            // A copy is told as the upload that it is.
            told: hooks::act(request).filter(|_| !matches!(request, FileRequest::Copy { .. })),
        })
    }

    /// The upload that a copy is.
    pub(super) fn upload(&self) -> Option<&Upload> {
        match &self.kind {
            Kind::Copy(copying) => copying.as_ref().map(Copying::upload),
            Kind::Tree(_) => None,
        }
    }

    /// What hooks are told.
    pub(super) fn into_told(self) -> Option<Told> {
        self.told
    }

    /// Goes on for a while.
    pub(super) fn step(&mut self) -> Option<Step> {
        let answer = match &mut self.kind {
            Kind::Tree(tree) => match tree.step() {
                Progress::More => return None,
                Progress::Done(outcome) => told(outcome),
            },
            Kind::Copy(copying) => match copying.as_mut().map(Copying::step) {
                Some(Ok(Progress::More)) => return None,
                Some(Err(why)) => FileAnswer::Failed { why },
                Some(Ok(Progress::Done(()))) | None => {
                    let upload = copying.take().map(Copying::into_upload)?;
                    return Some(Step::Copied(self.ticket, upload));
                }
            },
        };
        Some(Step::Done(self.ticket, answer))
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
