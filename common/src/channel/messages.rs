//! What may be asked in each phase, and the answers. No message names what the other side knows already: the user, the
//! root, the client's address.

use std::net::SocketAddr;
use std::time::Duration;

use crate::auth::Secret;
use crate::charset::Charset;
use crate::digest::Algorithm;
use crate::hookd::{Arguments, EndWords, FileDigest, Listed, Reason, Said, VersionWords};
use crate::jail::Failure;
use crate::messages;
use crate::path::{LONGEST_PATH, VirtualPath};
use crate::pattern::LONGEST_PATTERN;
use crate::proto::facts::{FactSet, Permissions};
use crate::proto::hostport::Family;
use crate::proto::listing::{ListOptions, Order, Remark};
use crate::proto::verbs::{Verb, VerbSet};
use crate::rate::{Grant, Rate, Rates};
use crate::settings::networks::Network;
use crate::settings::peers::Peers;
use crate::settings::value::LONGEST_PROMPT;
use crate::settings::{ClearCommands, CloseNotify, DataBinding, Protection, TlsRequired};
use crate::wire::{Malformed, Octets, Wire, fields, tags};

/// The longest login name that is looked up, in octets.
pub(super) const LONGEST_USER: usize = 255;

pub type UserName = Octets<LONGEST_USER>;
/// The longest directory part of a listing's argument, in octets.
pub(super) const LONGEST_TYPED: usize = 2048;

pub type Typed = Octets<LONGEST_TYPED>;
pub type Pattern = Octets<LONGEST_PATTERN>;

/// The most of a proof that goes into a message, in octets.
pub const PROOF_PART: usize = 8000;

/// The path of an entry in an archive, or the target of a link.
pub type EntryPath = Octets<LONGEST_PATH>;
/// The name of a user or a group, as far as it is shown.
pub type OwnerName = Octets<32>;

messages! {
    /// Session to keeper, before login.
    #[derive(Debug)]
    pub enum LoginRequest {
        1 => Authenticate { user: UserName, secret: Secret },
        /// A channel to the signer that has the keys to these certificates. → `Signer` with its end, or `NoSigner`.
        2 => Signer { generation: u32 },
        /// A part of the proof of who the client is, which the handshake has made. → `Taken` if more is to come; else
        /// `Certified` or `NotCertified`.
        3 => Present { part: Octets<PROOF_PART>, more: bool },
        /// To log in by the certificate that was presented. → as `Authenticate`, or `NeedPassword`.
        4 => Enter { user: UserName },
        /// What was presented counts no more: the client begins anew. → `Taken`.
        5 => Forget,
        /// What a front end has said, first of all and only where one has to. → `Admitted` or `NotAdmitted`.
        6 => Peer { client: SocketAddr, server: SocketAddr },
        /// The client wants to another server. → `Leads`, and from then on this half leads there.
        7 => Lead,
        /// The control connection is under TLS, which hooks are to hear. → `Taken`.
        8 => Secured { version: Listed<VersionWords> },
    }
}

messages! {
    /// Keeper to session, before login.
    #[derive(Debug)]
    pub enum LoginAnswer {
        /// Where rates are shared it carries the channel on which the session asks for leases.
        1 => Welcome { account: Box<Account> },
        /// `last`: there is no other try.
        2 => Refused { last: bool },
        /// It was the right password, but there is no place for one more session of the user.
        3 => TooMany,
        4 => Signer,
        /// The certificates are others now, the signer is gone, or the session has had its channel.
        5 => NoSigner,
        /// There is more to come, or nothing left.
        6 => Taken,
        7 => Certified,
        8 => NotCertified,
        /// The certificate alone lets nobody in by this name.
        9 => NeedPassword,
        10 => Admitted,
        11 => NotAdmitted { why: Refusal },
        12 => Leads,
    }
}

messages! {
    /// Why a client is not served.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Refusal {
        1 => Full,
        2 => PerAddress,
        3 => Banned,
        /// No more processes or descriptors.
        4 => Exhausted,
    }
}

messages! {
    /// Session to keeper, after login. Tags begin above those of the other phase, so that no octets mean something in both.
    #[derive(Debug)]
    pub enum FileRequest {
        /// A regular file for reading. → `Opened` with its descriptor.
        33 => Open { path: VirtualPath },
        /// A file for writing. → `Created` with its descriptor; then `Commit`, `Suspend` or `Discard`. It is `continuable` if
        /// its offsets are the client's too.
        34 => Create { path: VirtualPath, at: UploadAt, continuable: bool, declared: Option<u64> },
        /// The upload is complete. → `Committed`.
        35 => Commit,
        36 => Discard,
        /// The upload broke off; what is there may be kept to be continued. → `Done`.
        50 => Suspend { cut: Cut },
        /// How much of a broken upload there is. → `Space`.
        51 => Unfinished { path: VirtualPath },
        /// → `Listing` with the reading end of a pipe; then `ListEnd`.
        /// `typed` is the path as it was typed, which stands before names (RFC 1123 §4.1.2.7).
        37 => List { path: VirtualPath, pattern: Option<Pattern>, typed: Typed, format: ListFormat, options: ListOptions, facts: FactSet },
        /// How the last listing ended. → `Listed`, or why it broke off.
        38 => ListEnd,
        39 => Stat { path: VirtualPath },
        40 => Facts { path: VirtualPath, wanted: FactSet },
        41 => ChangeDir { path: VirtualPath },
        42 => Remove { path: VirtualPath },
        43 => MakeDir { path: VirtualPath },
        44 => RemoveDir { path: VirtualPath },
        45 => Rename { from: VirtualPath, to: VirtualPath },
        /// A listening socket on the address of the control connection. → `Listening` with its descriptor.
        46 => PassiveListen { family: Family },
        /// A socket that is connecting to the client. → `Connecting` with its descriptor.
        47 => ActiveConnect { target: SocketAddr },
        /// To begin anew: another keeper answers `Done`, and both are in the phase before login again.
        48 => Reinitialise,
        /// The client wants to another server: another half answers `Done`, and leads there from then on.
        52 => Lead,
        /// → `Sessions` with the reading end of a pipe, into which the listener writes.
        49 => Who,
        /// → `PasswordChannel` with an end of a channel to a process that changes the password of the user.
        201 => ChangePassword,
        /// All regular files below a directory. → `Tree`, in its own time.
        80 => MeasureTree { path: VirtualPath },
        /// A directory and all that is in it. → `Tree`, in its own time.
        81 => RemoveTree { path: VirtualPath },
        /// A copy of a regular file. → `Done`, in its own time.
        82 => Copy { from: VirtualPath, to: VirtualPath },
        /// What takes its own time is given up and answered as far as it came. → `Done`.
        83 => Cancel,
        /// A directory and those that lead to it. → `Done`.
        84 => MakeDirs { path: VirtualPath },
        /// → `Space`.
        85 => Space { path: VirtualPath },
        /// To put a file, a directory or what a pattern finds into an archive, in which it is called `name`. → `Done`;
        /// then `PackNext` until there is no more, or `Cancel`.
        112 => Pack { path: VirtualPath, pattern: Option<Pattern>, name: Typed },
        /// The next entry. → `Packed` with the descriptor of a file, `NotPacked` or `AllPacked`, in its own time.
        113 => PackNext,
        /// To unpack an archive into a directory, which the paths of its entries begin at. → `Done`.
        114 => Unpack { directory: VirtualPath },
        /// → `DirectoryReady`.
        115 => UnpackDirectory { path: VirtualPath, mode: Permissions },
        /// A file of so many octets. → `FileReady` with its descriptor; then `CommitEntry` or `Discard`.
        116 => UnpackFile { path: VirtualPath, size: u64 },
        /// → `Committed`.
        117 => CommitEntry { mode: Permissions, modified: i64 },
        /// A directory that was made has all its entries. → `Done`.
        118 => FinishDirectory { path: VirtualPath, mode: Permissions, modified: i64 },
        /// A regular file whose digest is asked for. → `Opened` with its descriptor.
        120 => OpenForDigest { path: VirtualPath },
        /// How the download of the file that was opened last ended: whole, or not. → `Done`. For keepers that tell hooks.
        122 => Sent { octets: u64, cut: Option<Cut> },
        /// The digest of the file that the next `Commit`, `Sent` or `Command` is about. → `Done`. For keepers that tell hooks.
        125 => Digested { digest: FileDigest },
        /// Why the session is about to end. → `Done`. For keepers that tell hooks.
        126 => Leave { end: Listed<EndWords> },
        /// The data connection is closed, or will not come. → `Done`. For keepers that tell hooks.
        123 => DataEnd,
        /// A command that hooks are for: before it is carried out, and then with the code and text of its reply. → `Done`,
        /// `Said`, or before `Vetoed`. Secret arguments are left out.
        124 => Command { verb: Verb, arguments: Arguments, path: Option<VirtualPath>, from: Option<VirtualPath>, code: Option<u16>, text: Reason },
        /// The digest is taken, or given up: others may take theirs. → `Done`.
        121 => DigestEnd,
        64 => SetMode { path: VirtualPath, mode: Permissions },
        /// Seconds since 1970; without `accessed` that time stays. → `Stamped`.
        65 => SetTimes { path: VirtualPath, modified: i64, accessed: Option<i64> },
        66 => Symlink { target: VirtualPath, link: VirtualPath },
        /// Tells the umask, having changed it if there is a new one. → `Umask`.
        67 => Umask { new: Option<Permissions> },
    }
}

messages! {
    /// Why a transfer is not whole.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Cut {
        /// The client, or its connection.
        1 => Aborted,
        /// Nothing has moved for too long.
        2 => Stalled,
        /// The file or its octets.
        3 => Failed,
    }
}

messages! {
    /// Session to the process that changes a password.
    #[derive(Debug)]
    pub enum ChangeRequest {
        200 => Change { old: Secret, new: Secret },
    }
}

messages! {
    /// Session to signer, on a channel of its own.
    #[derive(Debug)]
    pub enum SignRequest {
        /// The input of a signature in a handshake, by the key to one of the server's certificates. The scheme is a number of
        /// TLS (RFC 8446 §4.2.3).
        220 => Sign { certificate: u8, scheme: u16, message: Octets<256> },
    }
}

messages! {
    /// Signer to session.
    #[derive(Debug)]
    pub enum SignAnswer {
        1 => Signature { signature: Octets<2048> },
        /// It is no input of a handshake, or not for this key.
        2 => Refused,
    }
}

messages! {
    /// Session to keeper, on a channel of its own for sessions whose rates are shared with others: to move more.
    #[derive(Debug)]
    pub enum LeaseRequest {
        112 => Download,
        113 => Upload,
    }
}

messages! {
    /// The process that changes a password to session.
    #[derive(Debug)]
    pub enum ChangeAnswer {
        1 => Changed,
        2 => WrongPassword,
        3 => TooShort { least: u32 },
        /// Empty, or not to be sent in a line.
        4 => Unfit,
        /// There is no password, or it is kept elsewhere.
        5 => NotKeptHere,
        6 => Failed,
    }
}

messages! {
    /// Keeper to session, there.
    #[derive(Debug)]
    pub enum LeaseAnswer {
        /// With the reading end of a pipe, into which the listener writes a [`Grant`](crate::rate::Grant).
        1 => Leased,
        /// There is no listener any more: nobody shares.
        2 => Alone,
    }
}

messages! {
    /// Keeper to session, after login.
    #[derive(Debug)]
    pub enum FileAnswer {
        1 => Done,
        2 => Failed { why: Failure },
        /// The permitted verbs do not include this, whatever the session half thinks.
        3 => NotPermitted,
        4 => Opened { size: u64, contested: bool },
        /// `room`: the most octets that may be written.
        5 => Created { room: Option<u64>, contested: bool },
        6 => Committed { size: u64 },
        7 => Listing,
        8 => Status { directory: bool, size: u64, modified: i64 },
        9 => FactLine { line: Octets<8192> },
        10 => Listening { address: SocketAddr },
        /// `elsewhere`: from another port than those that are configured, which are all in use towards the target.
        11 => Connecting { elsewhere: bool },
        /// The target is not the client, or its port is privileged.
        12 => TargetRefused,
        13 => Sessions,
        201 => PasswordChannel,
        /// Octets of files, or entries that were removed, and the first with which it did not work.
        80 => Tree { count: u64, failed: Option<Failed> },
        81 => Space { octets: u64 },
        /// The modification time that it has now.
        64 => Stamped { modified: i64 },
        65 => Umask { umask: Permissions },
        96 => Listed { remark: Remark },
        112 => Packed { path: EntryPath, content: PackedContent, mode: Permissions, modified: i64, owner: PackedOwner },
        /// What the archive lacks, and why.
        113 => NotPacked { path: EntryPath, why: Failure },
        114 => AllPacked,
        /// `made`: it was not there before.
        115 => DirectoryReady { made: bool },
        116 => FileReady,
        /// A hook says no, in these words.
        122 => Vetoed { text: Reason },
        /// Hooks have something to say in the reply, line by line.
        123 => Said { text: Said },
    }
}

/// An entry of a tree with which something did not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// Its path below the tree's own directory; empty for that itself.
    pub path: Octets<LONGEST_TYPED>,
    pub why: Failure,
}

fields! { Failed: path, why }

messages! {
    /// What an entry of an archive holds.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum PackedContent {
        1 => File { size: u64 },
        2 => Directory,
        3 => Link { target: EntryPath },
    }
}

/// To whom an entry of an archive belongs, as far as that is to be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackedOwner {
    pub uid: u32,
    pub gid: u32,
    /// Empty where there is no name.
    pub user: OwnerName,
    pub group: OwnerName,
}

fields! { PackedOwner: uid, gid, user, group }

/// What a login got.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// The directory in which the session starts.
    pub start: VirtualPath,
    pub permitted: VerbSet,
    pub idle: Duration,
    /// The limit that the client itself cannot raise; zero is none.
    pub max_idle: Duration,
    pub data_timeout: Duration,
    pub passive_timeout: Duration,
    pub stall_timeout: Duration,
    /// How many times more than it was an upload in MODE Z may become; zero is no limit.
    /// What the session may move.
    pub rates: Rates,
    /// What it may move without asking for a lease, if nobody is there to ask: the rates that it shares with others.
    pub shared: Rates,
    pub inflate_ratio: u64,
    /// The digest that the end of a transfer tells.
    pub confirm: Option<Algorithm>,
    /// What names are on the wire, unless the client says that it speaks UTF-8.
    pub charset: Charset,
    pub protection: Protection,
    /// Who may come to its passive ports.
    pub passive_peers: Peers,
    /// Where active data connections may go; keeper decides, the session half can say no earlier.
    pub active_targets: Peers,
    /// Data goes to the port of the control connection where no command names one.
    pub default_data_port: bool,
    /// The lines of the reply to the login, with LF between; empty for our own.
    pub prompt: Octets<LONGEST_PROMPT>,
    /// Whether keeper is to hear `Sent`.
    pub tells_downloads: bool,
    /// Whether keeper is to hear `DataEnd`.
    pub tells_data: bool,
    /// Whether keeper is to hear `Digested`.
    pub tells_digests: bool,
    /// Whether keeper is to hear `Leave`.
    pub tells_end: bool,
    /// Whether hooks may keep files waiting that are asked for.
    pub holds_transfers: bool,
}

fields! {
    Account:
    start, permitted, idle, max_idle, data_timeout, passive_timeout, stall_timeout, rates, shared,
    inflate_ratio, confirm, charset, protection, passive_peers, active_targets, default_data_port,
    prompt, tells_downloads, tells_data, tells_digests, tells_end, holds_transfers
}

messages! {
    /// Where an upload begins.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum UploadAt {
        /// A new file, or a whole new content.
        1 => Replace,
        /// Behind what is there (APPE).
        2 => Append,
        /// In the middle (REST).
        3 => Offset { offset: u64 },
        /// A new file under a name that nothing has (STOU).
        4 => New,
    }
}

messages! {
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum ListFormat {
        /// LIST: for people.
        1 => Long,
        /// NLST.
        2 => Names,
        /// MLSD.
        3 => Facts,
    }
}

fields! { ListOptions: all, recursive, itself, order, reverse }

tags! { Algorithm: 1 => Crc32, 2 => Md5, 3 => Sha1, 4 => Sha256, 5 => Sha512, 6 => Whirlpool, 7 => Blake3, }
tags! { Order: 1 => Unsorted, 2 => Name, 3 => Time, 4 => Size, }
tags! { Remark: 1 => Whole, 2 => Unsorted, 3 => Unreadable, 4 => TooDeep, 5 => TooMany, 6 => TooLong, }

tags! { TlsRequired: 1 => Off, 2 => Login, 3 => Data, 4 => All, }
tags! { DataBinding: 1 => Require, 2 => Prefer, 3 => Off, }
tags! { CloseNotify: 1 => Strict, 2 => Lax, }
tags! { ClearCommands: 1 => Refuse, 2 => Permit, }

fields! { Protection: required, binding, close_notify, clear_commands }

impl Wire for Peers {
    fn put(&self, out: &mut Vec<u8>) {
        self.bound.put(out);
        // There are at most 64 of each.
        u8::try_from(self.networks().len())
            .unwrap_or(u8::MAX)
            .put(out);
        for network in self.networks() {
            let (address, prefix) = network.parts();
            address.put(out);
            prefix.put(out);
        }
        u8::try_from(self.own().len()).unwrap_or(u8::MAX).put(out);
        self.own().iter().for_each(|address| address.put(out));
    }
    fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
        let bound = bool::take(input)?;
        let networks = (0..u8::take(input)?).map(|_| {
            let (address, prefix) = (Wire::take(input)?, u8::take(input)?);
            Network::of_parts(address, prefix).ok_or(Malformed)
        });
        let networks = networks.collect::<Result<_, _>>()?;
        let own = (0..u8::take(input)?).map(|_| Wire::take(input));
        Peers::told(networks, bound, own.collect::<Result<_, _>>()?).ok_or(Malformed)
    }
}

fields! { Grant: octets, wait }

impl Wire for Rates {
    fn put(&self, out: &mut Vec<u8>) {
        for rate in [self.download, self.upload] {
            rate.map_or(0, Rate::octets_per_second).put(out);
        }
    }
    fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
        Ok(Rates {
            download: Rate::new(u64::take(input)?),
            upload: Rate::new(u64::take(input)?),
        })
    }
}

impl Wire for Charset {
    fn put(&self, out: &mut Vec<u8>) {
        self.number().put(out);
    }
    fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
        Charset::from_number(u8::take(input)?).ok_or(Malformed)
    }
}

impl Wire for FactSet {
    fn put(&self, out: &mut Vec<u8>) {
        self.bits().put(out);
    }
    fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
        u8::take(input).map(FactSet::from_bits)
    }
}

impl Wire for Permissions {
    fn put(&self, out: &mut Vec<u8>) {
        self.bits().put(out);
    }
    fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
        Permissions::new(u16::take(input)?).ok_or(Malformed)
    }
}

impl Wire for Family {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(match self {
            Family::V4 => 4,
            Family::V6 => 6,
            Family::Unknown => 0,
        });
    }
    fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
        match u8::take(input)? {
            4 => Ok(Family::V4),
            6 => Ok(Family::V6),
            _ => Err(Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::decode;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_octets_decode_totally_in_each_phase(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
            let login = decode::<LoginRequest>(&octets).is_ok();
            let file = decode::<FileRequest>(&octets).is_ok();
            let change = decode::<ChangeRequest>(&octets).is_ok();
            let sign = decode::<SignRequest>(&octets).is_ok();
            prop_assert!(u8::from(login) + u8::from(file) + u8::from(change) + u8::from(sign) <= 1);
            let _ = decode::<SignAnswer>(&octets).is_ok();
            let _ = decode::<ChangeAnswer>(&octets).is_ok();
            let _ = decode::<LoginAnswer>(&octets).is_ok();
            let _ = decode::<FileAnswer>(&octets).is_ok();
        }
    }

    #[test]
    fn peers_round_trip() {
        for list in ["client+tls", "any", "10.0.0.0/8+2001:db8::/32+tls"] {
            let rules = Peers::coming(list).unwrap();
            let own = vec!["192.0.2.1".parse().unwrap(), "::1".parse().unwrap()];
            let peers = rules.values().next().unwrap().clone().seen_from(own);
            let mut out = Vec::new();
            peers.put(&mut out);
            assert_eq!(decode::<Peers>(&out), Ok(peers));
        }
        // Bits behind the prefix.
        assert_eq!(
            decode::<Peers>(&[0, 1, 4, 10, 0, 0, 1, 0, 0, 8, 0]),
            Err(Malformed)
        );
    }

    #[test]
    fn options_and_remarks_of_listings_round_trip() {
        let options = ListOptions {
            all: true,
            itself: true,
            order: Order::Size,
            ..ListOptions::default()
        };
        let mut out = Vec::new();
        options.put(&mut out);
        Remark::TooDeep.put(&mut out);
        let (head, tail) = out.split_at(out.len() - 1);
        assert_eq!(decode(head), Ok(options));
        assert_eq!(decode(tail), Ok(Remark::TooDeep));
        assert_eq!(decode::<Order>(&[0]), Err(Malformed));
    }
}
