//! Something that happened, with all that is known about it. Pure: who makes an event brings time and chance.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

pub use jiff::Timestamp as Time;

use super::bounded::{Name, Path, Text, TooLong};
use super::kind::Kind;
use crate::digest::{Algorithm, Digest};
use crate::proto::verbs::Verb;

/// One event. What is not known, or has no meaning for its kind, is `None`.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The same wherever the event is delivered, and however often.
    pub id: Id,
    pub time: Time,
    pub kind: Kind,
    pub session: Option<Session>,
    pub act: Act,
}

/// A number that no other event or session has. Numbers that are made later are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id([u8; 16]);

impl Id {
    /// Makes a number of the time and 10 octets of chance.
    pub fn new(time: Time, chance: [u8; 10]) -> Id {
        let milliseconds = u64::try_from(time.as_millisecond()).unwrap_or_default();
        let mut id = [0; 16];
        id[..6].copy_from_slice(&milliseconds.to_be_bytes()[2..]);
        id[6..].copy_from_slice(&chance);
        Id(id)
    }

    pub const fn from_bytes(octets: [u8; 16]) -> Id {
        Id(octets)
    }

    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Reads the 32 digits.
    pub fn parse(text: &str) -> Option<Id> {
        let id = Id(u128::from_str_radix(text, 16).ok()?.to_be_bytes());
        (id.to_string() == text).then_some(id)
    }

    /// How long ago the number was made.
    pub fn age(&self, now: Time) -> Duration {
        let mut milliseconds = [0; 8];
        milliseconds[2..].copy_from_slice(&self.0[..6]);
        let now = u64::try_from(now.as_millisecond()).unwrap_or_default();
        Duration::from_millis(now.saturating_sub(u64::from_be_bytes(milliseconds)))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

/// The versions of TLS as events name them.
pub const TLS_VERSIONS: &[&str] = &["TLSv1.2", "TLSv1.3"];

/// The settings whose limits events name.
pub const LIMITS: &[&str] = &["MaxClients", "MaxPerAddress", "MaxPerUser", "processes"];

/// Why a session has ended, as events name it.
pub const ENDS: &[&str] = &[
    "quit",
    "connection lost",
    "timeout",
    "server stops",
    "begun anew",
    "led to another server",
    "server gone",
];

/// The session that an event is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub id: Id,
    /// The process that serves the session.
    pub pid: u32,
    pub client: SocketAddr,
    pub server: SocketAddr,
    /// The server that a gateway has led it to.
    pub upstream: Option<SocketAddr>,
    /// The version of TLS on the control connection, of [`TLS_VERSIONS`].
    pub tls: Option<&'static str>,
    /// What the client said with USER.
    pub login: Option<Name>,
    /// Since the login.
    pub user: Option<User>,
}

/// Who has logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub name: Name,
    pub uid: u32,
    pub gid: u32,
    /// The name of the primary group.
    pub group: Option<Name>,
}

/// What the event is about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Act {
    /// The client, where it has no session.
    pub client: Option<IpAddr>,
    pub command: Option<CommandLine>,
    /// The working directory, as the client sees it.
    pub directory: Option<Path>,
    /// The path, as the client sees it; of a rename the new one.
    pub path: Option<Path>,
    /// The same outside of every jail.
    pub real_path: Option<Path>,
    /// The old path of a rename, as the client sees it.
    pub from: Option<Path>,
    pub real_from: Option<Path>,
    /// Where an uploaded file is before it gets its own name; outside of every jail.
    pub temporary: Option<Path>,
    /// What a symbolic link points to.
    pub target: Option<Path>,
    /// Octets of the file.
    pub size: Option<u64>,
    /// Where in the file the transfer began.
    pub offset: Option<u64>,
    /// Octets of the file that were moved.
    pub transferred: Option<u64>,
    /// How long it took: the transfer, the command, the session, or how long a ban is.
    pub duration: Option<Duration>,
    pub hash: Option<(Algorithm, Digest)>,
    /// Permissions after a change of mode.
    pub mode: Option<u32>,
    /// Of an upload: whether there was a file under this name before.
    pub replaced: Option<bool>,
    pub data: Option<DataConnection>,
    /// The reply's code and last line.
    pub reply: Option<(u16, Text)>,
    pub outcome: Option<Outcome>,
    /// Why it is not a success, or why the session ended.
    pub reason: Option<Text>,
    /// The setting whose limit was hit, of [`LIMITS`].
    pub limit: Option<&'static str>,
    /// Octets of files that the session received and sent, at its end.
    pub moved: Option<(u64, u64)>,
}

/// A command as it was sent, but for secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct CommandLine {
    verb: Verb,
    /// Verb, a blank and the arguments.
    whole: Vec<u8>,
}

impl CommandLine {
    /// What stands for the arguments of PASS and its like.
    pub const HIDDEN: &str = "(hidden)";

    /// Takes a verb with its arguments. SECURITY: secret ones are forgotten here.
    pub fn new(verb: Verb, arguments: &[u8]) -> Result<CommandLine, TooLong> {
        let arguments = match verb.spec().secret {
            true => CommandLine::HIDDEN.as_bytes(),
            false => arguments,
        };
        let mut whole = verb.spec().verb.as_bytes().to_vec();
        if !arguments.is_empty() {
            whole.push(b' ');
            whole.extend_from_slice(Path::new(arguments)?.as_bytes());
        }
        Ok(CommandLine { verb, whole })
    }

    pub fn verb(&self) -> Verb {
        self.verb
    }

    pub fn arguments(&self) -> &[u8] {
        let verb = self.verb.spec().verb.len();
        self.whole.get(verb + 1..).unwrap_or_default()
    }

    /// Verb and arguments, as they are in one line.
    pub fn whole(&self) -> &[u8] {
        &self.whole
    }
}

impl fmt::Debug for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.whole.escape_ascii())
    }
}

/// A data connection, named as MetaFTPd's ConnectUpHook names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataConnection {
    /// Who connects; its port is zero while nobody knows it.
    pub source: SocketAddr,
    /// Who waits for the connection.
    pub destination: SocketAddr,
    pub connection: Connection,
}

/// Who connects to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// Passive mode.
    FromClient,
    /// Active mode.
    ToClient,
    /// Of a proxy, passive mode.
    ToServer,
    /// Of a proxy, active mode.
    FromServer,
}

impl Connection {
    /// Whether it is on a gateway's other side, where the server is.
    pub fn is_with_server(self) -> bool {
        matches!(self, Connection::ToServer | Connection::FromServer)
    }

    pub const ALL: [Connection; 4] = [
        Connection::FromClient,
        Connection::ToClient,
        Connection::ToServer,
        Connection::FromServer,
    ];

    /// The word that hooks get.
    pub fn name(self) -> &'static str {
        match self {
            Connection::FromClient => "FromClient",
            Connection::ToClient => "ToClient",
            Connection::ToServer => "ToServer",
            Connection::FromServer => "FromServer",
        }
    }
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Success,
    Failed,
    /// By a rule or a hook.
    Refused,
    /// By the client, or by the end of its connection.
    Aborted,
    /// For want of progress.
    TimedOut,
}

impl Outcome {
    pub const ALL: [Outcome; 5] = [
        Outcome::Success,
        Outcome::Failed,
        Outcome::Refused,
        Outcome::Aborted,
        Outcome::TimedOut,
    ];

    /// The word in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Success => "success",
            Outcome::Failed => "failed",
            Outcome::Refused => "refused",
            Outcome::Aborted => "aborted",
            Outcome::TimedOut => "timeout",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_numbers_are_greater() {
        let at = |milliseconds| Time::from_millisecond(milliseconds).unwrap();
        let earlier = Id::new(at(1_764_000_000_000), [0xff; 10]);
        let later = Id::new(at(1_764_000_000_001), [0; 10]);
        assert!(earlier < later && earlier.to_string() < later.to_string());
        assert_eq!(later.to_string(), "019ab697e80100000000000000000000");
        assert_eq!(Id::from_bytes(*later.as_bytes()), later);
        assert_eq!(Id::parse(&later.to_string()), Some(later));
        assert_eq!(Id::parse("019AB697E80100000000000000000000"), None);
        assert_eq!(later.age(at(1_764_000_002_001)), Duration::from_secs(2));
        assert_eq!(later.age(at(0)), Duration::ZERO);
    }

    #[test]
    fn no_secret_gets_into_an_event() {
        for verb in Verb::all() {
            let line = CommandLine::new(verb, b"canary").unwrap();
            let shown = line.arguments() == b"canary";
            assert_eq!(shown, !verb.spec().secret, "{:?}", verb.spec());
            assert_eq!(format!("{line:?}").contains("canary"), shown);
        }
    }
}
