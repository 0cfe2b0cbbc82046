//! Hookd, as the listener sees it: started, started again when it has died, and told who the sessions are.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::unistd::Pid;

use super::sessions::Sessions;
use crate::control::until;
use crate::hookd::{self, Behind, Door, Introduced, Introduction, Reason, Recipe};
use crate::hooks::Kind;
use crate::log::Log;
use crate::net::Ends;
use crate::sys;

/// A hookd that ends sooner is not followed by another one at once.
const SHORTEST_LIFE: Duration = Duration::from_secs(1);

/// What the listener needs so that hooks are run.
#[derive(Debug)]
pub struct Hooks {
    recipe: Recipe,
    door: Door,
    behind: Behind,
    process: Pid,
    since: Instant,
    /// When the next one is to be started.
    again: Option<Instant>,
    deaths: u64,
}

/// A session's side of hooks.
#[derive(Debug)]
pub(super) struct Introductions {
    /// Hookd's end of the channel, for the next hookd.
    channel: OwnedFd,
    user: Option<(Introduced, OwnedFd)>,
}

impl Hooks {
    /// Starts the first hookd.
    ///
    /// # Errors
    /// What socketpair(2) and fork(2) say.
    pub fn start(recipe: Recipe) -> Result<Hooks, Errno> {
        let (door, behind) = hookd::door()?;
        let process = recipe.start(&behind)?;
        Ok(Hooks {
            recipe,
            door,
            behind,
            process,
            since: Instant::now(),
            again: None,
            deaths: 0,
        })
    }

    /// Introduces a session by hookd's end of its channel.
    pub(super) fn introduce(
        &self,
        number: u64,
        process: Pid,
        ends: Ends,
        channel: OwnedFd,
        again: bool,
    ) -> Introductions {
        let introductions = Introductions {
            channel,
            user: None,
        };
        self.say_session(&introductions, number, process, ends, again);
        introductions
    }

    fn say_session(
        &self,
        introductions: &Introductions,
        number: u64,
        process: Pid,
        ends: Ends,
        again: bool,
    ) {
        let session = Introduction::Session {
            number,
            process: u32::try_from(process.as_raw()).unwrap_or_default(),
            client: ends.peer,
            server: ends.local,
            again,
        };
        self.say(&session, Some(&introductions.channel));
    }

    /// Introduces the user of a session.
    pub(super) fn introduce_user(
        &self,
        number: u64,
        introductions: &mut Introductions,
        user: Introduced,
        root: OwnedFd,
    ) {
        let introduction = Introduction::User {
            number,
            user: user.clone(),
        };
        self.say(&introduction, Some(&root));
        introductions.user = Some((user, root));
    }

    /// Tells of what no session did.
    pub(super) fn tell(&self, kind: Kind, reason: &str) {
        let reason = reason.as_bytes();
        let reason = reason.get(..512).unwrap_or(reason);
        let reason = Reason::new(reason).unwrap_or_default();
        self.say(&Introduction::Daemon { kind, reason }, None);
    }

    fn say(&self, introduction: &Introduction, descriptor: Option<&OwnedFd>) {
        let said = self
            .door
            .introduce(introduction, descriptor.map(AsFd::as_fd));
        if let Err(errno) = said {
            self.recipe.log.line(&format!("hooks: not told: {errno}"));
        }
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

    /// Starts another hookd when it is time.
    pub(super) fn look(&mut self, sessions: &Sessions, log: &Log) {
        let now = Instant::now();
        if self.again.is_none_or(|again| again > now) {
            return;
        }
        match self.recipe.start(&self.behind) {
            Ok(process) => {
                (self.process, self.since, self.again) = (process, now, None);
                for (number, process, ends, introductions) in sessions.introductions() {
                    self.say_session(introductions, number, process, ends, true);
                    if let Some((user, root)) = &introductions.user {
                        let user = user.clone();
                        self.say(&Introduction::User { number, user }, Some(root));
                    }
                }
            }
            Err(errno) => {
                log.line(&format!("hooks: hookd cannot be started: {errno}"));
                self.again = Some(now + SHORTEST_LIFE);
            }
        }
    }

    /// When [`look`](Self::look) has something to do by itself.
    pub(super) fn next_turn(&self) -> Option<Instant> {
        self.again
    }

    /// Waits for what hookd owes, but not for ever: it ends when nobody can tell it anything any more.
    pub(super) fn leave(self, patience: Duration) {
        self.tell(Kind::Stop, "");
        let process = self.process;
        drop(self);
        if let Ok(ended) = sys::watch_process(process) {
            let mut ready = [PollFd::new(ended.as_fd(), PollFlags::POLLIN)];
            // It goes on alone where it takes longer.
            let _ = poll(&mut ready, until(Some(Instant::now() + patience)));
        }
    }
}
