//! Who keeper knows its client to be before a login: what the certificate says that was proved in the handshake. Keeper itself
//! parses nothing of that.

use std::fmt;
use std::os::fd::BorrowedFd;

use common::auth::certificate::{self, Shelter};
use common::channel::{LoginAnswer, PROOF_PART};
use common::listener::Status;
use common::net::Ends;
use common::sandbox::EmptyRoot;
use common::tls::Offer;
use common::tls::clients::{ClientNames, Clients, LONGEST_PROOF};
use common::wire::Octets;

use crate::setup::Setup;

/// What a visitor has shown; nothing where clients are asked for nothing.
#[derive(Debug, Default)]
pub(super) struct Visitor {
    clients: Option<Clients>,
    /// For the process that verifies; only root needs and can use it.
    root: Option<EmptyRoot>,
    shown: Shown,
    /// How many proofs were verified.
    verified: u32,
    /// How often it was to let somebody in, and did not.
    misses: u32,
}

/// So many proofs of a visitor are verified, since each is a process: one for each time that it begins anew.
const MOST_PROOFS: u32 = 8;

#[derive(Debug)]
enum Shown {
    /// A proof, as far as it has come.
    Proof(Vec<u8>),
    Certificate(Box<ClientNames>),
    /// What was shown proves nothing.
    Nothing,
}

impl Default for Shown {
    fn default() -> Self {
        Shown::Proof(Vec::new())
    }
}

impl Visitor {
    pub(super) fn new(setup: &Setup, offer: Option<&Offer>) -> Visitor {
        let clients = offer.and_then(|offer| offer.clients.clone());
        // Of its own: it is closed when somebody has logged in. Without it nothing is verified.
        let root = clients.is_some().then_some(setup.empty_root.as_ref());
        let root = root.flatten().and_then(|root| root.try_clone().ok());
        Visitor {
            clients,
            root,
            ..Visitor::default()
        }
    }

    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.root.as_ref().map(EmptyRoot::descriptor)
    }

    /// Forgets what was shown; something else may be.
    pub(super) fn forget(&mut self) {
        self.shown = Shown::default();
    }

    /// Takes a part of the proof, and has it verified when it is whole.
    pub(super) fn take(
        &mut self,
        setup: &Setup,
        ends: &Ends,
        part: &Octets<PROOF_PART>,
        more: bool,
    ) -> Result<LoginAnswer, Status> {
        let (Some(clients), Shown::Proof(proof)) = (&self.clients, &mut self.shown) else {
            return Err(Status::Misbehaved);
        };
        if proof.len() + part.as_slice().len() > LONGEST_PROOF {
            return Err(Status::Misbehaved);
        }
        proof.extend_from_slice(part.as_slice());
        if more {
            return Ok(LoginAnswer::Taken);
        }
        self.verified = self.verified.saturating_add(1);
        if self.verified > MOST_PROOFS {
            self.shown = Shown::Nothing;
            return Ok(LoginAnswer::NotCertified);
        }
        let [.., user, _, _] = setup.config.server.own_uids();
        let shelter = Shelter {
            programs: &setup.programs,
            user,
            root: self.root.as_ref(),
        };
        match certificate::verify(proof, clients, shelter) {
            Ok(names) => {
                self.shown = Shown::Certificate(Box::new(names));
                Ok(LoginAnswer::Certified)
            }
            Err(why) => {
                let client = ends.client();
                setup
                    .log
                    .line(&format!("certificate of {client} not accepted: {why}"));
                self.shown = Shown::Nothing;
                Ok(LoginAnswer::NotCertified)
            }
        }
    }

    /// The certificate, if one was proved.
    pub(super) fn names(&self) -> Option<&ClientNames> {
        match &self.shown {
            Shown::Certificate(names) => Some(names),
            Shown::Proof(_) | Shown::Nothing => None,
        }
    }

    /// The same, for so many tries to enter by it: it shall not find out which accounts there are.
    pub(super) fn try_to_enter(&mut self, most: u32) -> Option<&ClientNames> {
        self.misses = self.misses.saturating_add(1);
        if self.misses > most {
            return None;
        }
        self.names()
    }

    /// The certificate, for the log.
    pub(super) fn shown(&self) -> impl fmt::Display {
        let fingerprint = self.names().map(|names| names.fingerprint);
        fingerprint.map_or_else(String::new, |fingerprint| {
            format!(" with certificate {fingerprint}")
        })
    }
}
