//! The way to a server of a pool, which the name of the user tells: what it says until it has heard the name is between it
//! and the gateway, so that the client does not notice one that is of no use.

use super::end::End;
use super::server::Server;
use super::session::Session;
use crate::channel::{DialAnswer, DialRequest, UserName};
use crate::proto::answer::Answer;
use crate::proto::request::Request;
use crate::settings::PoolServer;

/// So many names a client may try on one connection.
const MOST_NAMES: u32 = 10;

impl Session<'_> {
    /// Has the first server that is of use for this user hear its name; gives the answer to that.
    pub(super) fn ask_pool(&mut self, name: &[u8], user: &Request) -> Result<Answer, End> {
        self.names += 1;
        if self.names > MOST_NAMES {
            return Err(End::TooManyNames);
        }
        let cut = name.get(..UserName::LONGEST).unwrap_or(name);
        let cut = UserName::new(cut).unwrap_or_default();
        self.leave_server();
        loop {
            self.go_to_member(cut.clone())?;
            self.settled = false;
            let answer = self.meet_member().and_then(|()| self.ask(user));
            self.settled = true;
            match answer {
                Ok(answer) => return Ok(answer),
                Err(End::Dismissed(answer)) => {
                    self.tell_of_server(&format!("it said {}", answer.code().number()));
                }
                Err(End::ServerTimedOut) => self.tell_of_server("it did not answer in time"),
                Err(End::Server(fault)) => self.tell_of_server(&fault.to_string()),
                Err(end) => return Err(end),
            }
            self.server = None;
        }
    }

    /// The server of the pool that this session is with.
    pub(super) fn member(&self) -> Option<&PoolServer> {
        let number = self.number?;
        self.config.pool.servers.get(number)
    }

    fn go_to_member(&mut self, user: UserName) -> Result<(), End> {
        match self.ask_dialer(&DialRequest::DialFor { user })? {
            (DialAnswer::Serving { server, number }, Some(socket)) => {
                self.number = Some(usize::from(number));
                self.server = Some(Server::new(socket, server, self.config.answer_timeout));
                Ok(())
            }
            (DialAnswer::NotDialled { why, .. }, None) => {
                Err(End::NotDialled(super::login::not_dialled(why)))
            }
            _ => Err(End::bug("an answer of the dialer that is none")),
        }
    }

    fn meet_member(&mut self) -> Result<(), End> {
        let host = self.member().map(|member| member.destination.host.clone());
        self.meet(host.as_ref()).map(|_| ())
    }

    /// Leaves the server of another name without a wait for its goodbye.
    fn leave_server(&mut self) {
        if let Some(server) = &mut self.server {
            // It may be gone: then nobody needs to tell it.
            let _ = server.send(&Request::plain("QUIT"));
        }
        self.server = None;
    }
}
