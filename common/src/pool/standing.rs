//! Two files in memory: how each server of a pool is, which the watcher writes, and which of them get no new sessions, which
//! the listener writes. Sessions read both and can write neither.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;

use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::memory::read_only;
use crate::wire::{self, Octets, Wire, fields};

/// The room of one server in the watcher's table, in octets.
const SLOT: usize = 192;
/// The longest reason, in octets.
const LONGEST_REASON: usize = 160;

/// How a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    pub up: bool,
    /// Since when, in seconds since 1970.
    pub since: u64,
    /// What the last check has found, in words of our own.
    pub reason: Octets<LONGEST_REASON>,
}

fields! { Health: up, since, reason }

impl Health {
    pub fn new(up: bool, since: u64, reason: &str) -> Health {
        let cut = reason.len().min(LONGEST_REASON);
        let reason = Octets::new(&reason.as_bytes()[..cut]).unwrap_or_default();
        Health { up, since, reason }
    }
}

/// What a server is good for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// As far as is known: before the first check too.
    Up,
    Down,
    /// It gets no new sessions, however it is.
    Draining,
}

/// The tables as their writers have them.
#[derive(Debug)]
pub struct Tables {
    health: File,
    marks: File,
}

/// The tables as sessions have them.
#[derive(Debug)]
pub struct Standing {
    health: File,
    marks: File,
}

impl Tables {
    /// Makes them, with nothing in them.
    ///
    /// # Errors
    /// What memfd_create(2) says.
    pub fn new() -> io::Result<Tables> {
        let make = |name| memfd_create(name, MFdFlags::MFD_CLOEXEC).map(File::from);
        Ok(Tables {
            health: make(c"health")?,
            marks: make(c"marks")?,
        })
    }

    /// The same for sessions.
    ///
    /// # Errors
    /// They cannot be opened anew.
    pub fn standing(&self) -> io::Result<Standing> {
        Ok(Standing {
            health: read_only(&self.health)?,
            marks: read_only(&self.marks)?,
        })
    }

    /// The descriptor that the watcher writes to.
    pub(super) fn health_descriptor(&self) -> BorrowedFd<'_> {
        self.health.as_fd()
    }

    /// Writes down how a server is.
    ///
    /// # Errors
    /// What pwrite(2) says.
    pub(crate) fn write(&self, number: usize, health: &Health) -> io::Result<()> {
        let mut message = Vec::with_capacity(SLOT);
        health.put(&mut message);
        let length = u16::try_from(message.len()).unwrap_or(0);
        let mut octets = length.to_le_bytes().to_vec();
        octets.extend(message);
        octets.resize(SLOT, 0);
        self.health.write_all_at(&octets, place(number))
    }

    /// Has a server get no new sessions, or get them again.
    ///
    /// # Errors
    /// What pwrite(2) says.
    pub fn mark(&self, number: usize, draining: bool) -> io::Result<()> {
        self.marks
            .write_all_at(&[u8::from(draining)], number as u64)
    }

    /// How a server is; `None` if nobody has looked yet.
    pub fn health(&self, number: usize) -> Option<Health> {
        read(&self.health, number)
    }
}

impl Standing {
    /// What a server is good for now.
    pub fn state(&self, number: usize) -> State {
        let mut mark = [0];
        let marked = self.marks.read_at(&mut mark, number as u64);
        if marked.is_ok_and(|count| count == 1) && mark != [0] {
            return State::Draining;
        }
        match read(&self.health, number) {
            Some(Health { up: false, .. }) => State::Down,
            Some(_) | None => State::Up,
        }
    }

    /// The descriptors that must stay open.
    pub fn descriptors(&self) -> [BorrowedFd<'_>; 2] {
        [self.health.as_fd(), self.marks.as_fd()]
    }
}

fn read(table: &File, number: usize) -> Option<Health> {
    let mut octets = [0; SLOT];
    let count = table.read_at(&mut octets, place(number)).ok()?;
    let length = usize::from(u16::from_le_bytes([octets[0], octets[1]]));
    let message = octets[..count].get(2..length.checked_add(2)?)?;
    wire::decode(message).ok()
}

fn place(number: usize) -> u64 {
    (SLOT * number) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_read_what_is_written_and_cannot_write() {
        let tables = Tables::new().unwrap();
        let standing = tables.standing().unwrap();
        assert_eq!((standing.state(3), tables.health(3)), (State::Up, None));
        let down = Health::new(false, 7, &"ü".repeat(100));
        tables.write(3, &down).unwrap();
        assert_eq!(tables.health(3), Some(down));
        assert_eq!(standing.state(3), State::Down);
        assert_eq!(
            [0, 2, 4].map(|number| standing.state(number)),
            [State::Up; 3]
        );
        tables.mark(3, true).unwrap();
        tables.mark(5, true).unwrap();
        assert_eq!(standing.state(5), State::Draining);
        tables.mark(5, false).unwrap();
        assert_eq!(
            (standing.state(3), standing.state(5)),
            (State::Draining, State::Up)
        );
        for table in [&standing.health, &standing.marks] {
            assert!(table.write_all_at(&[0], 0).is_err());
        }
    }

    #[test]
    fn any_octets_of_the_watcher_are_something() {
        let tables = Tables::new().unwrap();
        tables.health.write_all_at(&[0xff; 4 * SLOT], 0).unwrap();
        assert_eq!(tables.health(0), None);
        assert_eq!(tables.standing().unwrap().state(1), State::Up);
    }
}
