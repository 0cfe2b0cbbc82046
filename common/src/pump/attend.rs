//! Looks after the control connection while data moves: ABOR, STAT and NOOP are answered, everything else waits.

use std::os::fd::{AsFd, BorrowedFd};

use nix::poll::PollFlags;

use super::{Attendant, Happened, Interrupt, Watched};
use crate::activity::Teller;
use crate::control::Control;
use crate::proto::line::Input;
use crate::proto::reply::{Code, Reply};
use crate::proto::verbs::{self, MidTransfer, Verb, VerbSet};

/// What is watched during a transfer.
pub struct Watch<'a> {
    control: &'a mut Control,
    channel: BorrowedFd<'a>,
    /// The control connection to the server that a gateway moves data for.
    server: Option<BorrowedFd<'a>>,
    permitted: VerbSet,
    /// An answer on the channel is waited for by somebody else.
    answer_expected: bool,
    /// The work has no mark: nothing tells its reply from another but the order.
    silently: bool,
    /// Who is told of progress.
    teller: Option<&'a mut Teller>,
    /// ABOR has come: its own reply is owed after the transfer's.
    pub aborted: bool,
}

impl<'a> Watch<'a> {
    pub fn new(control: &'a mut Control, channel: BorrowedFd<'a>, permitted: VerbSet) -> Watch<'a> {
        Watch {
            control,
            channel,
            server: None,
            permitted,
            answer_expected: false,
            silently: false,
            teller: None,
            aborted: false,
        }
    }

    /// Looks after the server of a gateway too.
    pub fn beside(mut self, server: BorrowedFd<'a>) -> Self {
        self.server = Some(server);
        self
    }

    /// Has progress told.
    pub fn telling(mut self, teller: &'a mut Teller) -> Self {
        self.teller = Some(teller);
        self
    }

    /// For a wait on the channel itself: what arrives there is the caller's.
    pub fn expecting_answer(mut self) -> Self {
        self.answer_expected = true;
        self
    }

    /// For work without a mark, whose answer must come before that of NOOP. STAT, which is for such a moment, is answered all
    /// the same. It ends when the client closes its side, even if that may be only half: nobody else would notice it.
    pub fn silently(mut self) -> Self {
        self.silently = true;
        self
    }

    /// Answers the commands that may come now; the first one that may not stops the reading.
    fn obey(&mut self, moved: u64) -> Option<Interrupt> {
        // RFC 959 §4.1.3: with the Synch signal ABOR acts at once, even if other commands have come before it.
        if self.permits_abort() && self.control.take_urgent(is_abort) {
            self.aborted = true;
            return Some(Interrupt::Abort);
        }
        while let Some(verb) = self.control.peek().and_then(|line| verbs::verb(line).ok()) {
            let spec = verb.spec();
            if spec.mid_transfer == MidTransfer::Later || !self.permitted.contains(verb) {
                return None;
            }
            if self.silently && !matches!(spec.verb, "ABOR" | "STAT") {
                return None;
            }
            let line = self.control.take();
            let reply = match spec.verb {
                "ABOR" => {
                    self.aborted = true;
                    return Some(Interrupt::Abort);
                }
                "STAT" if matches!(line, Some(Input::Line(line)) if line.len() > 4) => Reply::new(
                    Code::BUSY,
                    "A listing has to wait for the end of the transfer.",
                ),
                "STAT" if self.silently && moved == 0 => {
                    Reply::new(Code::SYSTEM_STATUS, "At work.")
                }
                "STAT" if self.silently => Reply::new(
                    Code::SYSTEM_STATUS,
                    format!("Reading, {moved} octets so far."),
                ),
                "STAT" => Reply::new(
                    Code::FILE_STATUS,
                    format!("Transfer in progress, {moved} octets so far."),
                ),
                _ => Reply::new(Code::OK, "Transfer in progress."),
            };
            if self.control.reply(&reply).is_err() {
                return Some(Interrupt::ControlLost);
            }
        }
        None
    }

    fn permits_abort(&self) -> bool {
        Verb::find("ABOR").is_some_and(|verb| self.permitted.contains(verb))
    }
}

fn is_abort(line: &[u8]) -> bool {
    verbs::verb(line).is_ok_and(|verb| verb.spec().verb == "ABOR")
}

impl Attendant for Watch<'_> {
    /// ABOR that was sent right behind the command; anything else keeps its turn.
    fn begin(&mut self) -> Option<Interrupt> {
        if !self.permits_abort() {
            return None;
        }
        if !self.control.take_urgent(is_abort) {
            self.control.peek().filter(|line| is_abort(line))?;
            self.control.take();
        }
        self.aborted = true;
        Some(Interrupt::Abort)
    }

    fn watch(&self) -> Watched<'_> {
        // Lines that have to wait are read all the same, as far as there is room: ABOR may be behind them.
        [
            (self.control.as_fd(), self.control.interest()),
            (self.channel, PollFlags::empty()),
            (self.server.unwrap_or(self.channel), PollFlags::empty()),
        ]
    }

    fn note(&mut self, moved: u64) {
        if let Some(teller) = &mut self.teller {
            teller.moved(moved);
        }
    }

    fn attend(&mut self, happened: Happened, moved: u64) -> Option<Interrupt> {
        let [control, channel, server] = happened;
        if !server.is_empty() && self.server.is_some() {
            return Some(Interrupt::ServerGone);
        }
        if !channel.is_empty() && !self.answer_expected {
            return Some(Interrupt::KeeperGone);
        }
        if control.intersects(PollFlags::POLLERR | PollFlags::POLLHUP) {
            return Some(Interrupt::ControlLost);
        }
        if !control.is_empty() && self.control.fill().is_err() {
            return Some(Interrupt::ControlLost);
        }
        let interrupt = self.obey(moved);
        if interrupt.is_none() && self.silently && self.control.ended() {
            return Some(Interrupt::ControlLost);
        }
        interrupt
    }
}
