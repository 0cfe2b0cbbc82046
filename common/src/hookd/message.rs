//! What crosses the channels of hookd. Keeper names what it did and virtual paths; who the session is, the listener said before.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::channel::UserName;
use crate::digest::{Algorithm, Digest};
use crate::hooks::{
    Connection, DataConnection, ENDS, Id, Kind, LIMITS, Outcome, Phase, TLS_VERSIONS, Time,
};
use crate::messages;
use crate::path::VirtualPath;
use crate::proto::line::LONGEST_LINE;
use crate::proto::verbs::Verb;
use crate::wire::{Malformed, Octets, Wire, fields, tags};

/// The longest message, in octets: four paths, a line of the client's, and the rest.
pub(super) const LONGEST_MESSAGE: usize = 24 << 10;
/// The most groups of a user that hooks get.
pub(super) const MOST_GROUPS: usize = 512;
/// The longest reason, or text of a reply, in octets.
pub(super) const LONGEST_TEXT: usize = 512;

pub type Reason = Octets<LONGEST_TEXT>;
/// The arguments of a command.
pub type Arguments = Octets<LONGEST_LINE>;
/// Lines for a reply, each ended by a line feed.
pub type Said = Octets<4096>;

messages! {
    /// Through the door, from the listener, or where there is none from keeper as root.
    #[derive(Clone, Debug)]
    pub enum Introduction {
        /// A session, with the end of its channel. A `number` is of one channel, an `id` of a session with all of them. Where the user
        /// follows, nothing that it says is heard before.
        1 => Session { number: u64, id: Id, process: u32, client: SocketAddr, server: SocketAddr, stage: Stage, user_follows: bool },
        /// Whose session it is now, with its root directory.
        2 => User { number: u64, user: Introduced },
        /// Something that no session did.
        3 => Daemon { happened: Happened },
        /// Whose connection it is, as a front end has said it.
        4 => Passed { number: u64, client: SocketAddr, server: SocketAddr },
    }
}

messages! {
    /// How far a session has come that is introduced.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Stage {
        /// It has begun.
        1 => New,
        /// It has begun, and whose it is will be said by [`Introduction::Passed`].
        2 => Fronted,
        /// It was there before, and may wait for an answer.
        3 => Again,
    }
}

messages! {
    /// Hookd to the listener, through the door.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) enum Parting {
        /// A channel has ended, and all that came through it is taken.
        1 => Over { number: u64 },
    }
}

/// What no session did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened {
    pub kind: Kind,
    pub reason: Reason,
    pub client: Option<IpAddr>,
    pub duration: Option<Duration>,
    /// The setting whose limit was hit, of [`LIMITS`].
    pub limit: Option<Listed<LimitWords>>,
}

impl Happened {
    /// Something of which nothing more is known.
    pub fn new(kind: Kind) -> Happened {
        Happened {
            kind,
            reason: Reason::default(),
            client: None,
            duration: None,
            limit: None,
        }
    }

    /// With a reason, as much of it as there is room for.
    pub fn because(self, reason: &str) -> Happened {
        let reason = reason.as_bytes();
        let reason = reason.get(..LONGEST_TEXT).unwrap_or(reason);
        Happened {
            reason: Reason::new(reason).unwrap_or_default(),
            ..self
        }
    }
}

fields! { Happened: kind, reason, client, duration, limit }

/// One of the words of a list, as its place.
pub trait Words {
    const ALL: &'static [&'static str];
}

/// [`LIMITS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitWords;

impl Words for LimitWords {
    const ALL: &'static [&'static str] = LIMITS;
}

/// [`TLS_VERSIONS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionWords;

impl Words for VersionWords {
    const ALL: &'static [&'static str] = TLS_VERSIONS;
}

/// [`ENDS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndWords;

impl Words for EndWords {
    const ALL: &'static [&'static str] = ENDS;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed<W: Words> {
    place: u8,
    of: std::marker::PhantomData<W>,
}

impl<W: Words> Listed<W> {
    pub fn find(word: &str) -> Option<Listed<W>> {
        let place = W::ALL.iter().position(|&one| one == word)?;
        let place = u8::try_from(place).ok()?;
        let of = std::marker::PhantomData;
        Some(Listed { place, of })
    }

    pub fn as_str(&self) -> &'static str {
        W::ALL
            .get(usize::from(self.place))
            .copied()
            .unwrap_or_default()
    }
}

impl<W: Words> Wire for Listed<W> {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(self.place);
    }
    fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
        let place = u8::take(input)?;
        let of = std::marker::PhantomData;
        let known = usize::from(place) < W::ALL.len();
        known.then_some(Listed { place, of }).ok_or(Malformed)
    }
}

/// A user who has logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Introduced {
    /// As it was typed.
    pub login: UserName,
    pub name: UserName,
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
    /// The ends of the connection, as a front end has said them where there is one.
    pub client: SocketAddr,
    pub server: SocketAddr,
}

impl Wire for Introduced {
    fn put(&self, out: &mut Vec<u8>) {
        self.login.put(out);
        self.name.put(out);
        self.uid.put(out);
        self.gid.put(out);
        self.client.put(out);
        self.server.put(out);
        let groups = self.groups.get(..MOST_GROUPS).unwrap_or(&self.groups);
        u16::try_from(groups.len()).unwrap_or(0).put(out);
        groups.iter().for_each(|group| group.put(out));
    }
    fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
        let (login, name) = (Wire::take(input)?, Wire::take(input)?);
        let (uid, gid) = (Wire::take(input)?, Wire::take(input)?);
        let (client, server) = (Wire::take(input)?, Wire::take(input)?);
        let count = usize::from(u16::take(input)?);
        if count > MOST_GROUPS {
            return Err(Malformed);
        }
        let groups: Result<_, _> = (0..count).map(|_| u32::take(input)).collect();
        Ok(Introduced {
            login,
            name,
            uid,
            gid,
            groups: groups?,
            client,
            server,
        })
    }
}

messages! {
    /// Keeper to hookd.
    #[derive(Debug)]
    pub(super) enum Request {
        /// Nobody waits.
        1 => Tell { told: Told },
        /// → `Verdict` with the number of the question.
        2 => Ask { number: u32, phase: Phase, told: Told },
        /// What the session has done so far, and why it ends, for when it has ended.
        3 => Sum { sum: Sum },
    }
}

/// What a session has done since its login.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// Octets of files.
    pub received: u64,
    pub sent: u64,
    pub end: Option<Listed<EndWords>>,
}

fields! { Sum: received, sent, end }

/// The digest of a file, by the word of the network half.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileDigest {
    pub algorithm: Algorithm,
    pub digest: Digest,
}

impl Wire for FileDigest {
    fn put(&self, out: &mut Vec<u8>) {
        self.algorithm.put(out);
        out.extend_from_slice(self.digest.as_bytes());
    }
    fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
        let algorithm = Algorithm::take(input)?;
        let (octets, rest) = input
            .split_at_checked(algorithm.length())
            .ok_or(Malformed)?;
        *input = rest;
        let digest = Digest::of(algorithm, octets).ok_or(Malformed)?;
        Ok(FileDigest { algorithm, digest })
    }
}

messages! {
    /// Hookd to keeper.
    #[derive(Debug)]
    pub(super) enum Answer {
        1 => Verdict { number: u32, verdict: Verdict },
        /// This hookd is new: what waits for an answer is to be asked again.
        2 => Again,
    }
}

messages! {
    /// What came of the hooks that were waited for.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum Verdict {
        1 => Pass,
        /// One of them said no, in these words.
        2 => Refuse { text: Reason },
        /// Nobody said no, and there are lines for the reply.
        3 => Say { text: Said },
        /// Nobody said no, and the uploaded file is to have this name.
        4 => Rename { name: Octets<255> },
        /// Nobody said no, but the event cannot be kept until it is delivered: there is no room.
        5 => NoRoom,
    }
}

/// What a session did, or is about to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The event's, also where it is told again.
    pub id: Id,
    pub kind: Kind,
    pub path: Option<VirtualPath>,
    pub from: Option<VirtualPath>,
    pub target: Option<VirtualPath>,
    /// The name of the file before it is accepted, in the directory of `path`.
    pub temporary: Option<Octets<255>>,
    pub size: Option<u64>,
    pub offset: Option<u64>,
    pub transferred: Option<u64>,
    pub duration: Option<Duration>,
    pub hash: Option<FileDigest>,
    pub mode: Option<u32>,
    pub replaced: Option<bool>,
    pub data: Option<DataConnection>,
    pub outcome: Option<Outcome>,
    pub reason: Option<Reason>,
    /// The name of a login that failed.
    pub login: Option<UserName>,
    pub command: Option<Commanded>,
    /// The working directory.
    pub directory: Option<VirtualPath>,
    /// By the word of the network half, which alone knows it.
    pub tls: Option<Listed<VersionWords>>,
    /// The setting whose limit was hit.
    pub limit: Option<Listed<LimitWords>>,
    /// The server that a gateway has reached.
    pub upstream: Option<SocketAddr>,
}

/// A command of the client's and, once there is one, its reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commanded {
    pub verb: Verb,
    /// Empty where they are secret.
    pub arguments: Arguments,
    /// The code and the text.
    pub reply: Option<(u16, Reason)>,
}

impl Wire for Commanded {
    fn put(&self, out: &mut Vec<u8>) {
        self.verb.put(out);
        self.arguments.put(out);
        let (code, text) = self.reply.clone().unzip();
        code.put(out);
        text.put(out);
    }
    fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
        let (verb, arguments) = (Wire::take(input)?, Wire::take(input)?);
        let (code, text): (Option<u16>, Option<Reason>) = (Wire::take(input)?, Wire::take(input)?);
        Ok(Commanded {
            verb,
            arguments,
            reply: code.zip(text),
        })
    }
}

impl Told {
    /// Something of which nothing more is known.
    pub fn new(kind: Kind) -> Told {
        Told {
            id: fresh_id(),
            kind,
            path: None,
            from: None,
            target: None,
            temporary: None,
            size: None,
            offset: None,
            transferred: None,
            duration: None,
            hash: None,
            mode: None,
            replaced: None,
            data: None,
            outcome: None,
            reason: None,
            login: None,
            command: None,
            directory: None,
            tls: None,
            limit: None,
            upstream: None,
        }
    }

    /// The phase in which hooks hear of what has happened: a command's reply says whether it was a failure.
    pub(super) fn phase(&self) -> Phase {
        let command = self.command.as_ref();
        match command.and_then(|command| command.reply.as_ref()) {
            Some((400.., _)) => Phase::Error,
            _ => Phase::After,
        }
    }

    /// Something about a path.
    pub fn about(kind: Kind, path: &VirtualPath) -> Told {
        Told {
            path: Some(path.clone()),
            ..Told::new(kind)
        }
    }
}

fields! {
    Told:
    id, kind, path, from, target, temporary, size, offset, transferred, duration, hash, mode, replaced,
    data, outcome, reason, login, command, directory, tls, limit, upstream
}

/// A number that no other event or session has.
pub fn fresh_id() -> Id {
    let mut chance = [0; 10];
    // Without chance the time alone makes it differ.
    let _ = getrandom::fill(&mut chance);
    Id::new(Time::now(), chance)
}

impl Wire for Id {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }
    fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
        u128::take(input).map(|number| Id::from_bytes(number.to_le_bytes()))
    }
}

impl Wire for Kind {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(*self as u8);
    }
    fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
        let place = usize::from(u8::take(input)?);
        Kind::ALL.get(place).copied().ok_or(Malformed)
    }
}

fields! { DataConnection: source, destination, connection }

tags! { Phase: 1 => Before, 2 => After, 3 => Error, 4 => Accept, }
tags! { Outcome: 1 => Success, 2 => Failed, 3 => Refused, 4 => Aborted, 5 => TimedOut, }
tags! { Connection: 1 => FromClient, 2 => ToClient, 3 => ToServer, 4 => FromServer, }

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::decode;
    use proptest::prelude::*;

    #[test]
    fn everything_that_is_told_arrives() {
        let path = VirtualPath::new(b"/a/b").unwrap();
        let ends: SocketAddr = "192.0.2.1:2121".parse().unwrap();
        let told = Told {
            from: Some(path.clone()),
            data: Some(DataConnection {
                source: ends,
                destination: ends,
                connection: Connection::ToClient,
            }),
            outcome: Some(Outcome::Aborted),
            size: Some(7),
            hash: Some(FileDigest {
                algorithm: Algorithm::Sha256,
                digest: Algorithm::Sha256.digest(b"content"),
            }),
            replaced: Some(true),
            ..Told::about(Kind::Rename, &path)
        };
        let mut out = Vec::new();
        told.put(&mut out);
        assert_eq!(decode(&out), Ok(told));
        for kind in Kind::ALL {
            let mut out = Vec::new();
            kind.put(&mut out);
            assert_eq!(decode(&out), Ok(kind));
        }
    }

    proptest! {
        #[test]
        fn any_octets_decode_or_are_malformed(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode::<Request>(&octets).is_ok();
            let _ = decode::<Answer>(&octets).is_ok();
            let _ = decode::<Introduction>(&octets).is_ok();
        }
    }
}
