//! The servers of a gateway's pool, as the listener looks after them: that somebody watches them, and which of them get no new
//! sessions.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use nix::unistd::Pid;

use crate::log::Log;
use crate::pool::{Recipe, Standing, Tables};

/// A watcher that ends is not followed by another one sooner than this after its start.
const SHORTEST_LIFE: Duration = Duration::from_secs(10);

/// The pool, with whoever watches it.
#[derive(Debug)]
pub struct Pool {
    recipe: Recipe,
    tables: Tables,
    watcher: Option<Watcher>,
    /// When the next watcher is started, where one has ended.
    again: Option<Instant>,
}

#[derive(Debug)]
struct Watcher {
    process: Pid,
    since: Instant,
    /// It ends with this.
    _alive: OwnedFd,
}

impl Pool {
    /// Starts a watcher, unless the settings say that nobody looks.
    ///
    /// # Errors
    /// What the system says about files in memory, pipe(2) and fork(2).
    pub fn start(recipe: Recipe) -> io::Result<Pool> {
        let mut pool = Pool {
            tables: Tables::new()?,
            recipe,
            watcher: None,
            again: None,
        };
        if !pool.recipe.config.pool.interval.is_zero() {
            pool.watch()?;
        }
        Ok(pool)
    }

    /// What sessions go by.
    ///
    /// # Errors
    /// The tables cannot be opened anew.
    pub fn standing(&self) -> io::Result<Standing> {
        self.tables.standing()
    }

    fn watch(&mut self) -> io::Result<()> {
        let (process, alive) = self.recipe.start(&self.tables)?;
        self.watcher = Some(Watcher {
            process,
            since: Instant::now(),
            _alive: alive,
        });
        Ok(())
    }

    /// Hears that a child has ended.
    pub(super) fn buried(&mut self, child: Pid, log: &Log) {
        let ended = self.watcher.take_if(|watcher| watcher.process == child);
        if let Some(Watcher { since, .. }) = ended {
            log.line("pool: the watcher ended; another one follows");
            self.again = Some(Instant::now().max(since + SHORTEST_LIFE));
        }
    }

    /// Starts another watcher when it is time.
    pub(super) fn look(&mut self, log: &Log) {
        if self.again.take_if(|at| *at <= Instant::now()).is_none() {
            return;
        }
        if let Err(error) = self.watch() {
            log.line(&format!("pool: no watcher: {error}"));
            self.again = Some(Instant::now() + SHORTEST_LIFE);
        }
    }

    /// When [`look`](Self::look) has something to do.
    pub(super) fn next_turn(&self) -> Option<Instant> {
        self.again
    }
}
