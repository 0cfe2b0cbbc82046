//! What keeper tells hooks of: its own acts, by the requests that make it act.

use std::net::SocketAddr;
use std::time::Instant;

use common::channel::{Cut, FileAnswer, FileRequest};
use common::hookd::{self, Commanded, EndWords, FileDigest, Listed, Reach, Sum, Told, Verdict};
use common::hooks::{Connection, DataConnection, Id, Kind, Outcome, Phase};
use common::jail::{Failure, Sealed, Upload};
use common::log::Log;
use common::path::VirtualPath;
use common::proto::verbs::{Verb, VerbSet};
use common::settings::Durability;
use common::wire::Octets;

use super::permits::needed_by;

/// The session's hooks, and what is going on that they will hear the end of.
pub(super) struct Hooked {
    pub(super) reach: Reach,
    upload: Option<Going>,
    copy: Option<Going>,
    download: Option<Going>,
    /// The user's working directory.
    pub(super) directory: VirtualPath,
    /// The command that hooks have let through last, and the path that it is about.
    passed: Option<(Verb, Option<VirtualPath>)>,
    /// The transfer of the command that is going on.
    moved: Option<Told>,
    /// The digest of the file that is told of next, by the word of the network half.
    digest: Option<FileDigest>,
    /// What the session has done so far.
    sum: Sum,
}

/// A transfer.
#[derive(Clone)]
struct Going {
    /// Of whatever event comes of it.
    id: Id,
    path: VirtualPath,
    offset: u64,
    since: Instant,
    /// Octets that have come or gone, once they have.
    transferred: Option<u64>,
    hash: Option<FileDigest>,
    /// Of an upload.
    replaced: Option<bool>,
}

impl Hooked {
    pub(super) fn new(reach: Reach, directory: VirtualPath) -> Hooked {
        Hooked {
            reach,
            upload: None,
            copy: None,
            download: None,
            directory,
            passed: None,
            moved: None,
            digest: None,
            sum: Sum::default(),
        }
    }

    /// Asks hooks about a command that is about to be carried out, or tells them of its reply.
    pub(super) fn command(
        &mut self,
        command: Commanded,
        path: Option<VirtualPath>,
        from: Option<VirtualPath>,
    ) -> FileAnswer {
        let (verb, code) = (command.verb, command.reply.as_ref().map(|(code, _)| *code));
        let told = Told {
            path: path.clone(),
            from,
            directory: Some(self.directory.clone()),
            command: Some(command),
            ..Told::new(Kind::Command)
        };
        let Some(code) = code else {
            (self.passed, self.moved, self.digest) = (None, None, None);
            return match self.reach.say(Phase::Before, told, None) {
                Verdict::Refuse { text } => FileAnswer::Vetoed { text },
                Verdict::Pass | Verdict::Say { .. } | Verdict::Rename { .. } | Verdict::NoRoom => {
                    self.passed = Some((verb, path));
                    FileAnswer::Done
                }
            };
        };
        let failed = code >= 400;
        let told = Told {
            outcome: Some(if failed {
                Outcome::Failed
            } else {
                Outcome::Success
            }),
            ..self.with_transfer(told)
        };
        let told = Told {
            hash: self.digest.take().or(told.hash),
            ..told
        };
        let phase = if failed { Phase::Error } else { Phase::After };
        match self.reach.say(phase, told, None) {
            Verdict::Say { text } => FileAnswer::Said { text },
            // It is over, whatever they say.
            Verdict::Pass | Verdict::Refuse { .. } | Verdict::Rename { .. } | Verdict::NoRoom => {
                FileAnswer::Done
            }
        }
    }

    /// What is told of a command, with what is known of its transfer.
    fn with_transfer(&mut self, told: Told) -> Told {
        match self.moved.take() {
            None => told,
            Some(moved) => Told {
                size: moved.size,
                transferred: moved.transferred,
                offset: moved.offset,
                duration: moved.duration,
                hash: moved.hash,
                replaced: moved.replaced,
                path: moved.path,
                ..told
            },
        }
    }

    /// Whether hooks that may refuse commands were asked about one that needs this request. A network half that was taken
    /// over does not get past them by saying nothing.
    // SECURITY: where only verbs that can be refused need the request, it is good for the path that they were asked about.
    pub(super) fn was_asked(&self, permitted: VerbSet, request: &FileRequest) -> bool {
        let Some(needed_by) = needed_by(request) else {
            return true;
        };
        let mut verbs = needed_by.iter().filter_map(|name| Verb::find(name));
        let vetoes = |verb| self.reach.interest().vetoes(verb);
        if !verbs
            .clone()
            .all(|verb| vetoes(verb) || !permitted.contains(verb))
        {
            return true;
        }
        let Some((passed, about)) = &self.passed else {
            return false;
        };
        let same = match (about, acts(request).next().and_then(|told| told.path)) {
            (Some(about), Some(path)) => *about == path,
            _ => true,
        };
        same && verbs.any(|verb| verb == *passed)
    }

    /// Hears what hookd says unasked, and tells the log what it could not be told.
    pub(super) fn attend(&mut self, log: &Log) {
        self.reach.attend();
        let lost = self.reach.take_lost();
        if lost > 0 {
            log.line(&format!(
                "hooks: {lost} events were lost, hookd was not to be had"
            ));
        }
    }

    /// Asks before an act; `Some` is the answer that refuses it.
    pub(super) fn before(&mut self, request: &FileRequest) -> Option<FileAnswer> {
        acts(request).find_map(|told| self.ask_before(told))
    }

    /// Asks before an act that no request of its own names.
    pub(super) fn ask_before(&mut self, told: Told) -> Option<FileAnswer> {
        refusal(self.reach.say(Phase::Before, told, None))
    }

    /// Tells of an act that is done; the end of a transfer is told when that comes.
    pub(super) fn after(&mut self, told: Option<Told>) {
        let Some(told) = told else { return };
        match (told.kind, &told.path) {
            // There is nothing to tell before its end.
            (Kind::Upload, _) => {}
            (Kind::Download, Some(path)) => {
                self.sent(Some(Cut::Aborted), 0);
                self.digest = None;
                self.download = Some(Going::new(path));
            }
            _ => {
                self.reach.say(Phase::After, told, None);
            }
        }
    }

    /// Tells of what is done whole at once.
    pub(super) fn done(&mut self, told: Option<Told>) {
        if let Some(told) = told {
            self.reach.say(Phase::After, told, None);
        }
    }

    /// An upload has begun.
    pub(super) fn receives(&mut self, path: &VirtualPath, upload: &Upload) {
        self.digest = None;
        self.upload = Some(Going::receiving(path, upload));
    }

    /// A copy has begun, which is an upload without octets of the client's.
    pub(super) fn copies(&mut self, path: &VirtualPath, upload: &Upload) {
        self.digest = None;
        self.copy = Some(Going::receiving(path, upload));
    }

    /// Tells that a copy has broken off, if there was one.
    pub(super) fn copied(&mut self, cut: Cut) {
        if let Some(going) = self.copy.take() {
            self.tell_broken(&going, cut);
        }
    }

    /// What is told of next has this digest.
    pub(super) fn digested(&mut self, digest: FileDigest) {
        self.digest = Some(digest);
    }

    /// The session is about to end.
    pub(super) fn leave(&mut self, end: Listed<EndWords>) {
        self.sum.end = Some(end);
        self.reach.sum(self.sum);
    }

    /// It goes on after all.
    pub(super) fn stay(&mut self) {
        self.sum.end = None;
        self.reach.sum(self.sum);
    }

    fn count(&mut self, received: u64, sent: u64) {
        self.sum.received = self.sum.received.saturating_add(received);
        self.sum.sent = self.sum.sent.saturating_add(sent);
        if (received, sent) != (0, 0) {
            self.reach.sum(self.sum);
        }
    }

    /// Completes an upload.
    pub(super) fn commit(
        &mut self,
        upload: Upload,
        durability: Durability,
    ) -> Result<FileAnswer, Failure> {
        let received = upload.received();
        self.count(received, 0);
        let going = self.upload.take();
        self.complete(going, upload, durability, Some(received))
    }

    /// Completes a copy.
    pub(super) fn commit_copy(&mut self, upload: Upload, durability: Durability) -> FileAnswer {
        let going = self.copy.take();
        match self.complete(going, upload, durability, None) {
            Ok(FileAnswer::Committed { .. }) => FileAnswer::Done,
            Ok(other) => other,
            Err(why) => FileAnswer::Failed { why },
        }
    }

    /// Asks the hooks that accept a whole file, gives it its name, and tells. Nobody is told of what went wrong in silence.
    fn complete(
        &mut self,
        going: Option<Going>,
        upload: Upload,
        durability: Durability,
        received: Option<u64>,
    ) -> Result<FileAnswer, Failure> {
        let Some(mut going) = going else {
            let size = upload.commit(durability)?;
            return Ok(FileAnswer::Committed { size });
        };
        going.hash = self.digest.take();
        going.transferred = received;
        let done = upload
            .seal(durability)
            .and_then(|sealed| self.publish(&mut going, sealed, durability));
        let told = match &done {
            Ok(FileAnswer::Vetoed { text }) => Told {
                outcome: Some(Outcome::Refused),
                reason: Some(text.clone()),
                ..going.told(Kind::UploadRefused)
            },
            Ok(FileAnswer::Committed { size }) => Told {
                size: Some(*size),
                outcome: Some(Outcome::Success),
                ..going.told(Kind::Upload)
            },
            Ok(_) | Err(_) => Told {
                outcome: Some(Outcome::Failed),
                ..going.told(Kind::UploadAborted)
            },
        };
        self.moved = Some(told.clone());
        self.reach.say(Phase::After, told, None);
        done
    }

    /// Gives a file that is whole its name, or another one, or none, as hooks say.
    fn publish(
        &mut self,
        going: &mut Going,
        mut sealed: Sealed,
        durability: Durability,
    ) -> Result<FileAnswer, Failure> {
        match self.accept(going, &sealed) {
            Verdict::Pass | Verdict::Say { .. } => {}
            // What was continued in place has its name.
            Verdict::Rename { .. } if sealed.temporary().is_none() => {}
            Verdict::Rename { name } => {
                sealed.rename(name.as_slice())?;
                let renamed = going.path.parent().join(name.as_slice());
                going.path = renamed.map_err(|_| Failure::NameTooLong)?;
            }
            Verdict::Refuse { text } => {
                sealed.refuse()?;
                return Ok(FileAnswer::Vetoed { text });
            }
            Verdict::NoRoom => {
                sealed.refuse()?;
                return Err(Failure::NoSpace);
            }
        }
        let size = sealed.publish(durability)?;
        Ok(FileAnswer::Committed { size })
    }

    /// Asks about a file that is whole and not yet to be seen.
    fn accept(&mut self, going: &Going, sealed: &Sealed) -> Verdict {
        if !self.reach.interest().has(Kind::Upload, Phase::Accept) {
            return Verdict::Pass;
        }
        let told = Told {
            temporary: sealed.temporary().and_then(Octets::new),
            size: Some(sealed.size()),
            ..going.told(Kind::Upload)
        };
        let file = Some(sealed.descriptor());
        self.reach.say(Phase::Accept, told, file)
    }

    /// Tells that an upload has broken off, if there was one, after so many octets.
    pub(super) fn aborted(&mut self, received: u64, cut: Cut) {
        self.count(received, 0);
        if let Some(mut going) = self.upload.take() {
            going.transferred = Some(received);
            self.tell_broken(&going, cut);
        }
    }

    fn tell_broken(&mut self, going: &Going, cut: Cut) {
        let told = Told {
            outcome: Some(outcome(Some(cut))),
            ..going.told(Kind::UploadAborted)
        };
        self.reach.say(Phase::After, told, None);
    }

    /// Tells how the download has ended, if there was one.
    pub(super) fn sent(&mut self, cut: Option<Cut>, octets: u64) {
        self.count(0, octets);
        let hash = self.digest.take();
        if let Some(mut going) = self.download.take() {
            (going.transferred, going.hash) = (Some(octets), hash);
            let kind = match cut {
                None => Kind::Download,
                Some(_) => Kind::DownloadAborted,
            };
            let told = Told {
                outcome: Some(outcome(cut)),
                ..going.told(kind)
            };
            self.moved = Some(told.clone());
            self.reach.say(Phase::After, told, None);
        }
    }

    /// Tells of a data connection before it is made; `Some` is the answer that refuses it.
    pub(super) fn data_up(
        &mut self,
        (source, destination): (SocketAddr, SocketAddr),
        connection: Connection,
    ) -> Option<FileAnswer> {
        let data = DataConnection {
            source,
            destination,
            connection,
        };
        refusal(self.reach.data_up(data))
    }
}

fn outcome(cut: Option<Cut>) -> Outcome {
    match cut {
        None => Outcome::Success,
        Some(Cut::Aborted) => Outcome::Aborted,
        Some(Cut::Stalled) => Outcome::TimedOut,
        Some(Cut::Failed) => Outcome::Failed,
    }
}

/// What a verdict answers, if it is no leave.
fn refusal(verdict: Verdict) -> Option<FileAnswer> {
    match verdict {
        Verdict::Pass | Verdict::Say { .. } | Verdict::Rename { .. } => None,
        Verdict::Refuse { text } => Some(FileAnswer::Vetoed { text }),
        Verdict::NoRoom => Some(FileAnswer::Failed {
            why: Failure::NoSpace,
        }),
    }
}

impl Going {
    fn new(path: &VirtualPath) -> Going {
        Going {
            id: hookd::fresh_id(),
            path: path.clone(),
            offset: 0,
            since: Instant::now(),
            transferred: None,
            hash: None,
            replaced: None,
        }
    }

    fn receiving(path: &VirtualPath, upload: &Upload) -> Going {
        Going {
            offset: upload.start(),
            replaced: Some(upload.replaces()),
            ..Going::new(path)
        }
    }

    fn told(&self, kind: Kind) -> Told {
        Told {
            id: self.id,
            offset: (self.offset > 0).then_some(self.offset),
            transferred: self.transferred,
            duration: Some(self.since.elapsed()),
            hash: self.hash.clone(),
            replaced: self.replaced,
            ..Told::about(kind, &self.path)
        }
    }
}

/// What hooks are asked about before a request: what it does, and of a whole tree also that its files are deleted.
fn acts(request: &FileRequest) -> impl Iterator<Item = Told> {
    let files = match request {
        FileRequest::RemoveTree { path } => Some(Told::about(Kind::Delete, path)),
        _ => None,
    };
    act(request).into_iter().chain(files)
}

/// What a request makes keeper do, as hooks hear of it.
pub(super) fn act(request: &FileRequest) -> Option<Told> {
    Some(match request {
        FileRequest::Create { path, .. } => Told::about(Kind::Upload, path),
        FileRequest::Open { path } => Told::about(Kind::Download, path),
        FileRequest::Remove { path } => Told::about(Kind::Delete, path),
        FileRequest::MakeDir { path } | FileRequest::MakeDirs { path } => {
            Told::about(Kind::MakeDir, path)
        }
        FileRequest::RemoveDir { path } | FileRequest::RemoveTree { path } => {
            Told::about(Kind::RemoveDir, path)
        }
        FileRequest::Rename { from, to } => Told {
            from: Some(from.clone()),
            ..Told::about(Kind::Rename, to)
        },
        FileRequest::SetMode { path, mode } => Told {
            mode: Some(u32::from(mode.bits())),
            ..Told::about(Kind::SetMode, path)
        },
        FileRequest::Symlink { target, link } => Told {
            target: Some(target.clone()),
            ..Told::about(Kind::Symlink, link)
        },
        FileRequest::Copy { to, .. } => Told::about(Kind::Upload, to),
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
