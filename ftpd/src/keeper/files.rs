//! Answers the requests of a session that is logged in. Each is checked against the permitted verbs again, so that a
//! network half that was taken over gains nothing by skipping its own checks.

use std::net::SocketAddr;
use std::os::fd::{BorrowedFd, OwnedFd};

use common::channel::{Cut, FileAnswer, FileRequest, ListFormat, Ticket, UploadAt};
use common::hookd::{Commanded, Listed, Told};
use common::hooks::{Connection, Kind as Event};
use common::jail::{
    Continuable, Disposition, Failure, Format, Kind, Limits, ListRequest, MOST_SORTED, Opened,
    PackRequest, Permissions, Upload, Wanted,
};
use common::path::VirtualPath;
use common::proto::hostport::Family;
use common::proto::listing::{Order, Remark};
use common::settings::Durability;
use common::turns::Turn;
use common::wire::Octets;

use super::hooks::{self, Hooked};
use super::listing::ListingPump;
use super::login::Login;
use super::packing::{Later, Packing};
use super::permits::{permits, rights};
use super::unpacking::Unpacking;
use super::work::{Step, Work};

/// The user's files and what is in progress on them.
pub(super) struct Files {
    login: Login,
    upload: Option<Upload>,
    listing: Option<ListingPump>,
    work: Option<Work>,
    packing: Option<Packing>,
    unpacking: Option<Unpacking>,
    pub(super) hooked: Hooked,
}

/// The channel has ended, whatever the reason: what came is as good as that of any broken upload.
impl Drop for Files {
    fn drop(&mut self) {
        self.suspend(Cut::Aborted);
        self.hooked.copied(Cut::Aborted);
        self.hooked.sent(Some(Cut::Aborted), 0);
    }
}

/// An answer, and the descriptor that goes with it.
pub(super) type Answered = (FileAnswer, Option<OwnedFd>);

impl Files {
    pub(super) fn new(login: Login, hooked: Hooked) -> Files {
        Files {
            login,
            upload: None,
            listing: None,
            work: None,
            packing: None,
            unpacking: None,
            hooked,
        }
    }

    /// Whether there is work that needs no waiting.
    pub(super) fn has_work(&self) -> bool {
        self.work.is_some() || self.packing.as_ref().is_some_and(Packing::is_asked)
    }

    /// Goes on with the work; gives its answer when it is done.
    pub(super) fn step_work(&mut self) -> Option<Later> {
        if let Some(work) = &mut self.work {
            let step = work.step()?;
            let told = self.work.take().and_then(Work::into_told);
            let (ticket, answer) = match step {
                Step::Done(ticket, answer) => (ticket, answer),
                Step::Copied(ticket, upload) => {
                    let durability = self.login.settings.durability;
                    (ticket, self.hooked.commit_copy(upload, durability))
                }
            };
            if !matches!(answer, FileAnswer::Failed { .. }) {
                self.hooked.done(told);
            }
            self.hooked.copied(Cut::Failed);
            return Some((ticket, answer, None));
        }
        self.packing.as_mut()?.step()
    }

    /// Gives the work up; gives its answer.
    pub(super) fn cancel_work(&mut self) -> Option<Later> {
        let packing = self.packing.take().and_then(Packing::cancel);
        self.hooked.copied(Cut::Aborted);
        match self.work.take().map(Work::cancel) {
            Some((ticket, answer)) => Some((ticket, answer, None)),
            None => packing,
        }
    }

    /// Begins work that is answered in its own time; `Some` is the answer where there is nothing to wait for.
    pub(super) fn begin_work(
        &mut self,
        ticket: Ticket,
        request: &FileRequest,
    ) -> Option<FileAnswer> {
        if !self.permits(request) {
            return Some(FileAnswer::NotPermitted);
        }
        if self.work.is_some() {
            let why = Failure::Busy;
            return Some(FileAnswer::Failed { why });
        }
        if matches!(request, FileRequest::PackNext) {
            let packing = self.packing.as_mut().ok_or(Failure::NotFound);
            let asked = packing.and_then(|packing| packing.ask(ticket));
            return asked.err().map(|why| FileAnswer::Failed { why });
        }
        if let Some(refused) = self.hooked.before(request) {
            return Some(refused);
        }
        let Login { jail, settings, .. } = &self.login;
        match Work::begin(jail, settings.durability, ticket, request) {
            Ok(work) => {
                if let (Some(upload), FileRequest::Copy { to, .. }) = (work.upload(), request) {
                    self.hooked.copies(to, upload);
                }
                self.work = Some(work);
                None
            }
            Err(why) => Some(FileAnswer::Failed { why }),
        }
    }

    /// Tells hooks why the session ends, unless the network half has said so.
    pub(super) fn leave(&mut self, end: &str) {
        if let Some(end) = Listed::find(end) {
            self.hooked.leave(end);
        }
    }

    /// The session goes on after all; what is answered then.
    pub(super) fn stay(&mut self, why: Failure) -> FileAnswer {
        self.hooked.stay();
        FileAnswer::Failed { why }
    }

    /// Leaves an upload as far as it came.
    fn suspend(&mut self, cut: Cut) {
        if let Some(upload) = self.upload.take() {
            let received = upload.received();
            upload.suspend();
            self.hooked.aborted(received, cut);
        }
    }

    /// Gives an upload up.
    fn discard(&mut self, cut: Cut) {
        if let Some(upload) = self.upload.take() {
            let received = upload.received();
            upload.discard();
            self.hooked.aborted(received, cut);
        }
    }

    /// A passive port, when hooks have made way for it.
    fn listen(&mut self, family: Family) -> Answered {
        let (answer, socket) = self.login.data.listen(family);
        let Some((socket, ends)) = socket.and_then(|socket| {
            let ends = self.login.data.passive_ends(&socket)?;
            Some((socket, ends))
        }) else {
            return (answer, None);
        };
        match self.hooked.data_up(ends, Connection::FromClient) {
            None => (answer, Some(socket)),
            Some(refused) => (refused, None),
        }
    }

    /// The beginning of a connection, when hooks have made way for it.
    fn connect(&mut self, target: SocketAddr) -> Answered {
        let Some(ends) = self.login.data.active_ends(target) else {
            return (FileAnswer::TargetRefused, None);
        };
        match self.hooked.data_up(ends, Connection::ToClient) {
            None => self.login.data.connect(target),
            Some(refused) => (refused, None),
        }
    }

    /// The pipe of a running listing, to be polled for room.
    pub(super) fn listing_pipe(&self) -> Option<BorrowedFd<'_>> {
        self.listing.as_ref().and_then(ListingPump::pipe)
    }

    /// Moves a running listing on by one piece.
    pub(super) fn step_listing(&mut self) {
        if let Some(listing) = &mut self.listing {
            listing.step();
        }
    }

    /// Whether the user's permitted verbs need this request, and hooks have let a command through that does.
    pub(super) fn permits(&self, request: &FileRequest) -> bool {
        let permitted = self.login.account.permitted;
        permits(permitted, request) && self.hooked.was_asked(permitted, request)
    }

    /// Answers one request.
    pub(super) fn answer(&mut self, request: FileRequest) -> Answered {
        if !self.permits(&request) {
            return (FileAnswer::NotPermitted, None);
        }
        if let Some(refused) = self.hooked.before(&request) {
            return (refused, None);
        }
        let told = hooks::act(&request);
        match self.try_answer(request) {
            Ok(answered) => {
                self.hooked.after(told);
                answered
            }
            Err(why) => (FileAnswer::Failed { why }, None),
        }
    }

    fn unpacking(&mut self) -> Result<&mut Unpacking, Failure> {
        self.unpacking.as_mut().ok_or(Failure::NotFound)
    }

    fn try_answer(&mut self, request: FileRequest) -> Result<Answered, Failure> {
        let Login { jail, settings, .. } = &self.login;
        let durability = settings.durability;
        let done = Ok((FileAnswer::Done, None));
        match request {
            FileRequest::OpenForDigest { path } => self.open_for_digest(&path),
            FileRequest::DigestEnd => {
                if let Some(Ok(queue)) = &self.login.queue {
                    queue.give_back()?;
                }
                done
            }
            FileRequest::Open { path } => Ok(given(jail.open(&path)?)),
            FileRequest::Create {
                path,
                at,
                continuable,
                declared,
            } => {
                let wanted = Wanted {
                    at: disposition(at, durability),
                    continuable: match continuable {
                        true => Continuable::Yes,
                        false => Continuable::No,
                    },
                    declared,
                };
                self.create(&path, wanted)
            }
            FileRequest::Commit => {
                let upload = self.upload.take().ok_or(Failure::NotFound)?;
                Ok((self.hooked.commit(upload, durability)?, None))
            }
            FileRequest::Discard => {
                self.discard(Cut::Failed);
                done
            }
            FileRequest::Sent { octets, cut } => {
                self.hooked.sent(cut, octets);
                done
            }
            FileRequest::Digested { digest } => {
                self.hooked.digested(digest);
                done
            }
            FileRequest::Leave { end } => {
                self.hooked.leave(end);
                done
            }
            FileRequest::DataEnd => {
                self.hooked.reach.data_down();
                done
            }
            FileRequest::Command {
                verb,
                arguments,
                path,
                from,
                code,
                text,
            } => {
                let command = Commanded {
                    verb,
                    arguments,
                    reply: code.map(|code| (code, text)),
                };
                Ok((self.hooked.command(command, path, from), None))
            }
            FileRequest::Suspend { cut } => {
                self.suspend(cut);
                done
            }
            FileRequest::Unfinished { path } => {
                let octets = jail.unfinished(&path)?;
                Ok((FileAnswer::Space { octets }, None))
            }
            FileRequest::List {
                path,
                pattern,
                typed,
                format,
                options,
                facts,
            } => {
                let request = ListRequest {
                    format: match format {
                        ListFormat::Long => Format::Long,
                        ListFormat::Names => Format::Names,
                        ListFormat::Facts => Format::Facts,
                    },
                    options,
                    pattern: pattern.map(|pattern| pattern.as_slice().to_vec()),
                    typed: typed.as_slice().to_vec(),
                    facts,
                    limits: Limits {
                        depth: settings.list_depth,
                        entries: settings.list_entries,
                        sorted: MOST_SORTED,
                    },
                };
                self.list(&path, request)
            }
            FileRequest::ListEnd => {
                let remark = self.listing.take().map(ListingPump::end).transpose()?;
                let remark = remark.unwrap_or(Remark::Whole);
                Ok((FileAnswer::Listed { remark }, None))
            }
            FileRequest::Stat { path } => {
                let stat = jail.stat(&path)?;
                let status = FileAnswer::Status {
                    directory: stat.kind == Kind::Directory,
                    size: stat.size,
                    modified: stat.modified.0,
                };
                Ok((status, None))
            }
            FileRequest::Facts { path, wanted } => {
                let mut line = Vec::new();
                jail.facts(&path, wanted, &mut line)?;
                let line = Octets::new(&line).ok_or(Failure::NameTooLong)?;
                Ok((FileAnswer::FactLine { line }, None))
            }
            FileRequest::ChangeDir { path } => {
                jail.check_dir(&path)?;
                self.hooked.directory = path;
                done
            }
            FileRequest::Remove { path } => jail.remove(&path, durability).and(done),
            FileRequest::MakeDir { path } => jail.make_dir(&path, durability).and(done),
            FileRequest::RemoveDir { path } => jail.remove_dir(&path, durability).and(done),
            FileRequest::Rename { from, to } => jail.rename(&from, &to, durability).and(done),
            FileRequest::PassiveListen { family } => Ok(self.listen(family)),
            FileRequest::ActiveConnect { target } => Ok(self.connect(target)),
            FileRequest::SetMode { path, mode } => jail.set_mode(&path, mode, durability).and(done),
            FileRequest::SetTimes {
                path,
                modified,
                accessed,
            } => {
                let modified = jail.set_times(&path, modified, accessed, durability)?;
                Ok((FileAnswer::Stamped { modified }, None))
            }
            FileRequest::Symlink { target, link } => {
                jail.symlink(&target, &link, durability).and(done)
            }
            FileRequest::Umask { new } => {
                if let Some(umask) = new {
                    jail.set_umask(umask);
                }
                let umask = jail.umask();
                Ok((FileAnswer::Umask { umask }, None))
            }
            FileRequest::Unpack { directory } => self.unpack(&directory).and(done),
            FileRequest::UnpackDirectory { path, mode } => self.unpack_directory(&path, mode),
            FileRequest::UnpackFile { path, size } => self.unpack_file(&path, size),
            FileRequest::CommitEntry { mode, modified } => {
                let mut upload = self.upload.take().ok_or(Failure::NotFound)?;
                self.unpacking()?.finish_file(&mut upload, mode, modified)?;
                Ok((self.hooked.commit(upload, durability)?, None))
            }
            FileRequest::FinishDirectory {
                path,
                mode,
                modified,
            } => {
                let finished = self.unpacking()?.finish_directory(&path, mode, modified);
                Ok((finished?, None))
            }
            FileRequest::Pack {
                path,
                pattern,
                name,
            } => {
                let request = PackRequest {
                    pattern: pattern.map(|pattern| pattern.as_slice().to_vec()),
                    name: name.as_slice().to_vec(),
                    links: settings.archive_links,
                    entries: settings.archive_entries,
                };
                self.packing = Some(Packing::new(jail.pack(&path, &request)?));
                done
            }
            FileRequest::MakeDirs { path } => jail.make_dirs(&path, durability).and(done),
            FileRequest::Space { path } => {
                let octets = jail.space(&path)?;
                Ok((FileAnswer::Space { octets }, None))
            }
            // Keeper sees to these before it asks here: they are for the listener, or take their own time.
            FileRequest::Reinitialise
            | FileRequest::Lead
            | FileRequest::Who
            | FileRequest::ChangePassword
            | FileRequest::MeasureTree { .. }
            | FileRequest::RemoveTree { .. }
            | FileRequest::Copy { .. }
            | FileRequest::PackNext
            | FileRequest::Cancel => Err(Failure::Denied),
        }
    }
}

/// The requests that take more than a line or two.
impl Files {
    fn open_for_digest(&mut self, path: &VirtualPath) -> Result<Answered, Failure> {
        let opened = self.login.jail.open(path)?;
        let turn = match &self.login.queue {
            None => Turn::Now,
            Some(Ok(queue)) => queue.take()?,
            // SECURITY: who cannot be counted gets none.
            Some(Err(_)) => return Err(Failure::Exhausted),
        };
        match turn {
            Turn::Later => Err(Failure::Crowded),
            Turn::Now => Ok(given(opened)),
        }
    }

    fn create(&mut self, path: &VirtualPath, wanted: Wanted) -> Result<Answered, Failure> {
        // One upload at a time: what was not committed is given up.
        self.discard(Cut::Aborted);
        let upload = self.login.jail.create(path, wanted)?;
        let descriptor = upload.descriptor().try_clone_to_owned();
        let descriptor = descriptor.map_err(|_| Failure::Exhausted)?;
        let created = FileAnswer::Created {
            room: upload.room(),
            contested: upload.is_contested(),
        };
        self.hooked.receives(path, &upload);
        self.upload = Some(upload);
        Ok((created, Some(descriptor)))
    }

    fn list(&mut self, path: &VirtualPath, mut request: ListRequest) -> Result<Answered, Failure> {
        if request.options.order == Order::Unsorted {
            request.options.order = self.login.settings.list_order;
        }
        let (pump, pipe) = ListingPump::start(&self.login.jail, path, &request)?;
        self.listing = Some(pump);
        Ok((FileAnswer::Listing, Some(pipe)))
    }

    fn unpack(&mut self, directory: &VirtualPath) -> Result<(), Failure> {
        self.discard(Cut::Aborted);
        let Login { jail, settings, .. } = &self.login;
        let rights = rights(self.login.account.permitted);
        self.unpacking = Some(Unpacking::new(jail, directory, settings, rights)?);
        Ok(())
    }

    fn unpack_directory(
        &mut self,
        path: &VirtualPath,
        mode: Permissions,
    ) -> Result<Answered, Failure> {
        let place = self.unpacking()?.place(path);
        if let Some(refused) = self.hooked.ask_before(Told::about(Event::MakeDir, &place)) {
            return Ok((refused, None));
        }
        Ok((self.unpacking()?.directory(path, mode)?, None))
    }

    fn unpack_file(&mut self, path: &VirtualPath, size: u64) -> Result<Answered, Failure> {
        self.discard(Cut::Aborted);
        let place = self.unpacking()?.place(path);
        if let Some(refused) = self.hooked.ask_before(Told::about(Event::Upload, &place)) {
            return Ok((refused, None));
        }
        let (upload, answered) = self.unpacking()?.file(path, size)?;
        self.hooked.receives(&place, &upload);
        self.upload = Some(upload);
        Ok(answered)
    }
}

/// The answer that hands a file over.
fn given(opened: Opened) -> Answered {
    let (size, contested) = (opened.size, opened.contested);
    (FileAnswer::Opened { size, contested }, Some(opened.file))
}

/// What becomes of a file that is there, where nothing is promised for those that break too.
fn disposition(at: UploadAt, durability: Durability) -> Disposition {
    match (at, durability) {
        (UploadAt::Replace, Durability::Off) => Disposition::Overwrite,
        (UploadAt::Replace, Durability::Strict | Durability::Rename) => Disposition::Replace,
        (UploadAt::New, _) => Disposition::New,
        (UploadAt::Append, _) => Disposition::Append,
        (UploadAt::Offset { offset }, _) => Disposition::At(offset),
    }
}
