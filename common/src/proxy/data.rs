//! How the next data connections come about, on each side for itself: what the client wants on its side, and what the
//! settings say on the server's.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

use super::end::End;
use super::session::Session;
use crate::channel::{DialAnswer, DialRequest};
use crate::hookd::Reason;
use crate::jail::Failure;
use crate::proto::answer::Outcome;
use crate::proto::hostport::{self, Family};
use crate::proto::reply::{Code, Reply};
use crate::proto::request::Request;
use crate::proto::verbs::{self, Command, EpsvArg, Verb};
use crate::settings::ServerData;

/// What is agreed upon; a transfer takes it.
#[derive(Debug, Default)]
pub(super) enum DataChannel {
    #[default]
    None,
    Agreed {
        client: ClientSide,
        server: ServerSide,
    },
}

/// How the client's data connection comes about.
#[derive(Debug)]
pub(super) enum ClientSide {
    /// The client will come to this listener.
    Passive(OwnedFd),
    /// The client waits at this address.
    Active(SocketAddr),
}

/// How the server's does.
#[derive(Debug)]
pub(super) enum ServerSide {
    /// The server waits at this port.
    Passive(u16),
    /// The server will come to this listener.
    Active(OwnedFd),
}

impl Session<'_> {
    /// Obeys PASV, PORT and their like.
    pub(super) fn set_up(&mut self, verb: Verb, line: &[u8]) -> Result<Reply, End> {
        self.data = DataChannel::None;
        self.end_data()?;
        let Ok(command) = verbs::parse(verb, line) else {
            let text = format!("{} does not have this argument.", verb.spec().verb);
            return Ok(Reply::new(Code::BAD_ARGUMENT, text));
        };
        if self.epsv_only && !matches!(command, Command::Epsv(_)) {
            return Ok(Reply::new(
                Code::BAD_SEQUENCE,
                "After EPSV ALL there is only EPSV.",
            ));
        }
        let ip = self.ends.server();
        let own = if ip.is_ipv4() { Family::V4 } else { Family::V6 };
        match command {
            Command::Pasv => self.passive(Family::V4, |told| match told.ip() {
                IpAddr::V4(ip) => {
                    let numbers = hostport::port_text(std::net::SocketAddrV4::new(ip, told.port()));
                    Reply::new(Code::PASSIVE, format!("Entering Passive Mode ({numbers})"))
                }
                IpAddr::V6(_) => refused(Code::NO_DATA_CONNECTION),
            }),
            Command::Lpsv => self.passive(own, |told| {
                let numbers = hostport::long_text(told);
                Reply::new(
                    Code::LONG_PASSIVE,
                    format!("Entering Long Passive Mode ({numbers})"),
                )
            }),
            Command::Epsv(EpsvArg::All) => {
                self.epsv_only = true;
                Ok(Reply::new(Code::OK, "Only EPSV from now on."))
            }
            Command::Epsv(EpsvArg::Default) => self.extended(own),
            Command::Epsv(EpsvArg::Family(family)) if family == own => self.extended(own),
            Command::Epsv(EpsvArg::Family(_)) => Ok(other_family(Code::PROTOCOL_NOT_OFFERED, own)),
            Command::Port(target) => self.active(target.into()),
            Command::Eprt(Ok(target)) => self.active(target),
            Command::Eprt(Err(_)) => Ok(other_family(Code::PROTOCOL_NOT_OFFERED, own)),
            Command::Lprt(Ok(target)) => self.active(target),
            Command::Lprt(Err(_)) => Ok(other_family(Code::FAMILY_NOT_OFFERED, own)),
            _ => Err(End::bug("an answer of the dialer that is none")),
        }
    }

    fn extended(&mut self, family: Family) -> Result<Reply, End> {
        self.passive(family, |told| {
            let text = format!("Entering Extended Passive Mode (|||{}|)", told.port());
            Reply::new(Code::EXTENDED_PASSIVE, text)
        })
    }

    /// A port for the client to come to.
    fn passive(
        &mut self,
        family: Family,
        tell: impl FnOnce(SocketAddr) -> Reply,
    ) -> Result<Reply, End> {
        let server = match self.set_up_server()? {
            Ok(server) => server,
            Err(reply) => return Ok(reply),
        };
        self.had_data = true;
        match self.ask_dialer(&DialRequest::ListenForClient { family })? {
            (DialAnswer::Listening { address }, Some(listener)) => {
                let client = ClientSide::Passive(listener);
                self.data = DataChannel::Agreed { client, server };
                Ok(tell(address))
            }
            (DialAnswer::TargetRefused, None) => {
                let text = "PASV is for IPv4: use EPSV.";
                Ok(Reply::new(Code::NO_DATA_CONNECTION, text))
            }
            (DialAnswer::Failed { why }, None) => Ok(no_port(why)),
            (DialAnswer::Vetoed { text }, None) => Ok(vetoed(&text)),
            _ => Err(End::bug("an answer of the dialer that is none")),
        }
    }

    /// An address that the client waits at: its own, and no port of a service.
    fn active(&mut self, target: SocketAddr) -> Result<Reply, End> {
        // The dialer holds to this whatever is asked of it; here it is answered early.
        if target.ip().to_canonical() != self.ends.client() || target.port() < 1024 {
            return Ok(refused(Code::BAD_ARGUMENT));
        }
        Ok(match self.set_up_server()? {
            Ok(server) => {
                let client = ClientSide::Active(target);
                self.data = DataChannel::Agreed { client, server };
                Reply::new(Code::OK, "The data connection will go there.")
            }
            Err(reply) => reply,
        })
    }

    /// Agrees upon the server's data connection; `Err` is what the client hears instead.
    fn set_up_server(&mut self) -> Result<Result<ServerSide, Reply>, End> {
        match self.config.server_data {
            ServerData::Passive => self.passive_server(),
            ServerData::Active => self.active_server(),
        }
    }

    fn passive_server(&mut self) -> Result<Result<ServerSide, Reply>, End> {
        let extended = self
            .server
            .as_ref()
            .is_some_and(|server| server.prefers_extended);
        if !extended {
            let answer = self.ask(&Request::plain("PASV"))?;
            // SECURITY: the address that it tells is never used (CVE-2020-8284 and its like): data comes from the server that
            // was dialled.
            let port = match answer.code() {
                Code::PASSIVE => hostport::find_port(answer.text()),
                _ => None,
            };
            match (port, answer.outcome()) {
                (Some(told), _) => return Ok(Ok(ServerSide::Passive(told.port()))),
                (None, Outcome::Permanent) => {}
                (None, _) => return Ok(Err(no_data())),
            }
        }
        let answer = self.ask(&Request::plain("EPSV"))?;
        let port = match answer.code() {
            Code::EXTENDED_PASSIVE => hostport::find_extended_port(answer.text()),
            _ => None,
        };
        let Some(port) = port else {
            return Ok(Err(no_data()));
        };
        if let Some(server) = &mut self.server {
            server.prefers_extended = true;
        }
        Ok(Ok(ServerSide::Passive(port)))
    }

    fn active_server(&mut self) -> Result<Result<ServerSide, Reply>, End> {
        self.had_data = true;
        let (address, listener) = match self.ask_dialer(&DialRequest::ListenForServer)? {
            (DialAnswer::Listening { address }, Some(listener)) => (address, listener),
            (DialAnswer::Failed { why }, None) => return Ok(Err(no_port(why))),
            (DialAnswer::Vetoed { text }, None) => return Ok(Err(vetoed(&text))),
            _ => return Err(End::bug("an answer of the dialer that is none")),
        };
        let request = match address {
            SocketAddr::V4(address) => {
                Request::new("PORT", hostport::port_text(address).as_bytes())
            }
            SocketAddr::V6(address) => {
                let text = format!("|2|{}|{}|", address.ip(), address.port());
                Request::new("EPRT", text.as_bytes())
            }
        };
        let answer =
            self.ask(&request.map_err(|_| End::bug("a request that cannot be written"))?)?;
        Ok(match answer.outcome() {
            Outcome::Complete => Ok(ServerSide::Active(listener)),
            _ => Err(no_data()),
        })
    }
}

/// What a client hears of a hook that refuses a data connection.
pub(super) fn vetoed(text: &Reason) -> Reply {
    Reply::new(Code::NO_DATA_CONNECTION, text.as_slice().to_vec())
}

fn no_data() -> Reply {
    let text = "The server does not agree to a data connection.";
    Reply::new(Code::NO_DATA_CONNECTION, text)
}

fn no_port(why: Failure) -> Reply {
    let text = match why {
        Failure::Exhausted => "All data ports are in use; please try again.",
        _ => "The data connection cannot be prepared.",
    };
    Reply::new(Code::NO_DATA_CONNECTION, text)
}

fn refused(code: Code) -> Reply {
    Reply::new(
        code,
        "Data connections lead to the client itself, and to no port below 1024.",
    )
}

fn other_family(code: Code, own: Family) -> Reply {
    let number = if own == Family::V4 { 1 } else { 2 };
    Reply::new(
        code,
        format!("Use the protocol of this connection ({number})"),
    )
}
