//! Serving a user: its requests, until the session ends or another keeper goes on.

use std::os::fd::AsFd;
use std::time::Instant;

use common::channel::{
    self, Answerer, Broken, FileAnswer, FileRequest, LoggedIn, LoginAnswer, PreLogin, Ticket,
};
use common::control::until;
use common::hookd::{Interest, Reach};
use common::jail::Failure;
use common::listener::{Lifeline, Sign, Status};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, poll};
use nix::unistd::pipe2;

use super::files::{Answered, Files};
use super::hooks::Hooked;
use super::leases::Leases;
use super::{Keeper, Over, login, work};

impl Keeper<'_> {
    /// Serves the user's requests until the session ends.
    pub(super) fn serve_user(
        mut self,
        channel: Answerer<PreLogin>,
        mut login: login::Login,
        ticket: channel::Ticket,
    ) -> Over {
        let mut channel = channel;
        let welcome = LoginAnswer::Welcome {
            account: Box::new(login.account.clone()),
        };
        let (mut leases, asker) = login.leases.take().unzip();
        if let Err(broken) = channel.answer(ticket, &welcome, asker.as_ref().map(AsFd::as_fd)) {
            return Over::Ended(broken.into());
        }
        drop(asker);
        let mut channel = channel.log_in();
        // Closed with this process, if not before.
        let _open = login.pam.take();
        let nothing = Reach::new(None, Interest::default(), std::time::Duration::ZERO);
        let reach = std::mem::replace(&mut self.reach, nothing);
        let hooked = Hooked::new(reach, login.account.start.clone());
        let mut files = Files::new(login, hooked);
        // Watched until it hangs up: then the listener is gone, and a session that is logged in goes on without.
        let mut lifeline = Some(&self.lifeline);
        loop {
            match wait_for_work(&channel, lifeline, &files, leases.as_ref()) {
                Ok(Sign::Alive) => {}
                Ok(Sign::Stop) => {
                    files.leave("server stops");
                    return Over::Ended(Status::Ended);
                }
                Ok(Sign::Orphaned) => lifeline = None,
                Err(errno) => return Over::Ended(Status::failed("poll", errno)),
            }
            match leases.as_mut().map(|leases| leases.answer(&self.reports)) {
                // The network half is about to say so on the other channel too.
                None | Some(Ok(()) | Err(Broken::Closed)) => {}
                Some(Err(broken)) => return Over::Ended(broken.into()),
            }
            files.step_listing();
            files.hooked.attend(&self.setup.log);
            if let Some((ticket, answer, file)) = files.step_work()
                && let Err(broken) = channel.answer(ticket, &answer, file.as_ref().map(AsFd::as_fd))
            {
                return Over::Ended(broken.into());
            }
            let (ticket, request) = match channel.receive() {
                Ok(Some(received)) => received,
                Ok(None) => continue,
                Err(broken) => return Over::Ended(broken.into()),
            };
            let (answer, descriptor) = match self.serve(&mut channel, ticket, request, &mut files) {
                Ok(Some(answered)) => answered,
                Ok(None) => continue,
                Err(over) => return over,
            };
            let descriptor = descriptor.as_ref().map(AsFd::as_fd);
            if let Err(broken) = channel.answer(ticket, &answer, descriptor) {
                return Over::Ended(broken.into());
            }
        }
    }

    /// The answer to a request; `None` if it comes later, `Err` if this keeper is through.
    fn serve(
        &self,
        channel: &mut Answerer<LoggedIn>,
        ticket: Ticket,
        request: FileRequest,
        files: &mut Files,
    ) -> Result<Option<Answered>, Over> {
        let answered = match request {
            // Told before: whoever goes on ends this process.
            FileRequest::Reinitialise => {
                files.leave("begun anew");
                match self.hand_over(channel, ticket, false) {
                    Ok(()) => return Err(Over::HandedOver),
                    Err(why) => (files.stay(why), None),
                }
            }
            FileRequest::Lead if self.setup.gateway.is_some() && files.permits(&request) => {
                files.leave("led to another server");
                match self.hand_over(channel, ticket, true) {
                    Ok(()) => return Err(Over::HandedOver),
                    Err(why) => (files.stay(why), None),
                }
            }
            FileRequest::Who if files.permits(&request) => self.who(),
            FileRequest::ChangePassword if files.permits(&request) => self.change_password(),
            FileRequest::Cancel => {
                if let Some((ticket, answer, _)) = files.cancel_work() {
                    let told = channel.answer(ticket, &answer, None);
                    told.map_err(|broken| Over::Ended(broken.into()))?;
                }
                (FileAnswer::Done, None)
            }
            request if work::takes_its_time(&request) => match files.begin_work(ticket, &request) {
                Some(answer) => (answer, None),
                None => return Ok(None),
            },
            request => files.answer(request),
        };
        Ok(Some(answered))
    }

    /// Leaves the channel to another keeper, which the listener makes: this one cannot become root again. `led`: to one that
    /// leads to another server.
    fn hand_over(
        &self,
        channel: &Answerer<LoggedIn>,
        ticket: Ticket,
        led: bool,
    ) -> Result<(), Failure> {
        let handed = self
            .reports
            .reinitialise(channel.as_fd(), ticket.number(), self.session, led);
        handed.map_err(|_| Failure::Exhausted)
    }

    /// A channel to the process that the listener makes for it.
    fn change_password(&self) -> Answered {
        match self.reports.change_password() {
            Ok(channel) => (FileAnswer::PasswordChannel, Some(channel)),
            Err(errno) => (unheard(errno), None),
        }
    }

    /// A pipe into which the listener writes who is there.
    fn who(&self) -> Answered {
        let asked = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)
            .and_then(|(reader, writer)| self.reports.who(writer.as_fd()).map(|()| reader));
        match asked {
            Ok(reader) => (FileAnswer::Sessions, Some(reader)),
            Err(errno) => (unheard(errno), None),
        }
    }
}

/// Waits for a request, for room in a listing's pipe, or for a sign of the listener; only looks where there is work.
fn wait_for_work(
    channel: &Answerer<LoggedIn>,
    lifeline: Option<&Lifeline>,
    files: &Files,
    leases: Option<&Leases>,
) -> Result<Sign, Errno> {
    let unused = || PollFd::new(channel.as_fd(), PollFlags::empty());
    let mut ready = [
        PollFd::new(channel.as_fd(), PollFlags::POLLIN),
        lifeline.map_or_else(unused, |lifeline| {
            PollFd::new(lifeline.as_fd(), PollFlags::POLLIN)
        }),
        files
            .listing_pipe()
            .map_or_else(unused, |pipe| PollFd::new(pipe, PollFlags::POLLOUT)),
        leases.map_or_else(unused, |leases| {
            PollFd::new(leases.as_fd(), PollFlags::POLLIN)
        }),
        files
            .hooked
            .reach
            .descriptor()
            .map_or_else(unused, |reach| PollFd::new(reach, PollFlags::POLLIN)),
    ];
    let limit = files.has_work().then(Instant::now);
    match poll(&mut ready, until(limit)) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(errno) => return Err(errno),
    }
    match lifeline {
        Some(lifeline) if ready[1].revents().is_some_and(|events| !events.is_empty()) => {
            Ok(lifeline.sign())
        }
        _ => Ok(Sign::Alive),
    }
}

/// Why the listener was asked in vain.
fn unheard(errno: Errno) -> FileAnswer {
    let why = match errno {
        Errno::ENOTCONN => Failure::Alone,
        _ => Failure::Exhausted,
    };
    FileAnswer::Failed { why }
}
