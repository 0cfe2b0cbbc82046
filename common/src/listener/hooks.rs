//! Hooks, as the listener sees them: those for new sessions, and those with which sessions that run have begun.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::PollFlags;
use nix::unistd::Pid;

use super::Verdict;
use super::answers::Envelope;
use super::office::Office;
use crate::hookd::{self, Happened, Introduced, Recipe, Stage};
use crate::hooks::Id;
use crate::net::{Ends, Passed};
use crate::spool::Spool;

/// All hookds that there are.
#[derive(Debug, Default)]
pub(super) struct Hooks {
    /// For new sessions; none where there are no hooks.
    current: Option<Office>,
    /// For sessions that began with other hooks, until all of these have ended.
    former: Vec<Office>,
    /// Where they keep events of uploads: opened once, since its lock keeps out everybody else.
    spool: Option<Arc<Spool>>,
    next: u64,
}

/// How hookd knows a session: by a number of its channel, and an id of its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Acquaintance {
    pub(super) number: u64,
    pub(super) id: Id,
}

impl Hooks {
    /// Starts the hookd of new hooks, for new sessions once it is [`appointed`](Self::appoint).
    ///
    /// # Errors
    /// What socketpair(2) and fork(2) say.
    pub(super) fn prepare(&self, recipe: Recipe) -> Result<Office, Errno> {
        Office::start(recipe, &self.ids())
    }

    /// Has new sessions go by these hooks, or by none. Those that run keep theirs.
    pub(super) fn appoint(&mut self, office: Option<Office>) {
        if let Some(spool) = office.as_ref().and_then(Office::spool) {
            self.spool = Some(spool);
        }
        self.former
            .extend(std::mem::replace(&mut self.current, office));
    }

    /// The directory for events of uploads, if it was opened.
    pub(super) fn spool(&self) -> Option<&Arc<Spool>> {
        self.spool.as_ref()
    }

    fn ids(&self) -> Vec<Id> {
        self.offices().map(Office::id).collect()
    }

    fn offices(&self) -> impl Iterator<Item = &Office> {
        self.current.iter().chain(&self.former)
    }

    fn offices_mut(&mut self) -> impl Iterator<Item = &mut Office> {
        self.current.iter_mut().chain(&mut self.former)
    }

    /// Whether new sessions have any hooks.
    pub(super) fn are_there(&self) -> bool {
        self.current.is_some()
    }

    /// What is waited for: that channels have ended, and room at the doors where there is something to say.
    pub(super) fn awaited(&self) -> impl Iterator<Item = (BorrowedFd<'_>, PollFlags)> {
        self.offices().map(Office::awaited)
    }

    /// Introduces a session by hookd's end of its channel; `former`: it goes on with another keeper.
    pub(super) fn introduce(
        &mut self,
        process: Pid,
        ends: Ends,
        channel: OwnedFd,
        stage: Stage,
        former: Option<Acquaintance>,
    ) -> Option<Acquaintance> {
        let office = self.current.as_mut()?;
        self.next += 1;
        let who = Acquaintance {
            number: self.next,
            id: former.map_or_else(hookd::fresh_id, |former| former.id),
        };
        office.introduce(who, process, ends, channel, stage);
        Some(who)
    }

    /// Whoever knows a session.
    fn of(&mut self, who: Acquaintance) -> Option<&mut Office> {
        self.offices_mut().find(|office| office.knows(who.number))
    }

    /// Tells whose connection it is, as a front end has said it.
    pub(super) fn passed(&mut self, who: Acquaintance, passed: Passed) {
        if let Some(office) = self.of(who) {
            office.passed(who.number, passed);
        }
    }

    /// Introduces the user of a session.
    pub(super) fn introduce_user(&mut self, who: Acquaintance, user: Introduced, root: OwnedFd) {
        if let Some(office) = self.of(who) {
            office.introduce_user(who.number, user, root);
        }
    }

    /// Answers a keeper about its login, once hookd knows the user.
    pub(super) fn answer(
        &mut self,
        who: Option<Acquaintance>,
        envelope: Envelope,
        verdict: Verdict,
    ) {
        match who.and_then(|who| Some((who.number, self.of(who)?))) {
            Some((number, office)) => office.answer(number, envelope, verdict),
            None => envelope.send(&verdict),
        }
    }

    /// Tells of what no session did.
    pub(super) fn tell(&mut self, happened: Happened) {
        if let Some(office) = &mut self.current {
            office.tell(happened);
        }
    }

    /// Hears that a child has ended.
    pub(super) fn buried(&mut self, child: Pid) {
        self.offices_mut().for_each(|office| office.buried(child));
    }

    /// Hears which channels have ended, says what there is room for now, starts hookds again when it is time, and lets those go
    /// that nobody needs any more.
    pub(super) fn look(&mut self) {
        self.offices_mut().for_each(Office::hear);
        self.offices_mut().for_each(Office::say);
        if self.offices().any(Office::is_due) {
            let ids = self.ids();
            for office in self.offices_mut().filter(|office| office.is_due()) {
                let others = ids.iter().copied().filter(|&id| id != office.id());
                office.begin_anew(&others.collect::<Vec<_>>());
            }
        }
        // Hookd ends when its door is closed and all is done.
        self.former.retain(|office| !office.is_deserted());
    }

    /// When [`look`](Self::look) has something to do by itself.
    pub(super) fn next_turn(&self) -> Option<Instant> {
        self.offices().filter_map(Office::next_turn).min()
    }

    /// Waits for what the last hookd owes, but not for ever; former ones end by themselves.
    pub(super) fn leave(&mut self, patience: Duration) {
        self.former.clear();
        if let Some(office) = self.current.take() {
            office.leave(patience);
        }
    }
}
