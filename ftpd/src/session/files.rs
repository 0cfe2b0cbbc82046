//! Keeper as the handlers see it: one method for each request, failures as values.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use common::channel::{
    Asker, Cut, Dialling, EntryPath, Failed, FileAnswer, FileRequest, LoggedIn, PackedContent,
    PackedOwner, PreLogin, Ticket,
};
use common::hookd::{EndWords, FileDigest, Listed, Reason};
use common::jail::Failure;
use common::path::VirtualPath;
use common::proto::facts::{FactSet, Permissions};
use common::proto::hostport::Family;
use common::proto::listing::Remark;
use common::proto::reply::Line;

use super::{End, hooked};

/// Why a request did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    Failed(Failure),
    NotPermitted,
    /// The data connection would lead elsewhere, or to another family.
    TargetRefused,
    /// A hook says no, in these words.
    Vetoed(Reason),
}

impl Denied {
    /// Why it was not done; any other answer is a bug of keeper.
    fn of(answer: FileAnswer) -> Result<Denied, End> {
        Ok(match answer {
            FileAnswer::Failed { why } => Denied::Failed(why),
            FileAnswer::NotPermitted => Denied::NotPermitted,
            FileAnswer::TargetRefused => Denied::TargetRefused,
            FileAnswer::Vetoed { text } => Denied::Vetoed(text),
            _ => return Err(End::bug("an answer of keeper that is none")),
        })
    }
}

/// A file to be sent.
pub(crate) struct Opened {
    pub(crate) file: OwnedFd,
    pub(crate) size: u64,
    /// Somebody writes it meanwhile.
    pub(crate) contested: bool,
}

/// A file to be received, at the offset where it begins.
pub(crate) struct Created {
    pub(crate) file: OwnedFd,
    /// The most octets that may be written.
    pub(crate) room: Option<u64>,
    /// Somebody else reads or writes it.
    pub(crate) contested: bool,
}

/// What work that takes its own time came to.
pub(crate) enum Worked {
    Done,
    Tree(TreeOutcome),
}

/// What became of a tree.
pub(crate) struct TreeOutcome {
    /// Octets of files, or entries that were removed.
    pub(crate) count: u64,
    /// The first entry with which it did not work.
    pub(crate) failed: Option<Failed>,
}

/// What comes next into an archive.
pub(crate) enum Next {
    /// With the descriptor of a file, and of nothing else.
    Entry(PackedEntry, Option<OwnedFd>),
    /// What the archive lacks, and why.
    Missing(Vec<u8>, Failure),
    End,
}

/// An entry of an archive.
pub(crate) struct PackedEntry {
    pub(crate) path: EntryPath,
    pub(crate) content: PackedContent,
    pub(crate) mode: Permissions,
    pub(crate) modified: i64,
    pub(crate) owner: PackedOwner,
}

/// The channel after login.
pub(crate) struct Files {
    channel: Asker<LoggedIn>,
}

/// An answer, or why there is none, or the end of the session.
pub(crate) type Asked<T> = Result<Result<T, Denied>, End>;

/// Takes the expected variant out of an answer; another one is a bug of keeper.
macro_rules! expect {
    ($answer:expr, $pattern:pat => $value:expr) => {
        match $answer {
            ($pattern, _) => Ok(Ok($value)),
            (answer, _) => Denied::of(answer).map(Err),
        }
    };
    ($answer:expr, $pattern:pat, fd => |$fd:ident| $value:expr) => {
        match $answer {
            ($pattern, Some($fd)) => Ok(Ok($value)),
            (answer, None) => Denied::of(answer).map(Err),
            (_, Some(_)) => Err(End::bug("an answer of keeper that is none")),
        }
    };
}

pub(crate) type Answer = (FileAnswer, Option<OwnedFd>);

impl Files {
    pub(crate) fn new(channel: Asker<LoggedIn>) -> Files {
        Files { channel }
    }

    /// Leaves this keeper for another one, with which the client can log in again. Without one the session must end.
    pub(crate) fn reinitialise(mut self) -> Result<Asker<PreLogin>, End> {
        match self.channel.call(&FileRequest::Reinitialise)? {
            (FileAnswer::Done, None) => Ok(self.channel.log_out()),
            (FileAnswer::Failed { .. }, None) => Err(End::CannotBeginAnew),
            _ => Err(End::bug("an answer of keeper that is none")),
        }
    }

    /// Leaves this keeper for somebody who leads to another server.
    pub(crate) fn lead(mut self) -> Result<Asker<Dialling>, End> {
        match self.channel.call(&FileRequest::Lead)? {
            (FileAnswer::Done, None) => Ok(self.channel.log_out().lead()),
            (FileAnswer::Failed { .. } | FileAnswer::NotPermitted, None) => {
                Err(End::CannotBeginAnew)
            }
            _ => Err(End::bug("an answer of keeper that is none")),
        }
    }

    fn call(&mut self, request: &FileRequest) -> Result<Answer, End> {
        Ok(self.channel.call(request)?)
    }

    pub(crate) fn open(&mut self, path: VirtualPath) -> Asked<Opened> {
        opened(self.call(&FileRequest::Open { path })?)
    }

    /// The file, once it is known whether there is one.
    pub(crate) fn opened(&mut self, ticket: Ticket) -> Result<Option<Result<Opened, Denied>>, End> {
        self.channel.receive(ticket)?.map(opened).transpose()
    }

    /// As [`open`](Self::open), for a digest.
    pub(crate) fn open_for_digest(&mut self, path: VirtualPath) -> Asked<(OwnedFd, u64)> {
        let answer = self.call(&FileRequest::OpenForDigest { path })?;
        expect!(answer, FileAnswer::Opened { size, contested: _ }, fd => |file| (file, size))
    }

    /// Lets others take their digests, before the client hears of this one.
    pub(crate) fn digest_end(&mut self) -> Asked<()> {
        self.order(&FileRequest::DigestEnd)
    }

    /// Begins an upload, which `request` asks for.
    pub(crate) fn create(&mut self, request: &FileRequest) -> Asked<Created> {
        created(self.call(request)?)
    }

    /// The beginning of an upload, once it is known whether there is one.
    pub(crate) fn created(
        &mut self,
        ticket: Ticket,
    ) -> Result<Option<Result<Created, Denied>>, End> {
        self.channel.receive(ticket)?.map(created).transpose()
    }

    /// Begins to make an upload visible, which may take as long as the disk does: the answer is fetched by
    /// [`committed`](Self::committed).
    pub(crate) fn commit(&mut self) -> Result<Ticket, End> {
        Ok(self.channel.ask(&FileRequest::Commit)?)
    }

    /// The size of the file that an upload has become, once it is known.
    pub(crate) fn committed(&mut self, ticket: Ticket) -> Result<Option<Result<u64, Denied>>, End> {
        match self.channel.receive(ticket)? {
            None => Ok(None),
            Some(answer) => expect!(answer, FileAnswer::Committed { size } => size).map(Some),
        }
    }

    /// Has hooks hear of a command, which `request` tells; the lines that they add to its reply.
    pub(crate) fn command(&mut self, request: &FileRequest) -> Asked<Vec<Line>> {
        match self.call(request)? {
            (answer, None) => hooked::lines(answer),
            (_, Some(_)) => Err(End::bug("an answer of keeper that is none")),
        }
    }

    /// The same for what was begun, once they have heard of it.
    pub(crate) fn told(
        &mut self,
        ticket: Ticket,
    ) -> Result<Option<Result<Vec<Line>, Denied>>, End> {
        match self.channel.receive(ticket)? {
            None => Ok(None),
            Some((answer, None)) => hooked::lines(answer).map(Some),
            Some((_, Some(_))) => Err(End::bug("an answer of keeper that is none")),
        }
    }

    /// Tells keeper how the download of the last file ended, for hooks.
    pub(crate) fn sent(&mut self, octets: u64, cut: Option<Cut>) -> Result<(), End> {
        self.note(&FileRequest::Sent { octets, cut })
    }

    /// Tells keeper the digest of the file that is told of next, for hooks.
    pub(crate) fn digested(&mut self, digest: FileDigest) -> Result<(), End> {
        self.note(&FileRequest::Digested { digest })
    }

    /// Tells keeper why the session ends, for hooks.
    pub(crate) fn leave(&mut self, end: Listed<EndWords>) -> Result<(), End> {
        self.note(&FileRequest::Leave { end })
    }

    /// Tells keeper that there is no data connection any more, for hooks.
    pub(crate) fn data_end(&mut self) -> Result<(), End> {
        self.note(&FileRequest::DataEnd)
    }

    fn note(&mut self, request: &FileRequest) -> Result<(), End> {
        match self.call(request)? {
            (FileAnswer::Done, None) => Ok(()),
            _ => Err(End::bug("an answer of keeper that is none")),
        }
    }

    pub(crate) fn discard(&mut self) -> Asked<()> {
        expect!(self.call(&FileRequest::Discard)?, FileAnswer::Done => ())
    }

    /// Leaves an upload that broke, so that it can be continued.
    pub(crate) fn suspend(&mut self, cut: Cut) -> Asked<()> {
        expect!(self.call(&FileRequest::Suspend { cut })?, FileAnswer::Done => ())
    }

    /// How much of a broken upload there is.
    pub(crate) fn unfinished(&mut self, path: VirtualPath) -> Asked<u64> {
        expect!(self.call(&FileRequest::Unfinished { path })?, FileAnswer::Space { octets } => octets)
    }

    /// Begins a listing, which `request` asks for; gives the reading end of its pipe.
    pub(crate) fn list(&mut self, request: &FileRequest) -> Asked<OwnedFd> {
        expect!(self.call(request)?, FileAnswer::Listing, fd => |pipe| pipe)
    }

    /// How the listing came out; keeper forgets it.
    pub(crate) fn list_end(&mut self) -> Asked<Remark> {
        expect!(self.call(&FileRequest::ListEnd)?, FileAnswer::Listed { remark } => remark)
    }

    /// Whether it is a directory, its size in octets, and its last change in seconds since 1970.
    pub(crate) fn stat(&mut self, path: VirtualPath) -> Asked<(bool, u64, i64)> {
        expect!(
            self.call(&FileRequest::Stat { path })?,
            FileAnswer::Status { directory, size, modified } => (directory, size, modified)
        )
    }

    pub(crate) fn facts(&mut self, path: VirtualPath, wanted: FactSet) -> Asked<Vec<u8>> {
        let request = FileRequest::Facts { path, wanted };
        expect!(self.call(&request)?, FileAnswer::FactLine { line } => line.as_slice().to_vec())
    }

    /// Carries out a request whose answer is just that it is done.
    pub(crate) fn order(&mut self, request: &FileRequest) -> Asked<()> {
        expect!(self.call(request)?, FileAnswer::Done => ())
    }

    /// Sets the times of a file; the modification time that it has then.
    pub(crate) fn set_times(
        &mut self,
        path: VirtualPath,
        modified: i64,
        accessed: Option<i64>,
    ) -> Asked<i64> {
        let request = FileRequest::SetTimes {
            path,
            modified,
            accessed,
        };
        expect!(self.call(&request)?, FileAnswer::Stamped { modified } => modified)
    }

    /// The umask, after it was changed if there is a new one.
    pub(crate) fn umask(&mut self, new: Option<Permissions>) -> Asked<Permissions> {
        expect!(self.call(&FileRequest::Umask { new })?, FileAnswer::Umask { umask } => umask)
    }

    /// Begins work that takes its own time: the answer is fetched by [`worked`](Self::worked).
    pub(crate) fn begin(&mut self, request: &FileRequest) -> Result<Ticket, End> {
        Ok(self.channel.ask(request)?)
    }

    /// What work has come to, once it has.
    pub(crate) fn worked(&mut self, ticket: Ticket) -> Result<Option<Result<Worked, Denied>>, End> {
        match self.channel.receive(ticket)? {
            None => Ok(None),
            Some((FileAnswer::Tree { count, failed }, None)) => {
                Ok(Some(Ok(Worked::Tree(TreeOutcome { count, failed }))))
            }
            Some(answer) => expect!(answer, FileAnswer::Done => Worked::Done).map(Some),
        }
    }

    /// Gives work up that was begun; its answer comes all the same. Nobody waits for the answer to this.
    pub(crate) fn cancel(&mut self) -> Result<(), End> {
        let ticket = self.channel.ask(&FileRequest::Cancel)?;
        self.channel.forget(ticket);
        Ok(())
    }

    /// What comes next into an archive, once it is known.
    pub(crate) fn packed(&mut self, ticket: Ticket) -> Result<Option<Result<Next, Denied>>, End> {
        let Some((answer, file)) = self.channel.receive(ticket)? else {
            return Ok(None);
        };
        let next = match answer {
            FileAnswer::Packed {
                path,
                content,
                mode,
                modified,
                owner,
            } => {
                // A file comes with its descriptor, and nothing else does.
                if matches!(content, PackedContent::File { .. }) != file.is_some() {
                    return Err(End::bug("an entry with a descriptor that is not its own"));
                }
                let entry = PackedEntry {
                    path,
                    content,
                    mode,
                    modified,
                    owner,
                };
                Next::Entry(entry, file)
            }
            FileAnswer::NotPacked { path, why } => Next::Missing(path.as_slice().to_vec(), why),
            answer => {
                return expect!((answer, file), FileAnswer::AllPacked => Next::End).map(Some);
            }
        };
        Ok(Some(Ok(next)))
    }

    /// The answer to a request about an entry of an archive that is unpacked, once there is one.
    pub(crate) fn unpacked(&mut self, ticket: Ticket) -> Result<Option<Answer>, End> {
        Ok(self.channel.receive(ticket)?)
    }

    /// Nobody waits for this answer any more.
    pub(crate) fn forget(&mut self, ticket: Ticket) {
        self.channel.forget(ticket);
    }

    pub(crate) fn space(&mut self, path: VirtualPath) -> Asked<u64> {
        expect!(self.call(&FileRequest::Space { path })?, FileAnswer::Space { octets } => octets)
    }

    /// A channel to whoever changes the password.
    pub(crate) fn change_password(&mut self) -> Asked<OwnedFd> {
        expect!(self.call(&FileRequest::ChangePassword)?, FileAnswer::PasswordChannel, fd => |channel| channel)
    }

    /// The reading end of a pipe from which the list of sessions comes.
    pub(crate) fn who(&mut self) -> Asked<OwnedFd> {
        expect!(self.call(&FileRequest::Who)?, FileAnswer::Sessions, fd => |pipe| pipe)
    }

    pub(crate) fn passive_listen(
        &mut self,
        family: Family,
    ) -> Asked<(OwnedFd, std::net::SocketAddr)> {
        let request = FileRequest::PassiveListen { family };
        expect!(self.call(&request)?, FileAnswer::Listening { address }, fd => |listener| (listener, address))
    }

    pub(crate) fn active_connect(
        &mut self,
        target: std::net::SocketAddr,
    ) -> Asked<(OwnedFd, bool)> {
        expect!(self.call(&FileRequest::ActiveConnect { target })?, FileAnswer::Connecting { elsewhere }, fd => |socket| (socket, elsewhere))
    }
}

fn opened(answer: Answer) -> Asked<Opened> {
    expect!(answer, FileAnswer::Opened { size, contested }, fd => |file| Opened { file, size, contested })
}

fn created(answer: Answer) -> Asked<Created> {
    expect!(answer, FileAnswer::Created { room, contested }, fd => |file| Created { file, room, contested })
}

impl AsFd for Files {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.channel.as_fd()
    }
}
