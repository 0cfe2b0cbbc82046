//! STOR with STRU T: takes an archive apart while it arrives. Files and directories only; every entry is requests to keeper.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use common::channel::{FileAnswer, FileRequest, Ticket};
use common::jail::Failure;
use common::path::VirtualPath;
use common::proto::args::PathArg;
use common::proto::facts::Permissions;
use common::proto::reply::{Mark, Reply};
use common::pump::{self, Consume, Consumer, Step};
use common::rate::Direction;
use common::stage::tar::{Event, Found, Malformed, Reader, Sort};
use common::stage::{Cargo, Plan};
use nix::errno::Errno;

use super::entry;
use super::tally::{Received, Why};
use crate::session::commands::transfer::plan;
use crate::session::files::{Denied, Files};
use crate::session::{End, Link, Pending, Stop, User, data, outcome, report, transfer};

/// The most directories that are left open; then those so far are taken for done.
const MOST_OPEN: usize = 4096;

/// Unpacks an archive into the current directory. The argument is only a name for it.
pub(crate) fn stor(
    link: &mut Link,
    user: &mut User,
    path: &PathArg,
    pending: &Pending,
) -> Result<Reply, Stop> {
    let plan = plan(user, pending, Cargo::Upload)?;
    let directory = user.directory.clone();
    user.files
        .order(&FileRequest::Unpack { directory })?
        .map_err(outcome::file)?;
    let mark = Mark::new("Opening BINARY mode data connection for an archive to unpack here.");
    let (ended, received) = receive(link, user, plan, &mark)?;
    let reply = match (ended.outcome.end, received.is_refused()) {
        (pump::End::Complete, _) | (_, true) => {
            Ok(received.reply(user.names, ended.confirmation.as_ref()))
        }
        (end, false) => outcome::received(end),
    };
    let answered = reply.as_ref().ok().map(Reply::code);
    report::transfer(
        link,
        user,
        Direction::Upload,
        (&path.0, None),
        &ended,
        answered,
    );
    transfer::conclude(link, ended.aborted, reply?)
}

fn receive(
    link: &mut Link,
    user: &mut User,
    plan: Plan,
    mark: &Mark,
) -> Result<(transfer::Ended, Received), Stop> {
    let (ended, unpacker) = transfer::converse(
        link,
        user,
        Direction::Upload,
        mark,
        Unpacker::new,
        |wire, unpacker| Box::new(Consume::new(wire, plan.into_chain(), unpacker)),
    )?;
    let received = unpacker.close()?;
    data::end(user)?;
    Ok((ended, received))
}

struct Unpacker<'a> {
    files: &'a mut Files,
    reader: Reader,
    /// What keeper has been asked, and what it is for.
    asked: Option<(Ticket, Asked)>,
    /// What it will be asked next.
    next: VecDeque<Asked>,
    entry: Option<Entry>,
    /// Directories that were made and may get more entries: not every program packs them before the next one. What the
    /// archive says of them is done at the end.
    open: Vec<Directory>,
    received: Received,
    /// The end of the session, where keeper is gone.
    broken: Option<End>,
}

#[derive(Clone, Debug)]
struct Directory {
    path: VirtualPath,
    mode: Permissions,
    /// Nothing where the archive does not speak of it.
    modified: Option<i64>,
}

enum Asked {
    /// One that leads to the entry, or the entry itself.
    Directory(Directory),
    File,
    Commit,
    Finish(Directory),
}

/// The entry that is being read.
struct Entry {
    path: VirtualPath,
    found: Found,
    file: Option<OwnedFd>,
    /// The directories that lead to it were asked for.
    led_to: bool,
}

impl Consumer for Unpacker<'_> {
    fn write(&mut self, octets: &[u8]) -> Result<usize, Step> {
        let mut input = octets;
        loop {
            match self.settle() {
                Ok(()) => {}
                Err(Step::WaitsForSource) if input.len() < octets.len() => break,
                Err(step) => return Err(step),
            }
            match self.reader.next(&mut input) {
                Ok(Some(event)) => self.take(event)?,
                Ok(None) => break,
                Err(malformed) => return Err(self.malformed(malformed)),
            }
        }
        Ok(octets.len() - input.len())
    }

    fn finish(&mut self) -> Result<(), Step> {
        self.settle()?;
        if let Err(malformed) = self.reader.finish() {
            return Err(self.malformed(malformed));
        }
        self.leave();
        self.settle()
    }

    fn awaited(&self) -> BorrowedFd<'_> {
        self.files.as_fd()
    }
}

impl<'a> Unpacker<'a> {
    fn new(files: &'a mut Files) -> Unpacker<'a> {
        Unpacker {
            files,
            reader: Reader::default(),
            asked: None,
            next: VecDeque::new(),
            entry: None,
            open: Vec::new(),
            received: Received::default(),
            broken: None,
        }
    }

    /// Has keeper do all that it is to do before the archive is read on.
    fn settle(&mut self) -> Result<(), Step> {
        loop {
            if let Some((ticket, asked)) = self.asked.take() {
                match self.files.unpacked(ticket) {
                    Ok(None) => {
                        self.asked = Some((ticket, asked));
                        return Err(Step::WaitsForSource);
                    }
                    Ok(Some((answer, file))) => self.answered(asked, answer, file)?,
                    Err(end) => return Err(self.fail(end)),
                }
            } else if let Some(next) = self.next.pop_front() {
                let Some(request) = self.request(&next) else {
                    continue;
                };
                match self.files.begin(&request) {
                    Ok(ticket) => self.asked = Some((ticket, next)),
                    Err(end) => return Err(self.fail(end)),
                }
            } else {
                return Ok(());
            }
        }
    }

    fn request(&self, asked: &Asked) -> Option<FileRequest> {
        Some(match asked {
            Asked::Directory(directory) => FileRequest::UnpackDirectory {
                path: directory.path.clone(),
                mode: directory.mode,
            },
            Asked::Finish(directory) => FileRequest::FinishDirectory {
                path: directory.path.clone(),
                mode: directory.mode,
                modified: directory.modified?,
            },
            Asked::File => {
                let entry = self.entry.as_ref()?;
                FileRequest::UnpackFile {
                    path: entry.path.clone(),
                    size: entry.found.size,
                }
            }
            Asked::Commit => {
                let entry = self.entry.as_ref()?;
                FileRequest::CommitEntry {
                    mode: Permissions::of(u32::from(entry.found.mode)),
                    modified: entry.found.modified,
                }
            }
        })
    }

    fn answered(
        &mut self,
        asked: Asked,
        answer: FileAnswer,
        file: Option<OwnedFd>,
    ) -> Result<(), Step> {
        match (asked, answer, file) {
            (Asked::Directory(directory), FileAnswer::DirectoryReady { made }, None) => {
                if directory.modified.is_some() {
                    self.received.entries += 1;
                }
                // One that was there before stays as it is.
                if made && directory.modified.is_some() {
                    self.open.push(directory);
                }
            }
            (Asked::File, FileAnswer::FileReady, Some(file)) => {
                if let Some(entry) = &mut self.entry {
                    entry.file = Some(file);
                }
            }
            (Asked::Commit, FileAnswer::Committed { .. }, None) => self.received.entries += 1,
            (Asked::Finish(_), FileAnswer::Done, None) => {}
            // It was renamed or removed meanwhile by somebody else, or belongs to another: no loss of the archive's.
            (Asked::Finish(_), FileAnswer::Failed { .. }, None) => self.received.unfinished += 1,
            (asked, FileAnswer::Failed { why }, None) => return self.denied(asked, why),
            (_, FileAnswer::NotPermitted, None) => {
                return Err(self.refuse(Why::Denied(Denied::NotPermitted)));
            }
            (_, FileAnswer::Vetoed { text }, None) => {
                return Err(self.refuse(Why::Denied(Denied::Vetoed(text))));
            }
            _ => return Err(self.fail(End::bug("an answer of keeper that is none"))),
        }
        Ok(())
    }

    /// Keeper said no. An archive need not speak of the directories that lead to an entry: they are made, once.
    fn denied(&mut self, asked: Asked, why: Failure) -> Result<(), Step> {
        if let (Failure::NotFound, Some(entry)) = (why, &mut self.entry)
            && !entry.led_to
        {
            entry.led_to = true;
            let above = entry::above(&entry.path);
            let ways = above.into_iter().map(|path| {
                Asked::Directory(Directory {
                    path,
                    mode: Permissions::of(0o777),
                    modified: None,
                })
            });
            self.next = ways.chain([asked]).collect();
            return Ok(());
        }
        Err(self.refuse(Why::Denied(Denied::Failed(why))))
    }

    fn take(&mut self, event: Event<'_>) -> Result<(), Step> {
        match event {
            Event::Entry(found) => self.begin(found),
            Event::Data(octets) => self.store(octets),
            Event::Whole => {
                let entry = self.entry.as_mut();
                if entry.is_some_and(|entry| entry.file.take().is_some()) {
                    self.next.push_back(Asked::Commit);
                }
                Ok(())
            }
        }
    }

    fn begin(&mut self, found: Found) -> Result<(), Step> {
        self.entry = None;
        self.received.last.clone_from(&found.path);
        let path = match entry::path(&found.path) {
            Ok(path) => path,
            Err(wrong) => return Err(self.refuse(Why::Name(wrong))),
        };
        match found.sort {
            Sort::Other => {
                self.received.left_out += 1;
                return Ok(());
            }
            Sort::Directory if path.is_root() => return Ok(()),
            Sort::File if path.is_root() => return Err(self.refuse(Why::Name(entry::NO_NAME))),
            Sort::File | Sort::Directory => {}
        }
        if self.open.len() >= MOST_OPEN {
            self.leave();
        }
        let directory = Directory {
            path: path.clone(),
            mode: Permissions::of(u32::from(found.mode)),
            modified: Some(found.modified),
        };
        self.next.push_back(match found.sort {
            Sort::Directory => Asked::Directory(directory),
            Sort::File | Sort::Other => Asked::File,
        });
        self.entry = Some(Entry {
            path,
            found,
            file: None,
            led_to: false,
        });
        Ok(())
    }

    /// Leaves all directories, the deepest first.
    fn leave(&mut self) {
        let left = self.open.drain(..).rev().map(Asked::Finish);
        self.next.extend(left);
    }

    fn store(&mut self, mut octets: &[u8]) -> Result<(), Step> {
        let Some(file) = self.entry.as_ref().and_then(|entry| entry.file.as_ref()) else {
            return Err(self.fail(End::bug("no file to write to")));
        };
        while !octets.is_empty() {
            match nix::unistd::write(file, octets) {
                Ok(0) => return Err(self.refuse(Why::Denied(Denied::Failed(Failure::Io)))),
                Ok(count) => octets = &octets[count..],
                Err(Errno::EINTR) => {}
                Err(errno) => {
                    return Err(self.refuse(Why::Denied(Denied::Failed(errno.into()))));
                }
            }
        }
        Ok(())
    }

    fn malformed(&mut self, malformed: Malformed) -> Step {
        self.received.last = malformed.entry;
        self.refuse(Why::Malformed(malformed.wrong))
    }

    /// Ends the transfer; [`Received`] knows why.
    fn refuse(&mut self, why: Why) -> Step {
        self.received.refuse(why);
        Step::StoreFailed(Errno::ECANCELED)
    }

    fn fail(&mut self, end: End) -> Step {
        self.broken = Some(end);
        Step::StoreFailed(Errno::EPIPE)
    }

    /// Drops what is not whole, and gives the directories their times: what was whole stays.
    fn close(mut self) -> Result<Received, End> {
        if let Some(end) = self.broken {
            return Err(end);
        }
        if let Some((ticket, _)) = self.asked.take() {
            self.files.forget(ticket);
        }
        let _ = self.files.discard()?;
        self.next.clear();
        self.leave();
        for left in std::mem::take(&mut self.next) {
            if let Some(request) = self.request(&left) {
                let _ = self.files.order(&request)?;
            }
        }
        Ok(self.received)
    }
}
