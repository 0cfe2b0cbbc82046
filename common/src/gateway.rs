//! A session that is nothing but a gateway's: its process parts in two, the network half, which gives up everything but the
//! descriptors that it has and speaks FTP on both sides, and the dialer.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::activity::Teller;
use crate::channel::{self, Asker, Dialling};
use crate::control::Control;
use crate::dialer::{Dialer, Rules, Visit};
use crate::hookd::{Interest, Reach};
use crate::listener::{Client, Drain, Status, halves};
use crate::net::{self, Ends};
use crate::part::Part;
use crate::proxy;
use crate::pump::{Delivery, Pipe};
use crate::sandbox::{self, EmptyRoot, Role};
use crate::sys::{self, Fork};
use crate::tls::Trusted;

/// What all sessions of a gateway are started with.
#[derive(Clone, Copy, Debug)]
pub struct Gateway<'a> {
    pub rules: Rules<'a>,
    /// Only root needs and can use it.
    pub empty_root: Option<&'a EmptyRoot>,
    /// Who certifies servers, where they are spoken to under TLS.
    pub trusted: Option<&'a Trusted>,
    /// What hooks are for, and the longest that a session waits for them.
    pub interest: Interest,
    pub longest_hook: Duration,
}

/// Serves one client: forks the network half and stays as the trusted half. Tells how the session ended; the process
/// must exit with that and nothing else, since it has closed what it inherited.
pub fn serve(gateway: &Gateway<'_>, client: Client) -> Status {
    let Client {
        drain,
        socket,
        ends,
        entrance,
        tls,
        lifeline,
        reports,
        hooks,
        page,
    } = client;
    let made = channel::ends::<Dialling>();
    let ((asker, answerer), fork) = match halves::part(made, ends.client(), gateway.rules.log) {
        Ok(parted) => parted,
        Err(status) => return status,
    };
    match fork {
        Fork::Child => {
            drop((answerer, lifeline, reports, hooks));
            Part::Network.begin();
            let terms = proxy::Terms {
                entrance,
                certificates: tls.map(|offer| offer.certificates),
                trusted: gateway.trusted.cloned(),
            };
            let aside = Aside {
                teller: Teller::new(page),
                drain,
            };
            let asker = Asker::over(asker);
            sys::exit(network_half(gateway, socket, asker, ends, terms, aside).code())
        }
        Fork::Parent(session) => {
            let rules = gateway.rules;
            let channel = hooks.map(|hooks| hooks.channel);
            let visit = Visit {
                ends,
                lifeline,
                reports,
                hooks: Reach::new(channel, gateway.interest, gateway.longest_hook),
                tls,
                given: rules.given(&socket, ends),
                began: Instant::now(),
            };
            // What the dialer closes must not be closed again later.
            drop((socket, asker, drain, page));
            match halves::watch(session, rules.log) {
                Ok(ended) => {
                    let status = Dialer::new(rules, visit).stay(answerer, &ended);
                    halves::outlive(session, &ended, status, rules.log)
                }
                Err(status) => status,
            }
        }
    }
}

/// What is between a network half and the listener alone.
struct Aside {
    teller: Teller,
    drain: Option<Drain>,
}

/// Serves the client on `socket` until the session is over.
fn network_half(
    gateway: &Gateway<'_>,
    socket: OwnedFd,
    dialer: Asker<Dialling>,
    ends: Ends,
    terms: proxy::Terms,
    aside: Aside,
) -> Status {
    let Rules {
        config,
        programs,
        log,
        ..
    } = gateway.rules;
    let Aside { teller, drain } = aside;
    let broken = |what: &str, why: &dyn std::fmt::Display| {
        let client = ends.client();
        log.line(&format!("session for {client}: {what}: {why}"));
    };
    // Before the sandbox, in which there are neither options of a socket nor pipes.
    net::prepare_control(&socket, net::KEEPALIVE_AFTER);
    let delivery = config.await_acknowledgement.then(Delivery::new).transpose();
    let (pipe, delivery) = match Pipe::new().and_then(|pipe| Ok((pipe, delivery?))) {
        Ok(made) => made,
        Err(error) => {
            broken("pipe", &error);
            return Status::Broken(None);
        }
    };
    let mut kept = vec![socket.as_fd(), dialer.as_fd()];
    kept.extend(pipe.descriptors());
    kept.extend(delivery.as_ref().map(AsFd::as_fd));
    kept.extend(teller.descriptor());
    kept.extend(drain.as_ref().map(AsFd::as_fd));
    let entered = sandbox::enter_network_half(
        Role::Gateway,
        programs,
        config.user,
        gateway.empty_root,
        &kept,
        log.descriptor(),
    );
    if let Err(error) = entered {
        broken("sandbox", &error);
        return Status::SandboxFailed;
    }
    proxy::serve(proxy::Setup {
        config,
        client: Control::new(socket, config.reply_timeout),
        ends,
        dialer,
        pipe,
        delivery,
        terms,
        behalf: None,
        teller,
        hooks: proxy::HookTerms::of(&gateway.interest, gateway.longest_hook),
        drain,
        log: log.clone(),
    })
}
