//! A hookd, as the listener sees it: started, started again when it has died, and told who the sessions are that began with
//! its hooks.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::unistd::Pid;

use super::hooks::Acquaintance;
use crate::control::until;
use crate::hookd::{self, Behind, Door, Happened, Introduced, Introduction, Recipe, Stage};
use crate::hooks::{Id, Kind};
use crate::net::{Ends, Passed};
use crate::spool::Spool;
use crate::sys;

/// A hookd that ends sooner is not followed by another one at once.
const SHORTEST_LIFE: Duration = Duration::from_secs(1);

/// What the listener needs so that the hooks of one reading of the settings are run.
#[derive(Debug)]
pub struct Office {
    id: Id,
    recipe: Recipe,
    door: Door,
    behind: Behind,
    process: Pid,
    since: Instant,
    /// When the next one is to be started.
    again: Option<Instant>,
    deaths: u64,
    /// The channels to sessions, until hookd has taken all that came through them: also those of sessions that have ended.
    known: BTreeMap<u64, Known>,
}

/// What the next hookd is to know.
#[derive(Debug)]
struct Known {
    id: Id,
    process: u32,
    ends: Ends,
    /// How it is to be introduced.
    stage: Stage,
    /// What a front end has said, and how that is to be introduced.
    passed: Option<(Passed, Stage)>,
    /// Hookd's end of the channel.
    channel: OwnedFd,
    user: Option<(Introduced, OwnedFd)>,
}

impl Office {
    /// Starts the first hookd, beside those of `others`.
    pub(super) fn start(recipe: Recipe, others: &[Id]) -> Result<Office, Errno> {
        let (door, behind) = hookd::door()?;
        let id = hookd::fresh_id();
        let process = recipe.start(&behind, id, others)?;
        Ok(Office {
            id,
            recipe,
            door,
            behind,
            process,
            since: Instant::now(),
            again: None,
            deaths: 0,
            known: BTreeMap::new(),
        })
    }

    pub(super) fn id(&self) -> Id {
        self.id
    }

    pub(super) fn spool(&self) -> Option<Arc<Spool>> {
        self.recipe.spool.clone()
    }

    /// Whether a channel of this number has not ended yet.
    pub(super) fn knows(&self, number: u64) -> bool {
        self.known.contains_key(&number)
    }

    /// Whether all sessions have ended, and hookd knows it.
    pub(super) fn is_deserted(&self) -> bool {
        self.known.is_empty()
    }

    /// Becomes readable when a channel has ended.
    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.door.as_fd()
    }

    /// Introduces a session by hookd's end of its channel.
    pub(super) fn introduce(
        &mut self,
        Acquaintance { number, id }: Acquaintance,
        process: Pid,
        ends: Ends,
        channel: OwnedFd,
        stage: Stage,
    ) {
        let is_heard = self.is_heard();
        let mut known = Known {
            id,
            process: u32::try_from(process.as_raw()).unwrap_or_default(),
            ends,
            stage,
            passed: ends.passed.map(|passed| (passed, Stage::Again)),
            channel,
            user: None,
        };
        self.say_session(number, &known);
        if is_heard {
            known.stage = Stage::Again;
        }
        self.known.insert(number, known);
    }

    fn say_session(&self, number: u64, known: &Known) {
        let session = Introduction::Session {
            number,
            id: known.id,
            process: known.process,
            client: known.ends.peer,
            server: known.ends.local,
            stage: known.stage,
        };
        self.say(&session, Some(&known.channel));
        if let Some((passed, stage)) = known.passed {
            self.say_passed(number, passed, stage);
        }
        if let Some((user, root)) = &known.user {
            let user = user.clone();
            self.say(&Introduction::User { number, user }, Some(root));
        }
    }

    fn say_passed(&self, number: u64, passed: Passed, stage: Stage) {
        let Passed { client, server } = passed;
        let introduction = Introduction::Passed {
            number,
            client,
            server,
            stage,
        };
        self.say(&introduction, None);
    }

    /// Tells whose connection it is, as a front end has said it.
    pub(super) fn passed(&mut self, number: u64, passed: Passed) {
        self.say_passed(number, passed, Stage::New);
        let stage = match self.is_heard() {
            true => Stage::Again,
            false => Stage::New,
        };
        if let Some(known) = self.known.get_mut(&number) {
            known.passed = Some((passed, stage));
        }
    }

    /// Introduces the user of a session.
    pub(super) fn introduce_user(&mut self, number: u64, user: Introduced, root: OwnedFd) {
        let introduction = Introduction::User {
            number,
            user: user.clone(),
        };
        self.say(&introduction, Some(&root));
        if let Some(known) = self.known.get_mut(&number) {
            known.user = Some((user, root));
        }
    }

    /// Tells of what no session did.
    pub(super) fn tell(&self, happened: Happened) {
        self.say(&Introduction::Daemon { happened }, None);
    }

    fn say(&self, introduction: &Introduction, descriptor: Option<&OwnedFd>) {
        let of_session = !matches!(introduction, Introduction::Daemon { .. });
        if of_session && !self.is_heard() {
            // The next one is told of all sessions, and nobody makes room before that.
            return;
        }
        let said = self
            .door
            .introduce(introduction, descriptor.map(AsFd::as_fd));
        if let Err(errno) = said {
            self.recipe.log.line(&format!("hooks: not told: {errno}"));
        }
    }

    /// Whether a hookd hears, now or when it comes to it.
    fn is_heard(&self) -> bool {
        self.again.is_none()
    }

    /// Hears that a child has ended.
    pub(super) fn buried(&mut self, child: Pid) {
        if child != self.process || self.again.is_some() {
            return;
        }
        self.deaths += 1;
        let count = self.deaths;
        self.recipe.log.line(&format!(
            "hooks: hookd has died ({count} so far); starting another one"
        ));
        let now = Instant::now();
        let pause = if now < self.since + SHORTEST_LIFE {
            SHORTEST_LIFE
        } else {
            Duration::ZERO
        };
        self.again = Some(now + pause);
    }

    /// Hears which channels have ended.
    pub(super) fn hear(&mut self) {
        while let Some(number) = self.door.parting() {
            self.known.remove(&number);
        }
    }

    /// Whether it is time to start another hookd.
    pub(super) fn is_due(&self) -> bool {
        self.again.is_some_and(|again| again <= Instant::now())
    }

    /// Starts another hookd, beside those of `others`.
    pub(super) fn begin_anew(&mut self, others: &[Id]) {
        let now = Instant::now();
        match self.recipe.start(&self.behind, self.id, others) {
            Ok(process) => {
                (self.process, self.since, self.again) = (process, now, None);
                for (&number, known) in &self.known {
                    self.say_session(number, known);
                }
                for known in self.known.values_mut() {
                    known.stage = Stage::Again;
                    if let Some((_, stage)) = &mut known.passed {
                        *stage = Stage::Again;
                    }
                }
            }
            Err(errno) => {
                let line = format!("hooks: hookd cannot be started: {errno}");
                self.recipe.log.line(&line);
                self.again = Some(now + SHORTEST_LIFE);
            }
        }
    }

    /// When another hookd is to be started.
    pub(super) fn next_turn(&self) -> Option<Instant> {
        self.again
    }

    /// Waits for what hookd owes, but not for ever: it ends when nobody can tell it anything any more.
    pub(super) fn leave(self, patience: Duration) {
        self.tell(Happened::new(Kind::Stop));
        let process = self.process;
        drop(self);
        if let Ok(ended) = sys::watch_process(process) {
            let mut ready = [PollFd::new(ended.as_fd(), PollFlags::POLLIN)];
            // It goes on alone where it takes longer.
            let _ = poll(&mut ready, until(Some(Instant::now() + patience)));
        }
    }
}
