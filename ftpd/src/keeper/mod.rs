//! The trusted half of one session: root until login, then the user. It runs no parser of what a client sends; all it
//! reads is the typed requests of the other half.
// SECURITY: on the way from root to the user nothing that fails is passed over without a reason.
#![deny(clippy::let_underscore_must_use)]

mod data;
mod entry;
mod files;
pub(crate) mod grant;
mod hooks;
mod leases;
mod listing;
mod login;
mod packing;
pub(crate) mod password;
mod permits;
mod serving;
mod unpacking;
mod visitor;
mod work;

use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use common::channel::{self, Answerer, FileAnswer, PreLogin};
use common::dialer::{Dialer, Visit};
use common::hookd::{Door, Reach};
use common::listener::{Client, Lifeline, Reinitialised, Reports, Status, ToHooks, halves};
use common::net::Ends;
use common::part::Part;
use common::sys::{self, Fork};
use common::tls::Offer;
use nix::unistd::Pid;

use self::entry::Entered;
use self::visitor::Visitor;
use crate::session;
use crate::setup::{Aside, Security, Setup};

/// Serves one client: forks the network half and stays as the trusted half. Tells how the session ended; the process
/// must exit with that and nothing else, since it has closed what it inherited.
pub(crate) fn serve(setup: &Setup, client: Client) -> Status {
    let Client {
        socket,
        ends,
        entrance,
        tls,
        lifeline,
        drain,
        reports,
        hooks,
        page,
    } = client;
    let made = channel::pair();
    let ((asker, answerer), fork) = match halves::part(made, ends.client(), &setup.log) {
        Ok(parted) => parted,
        Err(status) => return status,
    };
    match fork {
        Fork::Child => {
            Part::Network.begin();
            drop((answerer, lifeline, reports, hooks));
            let (certificates, clients) =
                tls.map(|offer| (offer.certificates, offer.clients)).unzip();
            let aside = Aside { page, drain };
            let security = Security {
                entrance,
                certificates,
                clients: clients.flatten(),
            };
            sys::exit(session::run(setup, socket, asker, ends, security, aside).code())
        }
        Fork::Parent(session) => {
            // What is closed below must not be closed again later.
            drop((socket, asker, drain, page));
            let (reach, door) = reach(setup, hooks);
            let keeper = Keeper {
                setup,
                ends,
                lifeline,
                reports,
                reach,
                door,
                session,
                visitor: Visitor::new(setup, tls.as_ref()),
                tls,
            };
            match halves::watch(session, &setup.log) {
                Ok(ended) => keeper.stay(&ended, answerer, false),
                Err(status) => status,
            }
        }
    }
}

/// Serves on as the next trusted half of a session whose client begins anew, or wants to another server.
pub(crate) fn serve_anew(setup: &Setup, session: Reinitialised) -> Status {
    let (mut channel, ticket) = Answerer::take_over(session.channel, session.ticket);
    if let Err(broken) = channel.answer(ticket, &FileAnswer::Done, None) {
        return Status::from(broken).explained(&setup.log);
    }
    let (reach, door) = reach(setup, session.hooks);
    let keeper = Keeper {
        setup,
        ends: session.ends,
        lifeline: session.lifeline,
        reports: session.reports,
        reach,
        door,
        session: session.session,
        visitor: Visitor::new(setup, session.tls.as_ref()),
        tls: session.tls,
    };
    keeper.stay(&session.ended, channel.log_out(), session.led)
}

/// The session's way to hooks.
fn reach(setup: &Setup, hooks: Option<ToHooks>) -> (Reach, Option<Door>) {
    let (channel, door) = hooks.map(|hooks| (hooks.channel, hooks.door)).unzip();
    let reach = Reach::new(channel, setup.interest, setup.longest_hook);
    (reach, door.flatten())
}

struct Keeper<'a> {
    setup: &'a Setup,
    ends: Ends,
    lifeline: Lifeline,
    reports: Reports,
    /// To the hooks of the session.
    reach: Reach,
    /// Where no listener introduces users to hookd.
    door: Option<Door>,
    /// The network half.
    session: Pid,
    /// What a visitor may ask for, once.
    tls: Option<Offer>,
    /// What it has shown of itself.
    visitor: Visitor,
}

/// How keeper's part in a session ended.
enum Over {
    Ended(Status),
    /// Another keeper goes on.
    HandedOver,
}

impl Keeper<'_> {
    /// Serves as the trusted half, then waits for the end of the other one. `led`: from the start to another server.
    fn stay(self, ended: &OwnedFd, channel: Answerer<PreLogin>, led: bool) -> Status {
        Part::Login.begin();
        let mut kept = vec![channel.as_fd(), ended.as_fd()];
        kept.extend(self.lifeline.descriptors());
        kept.extend(self.reports.descriptor());
        kept.extend(self.setup.log.descriptor());
        kept.extend(self.setup.found.descriptor());
        kept.extend(self.setup.turns.as_ref().map(AsFd::as_fd));
        kept.extend(self.tls.as_ref().map(|offer| offer.door.as_fd()));
        kept.extend(self.visitor.descriptor());
        kept.extend(self.reach.descriptor());
        kept.extend(self.door.as_ref().map(AsFd::as_fd));
        if let Err(errno) = sys::keep_only(&kept) {
            self.setup.log.line(&format!("close_range failed: {errno}"));
            return Status::SandboxFailed;
        }
        let (session, log) = (self.session, &self.setup.log);
        let over = match led {
            true => Over::Ended(self.lead(channel, ended)),
            false => self.run(channel, ended),
        };
        let Over::Ended(status) = over else {
            return Status::Ended;
        };
        // The channel is closed now, and with it the session ends.
        halves::outlive(session, ended, status, log)
    }

    fn run(mut self, mut channel: Answerer<PreLogin>, ended: &OwnedFd) -> Over {
        match self.log_in(&mut channel) {
            Ok(Entered::Led) => Over::Ended(self.lead(channel, ended)),
            Ok(Entered::User(login, ticket)) => {
                // It would keep a signer that nobody asks any more, and a directory outside of the user's root.
                self.tls = None;
                self.visitor = Visitor::default();
                self.serve_user(channel, *login, ticket)
            }
            Err(status) => Over::Ended(status),
        }
    }

    /// Leads the client to another server, as nobody.
    fn lead(self, channel: Answerer<PreLogin>, ended: &OwnedFd) -> Status {
        // The settings may be others by now.
        let Some(gateway) = self.setup.gateway() else {
            return Status::Ended;
        };
        let visit = Visit {
            ends: self.ends,
            lifeline: self.lifeline,
            reports: self.reports,
            hooks: self.reach,
            tls: self.tls,
            given: None,
            began: Instant::now(),
        };
        Dialer::new(gateway.rules, visit).stay(channel.lead(), ended)
    }
}
