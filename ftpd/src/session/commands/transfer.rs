//! RETR, STOR, STOU, APPE, ABOR.

use std::os::fd::AsFd;
use std::time::Duration;

use common::channel::{Cut, FileRequest, UploadAt};
use common::hashing::Hashing;
use common::proto::args::PathArg;
use common::proto::reply::{Code, Mark, Reply, shown};
use common::proto::representation::{Structure, Type};
use common::pump::{self, Source, Store};
use common::rate::Direction;
use common::stage::{Cargo, Confirm, Options, Plan};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;

use super::navigate::join;
use crate::session::data::DataChannel;
use crate::session::files::Opened;
use crate::session::{End, Link, Pending, Stop, User, archive, outcome, report, transfer};

/// How much a client at least writes at once: whoever died in an upload that is no longer had sent all of it.
const BLOCK: u64 = 4 << 10;
/// From so many octets on an upload is long.
const LONG_UPLOAD: u64 = 64 << 10;
/// How long the end of the control connection may come after that of an upload. On loopback, where it is the hardest to see, two
/// of three killed clients were missed by a look without a wait, and one of a hundred with the shorter of these. It costs
/// about 110 µs and 40 µs of processor time, most of it the kernel's own tolerance.
const LAST_WORD: Duration = Duration::from_millis(5);
const LAST_WORD_OF_SHORT: Duration = Duration::from_micros(20);

pub(in crate::session) fn retr(
    link: &mut Link,
    user: &mut User,
    path: &PathArg,
    pending: &Pending,
) -> Result<Reply, Stop> {
    if user.representation.structure == Structure::Archive {
        return archive::retr(link, user, path, pending);
    }
    let name = user.names.on_disk(&path.0)?;
    let target = join(user, &name)?;
    let plan = plan(user, pending, Cargo::Download)?;
    let opened = transfer::open(link, user, target)?.map_err(outcome::about(&path.0))?;
    let Opened { file, size, .. } = opened;
    let end = pending.end.unwrap_or(size);
    if pending.restart > size || end > size {
        return Ok(Reply::new(
            Code::BAD_RESTART,
            "The restart position is behind the end of the file.",
        ));
    }
    let source = Source::File {
        file,
        offset: pending.restart,
        end,
    };
    let mut mark = mark(user, &path.0, Some(end - pending.restart));
    if opened.contested {
        mark =
            mark.warn("The file is locked: somebody writes it, and what you get may be garbled.");
    }
    let ended = transfer::send(link, user, source, plan, &mark)?;
    let reply = match ended.outcome.end {
        pump::End::Complete => Ok(outcome::complete(ended.confirmation.as_ref())),
        end => outcome::sent(end),
    };
    report::transfer(
        link,
        user,
        Direction::Download,
        (&name, Some(pending.restart)),
        &ended,
        reply.as_ref().ok().map(Reply::code),
    );
    if (pending.restart, end) == (0, size) {
        ended.tell_digest(user)?;
    }
    if user.account.tells_downloads {
        user.files.sent(ended.outcome.moved, ended.cut())?;
    }
    transfer::conclude(link, ended.aborted, reply?)
}

pub(in crate::session) fn stor(
    link: &mut Link,
    user: &mut User,
    path: &PathArg,
    pending: &Pending,
) -> Result<Reply, Stop> {
    if user.representation.structure == Structure::Archive {
        return archive::stor(link, user, path, pending);
    }
    let at = match pending.restart {
        0 => UploadAt::Replace,
        offset => UploadAt::Offset { offset },
    };
    let mark = mark(user, &path.0, None);
    upload(link, user, path, pending, at, mark)
}

/// A name that nobody else has: the mark tells it (RFC 1123 §4.1.2.9).
pub(in crate::session) fn stou(
    link: &mut Link,
    user: &mut User,
    pending: &Pending,
) -> Result<Reply, Stop> {
    // 64 random bits: that two clients come to the same name is not to be expected, and then keeper refuses the second.
    let Ok(random) = getrandom::u64() else {
        return Ok(Reply::new(
            Code::LOCAL_ERROR,
            "There is no random name now.",
        ));
    };
    let name = PathArg(format!("upload-{random:016x}").into_bytes());
    let mut text = b"FILE: ".to_vec();
    text.extend_from_slice(&name.0);
    let pending = Pending {
        restart: 0,
        ..pending.clone()
    };
    upload(link, user, &name, &pending, UploadAt::New, Mark::new(text))
}

pub(in crate::session) fn appe(
    link: &mut Link,
    user: &mut User,
    path: &PathArg,
    pending: &Pending,
) -> Result<Reply, Stop> {
    let mark = mark(user, &path.0, None);
    let pending = Pending {
        restart: 0,
        ..pending.clone()
    };
    upload(link, user, path, &pending, UploadAt::Append, mark)
}

fn upload(
    link: &mut Link,
    user: &mut User,
    path: &PathArg,
    pending: &Pending,
    at: UploadAt,
    mark: Mark,
) -> Result<Reply, Stop> {
    if user.representation.structure == Structure::Archive {
        return Ok(Reply::new(
            Code::PARAMETER_NOT_OFFERED,
            "With STRU T only RETR and STOR are offered.",
        ));
    }
    let name = user.names.on_disk(&path.0)?;
    let target = join(user, &name)?;
    if pending.end.is_some() {
        return Ok(Reply::new(
            Code::PARAMETER_NOT_OFFERED,
            "RANG is for RETR and HASH; an upload goes on after REST.",
        ));
    }
    let plan = plan(user, pending, Cargo::Upload)?;
    let image = user.representation.kind == Type::Image;
    let whole = image && matches!(at, UploadAt::Replace | UploadAt::New);
    let declared = pending.declared.filter(|_| whole);
    let request = FileRequest::Create {
        path: target,
        at,
        continuable: image,
        declared,
    };
    let created = transfer::create(link, user, &request)?;
    let created = created.map_err(outcome::about(&path.0))?;
    let mark = if created.contested {
        mark.warn("The file is locked: somebody else reads or writes it.")
    } else {
        mark
    };
    let room = declared.into_iter().chain(created.room).min();
    let store = Store::new(created.file, room);
    let ended = match transfer::receive(link, user, store, plan, &mark) {
        Ok(ended) => ended,
        Err(stop) => {
            user.files.discard()?.map_err(outcome::file)?;
            return Err(stop);
        }
    };
    let offset = match at {
        UploadAt::Replace | UploadAt::New => Some(0),
        UploadAt::Offset { offset } => Some(offset),
        UploadAt::Append => None,
    };
    let settled = settle(link, user, at, (declared, room), &ended);
    report::transfer(
        link,
        user,
        Direction::Upload,
        (&name, offset),
        &ended,
        settled.as_ref().ok().map(|(reply, _)| reply.code()),
    );
    let (reply, aborted) = settled?;
    transfer::conclude(link, aborted, reply)
}

/// Has an upload that has ended kept, or done away with, and tells what the client hears and whether it has said ABOR.
fn settle(
    link: &mut Link,
    user: &mut User,
    at: UploadAt,
    (declared, room): (Option<u64>, Option<u64>),
    ended: &transfer::Ended,
) -> Result<(Reply, bool), Stop> {
    if ended.outcome.end == pump::End::Complete && is_abandoned(link, ended.outcome.moved) {
        // A client that dies sends the same FIN as one that is done; one that is done waits for the reply, or has said QUIT.
        user.files.suspend(Cut::Aborted)?.map_err(outcome::file)?;
        return Err(End::ControlLost.into());
    }
    let mut reply = outcome::received(ended.outcome.end)?;
    let mut aborted = ended.aborted;
    match ended.outcome.end {
        pump::End::Complete if declared.is_some_and(|declared| ended.stored < declared) => {
            user.files.suspend(Cut::Aborted)?.map_err(outcome::file)?;
            reply = Reply::new(
                Code::TRANSFER_ABORTED,
                "Less arrived than ALLO declared; the file is not complete.",
            );
        }
        pump::End::Complete => {
            if matches!(at, UploadAt::Replace | UploadAt::New) {
                ended.tell_digest(user)?;
            }
            let (committed, late_abort) = transfer::commit(link, user, ended.outcome.moved)?;
            aborted |= late_abort;
            reply = transfer::committed(committed, ended.confirmation.as_ref());
        }
        pump::End::Interrupted(_)
        | pump::End::DataLost(_)
        | pump::End::SourceLost(_)
        | pump::End::Insecure(_)
        | pump::End::Stalled => {
            let cut = ended.cut().unwrap_or(Cut::Aborted);
            user.files.suspend(cut)?.map_err(outcome::file)?;
        }
        // What did not fit is of no use, and takes the room of others.
        pump::End::StoreFailed(errno) => {
            user.files.discard()?.map_err(outcome::file)?;
            if errno == Errno::EFBIG && declared.is_some() && room == declared {
                reply = Reply::new(
                    Code::QUOTA_EXCEEDED,
                    "More arrived than ALLO declared; nothing was kept.",
                );
            }
        }
        pump::End::Spoiled(_) => user.files.discard()?.map_err(outcome::file)?,
    }
    Ok((reply, aborted))
}

/// Whether the client went away together with its data connection. When a program is killed, the end of the control
/// connection comes a moment after that of the data.
fn is_abandoned(link: &mut Link, moved: u64) -> bool {
    let last_word = match moved {
        1..=BLOCK => Duration::ZERO,
        LONG_UPLOAD.. => LAST_WORD,
        _ => LAST_WORD_OF_SHORT,
    };
    if !last_word.is_zero() {
        let mut ready = [PollFd::new(link.control.as_fd(), PollFlags::POLLIN)];
        let _ = ppoll(&mut ready, Some(TimeSpec::from_duration(last_word)), None);
    }
    link.control.is_gone()
}

pub(in crate::session) fn plan(user: &User, pending: &Pending, cargo: Cargo) -> Result<Plan, Stop> {
    let options = Options {
        restart: pending.restart,
        confirm: user.account.confirm.map(|algorithm| Confirm {
            algorithm,
            begin: Hashing::boxed,
        }),
        inflate_ratio: user.account.inflate_ratio,
    };
    let plan = Plan::new(user.representation, options, cargo);
    Ok(plan.map_err(outcome::not_offered)?)
}

fn mark(user: &User, name: &[u8], size: Option<u64>) -> Mark {
    let kind = match user.representation.kind {
        Type::Ascii => "ASCII",
        Type::Image => "BINARY",
    };
    let mut text = format!("Opening {kind} mode data connection for ").into_bytes();
    text.extend_from_slice(&shown(name));
    if let (Some(size), Type::Image) = (size, user.representation.kind) {
        text.extend_from_slice(format!(" ({size} bytes)").as_bytes());
    }
    text.push(b'.');
    Mark::new(text)
}

/// ABOR without a transfer (RFC 959 §4.1.3): what was prepared is dropped.
pub(in crate::session) fn abor(user: &mut User) -> Reply {
    user.pending = Pending::default();
    match std::mem::take(&mut user.data) {
        DataChannel::None => Reply::new(Code::DATA_DONE, "No transfer to abort."),
        DataChannel::Passive(_) | DataChannel::Active(_) => {
            Reply::new(Code::DATA_OPEN, "No transfer; data connection dropped.")
        }
    }
}
