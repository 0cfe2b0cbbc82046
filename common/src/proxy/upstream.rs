//! TLS between gateway and server: the handshake of the control connection, PROT, and the handshakes of data connections,
//! which resume the session of that. What the client has of TLS has nothing to do with it.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Instant;

use nix::poll::PollFlags;

use super::end::End;
use super::server::ServerFault;
use super::session::Session;
use crate::proto::answer::{Answer, Outcome};
use crate::proto::destination::Host;
use crate::proto::reply::Code;
use crate::proto::request::Request;
use crate::pump::{OpenError, Wire};
use crate::settings::ServerTls;
use crate::tls::Upstream;

impl Session<'_> {
    /// Hears the greeting of a server that was reached, and goes over to TLS as the settings say. `host` is where the client
    /// wanted to go, if it has said so.
    pub(super) fn meet(&mut self, host: Option<&Host>) -> Result<Answer, End> {
        let mode = self.config.upstream.mode;
        if mode == ServerTls::Implicit {
            self.secure_server(host)?;
        }
        let greeting = self.last_answer()?;
        if greeting.outcome() != Outcome::Complete {
            return Err(End::Dismissed(greeting));
        }
        if matches!(mode, ServerTls::Prefer | ServerTls::Require) {
            self.ask_for_tls(mode, host)?;
        }
        Ok(greeting)
    }

    fn ask_for_tls(&mut self, mode: ServerTls, host: Option<&Host>) -> Result<(), End> {
        let request = Request::new("AUTH", b"TLS")
            .map_err(|_| End::bug("a request that cannot be written"))?;
        if self.ask(&request)?.code() == Code::SECURITY_ACCEPTED {
            // SECURITY: a reply that came in the clear would be taken for one under TLS (CVE-2021-22946 and its like).
            self.check_unasked()?;
            return self.secure_server(host);
        }
        match mode {
            ServerTls::Require => Err(ServerFault::NoTls.into()),
            _ => {
                self.tell_of_server("it offers no TLS");
                Ok(())
            }
        }
    }

    /// Does the handshake of the control connection.
    fn secure_server(&mut self, host: Option<&Host>) -> Result<(), End> {
        let server = self.server.as_mut().ok_or(End::bug("no server"))?;
        let trusted = self
            .terms
            .trusted
            .as_ref()
            .ok_or(End::bug("no authorities"))?;
        let host = certified(self.config, host, server.address);
        let (tls, upstream) = (&self.config.tls, &self.config.upstream);
        let upstream = Upstream::new(trusted, tls, upstream, &host);
        let upstream = upstream.map_err(ServerFault::Insecure)?;
        server.secure(upstream)?;
        let deadline = Instant::now() + self.patience(self.config.connect_timeout);
        loop {
            let server = self.server.as_mut().ok_or(End::bug("no server"))?;
            let Some(events) = server.handshake()? else {
                break;
            };
            let woken = self.wait(events, PollFlags::empty(), Some(deadline))?;
            if woken.timed_out {
                return Err(End::ServerTimedOut);
            }
            self.look_after_client(woken)?;
        }
        let (client, place) = (self.ends.client(), self.place());
        let server = self.server.as_ref().ok_or(End::bug("no server"))?;
        self.log
            .command(|| format!("{client}: {} to {place}", server.describe()));
        Ok(())
    }

    /// After the login: has the server protect data as well (RFC 4217 §9).
    pub(super) fn protect_server(&mut self) -> Result<(), End> {
        if !self
            .server
            .as_ref()
            .is_some_and(|server| server.is_secure())
        {
            return Ok(());
        }
        let mut protected = true;
        for (verb, argument) in [("PBSZ", &b"0"[..]), ("PROT", b"P")] {
            let request = Request::new(verb, argument)
                .map_err(|_| End::bug("a request that cannot be written"))?;
            protected = self.ask(&request)?.outcome() == Outcome::Complete;
        }
        match self.config.upstream.mode {
            _ if protected => {}
            ServerTls::Prefer => self.tell_of_server("it takes no data under TLS"),
            _ => return Err(ServerFault::ClearData.into()),
        }
        if let Some(server) = &mut self.server {
            server.protects_data = protected;
        }
        Ok(())
    }

    /// Does the handshake of the server's data connection, if data is protected there. The flag says that ABOR has come.
    pub(super) fn secure_server_data(
        &mut self,
        socket: OwnedFd,
    ) -> Result<Result<Wire, (OpenError, bool)>, End> {
        let server = self.server.as_ref().ok_or(End::bug("no server"))?;
        let Some(upstream) = server.upstream.clone().filter(|_| server.protects_data) else {
            return Ok(Ok(socket.into()));
        };
        let (secured, aborted) = self.shake_hands(socket, upstream)?;
        if let Err(OpenError::Insecure(fault)) = secured {
            self.tell_of_server(&format!("TLS of a data connection failed: {fault}"));
        }
        Ok(secured.map(Wire::Tls).map_err(|error| (error, aborted)))
    }
}

/// Whose certificate a server has to show: what the settings say, else where the client wanted to go, else where it was led.
fn certified(
    config: &crate::settings::GatewayConfig,
    named: Option<&Host>,
    address: SocketAddr,
) -> Host {
    if let Some(name) = &config.upstream.name {
        return Host::Name(name.clone());
    }
    let led = config.server.as_ref().map(|server| &server.host);
    let host = named.or(led).cloned();
    host.unwrap_or(Host::Address(address.ip().to_canonical()))
}
