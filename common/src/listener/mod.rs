//! The listener: accepts, forks a session for each client, and looks after the dead. Single-threaded; it never reads a
//! client's octet and holds no secret.

mod answers;
mod census;
mod changes;
mod door;
mod ends;
pub mod halves;
mod hearing;
mod hooks;
mod leases;
mod lifeline;
mod logins;
mod office;
pub mod operator;
mod penalties;
mod pool;
mod renewal;
mod reports;
mod sessions;
mod status;
mod successors;
mod watch;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, killpg, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::{Pid, setpgid};
use socket2::Socket;

pub use crate::entrances::{Entrance, Port};
pub use answers::Answer;
use hooks::Hooks;
pub use lifeline::{Drain, Lifeline, Sign, Watched};
pub use office::Office;
pub use operator::Operator;
pub use pool::Pool;
pub use renewal::Renewal;
pub use reports::{OwnLog, Reports, Verdict};
pub use status::Status;

use self::door::{Door, Judgement};
use self::ends::Asked;
use self::leases::Leases;
use self::lifeline::Drainer;
use self::penalties::Source;
use self::reports::Inbox;
use self::sessions::Sessions;

use crate::activity::Page;
use crate::channel::{Refusal, UserName};
use crate::control::until;
use crate::hookd::{self, Happened, Stage};
use crate::hooks::Kind;
use crate::log::Log;
use crate::net::{self, Ends};
use crate::proto::reply::{Code, Reply};
use crate::rate::Rates;
use crate::settings::Limits;
use crate::sys::{self, Fork};
use crate::tls::Offer;

/// How long accepting pauses when the system has no more processes or descriptors.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(200);

/// How long a full queue of the log is given before it is told more.
const LOG_PAUSE: Duration = Duration::from_millis(20);

/// So many clients are refused at a time, before the listener looks at anything else.
const MOST_REFUSED: u32 = 32;

/// What the listener hands to the child that serves a client.
#[derive(Debug)]
pub struct Client {
    pub socket: OwnedFd,
    pub ends: Ends,
    pub entrance: Entrance,
    pub tls: Option<Offer>,
    pub lifeline: Lifeline,
    /// For the network half; under inetd nobody would tell.
    pub drain: Option<Drain>,
    pub reports: Reports,
    pub hooks: Option<ToHooks>,
    /// Where it tells what it does.
    pub page: Option<Page>,
}

impl Client {
    /// The one client of inetd: there is no listener to report to, nor one that drains.
    pub fn of_inetd(
        socket: OwnedFd,
        ends: Ends,
        tls: Option<Offer>,
        hooks: Option<ToHooks>,
        lifeline: Lifeline,
    ) -> Client {
        Client {
            socket,
            ends,
            entrance: Entrance::Plain,
            tls,
            lifeline,
            drain: None,
            reports: Reports::nowhere(),
            hooks,
            page: None,
        }
    }
}

/// A session's way to hookd.
#[derive(Debug)]
pub struct ToHooks {
    /// Keeper's end of the channel.
    pub channel: OwnedFd,
    /// Where no listener introduces the user: the door itself. SECURITY: it is closed before the user is served.
    pub door: Option<hookd::Door>,
}

impl ToHooks {
    fn by_listener(channel: OwnedFd) -> ToHooks {
        ToHooks {
            channel,
            door: None,
        }
    }
}

/// What the listener hands to the child that is to be the next keeper of a session.
#[derive(Debug)]
pub struct Reinitialised {
    pub ends: Ends,
    pub tls: Option<Offer>,
    pub lifeline: Lifeline,
    pub reports: Reports,
    pub hooks: Option<ToHooks>,
    /// The channel to the network half, with a request that waits for its answer.
    pub channel: OwnedFd,
    pub ticket: u32,
    /// The network half.
    pub session: Pid,
    /// Tells when the network half has ended.
    pub ended: OwnedFd,
    /// Whether the child leads to another server.
    pub led: bool,
}

/// What the listener hands to the child that changes a password.
#[derive(Debug)]
pub struct PasswordChange {
    pub ends: Ends,
    /// Whose session it is.
    pub user: UserName,
    /// On which the passwords come.
    pub channel: OwnedFd,
}

/// The control ports, and all that there is to know about who came through them.
#[derive(Debug)]
pub struct Listener {
    /// Empty once it stops, and in its children.
    ports: Vec<Port>,
    signals: SignalFd,
    watched: Watched,
    lifeline: Lifeline,
    drainer: Drainer,
    drain: Drain,
    drain_time: Duration,
    /// It is about to stop, at this time at the latest.
    draining: Option<Instant>,
    inbox: Inbox,
    reports: Reports,
    sessions: Sessions,
    /// Groups of sessions that the operator has ended, and when what is left of them is killed.
    leaving: Vec<(Pid, Instant)>,
    door: Door,
    leases: Leases,
    renewal: Option<Renewal>,
    hooks: Hooks,
    operator: Option<Operator>,
    pool: Option<Pool>,
    log: Log,
}

/// How a run of the listener came to its end, in which process.
pub enum Ran {
    /// In the listener: it was told to stop, and all sessions have ended.
    Stopped,
    /// In the listener: somebody wants the settings to be read anew. It is to be run again, with or without them.
    Reload(Box<Listener>),
    /// In a new child: serve this client.
    Serve(Client),
    /// In a new child: serve on, before login again.
    Reinitialise(Reinitialised),
    /// In a new child: change a password, and end.
    ChangePassword(PasswordChange),
}

impl Listener {
    /// Takes open ports, and what TLS is offered with. Signals are blocked from here on and read in turn.
    ///
    /// # Errors
    /// What the system says about signalfd(2) and pipe(2).
    pub fn new(
        ports: Vec<Port>,
        renewal: Option<Renewal>,
        limits: Limits,
        total: Rates,
        log: Log,
    ) -> io::Result<Listener> {
        let mut handled = SigSet::empty();
        for signal in [
            Signal::SIGTERM,
            Signal::SIGINT,
            Signal::SIGCHLD,
            Signal::SIGHUP,
            Signal::SIGUSR1,
        ] {
            handled.add(signal);
        }
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&handled), None)?;
        let signals =
            SignalFd::with_flags(&handled, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        let (watched, lifeline) = lifeline::pair()?;
        let (drainer, drain) = lifeline::drain()?;
        let (inbox, reports) = reports::queue()?;
        // A network half whose keeper was replaced is the listener's to collect.
        prctl::set_child_subreaper(true)?;
        Ok(Listener {
            ports,
            signals,
            watched,
            lifeline,
            drainer,
            drain,
            drain_time: Duration::ZERO,
            draining: None,
            inbox,
            reports,
            sessions: Sessions::with_log(log.clone()),
            leaving: Vec::new(),
            door: Door::new(limits),
            leases: Leases::new(total),
            renewal,
            hooks: Hooks::default(),
            operator: None,
            pool: None,
            log,
        })
    }

    /// Starts hooks, and tells them of its sessions.
    ///
    /// # Errors
    /// What socketpair(2) and fork(2) say.
    pub fn with_hooks(mut self, recipe: Option<hookd::Recipe>) -> Result<Listener, Errno> {
        let office = recipe
            .map(|recipe| self.hooks.prepare(recipe))
            .transpose()?;
        self.hooks.appoint(office);
        self.hooks.tell(Happened::new(Kind::Start));
        Ok(self)
    }

    /// Answers whoever runs the server, and has sessions tell what they do.
    pub fn with_operator(self, operator: Option<Operator>) -> Listener {
        Listener { operator, ..self }
    }

    /// Looks after the servers of a pool.
    pub fn with_pool(self, pool: Option<Pool>) -> Listener {
        Listener { pool, ..self }
    }

    /// Accepts until it is told to stop. Returns in the child for each client, too.
    pub fn run(mut self) -> Ran {
        // What the processor can do is asked for here, and not by each session anew: that takes long in a virtual machine.
        std::hint::black_box(memchr::memchr(b'\n', std::hint::black_box(b"\n")));
        let mut paused: Option<Instant> = None;
        loop {
            self.turn();
            self.wait(paused);
            if paused.is_some_and(|end| Instant::now() >= end) {
                paused = None;
            }
            let asked = self.handle_signals();
            match asked {
                Asked::Nothing | Asked::Reload => {}
                Asked::Drain => self.begin_to_drain(),
                Asked::Stop => {
                    self.stop();
                    return Ran::Stopped;
                }
            }
            if self.is_drained() {
                self.stop();
                return Ran::Stopped;
            }
            self.hear();
            self.answer_operator();
            if let Some(renewal) = &mut self.renewal {
                renewal.look(&self.log);
            }
            self.hooks.look();
            if let Some(pool) = &mut self.pool {
                pool.look(&self.log);
            }
            if let Some(reinitialised) = self.reinitialise() {
                return Ran::Reinitialise(reinitialised);
            }
            if let Some(change) = self.change_passwords() {
                return Ran::ChangePassword(change);
            }
            match self.accept() {
                Ok(None) => {}
                Ok(Some(client)) => return Ran::Serve(client),
                Err(errno) => {
                    self.log
                        .line(&format!("listener: cannot take a client now: {errno}"));
                    paused = Some(Instant::now() + EXHAUSTED_PAUSE);
                }
            }
            // After all else had its turn: a storm of signals shall keep nobody waiting.
            if matches!(asked, Asked::Reload) {
                return Ran::Reload(Box::new(self));
            }
        }
    }

    /// Waits until something happens, or a pause in accepting ends.
    fn wait(&self, paused: Option<Instant>) {
        let accepted = if paused.is_none() {
            PollFlags::POLLIN
        } else {
            PollFlags::empty()
        };
        let mut ready = vec![
            PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.inbox.as_fd(), PollFlags::POLLIN),
        ];
        ready.extend((self.ports.iter()).map(|port| PollFd::new(port.socket.as_fd(), accepted)));
        let renewal = self.renewal.as_ref();
        let awaited = renewal.into_iter().flat_map(Renewal::awaited);
        ready.extend(awaited.map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
        ready.extend((self.hooks.awaited()).map(|(fd, events)| PollFd::new(fd, events)));
        let operator = self.operator.as_ref();
        let awaited = operator.into_iter().flat_map(Operator::awaited);
        ready.extend(awaited.map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
        ready.extend((self.drained()).map(|fd| PollFd::new(fd, PollFlags::POLLOUT)));
        let unsaid = self.sessions.logs.waits();
        let paused = earlier(paused, unsaid.then(|| Instant::now() + LOG_PAUSE));
        let paused = earlier(paused, operator.and_then(Operator::next_turn));
        let turn = earlier(paused, self.door.next_turn());
        let end = earlier(turn, renewal.and_then(Renewal::next_turn));
        let end = earlier(end, self.pool.as_ref().and_then(Pool::next_turn));
        let end = earlier(end, self.hooks.next_turn());
        let end = earlier(end, self.draining);
        let end = earlier(end, self.next_leaving());
        if let Err(errno) = poll(&mut ready, until(end))
            && errno != Errno::EINTR
        {
            self.log.line(&format!("listener: poll: {errno}"));
        }
    }

    /// Accepts at most one client and forks for it, and refuses some; `Some` in the child.
    fn accept(&mut self) -> Result<Option<Client>, Errno> {
        for _ in 0..MOST_REFUSED {
            let Some((socket, entrance)) = self.next_client()? else {
                return Ok(None);
            };
            // Who has hung up already needs no session.
            let Ok(ends) = Ends::of(&socket) else {
                continue;
            };
            if self.lets_in(&socket, entrance, ends) {
                // The other ports have their turn first next time.
                self.ports.rotate_left(1);
                return self.fork_for(socket, ends, entrance);
            }
        }
        Ok(None)
    }

    /// A client that waits at one of the ports.
    fn next_client(&self) -> Result<Option<(Socket, Entrance)>, Errno> {
        use nix::libc::{SOCK_CLOEXEC, SOCK_NONBLOCK};
        for port in &self.ports {
            match port.socket.accept4(SOCK_CLOEXEC | SOCK_NONBLOCK) {
                Ok((socket, _)) => return Ok(Some((socket, port.gate.entrance))),
                Err(error) => match net::errno(error) {
                    Errno::EAGAIN | Errno::EINTR | Errno::ECONNABORTED | Errno::EPROTO => {}
                    errno => return Err(errno),
                },
            }
        }
        Ok(None)
    }

    /// Whether there is a place for a client. If not, it was told so.
    fn lets_in(&mut self, socket: &Socket, entrance: Entrance, ends: Ends) -> bool {
        let (client, now) = (ends.client(), Instant::now());
        let tally = self.sessions.tally(Source::of(client));
        let judgement = match self.door.awaits_header(&ends) {
            true => self.door.judge_front_end(tally),
            false => self.door.judge(client, tally, now),
        };
        match judgement {
            Judgement::Enter => true,
            Judgement::EnterInPlace => {
                self.sessions.make_room(&mut self.door);
                true
            }
            Judgement::Refuse(refusal) => {
                self.refuse(socket, entrance, ends, refusal);
                false
            }
        }
    }

    /// Tells a client why it is not served. Nothing was sent to it yet, so there is room for a line. Where TLS comes first
    /// nothing is ever said in the clear.
    fn refuse(&mut self, socket: &Socket, entrance: Entrance, ends: Ends, refusal: Refusal) {
        if entrance == Entrance::Plain {
            net::send_reply(socket, &Reply::new(Code::CLOSING, refusal.text()));
        }
        self.door.refused(ends.client(), refusal, Instant::now());
    }

    fn fork_for(
        &mut self,
        socket: Socket,
        ends: Ends,
        entrance: Entrance,
    ) -> Result<Option<Client>, Errno> {
        let (ours, theirs) = match self.hooks.are_there() {
            false => (None, None),
            true => Some(hookd::channel()?).unzip(),
        };
        let page = match &self.operator {
            None => None,
            // Without one it is shown without what it does.
            Some(_) => Page::new().ok(),
        };
        match sys::fork() {
            Ok(Fork::Parent(child)) => {
                let is_fronted = self.door.awaits_header(&ends);
                let exempt = self.door.exempts(ends.client()) && !is_fronted;
                self.sessions.add(child, ends, exempt);
                self.sessions.tells_on(child, page);
                if let Some(theirs) = theirs {
                    let stage = if is_fronted {
                        Stage::Fronted
                    } else {
                        Stage::New
                    };
                    let introduced = self.hooks.introduce(child, ends, theirs, stage, None);
                    self.sessions.introduced(child, introduced);
                }
                // Both halves of a session are a group, which neither can leave: so they can be ended together. The child
                // does the same; whoever comes first.
                let _ = setpgid(child, child);
                Ok(None)
            }
            Ok(Fork::Child) => match self.begin(socket.into(), ends, entrance, ours, page) {
                Ok(client) => Ok(Some(client)),
                // Never back into the listener's loop.
                Err(errno) => self.give_up("start of a session", errno),
            },
            Err(errno) => {
                self.refuse(&socket, entrance, ends, Refusal::Exhausted);
                Err(errno)
            }
        }
    }

    /// Ends a new child, which cannot become what it is for.
    #[track_caller]
    fn give_up(&self, step: &'static str, errno: Errno) -> ! {
        let status = Status::failed(step, errno);
        sys::exit(status.explained(&self.log).code())
    }

    /// In a new child: leaves the listener's things behind.
    fn begin(
        &mut self,
        socket: OwnedFd,
        ends: Ends,
        entrance: Entrance,
        hooks: Option<OwnedFd>,
        page: Option<Page>,
    ) -> Result<Client, Errno> {
        self.ports.clear();
        self.operator = None;
        setpgid(Pid::from_raw(0), Pid::from_raw(0))?;
        unblock_termination()?;
        Ok(Client {
            socket,
            ends,
            entrance,
            tls: self.renewal.as_ref().map(Renewal::offer),
            lifeline: self.lifeline.try_clone()?,
            drain: Some(self.drain.try_clone()?),
            reports: self.reports.try_clone()?,
            hooks: hooks.map(ToHooks::by_listener),
            page,
        })
    }

    /// Takes the reports that came. A session that breaks their rules is ended.
    fn hear(&mut self) {
        while let Some(received) = self.inbox.take() {
            if let Err(Some(group)) =
                self.sessions
                    .hear(received, &mut self.door, &mut self.leases, &mut self.hooks)
            {
                self.log.line(&format!(
                    "session {group}: ended: it broke the rules of its reports"
                ));
                let _ = killpg(group, Signal::SIGKILL);
            }
        }
    }

    /// Lets begin what may begin now, and tells the log what there is to tell.
    fn turn(&mut self) {
        self.door.turn(Instant::now());
        self.sessions.logs.flush();
        self.end_leaving();
        for line in self.door.news() {
            self.log.line(&line);
        }
        for happened in self.door.happened() {
            self.hooks.tell(happened);
        }
    }
}

/// The earlier of two times, where there are any.
fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}

/// INT, HUP and USR1 stay blocked in a session: the listener ends its sessions.
fn unblock_termination() -> Result<(), Errno> {
    let mut own = SigSet::empty();
    own.add(Signal::SIGTERM);
    sigprocmask(SigmaskHow::SIG_UNBLOCK, Some(&own), None)
}
