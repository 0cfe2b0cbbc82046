//! Every transfer goes through here: the data connection, the flow through the pump, what became of it, and the replies
//! that ABOR is owed.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use common::channel::{Account, Cut, FileRequest};
use common::digest::{Algorithm, Digest};
use common::fault::Fault;
use common::hookd::FileDigest;
use common::path::VirtualPath;
use common::proto::reply::{Code, Line, Mark, Reply};
use common::proto::representation::Type;
use common::pump::{
    self, Attendant, Delivery, Flow, Layer, Measure, Outcome, Pace, Receive, SendFile, SendPipe,
    SendStaged, Source, Store, Watch, Wire,
};
use common::rate::Direction;
use common::stage::{Confirmation, Plan};
use nix::poll::{PollFd, PollFlags, poll};

use super::data::{self, after_abort};
use super::files::{Created, Denied, Files, Next, Opened, Worked};
use super::{End, Link, Stop, User, outcome, security};

/// A flow that has ended.
pub(crate) struct Ended {
    pub(crate) outcome: Outcome,
    /// From the mark to the end.
    pub(crate) took: Duration,
    /// Octets that a file got; the data connection may have carried fewer.
    pub(crate) stored: u64,
    /// The digest of the octets of the representation, where one was taken.
    pub(crate) confirmation: Option<Confirmation>,
    /// ABOR has come and wants a reply of its own.
    pub(crate) aborted: bool,
}

impl Ended {
    /// Why it is not whole, if it is not.
    pub(crate) fn cut(&self) -> Option<Cut> {
        match self.outcome.end {
            pump::End::Complete => None,
            pump::End::Stalled => Some(Cut::Stalled),
            pump::End::Interrupted(_) | pump::End::DataLost(_) | pump::End::Insecure(_) => {
                Some(Cut::Aborted)
            }
            pump::End::SourceLost(_) | pump::End::StoreFailed(_) | pump::End::Spoiled(_) => {
                Some(Cut::Failed)
            }
        }
    }

    /// Tells hooks the digest of a whole file that has ended as it is on the disk.
    pub(crate) fn tell_digest(&self, user: &mut User) -> Result<(), End> {
        let whole = self.outcome.end == pump::End::Complete;
        let image = user.representation.kind == Type::Image;
        match &self.confirmation {
            Some(confirmation) if whole && image && user.account.tells_digests => {
                user.files.digested(FileDigest {
                    algorithm: confirmation.algorithm,
                    digest: confirmation.digest.clone(),
                })
            }
            _ => Ok(()),
        }
    }
}

/// Sends a file or a listing: opens the data connection, tells the client, and runs the octets through what is planned.
pub(crate) fn send(
    link: &mut Link,
    user: &mut User,
    source: Source,
    plan: Plan,
    mark: &Mark,
) -> Result<Ended, Stop> {
    let wire = connect(link, user, mark)?;
    let layer = wire.layer();
    let (channel, account) = (user.files.as_fd(), &user.account);
    let pace = &mut user.paces.download;
    let mut flow: Box<dyn Flow> = match (source, wire) {
        (Source::File { file, offset, end }, Wire::Clear(socket)) if plan.is_direct() => {
            Box::new(SendFile::new(file, socket, offset, end))
        }
        (Source::Pipe(pipe), Wire::Clear(socket)) if plan.is_direct() => {
            Box::new(SendPipe::new(pipe, socket))
        }
        (source, wire) => Box::new(SendStaged::new(source, wire, plan.into_chain())),
    };
    let ended = run(link, channel, account, pace, flow.as_mut(), Some(layer));
    drop(flow);
    data::end(user)?;
    Ok(ended)
}

/// Receives a file, likewise.
pub(crate) fn receive(
    link: &mut Link,
    user: &mut User,
    store: Store,
    plan: Plan,
    mark: &Mark,
) -> Result<Ended, Stop> {
    let wire = connect(link, user, mark)?;
    let (channel, account) = (user.files.as_fd(), &user.account);
    let mut flow = Receive::new(wire, store, plan.into_chain());
    let pace = &mut user.paces.upload;
    let ended = run(link, channel, account, pace, &mut flow, None);
    drop(flow);
    data::end(user)?;
    Ok(ended)
}

/// Moves an archive, whose maker or taker (`partner`) asks keeper for one entry after the other while it moves; it is
/// given back when the flow has ended.
pub(crate) fn converse<'u, Partner>(
    link: &mut Link,
    user: &'u mut User,
    direction: Direction,
    mark: &Mark,
    partner: impl FnOnce(&'u mut Files) -> Partner,
    flow: impl for<'p> FnOnce(Wire, &'p mut Partner) -> Box<dyn Flow + 'p>,
) -> Result<(Ended, Partner), Stop> {
    let wire = connect(link, user, mark)?;
    // The partner needs the channel for itself while the pump watches over its end.
    let channel = user.files.as_fd().try_clone_to_owned();
    let channel = channel.map_err(|error| End::Broken(Fault::io("dup", &error)))?;
    let (pace, sends) = match direction {
        Direction::Download => (&mut user.paces.download, Some(wire.layer())),
        Direction::Upload => (&mut user.paces.upload, None),
    };
    let mut partner = partner(&mut user.files);
    let ended = run(
        link,
        channel.as_fd(),
        &user.account,
        pace,
        flow(wire, &mut partner).as_mut(),
        sends,
    );
    Ok((ended, partner))
}

/// Opens the data connection, tells the client, and does TLS's handshake where that is wanted.
fn connect(link: &mut Link, user: &mut User, mark: &Mark) -> Result<Wire, Stop> {
    link.check_data_level(user)?;
    let made = try_connect(link, user, mark);
    if made.is_err() {
        data::end(user)?;
    }
    made
}

fn try_connect(link: &mut Link, user: &mut User, mark: &Mark) -> Result<Wire, Stop> {
    let socket = data::open(link, user)?.begin(&mut link.control, mark)?;
    security::protect(link, user, socket)
}

/// Moves the data, with an eye on the end of keeper's channel; the connection is closed when the flow is dropped. What
/// `sends` is at its end when the client's system has it.
fn run(
    link: &mut Link,
    channel: BorrowedFd<'_>,
    account: &Account,
    pace: &mut Pace,
    flow: &mut dyn Flow,
    sends: Option<Layer>,
) -> Ended {
    let watch = Watch::new(&mut link.control, channel, account.permitted).telling(&mut link.teller);
    let delivery = link.delivery.as_ref().zip(sends);
    attend(watch, account, pace, flow, delivery)
}

fn attend(
    mut watch: Watch,
    account: &Account,
    pace: &mut Pace,
    flow: &mut dyn Flow,
    delivery: Option<(&Delivery, Layer)>,
) -> Ended {
    let began = Instant::now();
    let stall = account.stall_timeout;
    let mut outcome = pump::run(flow, &mut watch, pace, stall);
    if let Some((delivery, layer)) = delivery {
        outcome = delivery.settle(outcome, flow.data(), layer, &mut watch, stall);
    }
    Ended {
        outcome,
        took: began.elapsed(),
        stored: flow.stored().unwrap_or(outcome.moved),
        confirmation: flow.confirmation(),
        aborted: watch.aborted,
    }
}

/// Takes the digest of a file, which goes nowhere.
pub(crate) fn digest(
    link: &mut Link,
    user: &User,
    source: Source,
    algorithm: Algorithm,
) -> (Ended, Digest) {
    let mut flow = Measure::new(source, algorithm);
    let channel = user.files.as_fd();
    let watch = Watch::new(&mut link.control, channel, user.account.permitted)
        .silently()
        .telling(&mut link.teller);
    let pace = &mut Pace::default();
    let ended = attend(watch, &user.account, pace, &mut flow, None);
    (ended, flow.digest())
}

/// The reply of a transfer, with ABOR's behind it where there was one.
pub(crate) fn conclude(link: &mut Link, aborted: bool, reply: Reply) -> Result<Reply, Stop> {
    if !aborted {
        return Ok(reply);
    }
    match after_abort(link, reply.into()) {
        Stop::Reply(reply) => Ok(reply),
        end @ Stop::End(_) => Err(end),
    }
}

/// A file to be sent. Where hooks are waited for ABOR ends it before the data connection is made.
pub(crate) fn open(
    link: &mut Link,
    user: &mut User,
    path: VirtualPath,
) -> Result<Result<Opened, Denied>, Stop> {
    if !user.account.holds_transfers {
        return Ok(user.files.open(path)?);
    }
    let ticket = user.files.begin(&FileRequest::Open { path })?;
    let answer = |files: &mut Files| files.opened(ticket);
    let (opened, aborted) = attended(link, user, Manner::Silent, 0, answer, |_| Ok(()))?;
    if aborted {
        if opened.is_ok() && user.account.tells_downloads {
            user.files.sent(0, Some(Cut::Aborted))?;
        }
        return Err(not_begun(link));
    }
    Ok(opened)
}

/// A file to be received, likewise.
pub(crate) fn create(
    link: &mut Link,
    user: &mut User,
    request: &FileRequest,
) -> Result<Result<Created, Denied>, Stop> {
    if !user.account.holds_transfers {
        return Ok(user.files.create(request)?);
    }
    let ticket = user.files.begin(request)?;
    let answer = |files: &mut Files| files.created(ticket);
    let (created, aborted) = attended(link, user, Manner::Silent, 0, answer, |_| Ok(()))?;
    if aborted {
        if created.is_ok() {
            user.files.suspend(Cut::Aborted)?.map_err(outcome::file)?;
        }
        return Err(not_begun(link));
    }
    Ok(created)
}

/// What a client is told that has sent ABOR before its command was carried out.
pub(crate) fn not_begun(link: &mut Link) -> Stop {
    let reply = Reply::new(Code::TRANSFER_ABORTED, "Aborted before it was begun.");
    after_abort(link, reply.into())
}

/// Has hooks that take their time hear of a command, which `request` tells: the lines that they add to its reply, and whether ABOR has come while
/// they were waited for.
pub(crate) fn told(
    link: &mut Link,
    user: &mut User,
    request: &FileRequest,
) -> Result<(Result<Vec<Line>, Denied>, bool), End> {
    let ticket = user.files.begin(request)?;
    let answer = |files: &mut Files| files.told(ticket);
    attended(link, user, Manner::Silent, 0, answer, |_| Ok(()))
}

/// Makes an upload visible. The disk may take its time: STAT is answered meanwhile, and ABOR comes too late.
pub(crate) fn commit(
    link: &mut Link,
    user: &mut User,
    moved: u64,
) -> Result<(Result<u64, Denied>, bool), End> {
    let ticket = user.files.commit()?;
    attended(
        link,
        user,
        Manner::Marked,
        moved,
        |files| files.committed(ticket),
        |_| Ok(()),
    )
}

/// Has work done that takes its own time. ABOR ends it where it is.
pub(crate) fn work(
    link: &mut Link,
    user: &mut User,
    request: &FileRequest,
) -> Result<(Result<Worked, Denied>, bool), End> {
    let ticket = user.files.begin(request)?;
    let answer = |files: &mut Files| files.worked(ticket);
    attended(link, user, Manner::Marked, 0, answer, Files::cancel)
}

/// Looks for the first entry of an archive. ABOR ends that.
pub(crate) fn next_packed(
    link: &mut Link,
    user: &mut User,
) -> Result<(Result<Next, Denied>, bool), End> {
    let ticket = user.files.begin(&FileRequest::PackNext)?;
    let answer = |files: &mut Files| files.packed(ticket);
    attended(link, user, Manner::Marked, 0, answer, Files::cancel)
}

/// Whether the client has been told that something has begun.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    Marked,
    /// What is answered meanwhile must not be taken for its reply.
    Silent,
}

/// Waits for an answer of keeper's while the client is looked after. A client that is gone does not undo what it asked for:
/// the answer is still waited for, but for what `cancel` gives up.
fn attended<T>(
    link: &mut Link,
    user: &mut User,
    manner: Manner,
    moved: u64,
    mut answer: impl FnMut(&mut Files) -> Result<Option<T>, End>,
    cancel: impl Fn(&mut Files) -> Result<(), End>,
) -> Result<(T, bool), End> {
    let (mut aborted, mut alone) = (false, false);
    loop {
        if let Some(answer) = answer(&mut user.files)? {
            return Ok((answer, aborted));
        }
        if alone {
            let mut ready = [PollFd::new(user.files.as_fd(), PollFlags::POLLIN)];
            let _ = poll(&mut ready, common::control::until(None::<Instant>));
            continue;
        }
        let mut watch = Watch::new(
            &mut link.control,
            user.files.as_fd(),
            user.account.permitted,
        )
        .expecting_answer();
        if manner == Manner::Silent {
            watch = watch.silently();
        }
        let events = {
            let [control, channel, _] = watch.watch();
            let mut ready = [
                PollFd::new(control.0, control.1),
                PollFd::new(channel.0, PollFlags::POLLIN),
            ];
            let _ = poll(&mut ready, common::control::until(None::<Instant>));
            let happened = |index: usize| ready[index].revents().unwrap_or(PollFlags::empty());
            [happened(0), happened(1), PollFlags::empty()]
        };
        if events[0].is_empty() {
            // The answer may be there: ABOR that came together with the command is too late then.
            continue;
        }
        let interrupt = watch.attend(events, moved);
        let ends = watch.aborted && !aborted;
        aborted |= watch.aborted;
        alone = interrupt == Some(pump::Interrupt::ControlLost);
        if ends || alone {
            cancel(&mut user.files)?;
        }
    }
}

/// How an upload that went through is told.
pub(crate) fn committed(
    committed: Result<u64, Denied>,
    confirmation: Option<&Confirmation>,
) -> Reply {
    match committed {
        Ok(_) => outcome::complete(confirmation),
        Err(denied) => outcome::file(denied),
    }
}
