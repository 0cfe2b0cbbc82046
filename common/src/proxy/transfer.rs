//! A transfer through a gateway: the server's data connection, then the client's, then octets from one to the other.

use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::data::{ClientSide, DataChannel, ServerSide, vetoed};
use super::end::End;
use super::report::Moved;
use super::server::ServerFault;
use super::session::{Session, request};
use crate::channel::{DialAnswer, DialRequest};
use crate::proto::answer::{Answer, Outcome};
use crate::proto::reply::{Code, Reply};
use crate::proto::request::Request;
use crate::proto::verbs::Verb;
use crate::pump::{
    self, DataConnection, Delivery, Flow, Interrupt, Layer, OpenError, Pace, Relay, RelayTls,
    Watch, Wire, accept, await_connect, reset,
};
use crate::rate::Direction;

/// How the server's data connection comes about, once it may.
enum ServerWay {
    /// It is on its way.
    Begun(OwnedFd),
    Awaited(OwnedFd),
}

/// Why a transfer did not come to its end by itself.
struct Cut {
    /// What the client hears, unless the server has more to say.
    why: Why,
    /// ABOR has come and wants a reply of its own.
    aborted: bool,
}

enum Why {
    /// There is no way to the client.
    NoWay(Reply),
    Open(OpenError),
    Moving(pump::End),
}

impl Session<'_> {
    /// Has the server begin a transfer, and moves the data. Hooks hear of the end of the data connections before the client does.
    pub(super) fn transfer(
        &mut self,
        verb: Verb,
        argument: &[u8],
        direction: Direction,
    ) -> Result<Reply, End> {
        let reply = self.move_data(verb, argument, direction)?;
        self.end_data()?;
        Ok(reply)
    }

    fn move_data(
        &mut self,
        verb: Verb,
        argument: &[u8],
        direction: Direction,
    ) -> Result<Reply, End> {
        let DataChannel::Agreed { client, server } = std::mem::take(&mut self.data) else {
            let text = "Use PASV, EPSV, PORT or EPRT first.";
            return Ok(Reply::new(Code::NO_DATA_CONNECTION, text));
        };
        if !self.permits_data() {
            let text = "Data must be under TLS here: AUTH TLS, PBSZ 0 and PROT P first.";
            return Ok(Reply::new(Code::DATA_LEVEL_REFUSED, text));
        }
        let request = match request(verb, argument) {
            Ok(request) => request,
            Err(reply) => return Ok(reply),
        };
        let server = match server {
            // Some servers say nothing before the connection stands.
            ServerSide::Passive(port) => {
                match self.connect(&DialRequest::ConnectToServer { port })? {
                    Ok(socket) => ServerWay::Begun(socket),
                    Err(reply) => return Ok(reply),
                }
            }
            ServerSide::Active(listener) => ServerWay::Awaited(listener),
        };
        let answer = self.begin(&request)?;
        if answer.outcome() != Outcome::Preliminary {
            return Ok(answer.relay());
        }
        let began = Instant::now();
        let (moved, ended) = match self.open(client, server)? {
            Ok((client, server)) => self.relay(&answer, client, server, direction)?,
            Err(cut) => (0, Err(cut)),
        };
        let complete = ended.is_ok();
        let reply = match ended {
            Ok(held) => self.last_answer().map(|answer| {
                held.into_iter().for_each(Wire::leave);
                answer.relay()
            }),
            Err(cut) => self.settle(cut),
        };
        let agreed = reply.as_ref().is_ok_and(|it| it.code().number() < 300);
        self.tell_of_transfer(&Moved {
            verb,
            path: argument,
            direction,
            octets: moved,
            complete: complete && agreed,
            began,
        });
        reply
    }

    /// A connection of the dialer's; `Err` is what the client hears if it cannot be begun.
    fn connect(&mut self, request: &DialRequest) -> Result<Result<OwnedFd, Reply>, End> {
        self.had_data = true;
        match self.ask_dialer(request)? {
            (DialAnswer::Connecting, Some(socket)) => Ok(Ok(socket)),
            (DialAnswer::TargetRefused | DialAnswer::Failed { .. }, None) => Ok(Err(no_way())),
            (DialAnswer::Vetoed { text }, None) => Ok(Err(vetoed(&text))),
            _ => Err(End::bug("an answer of the dialer that is none")),
        }
    }

    /// Opens both data connections, the server's first.
    fn open(
        &mut self,
        client: ClientSide,
        server: ServerWay,
    ) -> Result<Result<(DataConnection, OwnedFd), Cut>, End> {
        let deadline = Instant::now() + self.config.data_timeout;
        let client_way = match client {
            ClientSide::Passive(listener) => ServerWay::Awaited(listener),
            ClientSide::Active(target) => {
                match self.connect(&DialRequest::ConnectToClient { target })? {
                    Ok(socket) => ServerWay::Begun(socket),
                    Err(reply) => {
                        // SECURITY: an upload that nobody sends must not become an empty file.
                        if let ServerWay::Begun(server) = &server {
                            reset(server);
                        }
                        return Ok(Err(Cut {
                            why: Why::NoWay(reply),
                            aborted: false,
                        }));
                    }
                }
            }
        };
        let upstream = self.server.as_ref().ok_or(End::bug("no server"))?;
        let peers = (upstream.address.ip().to_canonical(), self.ends.client());
        let mut strangers = Vec::new();
        let mut watch = Watch::new(&mut self.client, self.dialer.as_fd(), self.config.permitted)
            .beside(upstream.as_fd());
        let mut stand = |way, peer| match way {
            ServerWay::Begun(socket) => await_connect(socket, deadline, &mut watch),
            ServerWay::Awaited(listener) => accept(
                &listener,
                None,
                |from| from == peer,
                None,
                deadline,
                &mut watch,
                |stranger| strangers.push(stranger),
            ),
        };
        let opened = stand(server, peers.0).and_then(|server| {
            let server = server.unmarked();
            // SECURITY: until all is through, and whatever becomes of this process, no part may pass for a whole file.
            reset(&server);
            let client = stand(client_way, peers.1)?;
            Ok((client, server))
        });
        let aborted = watch.aborted;
        for stranger in strangers.iter().take(1) {
            let client = self.ends.client();
            let text = format!("client {client}: a data connection from {stranger} was dropped");
            self.strangers.line(&self.log, &text);
        }
        Ok(opened.map_err(|error| Cut {
            why: Why::Open(error),
            aborted,
        }))
    }

    /// Moves the data; the octets that were moved, and why not all if so.
    fn relay(
        &mut self,
        mark: &Answer,
        client: DataConnection,
        server: OwnedFd,
        direction: Direction,
    ) -> Result<(u64, Result<Option<Wire>, Cut>), End> {
        let cut = |(error, aborted)| {
            let why = Why::Open(error);
            Ok((0, Err(Cut { why, aborted })))
        };
        let server = match self.secure_server_data(server)? {
            Ok(wire) => wire,
            Err(failed) => return cut(failed),
        };
        let client = client.begin(&mut self.client, &mark.mark())?;
        let client = match self.secure_data(client)? {
            Ok(wire) => wire,
            Err(failed) => return cut(failed),
        };
        let (from, to) = match direction {
            Direction::Download => (server, client),
            Direction::Upload => (client, server),
        };
        let upstream = self.server.as_ref().ok_or(End::bug("no server"))?;
        let watch = Watch::new(&mut self.client, self.dialer.as_fd(), self.config.permitted)
            .beside(upstream.as_fd())
            .telling(&mut self.teller);
        let stall = self.config.stall_timeout;
        // What a server has is its own to say.
        let downloads = direction == Direction::Download;
        let delivery = self.delivery.as_ref().filter(|_| downloads);
        let delivery = delivery.zip(Some(to.layer()));
        let (from, to) = match (from, to) {
            (Wire::Clear(from), Wire::Clear(to)) => {
                let flow = Relay::new(from, to, &self.pipe);
                let (moved, ended) = run(flow, Relay::reset, delivery, watch, stall);
                return Ok((moved, ended.map(|_| None)));
            }
            wires => wires,
        };
        let flow = RelayTls::new(from, to);
        let (moved, ended) = run(flow, RelayTls::reset, delivery, watch, stall);
        let held = ended.map(|flow| match (direction, flow.into_target()) {
            // Until the server has said that it has all: what it sent meanwhile, tickets say, would be answered by a reset,
            // which could overtake the data. In the clear the end of the connection is the end of the data.
            (Direction::Upload, target @ Wire::Tls(_)) => {
                // Some servers wait for FIN behind close_notify.
                let _ = SockRef::from(&target).shutdown(Shutdown::Write);
                Some(target)
            }
            (Direction::Upload | Direction::Download, _) => None,
        });
        Ok((moved, held))
    }

    /// Comes to terms with the server after a transfer that was cut off, and finds what the client is to hear. Of ABOR's two
    /// replies the first is sent here (RFC 959 §4.1.3).
    fn settle(&mut self, cut: Cut) -> Result<Reply, End> {
        let own = match cut.why {
            Why::NoWay(reply) => {
                self.last_answer()?;
                return Ok(reply);
            }
            Why::Open(OpenError::Interrupted(interrupt))
            | Why::Moving(pump::End::Interrupted(interrupt)) => match interrupt {
                Interrupt::Abort => None,
                Interrupt::ControlLost => return Err(End::ClientLost),
                Interrupt::KeeperGone => return Err(End::DialerGone),
                Interrupt::ServerGone => return Err(ServerFault::Lost.into()),
            },
            Why::Open(OpenError::TimedOut) => {
                Some("The data connection did not come about in time.")
            }
            Why::Open(OpenError::Failed(_) | OpenError::Insecure(_)) => {
                Some("The data connection did not come about.")
            }
            Why::Moving(pump::End::Stalled) => Some("The transfer made no progress."),
            Why::Moving(_) => Some("The data connection broke."),
        };
        if cut.aborted {
            // The data connections are gone already: a server that does not look sees that.
            let server = self.server.as_mut().ok_or(End::bug("no server"))?;
            server.send(&Request::plain("ABOR"))?;
        }
        let answer = self.last_answer()?;
        let code = match own {
            Some(_) if matches!(cut.why, Why::Open(_)) => Code::NO_DATA_CONNECTION,
            _ => Code::TRANSFER_ABORTED,
        };
        let reply = match (answer.outcome(), own) {
            // The server may know more: that its disk is full, say.
            (Outcome::Transient | Outcome::Permanent, _) if !matches!(cut.why, Why::Open(_)) => {
                answer.relay()
            }
            (_, Some(text)) => Reply::new(code, text),
            (_, None) => answer.relay_as(code),
        };
        if !cut.aborted {
            return Ok(reply);
        }
        self.client.reply(&reply)?;
        Ok(self.last_answer()?.relay())
    }
}

/// Runs a flow to its end, and gives it back if that is a good one.
fn run<F: Flow>(
    mut flow: F,
    reset: fn(F),
    delivery: Option<(&Delivery, Layer)>,
    mut watch: Watch<'_>,
    stall: Duration,
) -> (u64, Result<F, Cut>) {
    let mut outcome = pump::run(&mut flow, &mut watch, &mut Pace::default(), stall);
    if let Some((delivery, layer)) = delivery {
        outcome = delivery.settle(outcome, flow.data(), layer, &mut watch, stall);
    }
    let ended = match outcome.end {
        pump::End::Complete => Ok(flow),
        end => {
            // No part may pass for a whole file.
            reset(flow);
            Err(Cut {
                why: Why::Moving(end),
                aborted: watch.aborted,
            })
        }
    };
    (outcome.moved, ended)
}

fn no_way() -> Reply {
    let text = "The data connection cannot be begun.";
    Reply::new(Code::NO_DATA_CONNECTION, text)
}
