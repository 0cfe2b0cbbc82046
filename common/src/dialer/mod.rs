//! The trusted half of a session with another server: leads there by the rules, makes data sockets for both sides, and
//! reports logins. It runs no parser of what client or server send. Once it has reached a server it can open no file any more.

mod hooks;
mod pooled;
mod reach;

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use crate::channel::{Answerer, DialAnswer, DialFault, DialRequest, Dialling, HostName, UserName};
use crate::control::until;
use crate::hookd::{Listed, Reach, Reason, Told};
use crate::hooks::{Connection, Kind, Outcome};
use crate::jail::Failure;
use crate::listener::{Answer, Lifeline, Reports, Sign, Status, Verdict, halves};
use crate::log::{Fact, Log};
use crate::net::{self, Addresses, Ends, Origin};
use crate::part::Part;
use crate::pool::Standing;
use crate::proto::destination::{Destination, Host};
use crate::proto::hostport::Family;
use crate::proto::proxied::Header;
use crate::proxied;
use crate::sandbox::{self, Kept, Programs};
use crate::settings::peers::FIRST_CLIENT_PORT;
use crate::settings::sources::SourcePorts;
use crate::settings::targets::Targets;
use crate::settings::{GatewayConfig, ServerHeader, Transparent};
use crate::tls::Offer;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};

use self::pooled::Candidates;
use self::reach::{Reached, Unreached, reach};

/// So many servers that are not reached, and the session is over.
const MOST_MISSES: u32 = 3;

/// The addresses of a server by its name, all of which the rules permit.
///
/// # Errors
/// A sentence about why there is none.
pub fn addresses(targets: &Targets, destination: &Destination) -> Result<Vec<IpAddr>, String> {
    reach::permitted(targets, destination).map_err(|unreached| unreached.text)
}

type Answered = (DialAnswer, Option<OwnedFd>);

/// What a dialer goes by.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    pub config: &'a GatewayConfig,
    pub programs: &'a Programs,
    pub log: &'a Log,
    /// The uid and gid of dialers.
    pub user: u32,
    /// How the servers of a pool are; none where nobody looks.
    pub standing: Option<&'a Standing>,
}

impl Rules<'_> {
    /// Where a client is led without a word of its own.
    pub fn given(&self, socket: &OwnedFd, ends: Ends) -> Option<Destination> {
        // Who was not redirected wanted to come here: the rules for own addresses know what to do with that.
        let wanted = match self.config.transparent {
            Transparent::Off => return self.config.server.clone(),
            Transparent::Redirect => net::original_destination(socket, ends),
            Transparent::Tproxy => None,
        };
        let wanted = wanted.unwrap_or(net::canonical(ends.local));
        Some(Destination::new(Host::Address(wanted.ip()), wanted.port()))
    }
}

/// A session that needs to be led.
#[derive(Debug)]
pub struct Visit {
    pub ends: Ends,
    pub lifeline: Lifeline,
    pub reports: Reports,
    /// Who hears of logins.
    pub hooks: Reach,
    /// What the network half may ask for, once.
    pub tls: Option<Offer>,
    /// Where it is led without a word of its own.
    pub given: Option<Destination>,
    /// When the time for a login has begun.
    pub began: Instant,
}

/// The trusted half, while it serves.
#[derive(Debug)]
pub struct Dialer<'a> {
    rules: Rules<'a>,
    visit: Visit,
    /// What `tls` of the visit has led to, where there is a server before it is asked for, and the generation of the certificates.
    signer: Option<(u32, OwnedFd)>,
    /// The address that a redirected client believes to speak with: it is told that of passive ports too.
    believed: Option<IpAddr>,
    /// The server, and this side's address on the connection to it.
    reached: Option<Ends>,
    misses: u32,
    /// The servers of a pool that are left for a user.
    candidates: Candidates,
    logged_in: bool,
}

impl<'a> Dialer<'a> {
    /// A dialer that has led nobody yet.
    pub fn new(rules: Rules<'a>, visit: Visit) -> Dialer<'a> {
        let believed = visit
            .given
            .as_ref()
            .filter(|_| rules.config.transparent.is_on());
        let believed = believed.and_then(|given| match given.host {
            Host::Address(address) => Some(address),
            Host::Name(_) => None,
        });
        Dialer {
            rules,
            visit,
            signer: None,
            believed,
            reached: None,
            misses: 0,
            candidates: Candidates::default(),
            logged_in: false,
        }
    }

    /// Answers until the channel or the listener says that it is over. `ended` tells of the end of the network half, and stays open.
    pub fn stay(mut self, mut channel: Answerer<Dialling>, ended: &OwnedFd) -> Status {
        Part::Dialer.begin();
        let mut kept = vec![channel.as_fd(), ended.as_fd()];
        kept.extend(self.visit.lifeline.descriptors());
        kept.extend(self.visit.reports.descriptor());
        kept.extend(self.visit.hooks.descriptor());
        kept.extend(self.rules.log.descriptor());
        kept.extend(self.rules.standing.iter().flat_map(|it| it.descriptors()));
        kept.extend(self.visit.tls.as_ref().map(|offer| offer.door.as_fd()));
        let power = match self.rules.config.transparent {
            Transparent::Off | Transparent::Redirect => Kept::Nothing,
            Transparent::Tproxy => Kept::ForeignAddresses,
        };
        let Rules { programs, user, .. } = self.rules;
        if let Err(error) = sandbox::enter_lookup(programs, user, power, &kept) {
            self.rules.log.line(&format!("dialer: {error}"));
            return Status::SandboxFailed;
        }
        loop {
            if let Err(status) = self.wait(&channel) {
                return status;
            }
            let (ticket, request) = match channel.receive() {
                Ok(Some(received)) => received,
                Ok(None) => continue,
                Err(broken) => return broken.into(),
            };
            let (answer, descriptor) = match self.answer(&channel, request) {
                Ok(answered) => answered,
                Err(status) => return status,
            };
            let descriptor = descriptor.as_ref().map(AsFd::as_fd);
            if let Err(broken) = channel.answer(ticket, &answer, descriptor) {
                return broken.into();
            }
        }
    }

    /// Waits for a request, and before the login not for ever. Nobody logs in when the listener is gone.
    fn wait(&self, channel: &Answerer<Dialling>) -> Result<(), Status> {
        let deadline = match self.logged_in {
            true => None,
            false => Some(self.login_deadline()),
        };
        let mut ready = vec![PollFd::new(channel.as_fd(), PollFlags::POLLIN)];
        if self.visit.lifeline.sign() != Sign::Orphaned {
            ready.push(PollFd::new(self.visit.lifeline.as_fd(), PollFlags::POLLIN));
        }
        match poll(&mut ready, until(deadline)) {
            Ok(0) => return Err(Status::TimedOut),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(Status::failed("poll", errno)),
        }
        match (self.visit.lifeline.sign(), self.logged_in) {
            (Sign::Alive, _) | (Sign::Orphaned, true) => Ok(()),
            (Sign::Stop, _) | (Sign::Orphaned, false) => Err(Status::Ended),
        }
    }

    fn login_deadline(&self) -> Instant {
        self.visit.began + self.rules.config.login_timeout + halves::LOGIN_MARGIN
    }

    fn answer(
        &mut self,
        channel: &Answerer<Dialling>,
        request: DialRequest,
    ) -> Result<Answered, Status> {
        match request {
            DialRequest::Dial { host, port } => match self.visit.given {
                Some(_) => Ok(not_dialled(DialFault::OutOfPlace, true)),
                None if self.rules.config.pools() => Ok(not_dialled(DialFault::OutOfPlace, true)),
                None => self.dial_named(channel, &host, port),
            },
            DialRequest::DialGiven => match self.visit.given.take() {
                Some(server) if self.leads_back() => {
                    let client = self.visit.ends.client();
                    let text =
                        format!("client {client}: the way to {server} leads back to this gateway");
                    self.rules.log.line(&text);
                    Ok(not_dialled(DialFault::Loop, true))
                }
                Some(server) => self.dial(channel, &server),
                None => Ok(not_dialled(DialFault::OutOfPlace, true)),
            },
            DialRequest::DialFor { user } => self.dial_for(channel, &user),
            DialRequest::ListenForClient { family } => Ok(self.listen_for_client(family)),
            DialRequest::ConnectToClient { target } => Ok(self.connect_to_client(target)),
            DialRequest::ConnectToServer { port } => Ok(self.connect_to_server(port)),
            DialRequest::ListenForServer => Ok(self.listen_for_server()),
            DialRequest::BeginLogin => {
                self.admit(channel)?;
                Ok((DialAnswer::Done, None))
            }
            DialRequest::LoginFailed { user } => {
                self.tell(Told {
                    login: Some(user),
                    reason: Reason::new(b"the server says no"),
                    outcome: Some(Outcome::Refused),
                    ..Told::new(Kind::LoginFailed)
                });
                self.visit.reports.failed().map_err(|_| Status::Ended)?;
                Ok((DialAnswer::Done, None))
            }
            DialRequest::UserRefused { user } => {
                // SECURITY: whoever tries one name after the other pays for each as for a password.
                self.admit(channel)?;
                self.tell(Told {
                    login: Some(user),
                    reason: Reason::new(b"UserTargets keeps it from there"),
                    outcome: Some(Outcome::Refused),
                    ..Told::new(Kind::LoginFailed)
                });
                self.visit.reports.failed().map_err(|_| Status::Ended)?;
                Ok((DialAnswer::Done, None))
            }
            DialRequest::DataEnded => Ok(self.data_ended()),
            DialRequest::Leave { end, up, down } => Ok(self.leave(end, up, down)),
            DialRequest::Signer { generation } => Ok(self.lead_to_signer(generation)),
            DialRequest::LoggedIn { user } => self.log_in(channel, user),
        }
    }

    /// SECURITY: a rule that catches the gateway's own connections would make one session of another for ever.
    fn leads_back(&self) -> bool {
        let Ends { local, peer, .. } = self.visit.ends;
        let is_ours = match self.rules.config.transparent {
            Transparent::Off => return false,
            Transparent::Redirect => false,
            // They come from the client's address, but from a socket of this machine.
            Transparent::Tproxy => net::is_connected(peer, local).unwrap_or(false),
        };
        is_ours || net::own_addresses().contains(&self.visit.ends.client())
    }

    /// Makes the network half its channel to the signer. SECURITY: one, as each of them has a budget.
    fn reach_signer(&mut self) {
        let Some(offer) = self.visit.tls.take() else {
            return;
        };
        match offer.channel() {
            Ok(channel) => self.signer = Some((offer.certificates.generation, channel)),
            Err(errno) => {
                let text = format!("the signer cannot be reached: {errno}");
                self.rules.log.line(&text);
            }
        }
    }

    fn lead_to_signer(&mut self, generation: u32) -> Answered {
        self.reach_signer();
        let signer = self.signer.take();
        match signer.filter(|(made_for, _)| *made_for == generation) {
            Some((_, channel)) => (DialAnswer::Signer, Some(channel)),
            None => (DialAnswer::NoSigner, None),
        }
    }

    fn dial_named(
        &mut self,
        channel: &Answerer<Dialling>,
        host: &HostName,
        port: u16,
    ) -> Result<Answered, Status> {
        let host = std::str::from_utf8(host.as_slice()).ok();
        let host = host.and_then(|host| Host::parse(host).ok());
        match host {
            Some(host) if port > 0 => self.dial(channel, &Destination::new(host, port)),
            _ => Err(Status::Misbehaved),
        }
    }

    /// Goes to a server, once. From then on no file can be opened here.
    fn dial(
        &mut self,
        channel: &Answerer<Dialling>,
        destination: &Destination,
    ) -> Result<Answered, Status> {
        if self.reached.is_some() {
            return Ok(not_dialled(DialFault::OutOfPlace, true));
        }
        let config = self.rules.config;
        let deadline = Instant::now() + config.connect_timeout;
        let watched = [channel.as_fd(), self.visit.lifeline.as_fd()];
        let client = self.visit.ends.client();
        let from = match config.transparent {
            Transparent::Off | Transparent::Redirect => None,
            Transparent::Tproxy => Some(net::canonical(self.visit.ends.peer)),
        };
        match reach(&config.targets, destination, from, deadline, &watched) {
            Ok(Reached { server, local, .. }) if self.is_ourselves(server, local) => {
                let text = format!("client {client}: {destination} is this gateway itself");
                self.rules.log.line(&text);
                Ok(not_dialled(DialFault::Loop, true))
            }
            Ok(Reached {
                socket,
                server,
                local,
            }) => {
                self.seal()?;
                if let Err(why) = self.introduce(&socket) {
                    self.rules
                        .log
                        .line(&format!("client {client}: {destination}: {why}"));
                    return Ok(not_dialled(DialFault::Unreachable, true));
                }
                self.reached = Some(Ends {
                    local,
                    peer: server,
                    passed: None,
                });
                self.visit.hooks.led_to(server);
                self.tell_of_server(
                    destination,
                    &format!("connected to {destination} ({server})"),
                );
                let server = net::canonical(server);
                Ok((DialAnswer::Dialled { server }, Some(socket)))
            }
            Err(Unreached { why, text }) => {
                self.tell_of_miss(destination, &text);
                self.misses += 1;
                // SECURITY: whoever tries one destination after the other pays for each as for a password.
                self.admit(channel)?;
                self.visit.reports.failed().map_err(|_| Status::Ended)?;
                Ok(not_dialled(why, self.misses >= MOST_MISSES))
            }
        }
    }

    /// Tells a server whose connection it is, if it wants to be told.
    fn introduce(&self, server: &OwnedFd) -> Result<(), String> {
        if self.rules.config.header == ServerHeader::None {
            return Ok(());
        }
        let Ends {
            peer,
            local,
            passed,
        } = self.visit.ends;
        let (client, local) = passed.map_or((peer, local), |it| (it.client, it.server));
        let header = Header::Passed {
            client: net::canonical(client),
            server: net::canonical(local),
        };
        proxied::introduce(server.as_fd(), header)
            .map_err(|errno| format!("no header could be sent: {}", errno.desc()))
    }

    /// Tells the log of a server that was reached.
    fn tell_of_server(&self, named: impl Display, text: &str) {
        self.tell_of(named, text, "connected");
    }

    /// Tells it why one was not.
    fn tell_of_miss(&self, named: impl Display, why: &str) {
        let text = format!("{named} not reached: {why}");
        self.tell_of(named, &text, "not_connected");
    }

    fn tell_of(&self, named: impl Display, text: &str, event: &str) {
        let (client, named) = (self.visit.ends.client().to_string(), named.to_string());
        let address = self
            .reached
            .map(|ends| net::canonical(ends.peer).to_string());
        let mut facts = vec![
            ("event", Fact::Text(event.as_bytes())),
            ("client", Fact::Text(client.as_bytes())),
            ("target", Fact::Text(named.as_bytes())),
        ];
        let address = address.as_ref().map(|it| Fact::Text(it.as_bytes()));
        facts.extend(address.map(|address| ("server", address)));
        let text = format!("client {client}: {text}");
        self.rules.log.entry(&text, &facts);
    }

    /// Gives up files: there is no other server to look for.
    fn seal(&mut self) -> Result<(), Status> {
        // No channel can be made afterwards.
        self.reach_signer();
        sandbox::seal_dialer(self.rules.programs).map_err(|error| {
            self.rules.log.line(&format!("dialer: {error}"));
            Status::SandboxFailed
        })
    }

    /// Whether the connection leads to where it comes from, or to where clients come in.
    fn is_ourselves(&self, server: SocketAddr, local: SocketAddr) -> bool {
        if self.rules.config.transparent == Transparent::Tproxy {
            // From there the answer would go to the client itself.
            return net::own_addresses().contains(&server.ip());
        }
        let port = self.visit.ends.local.port();
        server.port() == port && server.ip() == local.ip() || server == self.visit.ends.local
    }

    /// Waits for a place for a check of a password.
    fn admit(&self, channel: &Answerer<Dialling>) -> Result<(), Status> {
        let asked = self.visit.reports.admit().map_err(|_| Status::Ended)?;
        self.verdict(channel, &asked).map(|_| ())
    }

    fn log_in(&mut self, channel: &Answerer<Dialling>, user: UserName) -> Result<Answered, Status> {
        let most = self.rules.config.max_per_user;
        let asked = self
            .visit
            .reports
            .logged_in(user.clone(), most, None)
            .map_err(|_| Status::Ended)?;
        Ok(match self.verdict(channel, &asked)? {
            Verdict::Admitted => {
                self.logged_in = true;
                if self.rules.config.pools() {
                    self.seal()?;
                }
                // It would keep a signer that nobody asks any more.
                self.signer = None;
                self.tell(Told {
                    login: Some(user),
                    ..Told::new(Kind::Login)
                });
                (DialAnswer::Done, None)
            }
            Verdict::TooMany => {
                self.tell(Told {
                    login: Some(user),
                    limit: Listed::find("MaxPerUser"),
                    ..Told::new(Kind::LimitHit)
                });
                (DialAnswer::TooMany, None)
            }
            // About front ends, of which there are none here.
            Verdict::Refused { .. } => return Err(Status::bug("a verdict about a front end")),
        })
    }

    /// Waits for what the listener says. A client that goes away ends the wait.
    fn verdict(
        &self,
        channel: &Answerer<Dialling>,
        asked: &Answer<Verdict>,
    ) -> Result<Verdict, Status> {
        let deadline = self.login_deadline();
        halves::verdict(asked, channel.as_fd(), &self.visit.lifeline, deadline)
    }

    /// A listener on the address of the client's connection, with the address that the client is to be told.
    fn listen_for_client(&mut self, family: Family) -> Answered {
        let ip = self.visit.ends.server();
        let matches = match family {
            Family::V4 => ip.is_ipv4(),
            Family::V6 => ip.is_ipv6(),
            Family::Unknown => false,
        };
        if !matches || !self.logged_in {
            return (DialAnswer::TargetRefused, None);
        }
        let client = SocketAddr::new(self.visit.ends.client(), 0);
        let (local, believed) = (self.visit.ends.local, self.believed);
        self.listen(local, believed, client, Connection::FromClient)
    }

    /// The beginning of a connection to the client itself, never to anybody else.
    fn connect_to_client(&mut self, target: SocketAddr) -> Answered {
        let ends = self.visit.ends;
        // SECURITY: a third address would make this gateway a tool against others (RFC 2577 §3).
        let is_client = target.ip().to_canonical() == ends.client();
        if !is_client || target.port() < FIRST_CLIENT_PORT || !self.logged_in {
            return (DialAnswer::TargetRefused, None);
        }
        let target = SocketAddr::new(ends.client(), target.port());
        let source = SocketAddr::new(ends.server(), 0);
        if let Some(refused) = self.data_up(source, target, Connection::ToClient) {
            return refused;
        }
        let begun = net::connect_active(
            ends.server(),
            net::scope(ends.peer),
            &SourcePorts::default(),
            target,
            self.addresses(),
        );
        connecting(begun.map(|(socket, _)| socket))
    }

    /// The beginning of a connection to the server that was dialled, never to another.
    fn connect_to_server(&mut self, port: u16) -> Answered {
        let Some(Ends { local, peer, .. }) = self.reached.filter(|_| port >= FIRST_CLIENT_PORT)
        else {
            return (DialAnswer::TargetRefused, None);
        };
        let mut server = peer;
        server.set_port(port);
        let source = SocketAddr::new(local.ip(), 0);
        if let Some(refused) = self.data_up(source, server, Connection::ToServer) {
            return refused;
        }
        connecting(net::connect_server(
            Some(local.ip()),
            server,
            self.addresses(),
        ))
    }

    /// Whose addresses its sockets have.
    fn addresses(&self) -> Addresses {
        self.rules.config.transparent.into()
    }

    fn listen_for_server(&mut self) -> Answered {
        match self.reached {
            Some(Ends { local, peer, .. }) => {
                let server = SocketAddr::new(peer.ip(), 0);
                self.listen(local, None, server, Connection::FromServer)
            }
            None => (DialAnswer::TargetRefused, None),
        }
    }

    /// A listener on an address of this side, and the address that is told of it, once hooks have nothing against that somebody comes.
    fn listen(
        &mut self,
        local: SocketAddr,
        told: Option<IpAddr>,
        somebody: SocketAddr,
        connection: Connection,
    ) -> Answered {
        let ip: IpAddr = local.ip().to_canonical();
        let ports = self.rules.config.data_ports;
        let origin = match connection {
            Connection::FromServer => Origin::Fixed,
            Connection::FromClient | Connection::ToClient | Connection::ToServer => {
                Origin::Changing
            }
        };
        match net::listen_passive(ip, net::scope(local), ports, self.addresses(), origin) {
            Ok((socket, port)) => {
                let here = SocketAddr::new(ip, port);
                if let Some(refused) = self.data_up(somebody, here, connection) {
                    return refused;
                }
                let address = SocketAddr::new(told.unwrap_or(ip), port);
                (DialAnswer::Listening { address }, Some(socket.into()))
            }
            // Every port of the range is taken: another try may find one.
            Err(Errno::EADDRINUSE) => {
                let why = Failure::Exhausted;
                (DialAnswer::Failed { why }, None)
            }
            Err(errno) => (DialAnswer::Failed { why: errno.into() }, None),
        }
    }
}

fn connecting(begun: Result<socket2::Socket, Errno>) -> Answered {
    match begun {
        Ok(socket) => (DialAnswer::Connecting, Some(socket.into())),
        Err(errno) => (DialAnswer::Failed { why: errno.into() }, None),
    }
}

fn not_dialled(why: DialFault, last: bool) -> Answered {
    (DialAnswer::NotDialled { why, last }, None)
}
