//! Looks up the host names and interfaces whose addresses PASV tells, again and again, in a process of its own: who serves
//! clients never waits for a name server. What was found stands in a file in memory that all sessions can read.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::pipe2;

use crate::control::until;
use crate::log::Log;
use crate::memory::read_only;
use crate::net::interface_address;
use crate::part::Part;
use crate::sandbox::{Kept, Programs, enter_lookup};
use crate::settings::rules::{Advertised, Rules};
use crate::sys::{self, Fork};

/// How long a start waits for the first answers.
const PATIENCE: Duration = Duration::from_secs(5);

/// The addresses that were found.
#[derive(Debug, Default)]
pub struct Found {
    sources: Vec<Advertised>,
    table: Option<File>,
    /// Whoever looks them up ends with the last of these.
    _alive: Option<OwnedFd>,
}

impl Found {
    /// Begins to look up what the rules name, as the uid `user`; returns when each was asked for once, or after five
    /// seconds. With `every` zero that was all.
    ///
    /// # Errors
    /// What the system says about a file in memory, a pipe or fork(2).
    pub fn start(
        rules: &Rules<Advertised>,
        every: Duration,
        programs: &Programs,
        user: u32,
        log: &Log,
    ) -> io::Result<Found> {
        let mut sources: Vec<Advertised> = Vec::new();
        for source in rules.values() {
            let named = matches!(source, Advertised::Host(_) | Advertised::Interface(_));
            if named && !sources.contains(source) {
                sources.push(source.clone());
            }
        }
        if sources.is_empty() {
            return Ok(Found::default());
        }
        let table = File::from(memfd_create(c"addresses", MFdFlags::MFD_CLOEXEC)?);
        let (ended, alive) = pipe2(OFlag::O_CLOEXEC)?;
        let (ready, working) = pipe2(OFlag::O_CLOEXEC)?;
        match sys::fork()? {
            Fork::Child => {
                Part::Lookup.begin();
                drop((alive, ready));
                let mut kept = vec![table.as_fd(), ended.as_fd(), working.as_fd()];
                kept.extend(log.descriptor());
                if let Err(error) = enter_lookup(programs, user, Kept::Nothing, &kept) {
                    log.line(&format!("lookup of PassiveAddress: {error}"));
                    sys::exit(1)
                }
                let mut lookup = Lookup {
                    found: vec![None; sources.len()],
                    sources,
                    table,
                    log: log.clone(),
                };
                lookup.run(every, working, &ended);
                sys::exit(0)
            }
            Fork::Parent(_) => {
                drop((ended, working));
                let mut done = [PollFd::new(ready.as_fd(), PollFlags::POLLIN)];
                // Whatever it says, the table is as far as it is.
                let _ = poll(&mut done, until(Some(Instant::now() + PATIENCE)));
                Ok(Found {
                    sources,
                    table: Some(read_only(&table)?),
                    _alive: Some(alive),
                })
            }
        }
    }

    /// The address for a rule of those that this was started with; `None` if it is not known, or is the server's own.
    pub fn address(&self, wanted: &Advertised) -> Option<Ipv4Addr> {
        if let Advertised::Address(address) = wanted {
            return Some(*address);
        }
        let index = self.sources.iter().position(|source| source == wanted)?;
        let mut octets = [0; 4];
        let table = self.table.as_ref()?;
        table.read_exact_at(&mut octets, place(index)).ok()?;
        let address = Ipv4Addr::from(octets);
        (!address.is_unspecified()).then_some(address)
    }

    /// The descriptor that must stay open.
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.table.as_ref().map(AsFd::as_fd)
    }
}

/// Where an address stands in the table.
fn place(index: usize) -> u64 {
    4 * index as u64
}

/// The one who looks.
struct Lookup {
    sources: Vec<Advertised>,
    found: Vec<Option<Ipv4Addr>>,
    table: File,
    log: Log,
}

impl Lookup {
    fn run(&mut self, every: Duration, working: OwnedFd, ended: &OwnedFd) {
        for index in 0..self.sources.len() {
            self.look(index, true);
        }
        drop(working);
        while !every.is_zero() {
            let mut ready = [PollFd::new(ended.as_fd(), PollFlags::POLLIN)];
            if poll(&mut ready, until(Some(Instant::now() + every))) != Ok(0) {
                return;
            }
            for index in 0..self.sources.len() {
                self.look(index, false);
            }
        }
    }

    /// Looks one up. What is not found any more stays as it was: an old address is better than none.
    fn look(&mut self, index: usize, first: bool) {
        let (source, before) = (&self.sources[index], self.found[index]);
        let told = match address_of(source) {
            Ok(now) if before == Some(now) => return,
            Ok(now) => match self.table.write_all_at(&now.octets(), place(index)) {
                Ok(()) => {
                    self.found[index] = Some(now);
                    format!("{source} is {now} now")
                }
                Err(error) => format!("{source} is {now}, and is not kept: {error}"),
            },
            Err(error) if first => {
                format!(
                    "{source} is not found ({error}): until then the server's own address is told"
                )
            }
            Err(_) => return,
        };
        self.log.line(&format!("PassiveAddress: {told}"));
    }
}

/// The first IPv4 address of a host or an interface.
///
/// # Errors
/// There is none, or nobody knows it.
pub fn address_of(source: &Advertised) -> io::Result<Ipv4Addr> {
    let none = || io::Error::new(io::ErrorKind::NotFound, "it has no IPv4 address");
    match source {
        Advertised::Address(address) => Ok(*address),
        Advertised::Local => Err(none()),
        Advertised::Interface(name) => match interface_address(name)? {
            std::net::IpAddr::V4(address) => Ok(address),
            std::net::IpAddr::V6(_) => Err(none()),
        },
        Advertised::Host(name) => {
            let mut addresses = (name.as_str(), 0).to_socket_addrs()?;
            let v4 = addresses.find_map(|address| match address {
                SocketAddr::V4(v4) => Some(*v4.ip()),
                SocketAddr::V6(_) => None,
            });
            v4.ok_or_else(none)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_interfaces_have_addresses_or_a_reason() {
        let host = Advertised::Host("localhost".to_owned());
        assert!(address_of(&host).unwrap().is_loopback());
        let loopback = Advertised::Interface("lo".to_owned());
        assert!(address_of(&loopback).unwrap().is_loopback());
        for source in [
            Advertised::Local,
            Advertised::Interface("nosuch0".to_owned()),
        ] {
            assert!(address_of(&source).is_err(), "{source}");
        }
    }

    #[test]
    fn what_was_not_looked_up_has_no_address() {
        let found = Found::default();
        let literal = Advertised::Address(Ipv4Addr::LOCALHOST);
        assert_eq!(found.address(&literal), Some(Ipv4Addr::LOCALHOST));
        assert_eq!(
            found.address(&Advertised::Host("localhost".to_owned())),
            None
        );
        assert_eq!(found.address(&Advertised::Local), None);
    }
}
