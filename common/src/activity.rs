//! What a session does now, for whoever runs the server: a page in memory that the session writes and the listener reads when
//! it is asked. Nobody waits for anybody. What it says is the session's word, and only shown.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::uio::{pread, pwrite};
use nix::unistd::ftruncate;

use crate::wire::{self, Octets, Wire, fields};

/// The size of a page, in octets.
const SIZE: usize = 512;
/// The longest argument that is told, in octets.
const LONGEST_ARGUMENT: usize = 255;

/// What a session does, and what it has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// The command that runs; none while the session waits for one.
    pub verb: Octets<16>,
    pub argument: Octets<LONGEST_ARGUMENT>,
    /// Since when, in milliseconds since 1970.
    pub since: u64,
    /// Octets that its transfer has moved, and that all before it have.
    pub moved: u64,
    pub total: u64,
}

fields! { Activity: verb, argument, since, moved, total }

impl Activity {
    /// How long it has been doing that.
    pub fn lasts(&self) -> Duration {
        Duration::from_millis(milliseconds().saturating_sub(self.since))
    }

    /// Octets in a second of the transfer that runs, if one does.
    pub fn speed(&self) -> Option<u64> {
        let milliseconds = u64::try_from(self.lasts().as_millis()).unwrap_or(u64::MAX);
        (self.moved > 0).then(|| self.moved.saturating_mul(1000) / milliseconds.max(1))
    }
}

fn milliseconds() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or(0)
}

/// The page of one session.
#[derive(Clone, Debug)]
pub struct Page(Arc<OwnedFd>);

impl Page {
    /// Makes one. SECURITY: it cannot grow, or a session that was taken over could fill the memory by it.
    ///
    /// # Errors
    /// What memfd_create(2), ftruncate(2) and fcntl(2) say.
    pub fn new() -> Result<Page, Errno> {
        let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
        let file = memfd_create(c"activity", flags)?;
        ftruncate(&file, SIZE as i64)?;
        let seals = SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_SEAL;
        fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
        Ok(Page(Arc::new(file)))
    }

    /// What stands on it; nothing where that makes no sense.
    pub fn read(&self) -> Activity {
        let mut octets = [0; SIZE];
        let read = pread(&self.0, &mut octets, 0).unwrap_or(0);
        let length = usize::from(u16::from_le_bytes([octets[0], octets[1]]));
        let message = octets[..read].get(2..length.saturating_add(2));
        message
            .and_then(|message| wire::decode(message).ok())
            .unwrap_or_default()
    }

    fn write(&self, activity: &Activity) {
        let mut octets = vec![0; 2];
        activity.put(&mut octets);
        let length = u16::try_from(octets.len() - 2).unwrap_or(0);
        octets[..2].copy_from_slice(&length.to_le_bytes());
        // It is told anew soon.
        let _ = pwrite(&self.0, &octets, 0);
    }
}

impl AsFd for Page {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The session's side: what it does, written down where there is a page.
#[derive(Debug, Default)]
pub struct Teller {
    page: Option<Page>,
    now: Activity,
}

impl Teller {
    pub fn new(page: Option<Page>) -> Teller {
        Teller {
            page,
            ..Teller::default()
        }
    }

    /// The descriptor that must stay open.
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.page.as_ref().map(AsFd::as_fd)
    }

    /// A command begins. Its argument is cut where it is long; a secret one is not to be given.
    pub fn begin(&mut self, verb: &str, argument: &[u8]) {
        if self.page.is_none() {
            return;
        }
        let argument = argument.get(..LONGEST_ARGUMENT).unwrap_or(argument);
        self.now.verb = Octets::new(verb.as_bytes()).unwrap_or_default();
        self.now.argument = Octets::new(argument).unwrap_or_default();
        self.tell();
    }

    /// The command is over, and the session waits.
    pub fn end(&mut self) {
        if self.page.is_some() {
            self.now.verb = Octets::default();
            self.now.argument = Octets::default();
            self.tell();
        }
    }

    /// The transfer of the command has moved so many octets so far.
    pub fn moved(&mut self, octets: u64) {
        // Not only now and then: after this it may wait for long.
        if let Some(page) = &self.page
            && self.now.moved != octets
        {
            self.now.moved = octets;
            page.write(&self.now);
        }
    }

    fn tell(&mut self) {
        self.now.total = self.now.total.saturating_add(self.now.moved);
        (self.now.moved, self.now.since) = (0, milliseconds());
        if let Some(page) = &self.page {
            page.write(&self.now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_session_tells_is_read_and_adds_up() {
        let page = Page::new().unwrap();
        assert_eq!(page.read(), Activity::default());
        let mut teller = Teller::new(Some(page.clone()));
        teller.begin("RETR", &[b'a'; 4000]);
        let read = page.read();
        assert_eq!(read.verb.as_slice(), b"RETR");
        assert_eq!(read.argument.as_slice(), [b'a'; LONGEST_ARGUMENT]);
        teller.moved(7);
        teller.end();
        let read = page.read();
        assert_eq!(
            (read.verb.as_slice(), read.moved, read.total),
            (&b""[..], 0, 7)
        );
    }

    #[test]
    fn a_page_does_not_grow_and_any_octets_are_something() {
        let page = Page::new().unwrap();
        assert!(pwrite(&page, &[0xff; 64 << 10], 0).is_err());
        assert_eq!(pwrite(&page, &[0xff; SIZE], 0), Ok(SIZE));
        assert_eq!(page.read(), Activity::default());
        assert!(pwrite(&page, b"x", 1 << 20).is_err());
        assert!(ftruncate(&page, 1 << 20).is_err());
    }
}
