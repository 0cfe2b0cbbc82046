//! The sessions as hookd knows them: by the listener's word. What a session tells becomes an event only with that.

use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::rc::Rc;

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2, readlink};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::message::{
    Happened, Introduced, LONGEST_MESSAGE, Listed, Request, Sum, Told, VersionWords, fresh_id,
};
use crate::channel::UserName;
use crate::hooks::{
    Act, CommandLine, DataConnection, Event, Id, Kind, Name, Path, Session, Text, Time, User,
};
use crate::net;
use crate::path::VirtualPath;
use crate::sys::{self, Wait};
use crate::wire::{decode, fields};

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
    owed: Owed,
    /// The number of the last question, which may come twice.
    pub(super) asked: Option<u32>,
    /// The listener is about to say whose it is: until then nothing that it says is heard.
    pub(super) awaits_user: bool,
}

/// What hooks are to be told when the session ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Owed {
    /// The end of a data connection, and of a gateway's on its other side.
    data: Option<DataConnection>,
    server_data: Option<DataConnection>,
    /// A logout.
    logged_in: bool,
    tls: Option<Listed<VersionWords>>,
    sum: Sum,
    /// Who has logged in at another server.
    elsewhere: Option<UserName>,
    /// Where that is.
    upstream: Option<SocketAddr>,
}

fields! { Owed: data, server_data, logged_in, tls, sum, elsewhere, upstream }

impl Owed {
    /// What is owed for the side that a data connection is on.
    fn side(&mut self, data: Option<DataConnection>) -> &mut Option<DataConnection> {
        match data.is_some_and(|data| data.connection.is_with_server()) {
            true => &mut self.server_data,
            false => &mut self.data,
        }
    }
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
    /// A session by its id and process, and the client's end and ours of its connection.
    pub(super) fn new(
        channel: OwnedFd,
        (id, process): (Id, u32),
        (client, server): (SocketAddr, SocketAddr),
    ) -> Guest {
        Guest {
            channel,
            session: Session {
                id,
                pid: process,
                client: net::canonical(client),
                server: net::canonical(server),
                upstream: None,
                tls: None,
                login: None,
                user: None,
            },
            identity: None,
            root: None,
            owed: Owed::default(),
            asked: None,
            awaits_user: false,
        }
    }

    pub(super) fn channel(&self) -> BorrowedFd<'_> {
        self.channel.as_fd()
    }

    pub(super) fn session(&self) -> Id {
        self.session.id
    }

    /// Whose connection it is, as a front end has said it.
    pub(super) fn passed(&mut self, client: SocketAddr, server: SocketAddr) {
        self.session.client = net::canonical(client);
        self.session.server = net::canonical(server);
    }

    pub(super) fn owed(&self) -> &Owed {
        &self.owed
    }

    /// Takes over what the hookd before was told.
    pub(super) fn recall(&mut self, owed: Owed) {
        self.session.tls = owed.tls.as_ref().map(Listed::as_str);
        self.session.upstream = owed.upstream.map(net::canonical);
        self.owed = owed;
    }

    /// Takes in what the session has done so far.
    pub(super) fn sum(&mut self, sum: Sum) {
        self.owed.sum = sum;
    }

    /// Gives the session to a user.
    pub(super) fn introduce(&mut self, user: Introduced, root: Option<OwnedFd>) {
        let name = |octets: &[u8]| Name::new(octets).ok();
        self.awaits_user = false;
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

    /// Whether there is a message, or the end, that may be heard now.
    pub(super) fn speaks(&self) -> bool {
        if self.awaits_user {
            return false;
        }
        let mut ready = [PollFd::new(self.channel(), PollFlags::POLLIN)];
        matches!(poll(&mut ready, PollTimeout::ZERO), Ok(1))
    }

    /// Looks at the next message, which stays until [`take`](Self::take).
    pub(super) fn hear(&self) -> Heard {
        let mut octets = Vec::new();
        match sys::receive_datagram(self.channel(), &mut octets, LONGEST_MESSAGE, Wait::Peek) {
            Ok(datagram) if datagram.length == 0 => Heard::End,
            Ok(datagram) => match decode(&octets) {
                Ok(request) => Heard::Request(Box::new(request), datagram.descriptor),
                Err(_) => Heard::End,
            },
            // Who closes without having read its answers is told by an error first; what it has said is behind that.
            Err(Errno::EAGAIN | Errno::EINTR | Errno::ECONNRESET) => Heard::Nothing,
            Err(_) => Heard::End,
        }
    }

    /// Takes the message away that was heard: whatever comes of it is written down.
    pub(super) fn take(&self) {
        take_datagram(self.channel());
    }

    /// Makes the event of what was told.
    pub(super) fn event(&mut self, told: Told) -> Event {
        match told.kind {
            Kind::DataUp => *self.owed.side(told.data) = told.data,
            Kind::DataDown => *self.owed.side(told.data) = None,
            Kind::Login => {
                self.owed.logged_in = true;
                self.owed.elsewhere.clone_from(&told.login);
            }
            _ => {}
        }
        if told.upstream.is_some() {
            self.owed.upstream = told.upstream;
            self.session.upstream = told.upstream.map(net::canonical);
        }
        if told.tls.is_some() {
            self.owed.tls = told.tls;
            self.session.tls = told.tls.as_ref().map(Listed::as_str);
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
        if let Some(login) = told.login.as_ref().or(self.owed.elsewhere.as_ref()) {
            session.login = Name::new(login.as_slice()).ok();
        }
        let reason = told.reason.as_ref().map(|reason| reason.as_slice());
        Event {
            id: told.id,
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
                offset: told.offset,
                transferred: told.transferred,
                duration: told.duration,
                hash: told.hash.map(|hash| (hash.algorithm, hash.digest)),
                mode: told.mode,
                replaced: told.replaced,
                data: told.data,
                outcome: told.outcome,
                limit: told.limit.as_ref().map(Listed::as_str),
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
        let up = [self.owed.server_data.take(), self.owed.data.take()];
        for data in up.into_iter().flatten() {
            let told = Told {
                data: Some(data),
                ..Told::new(Kind::DataDown)
            };
            events.push(self.event(told));
        }
        if self.owed.logged_in {
            let told = Told {
                duration: Some(self.session.id.age(Time::now())),
                ..Told::new(Kind::Logout)
            };
            let mut event = self.event(told);
            let Sum {
                received,
                sent,
                end,
            } = self.owed.sum;
            // Of those who are led to another server it is known where they have said it.
            let known = self.identity.is_some() || end.is_some();
            event.act.moved = known.then_some((received, sent));
            event.act.reason = end.map(|end| Text::cut(end.as_str()));
            events.push(event);
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

/// Takes away a datagram that is there, as it was looked at.
pub(super) fn take_datagram(channel: BorrowedFd<'_>) {
    let mut octets = Vec::new();
    while let Err(Errno::EINTR | Errno::ECONNRESET) =
        sys::receive_datagram(channel, &mut octets, LONGEST_MESSAGE, Wait::No)
    {}
}

/// An event that is no session's.
pub(super) fn of_daemon(happened: &Happened) -> Event {
    let reason = happened.reason.as_slice();
    let reason = (!reason.is_empty()).then(|| Text::cut(&String::from_utf8_lossy(reason)));
    Event {
        id: fresh_id(),
        time: Time::now(),
        kind: happened.kind,
        session: None,
        act: Act {
            reason,
            client: happened.client,
            duration: happened.duration,
            limit: happened.limit.as_ref().map(Listed::as_str),
            ..Act::default()
        },
    }
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
pub(super) fn beside(path: &Path, name: &[u8]) -> Option<Path> {
    let octets = path.as_bytes();
    let slash = octets.iter().rposition(|&octet| octet == b'/')?;
    let mut beside = octets.get(..=slash)?.to_vec();
    beside.extend_from_slice(name);
    Path::new(beside).ok()
}

#[cfg(test)]
mod tests {
    use super::super::channel;
    use super::super::message::Answer;
    use super::*;
    use crate::wire::Wire;

    #[test]
    fn what_was_said_is_heard_from_who_has_closed_without_hearing_the_answers() {
        let (ours, theirs) = channel().unwrap();
        let ends = "192.0.2.1:2000".parse().unwrap();
        let guest = Guest::new(theirs, (fresh_id(), 1), (ends, ends));
        let mut octets = Vec::new();
        Answer::Again.put(&mut octets);
        sys::send_datagram(guest.channel(), &octets, None).unwrap();
        let told = Told::new(Kind::Login);
        octets.clear();
        Request::Tell { told: told.clone() }.put(&mut octets);
        sys::send_datagram(ours.as_fd(), &octets, None).unwrap();
        drop(ours);
        let heard = |guest: &Guest| match (guest.hear(), guest.hear()) {
            (Heard::Nothing, heard) | (heard, _) => heard,
        };
        let Heard::Request(request, None) = heard(&guest) else {
            panic!("nothing was heard");
        };
        assert!(matches!(*request, Request::Tell { told: heard } if heard == told));
        guest.take();
        assert!(matches!(guest.hear(), Heard::End));
    }
}
