//! RETR with STRU T: makes an archive while it is sent.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use common::channel::{FileRequest, PackedContent, PackedOwner, Ticket};
use common::jail::Failure;
use common::proto::args::PathArg;
use common::proto::reply::{Code, Mark, Reply};
use common::pump::{self, Producer, Source, Step};
use common::rate::Direction;
use common::stage::tar::{self, Entry, Kind, Owner};
use common::stage::{Cargo, Plan};
use nix::errno::Errno;
use nix::unistd::Whence;

use super::names;
use super::tally::Sent;
use crate::session::commands::transfer::plan;
use crate::session::files::{Files, Next, PackedEntry};
use crate::session::{End, Link, Pending, Stop, User, data, outcome, report, transfer};

/// Sends an archive of what the argument names.
pub(crate) fn retr(
    link: &mut Link,
    user: &mut User,
    path: &PathArg,
    pending: &Pending,
) -> Result<Reply, Stop> {
    let text = user.names.on_disk(&path.0)?.into_owned();
    let plan = plan(user, pending, Cargo::Download)?;
    let mut requests: VecDeque<_> = names::requests(user, &text)?.into();
    for (word, request) in requests.iter().rev() {
        let word = user.names.on_wire(word);
        user.files.order(request)?.map_err(outcome::about(&word))?;
    }
    let word = requests.pop_front().map(|(word, _)| word);
    let (first, aborted) = transfer::next_packed(link, user)?;
    if aborted {
        let reply = Reply::new(Code::TRANSFER_ABORTED, "Transfer aborted.");
        return transfer::conclude(link, aborted, reply);
    }
    let first = match first {
        // A pattern; that there is nothing can still be said before the data connection.
        Ok(Next::End) if requests.is_empty() => {
            return Ok(Reply::new(
                Code::UNAVAILABLE,
                "There is nothing of that name.",
            ));
        }
        first => first.map_err(outcome::about(&path.0))?,
    };
    let mark = [
        b"Opening BINARY mode data connection for an archive of ",
        path.0.as_slice(),
        b".",
    ];
    let mark = Mark::new(mark.concat());
    let first = (word, first);
    let (ended, sent) = match send(link, user, first, requests, plan, &mark) {
        Ok(sent) => sent,
        Err(stop) => {
            user.files.cancel()?;
            return Err(stop);
        }
    };
    let reply = match ended.outcome.end {
        pump::End::Complete => Ok(sent.reply(user.names, ended.confirmation.as_ref())),
        end => outcome::sent(end),
    };
    let answered = reply.as_ref().ok().map(Reply::code);
    report::transfer(
        link,
        user,
        Direction::Download,
        (&text, None),
        &ended,
        answered,
    );
    if user.account.tells_downloads {
        user.files.sent(ended.outcome.moved, ended.cut())?;
    }
    transfer::conclude(link, ended.aborted, reply?)
}

type Requests = VecDeque<(Vec<u8>, FileRequest)>;

fn send(
    link: &mut Link,
    user: &mut User,
    first: (Option<Vec<u8>>, Next),
    requests: Requests,
    plan: Plan,
    mark: &Mark,
) -> Result<(transfer::Ended, Sent), Stop> {
    let (ended, packer) = transfer::converse(
        link,
        user,
        Direction::Download,
        mark,
        |files| Packer::new(files, first, requests),
        |wire, packer| {
            let source = Source::Made(packer);
            Box::new(pump::SendStaged::new(source, wire, plan.into_chain()))
        },
    )?;
    let sent = packer.close()?;
    data::end(user)?;
    Ok((ended, sent))
}

/// The archive as it is made: one entry at a time, the next one being asked for while this one is sent.
struct Packer<'a> {
    files: &'a mut Files,
    /// What else was named.
    requests: Requests,
    /// The name that is being packed, of which nothing was found yet.
    unfound: Option<Vec<u8>>,
    /// What came before the data connection was there.
    found: Option<Next>,
    asked: Option<Ticket>,
    /// Headers and padding, and how much of them is taken.
    made: Vec<u8>,
    taken: usize,
    /// The content of the last entry.
    content: Option<Content>,
    sent: Sent,
    at_end: bool,
    /// The end of the session, where keeper is gone.
    broken: Option<End>,
}

struct Content {
    path: Vec<u8>,
    file: OwnedFd,
    offset: u64,
    size: u64,
    /// The file has ended already, or cannot be read on.
    ended: bool,
}

impl Producer for Packer<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Step> {
        let mut filled = 0;
        while filled < buffer.len() {
            let room = &mut buffer[filled..];
            let ready = &self.made[self.taken..];
            if !ready.is_empty() {
                let count = ready.len().min(room.len());
                room[..count].copy_from_slice(&ready[..count]);
                self.taken += count;
                filled += count;
            } else if self.content.is_some() {
                filled += self.read_content(room);
            } else if self.at_end {
                break;
            } else {
                match self.go_on() {
                    Ok(true) => {}
                    // What there is goes first.
                    Ok(false) if filled > 0 => break,
                    Ok(false) => return Err(Step::WaitsForSource),
                    Err(end) => {
                        self.broken = Some(end);
                        return Err(Step::StoreFailed(Errno::EPIPE));
                    }
                }
            }
        }
        Ok(filled)
    }

    fn awaited(&self) -> BorrowedFd<'_> {
        self.files.as_fd()
    }
}

impl<'a> Packer<'a> {
    /// Begins with what was found first, and under what name.
    fn new(
        files: &'a mut Files,
        (word, first): (Option<Vec<u8>>, Next),
        requests: Requests,
    ) -> Packer<'a> {
        Packer {
            files,
            requests,
            unfound: word,
            found: Some(first),
            asked: None,
            made: Vec::new(),
            taken: 0,
            content: None,
            sent: Sent::default(),
            at_end: false,
            broken: None,
        }
    }

    /// Takes the next entry if it is there; `false` says that it is waited for.
    fn go_on(&mut self) -> Result<bool, End> {
        let next = match self.found.take() {
            Some(found) => Ok(found),
            None => {
                let ticket = match self.asked {
                    Some(ticket) => ticket,
                    None => self.ask()?,
                };
                let Some(next) = self.files.packed(ticket)? else {
                    return Ok(false);
                };
                self.asked = None;
                next
            }
        };
        match next {
            Ok(Next::End) => self.next_request()?,
            Ok(Next::Missing(path, why)) => {
                self.unfound = None;
                self.sent.missing(&path, why);
            }
            Ok(Next::Entry(entry, file)) => {
                self.unfound = None;
                self.take(entry, file);
                self.ask()?;
            }
            Err(denied) => {
                self.sent.missing(b"", outcome::failure(denied));
                self.next_request()?;
            }
        }
        Ok(true)
    }

    fn ask(&mut self) -> Result<Ticket, End> {
        let ticket = self.files.begin(&FileRequest::PackNext)?;
        self.asked = Some(ticket);
        Ok(ticket)
    }

    /// Begins with what was named next, or ends the archive.
    fn next_request(&mut self) -> Result<(), End> {
        if let Some(word) = self.unfound.take() {
            self.sent.missing(&word, Failure::NotFound);
        }
        while let Some((word, request)) = self.requests.pop_front() {
            match self.files.order(&request)? {
                Ok(()) => {
                    self.unfound = Some(word);
                    return Ok(());
                }
                Err(denied) => self.sent.missing(&word, outcome::failure(denied)),
            }
        }
        self.make(|made| made.extend_from_slice(&tar::END));
        self.at_end = true;
        Ok(())
    }

    fn make(&mut self, make: impl FnOnce(&mut Vec<u8>)) {
        self.made.clear();
        self.taken = 0;
        make(&mut self.made);
    }

    fn take(&mut self, entry: PackedEntry, file: Option<OwnedFd>) {
        self.sent.entries += 1;
        let (header, owner) = described(entry);
        self.make(|made| tar::header(&header, &owner, made));
        self.content = file.map(|file| Content {
            path: header.path,
            file,
            offset: 0,
            size: header.size,
            ended: false,
        });
    }

    /// Reads the content on; when it is all there, its padding is made.
    fn read_content(&mut self, room: &mut [u8]) -> usize {
        let Some(content) = &mut self.content else {
            return 0;
        };
        let left = content.size - content.offset;
        if left > 0 {
            let piece = usize::try_from(left).map_or(room.len(), |left| left.min(room.len()));
            let count = content.read(&mut room[..piece], &mut self.sent);
            content.offset += count as u64;
            return count;
        }
        if content.goes_on() {
            self.sent.grown(&content.path);
        }
        let padding = tar::padding(content.size);
        self.content = None;
        self.make(|made| made.resize(padding, 0));
        0
    }

    /// Leaves keeper ready for other work, and tells what was sent.
    fn close(self) -> Result<Sent, End> {
        if let Some(end) = self.broken {
            return Err(end);
        }
        if let Some(ticket) = self.asked {
            self.files.forget(ticket);
        }
        if !self.at_end {
            self.files.cancel()?;
        }
        Ok(self.sent)
    }
}

impl Content {
    /// Fills all of `room` if need be with zeros: the header has promised so many octets.
    fn read(&mut self, room: &mut [u8], sent: &mut Sent) -> usize {
        while !self.ended {
            let place = i64::try_from(self.offset).unwrap_or(i64::MAX);
            match nix::sys::uio::pread(&self.file, room, place) {
                Ok(0) => {
                    self.ended = true;
                    sent.shrunk(&self.path);
                }
                Ok(count) => return count,
                Err(Errno::EINTR) => {}
                Err(errno) => {
                    self.ended = true;
                    sent.missing(&self.path, Failure::from(errno));
                }
            }
        }
        room.fill(0);
        room.len()
    }

    /// Whether there is more than the header has promised.
    fn goes_on(&self) -> bool {
        // Its position is of no interest, and to ask for its end is all that the session may do.
        let size = nix::unistd::lseek(&self.file, 0, Whence::SeekEnd);
        size.is_ok_and(|size| u64::try_from(size).is_ok_and(|size| size > self.size))
    }
}

/// What the archive says of an entry.
fn described(entry: PackedEntry) -> (Entry, Owner) {
    let (kind, size) = match entry.content {
        PackedContent::File { size } => (Kind::File, size),
        PackedContent::Directory => (Kind::Directory, 0),
        PackedContent::Link { target } => (Kind::Link(target.as_slice().to_vec()), 0),
    };
    let PackedOwner {
        uid,
        gid,
        user,
        group,
    } = entry.owner;
    let header = Entry {
        path: entry.path.as_slice().to_vec(),
        kind,
        size,
        mode: entry.mode.bits(),
        modified: entry.modified,
    };
    let owner = Owner {
        uid,
        gid,
        user: user.as_slice().to_vec(),
        group: group.as_slice().to_vec(),
    };
    (header, owner)
}
