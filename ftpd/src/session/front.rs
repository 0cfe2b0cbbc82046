//! Front ends: whose connection they pass on, before anything else is said.

use std::time::{Duration, Instant};

use common::channel::{LoginAnswer, LoginRequest};
use common::listener::Entrance;
use common::net::Passed;
use common::proxied::{Fault, Incoming};
use nix::poll::PollFlags;
use std::os::fd::AsFd;

use super::{End, Session, Stage};

/// A front end has the header ready when it connects.
const PATIENCE: Duration = Duration::from_secs(5);

impl Session {
    /// Takes the header and has its client admitted, whose this session is from then on.
    pub(super) fn meet_client(&mut self) -> Result<(), End> {
        let mut incoming = Incoming::default();
        let deadline = Instant::now() + PATIENCE;
        let header = loop {
            match incoming.take(self.link.control.as_fd()) {
                Ok(Some(header)) => break header,
                Ok(None) => {}
                Err(Fault::Ended | Fault::Failed(_)) => return Err(End::ControlLost),
                Err(Fault::Wrong(wrong)) => {
                    return Err(self.not_met(&format!("its PROXY header cannot be used: {wrong}")));
                }
            }
            if Instant::now() >= deadline {
                return Err(self.not_met("it sent no PROXY header in time"));
            }
            self.wait(PollFlags::POLLIN, Some(deadline))?;
        };
        let Some(ends) = self.link.ends.passed(header) else {
            return Err(
                self.not_met("its PROXY header names a loopback address, which is not ours")
            );
        };
        let Some(Passed { client, server }) = ends.passed else {
            return Err(End::bug("ends that nobody has passed"));
        };
        let Stage::Visitor(visitor) = &mut self.stage else {
            return Err(End::bug("another stage of the session"));
        };
        let answer = visitor
            .channel
            .call(&LoginRequest::Peer { client, server })?;
        self.link.ends = ends;
        match answer {
            (LoginAnswer::Admitted, None) => Ok(()),
            (LoginAnswer::NotAdmitted { why }, None) => Err(End::NotAdmitted(why)),
            _ => Err(End::bug("an answer of keeper that is none")),
        }
    }

    fn not_met(&self, why: &str) -> End {
        let front_end = self.link.ends.client();
        self.link.log.line(&format!("front end {front_end}: {why}"));
        End::NotFtp
    }

    /// Whether the client may hear anything in the clear.
    pub(super) fn may_speak(&self) -> bool {
        self.link.control.is_secure() || self.terms.entrance() == Entrance::Plain
    }
}
