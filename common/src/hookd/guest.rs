//! The sessions as hookd knows them: by the listener's word. What a session tells becomes an event only with that.

use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::rc::Rc;
use std::time::Instant;

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2, readlink};

use super::message::{Introduced, LONGEST_MESSAGE, Request, Told};
use crate::hooks::{
    Act, CommandLine, DataConnection, Event, Id, Kind, Name, Path, Session, Text, Time, User,
};
use crate::net;
use crate::path::VirtualPath;
use crate::sys::{self, Wait};
use crate::wire::decode;

/// So often openat2(2) is tried again when a rename came between.
const RESOLVE_TRIES: u32 = 16;

/// A session.
#[derive(Debug)]
pub(super) struct Guest {
    channel: OwnedFd,
    session: Session,
    /// The identity of the user, for programs that run as the user.
    pub(super) identity: Option<Rc<Identity>>,
    /// The user's `/`.
    root: Option<OwnedFd>,
    /// The data connection whose end is owed.
    data: Option<DataConnection>,
    /// Whether a logout is owed.
    logged_in: bool,
    since: Instant,
    /// The number of the last question, which may come twice.
    pub(super) asked: Option<u32>,
}

/// A uid with its groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) groups: Vec<u32>,
}

/// What comes from a session's channel.
pub(super) enum Heard {
    Nothing,
    Request(Box<Request>, Option<OwnedFd>),
    /// It is closed, or broken.
    End,
}

impl Guest {
    pub(super) fn new(
        channel: OwnedFd,
        process: u32,
        client: SocketAddr,
        server: SocketAddr,
    ) -> Guest {
        Guest {
            channel,
            session: Session {
                id: fresh_id(),
                pid: process,
                client: net::canonical(client),
                server: net::canonical(server),
                tls: None,
                login: None,
                user: None,
            },
            identity: None,
            root: None,
            data: None,
            logged_in: false,
            since: Instant::now(),
            asked: None,
        }
    }

    pub(super) fn channel(&self) -> BorrowedFd<'_> {
        self.channel.as_fd()
    }

    /// Gives the session to a user.
    pub(super) fn introduce(&mut self, user: Introduced, root: Option<OwnedFd>) {
        let name = |octets: &[u8]| Name::new(octets).ok();
        self.session.client = net::canonical(user.client);
        self.session.server = net::canonical(user.server);
        self.session.login = name(user.login.as_slice());
        let group = nix::unistd::Group::from_gid(user.gid.into()).ok().flatten();
        self.session.user = name(user.name.as_slice()).map(|name| User {
            name,
            uid: user.uid,
            gid: user.gid,
            group: group.and_then(|group| Name::new(group.name).ok()),
        });
        self.identity = Some(Rc::new(Identity {
            uid: user.uid,
            gid: user.gid,
            groups: user.groups,
        }));
        self.root = root;
    }

    /// Takes the next message.
    pub(super) fn hear(&self) -> Heard {
        let mut octets = Vec::new();
        match sys::receive_datagram(self.channel(), &mut octets, LONGEST_MESSAGE, Wait::No) {
            Ok(datagram) if datagram.length == 0 => Heard::End,
            Ok(datagram) => match decode(&octets) {
                Ok(request) => Heard::Request(Box::new(request), datagram.descriptor),
                Err(_) => Heard::End,
            },
            Err(Errno::EAGAIN | Errno::EINTR) => Heard::Nothing,
            Err(_) => Heard::End,
        }
    }

    /// Takes over what the hookd before was told.
    pub(super) fn recall(&mut self, data: Option<DataConnection>, logged_in: bool) {
        self.data = data;
        self.logged_in = logged_in;
    }

    /// Makes the event of what was told.
    pub(super) fn event(&mut self, told: Told) -> Event {
        match told.kind {
            Kind::DataUp => self.data = told.data,
            Kind::DataDown => self.data = None,
            Kind::Login => self.logged_in = true,
            _ => {}
        }
        let real = |path: &Option<VirtualPath>| path.as_ref().and_then(|path| self.real(path));
        let real_path = real(&told.path);
        let temporary = real_path.as_ref().zip(told.temporary.as_ref());
        let temporary = temporary.and_then(|(path, name)| beside(path, name.as_slice()));
        let path = |path: &Option<VirtualPath>| {
            let octets = path.as_ref().map(VirtualPath::as_bytes);
            octets.and_then(|octets| Path::new(octets).ok())
        };
        let mut session = self.session.clone();
        if let Some(login) = &told.login {
            session.login = Name::new(login.as_slice()).ok();
        }
        let reason = told.reason.as_ref().map(|reason| reason.as_slice());
        Event {
            id: fresh_id(),
            time: Time::now(),
            kind: told.kind,
            session: Some(session),
            act: Act {
                path: path(&told.path),
                real_path,
                from: path(&told.from),
                real_from: real(&told.from),
                temporary,
                target: path(&told.target),
                size: told.size,
                transferred: told.transferred,
                duration: told.duration,
                mode: told.mode,
                data: told.data,
                outcome: told.outcome,
                reason: reason.map(|reason| Text::cut(&String::from_utf8_lossy(reason))),
                command: told.command.as_ref().and_then(|command| {
                    CommandLine::new(command.verb, command.arguments.as_slice()).ok()
                }),
                directory: path(&told.directory),
                reply: told.command.and_then(|command| {
                    let (code, text) = command.reply?;
                    Some((code, Text::cut(&String::from_utf8_lossy(text.as_slice()))))
                }),
                ..Act::default()
            },
        }
    }

    /// What is owed when the session has ended.
    pub(super) fn farewell(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        if let Some(data) = self.data.take() {
            let told = Told {
                data: Some(data),
                ..Told::new(Kind::DataDown)
            };
            events.push(self.event(told));
        }
        if self.logged_in {
            let told = Told {
                duration: Some(self.since.elapsed()),
                ..Told::new(Kind::Logout)
            };
            events.push(self.event(told));
        }
        events
    }

    /// The path outside of every jail. SECURITY: links within the jail are followed as the jail follows them, so that nobody
    /// leads a hook elsewhere; the last name is left as it is.
    fn real(&self, path: &VirtualPath) -> Option<Path> {
        let root = self.root.as_ref()?;
        let octets = path.as_bytes();
        let slash = octets.iter().rposition(|&octet| octet == b'/').unwrap_or(0);
        let (directory, name) = octets.split_at(slash);
        let directory = if directory.is_empty() {
            b"/"
        } else {
            directory
        };
        let real = match resolve(root.as_fd(), directory) {
            Some(directory) => join(directory, name),
            // It is gone, or not there yet: what it would be without links.
            None => join(place_of(root.as_fd())?, octets),
        };
        Path::new(real).ok()
    }
}

/// An event that is no session's.
pub(super) fn of_daemon(kind: Kind, reason: &[u8]) -> Event {
    let reason = (!reason.is_empty()).then(|| Text::cut(&String::from_utf8_lossy(reason)));
    Event {
        id: fresh_id(),
        time: Time::now(),
        kind,
        session: None,
        act: Act {
            reason,
            ..Act::default()
        },
    }
}

fn fresh_id() -> Id {
    let mut chance = [0; 10];
    // Without chance the time alone makes it differ.
    let _ = getrandom::fill(&mut chance);
    Id::new(Time::now(), chance)
}

fn resolve(root: BorrowedFd<'_>, directory: &[u8]) -> Option<Vec<u8>> {
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    let opened = (0..RESOLVE_TRIES)
        .map(|_| openat2(root, directory, how))
        .find(|opened| !matches!(opened, Err(Errno::EAGAIN | Errno::EINTR)))?;
    place_of(opened.ok()?.as_fd())
}

/// Where a descriptor leads to.
fn place_of(descriptor: BorrowedFd<'_>) -> Option<Vec<u8>> {
    let link = format!("/proc/self/fd/{}", descriptor.as_raw_fd());
    readlink(link.as_str()).ok().map(OsStringExt::into_vec)
}

/// `name` begins with a slash, or is empty.
fn join(mut directory: Vec<u8>, name: &[u8]) -> Vec<u8> {
    if directory == b"/" && !name.is_empty() {
        directory.clear();
    }
    directory.extend_from_slice(name);
    directory
}

/// The path of another name in the same directory.
fn beside(path: &Path, name: &[u8]) -> Option<Path> {
    let octets = path.as_bytes();
    let slash = octets.iter().rposition(|&octet| octet == b'/')?;
    let mut beside = octets.get(..=slash)?.to_vec();
    beside.extend_from_slice(name);
    Path::new(beside).ok()
}
