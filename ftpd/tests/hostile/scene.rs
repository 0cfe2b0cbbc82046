//! One keeper, forked for one test, and the end of its channel in the test's hand.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt, chown};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use common::auth::Secret;
use common::channel::{Account, FileAnswer, FileRequest, LoginAnswer, LoginRequest, UserName};
use common::control::until;
use common::jail::Names;
use common::listener::{Client, Entrance, Lifeline, Reports, Status};
use common::log::Log;
use common::lookup::Found;
use common::net::Ends;
use common::sandbox::{EmptyRoot, Programs};
use common::settings::{Config, JailMode};
use common::sys::{self, Fork, Wait};
use common::tls::Offer;
use common::tls::signer::Recipe;
use common::wire::{self, Wire};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Gid, Pid, Uid, User, setgroups, setresgid, setresuid};
use tempfile::TempDir;

use crate::keeper;
use crate::session::{self, Then};
use crate::setup::Setup;

/// As whom keeper runs before login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    /// With a chroot and a change of uid to come.
    Root,
    /// An ordinary user: nobody, where the tests run as root.
    Ordinary,
}

/// How long keeper may take for anything; far more than it needs.
const PATIENCE: Duration = Duration::from_secs(20);

/// The client's address. It is not the server's, so that the two can be told from each other.
pub(crate) const CLIENT: [u8; 4] = [127, 0, 0, 2];
pub(crate) const SERVER: [u8; 4] = [127, 0, 0, 1];

pub(crate) struct Scene {
    pub(crate) keeper: Pid,
    channel: OwnedFd,
    /// The session's `/`, seen from outside.
    pub(crate) home: PathBuf,
    next: u32,
    reaped: Option<WaitStatus>,
    /// A half that stays goes when this closes.
    _half: OwnedFd,
    _client: TcpStream,
    _scratch: TempDir,
}

/// An answer as it came: its octets, the number in front taken off, and what rode on it.
pub(crate) struct Raw {
    pub(crate) number: u32,
    pub(crate) octets: Vec<u8>,
    pub(crate) descriptor: Option<OwnedFd>,
}

/// Who the files are served as.
pub(crate) fn ordinary() -> User {
    let me = Uid::effective();
    let user = if me.is_root() {
        User::from_name("nobody")
    } else {
        User::from_uid(me)
    };
    user.unwrap().expect("who runs the tests is in passwd")
}

impl Scene {
    pub(crate) fn new(identity: Identity) -> Scene {
        Scene::with(identity, Then::Leave, |_| {})
    }

    /// A keeper before login, with settings of one's own.
    pub(crate) fn with(identity: Identity, then: Then, settle: impl FnOnce(&mut Config)) -> Scene {
        let scratch = tempfile::Builder::new()
            .prefix("ftpd-hostile-")
            .tempdir()
            .unwrap();
        let user = ordinary();
        let home = scratch.path().join("home");
        let auth = scratch.path().join("auth");
        fs::create_dir(&home).unwrap();
        let entry = format!(
            "tester:plain::correct horse:{}:{}:\n",
            user.name,
            home.display()
        );
        fs::write(&auth, entry).unwrap();
        fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(&auth, fs::Permissions::from_mode(0o600)).unwrap();
        if Uid::effective().is_root() {
            let (uid, gid) = (Some(user.uid.as_raw()), Some(user.gid.as_raw()));
            chown(&home, uid, gid).unwrap();
            if identity == Identity::Ordinary {
                chown(&auth, uid, gid).unwrap();
            }
        }
        let mut config = Config::default();
        config.server.auth_file = auth;
        config.session.jail = JailMode::Home;
        settle(&mut config);
        let (client, socket) = connection();
        let (mine, handover) = pair();
        let keeper = match sys::fork().unwrap() {
            Fork::Parent(keeper) => keeper,
            Fork::Child => {
                session::hand_over_to(handover, then);
                drop((mine, client));
                // A panic must not get out into the test's own loop; serve itself ends the process.
                let _ = catch_unwind(AssertUnwindSafe(|| serve(identity, &user, config, socket)));
                sys::exit(101)
            }
        };
        drop((handover, socket));
        wait_for(&mine, PollFlags::POLLIN, PATIENCE);
        let handed = sys::receive_datagram(mine.as_fd(), &mut Vec::new(), 16, Wait::No).unwrap();
        Scene {
            keeper,
            channel: handed
                .descriptor
                .expect("the hostile half hands its end over"),
            home,
            next: 0,
            reaped: None,
            _half: mine,
            _client: client,
            _scratch: scratch,
        }
    }

    /// A keeper that is the user already.
    pub(crate) fn logged_in(identity: Identity) -> Scene {
        Scene::new(identity).log_in().0
    }

    pub(crate) fn log_in(mut self) -> (Scene, Account) {
        match self.authenticate("correct horse") {
            LoginAnswer::Welcome { account } => (self, *account),
            refused @ (LoginAnswer::Refused { .. }
            | LoginAnswer::TooMany
            | LoginAnswer::Signer
            | LoginAnswer::NoSigner
            | LoginAnswer::Taken
            | LoginAnswer::Certified
            | LoginAnswer::NotCertified
            | LoginAnswer::NeedPassword
            | LoginAnswer::Admitted
            | LoginAnswer::NotAdmitted { .. }
            | LoginAnswer::Leads) => panic!("{refused:?}"),
        }
    }

    pub(crate) fn authenticate(&mut self, password: &str) -> LoginAnswer {
        self.ask_before_login(&login_request(password)).0
    }

    /// Asks as a network half does before login, and waits for the answer.
    pub(crate) fn ask_before_login(
        &mut self,
        request: &LoginRequest,
    ) -> (LoginAnswer, Option<OwnedFd>) {
        let octets = self.numbered(request);
        self.send(&octets, None);
        let raw = self.answer();
        let answer = wire::decode(&raw.octets).expect("an answer before login");
        (answer, raw.descriptor)
    }

    /// Asks as a network half does, and waits for the answer.
    pub(crate) fn ask(&mut self, request: &FileRequest) -> (FileAnswer, Option<OwnedFd>) {
        let octets = self.numbered(request);
        self.send(&octets, None);
        let raw = self.answer();
        assert_eq!(raw.number + 1, self.next, "an answer to another request");
        (
            wire::decode(&raw.octets).expect("an answer of this phase"),
            raw.descriptor,
        )
    }

    /// A message as it crosses the channel.
    pub(crate) fn numbered(&mut self, message: &impl Wire) -> Vec<u8> {
        let mut octets = Vec::new();
        self.next.put(&mut octets);
        message.put(&mut octets);
        self.next += 1;
        octets
    }

    pub(crate) fn channel(&self) -> &OwnedFd {
        &self.channel
    }

    pub(crate) fn send(&self, octets: &[u8], descriptor: Option<&OwnedFd>) {
        sys::send_datagram(self.channel.as_fd(), octets, descriptor.map(AsFd::as_fd)).unwrap();
    }

    /// Sends to a keeper that may be gone by now: then nobody can look at it.
    pub(crate) fn send_late(&mut self, message: &impl Wire) {
        let octets = self.numbered(message);
        let _ = sys::send_datagram(self.channel.as_fd(), &octets, None);
    }

    /// The next message of keeper's; `None` when it has closed its end.
    pub(crate) fn receive(&self) -> Option<Raw> {
        loop {
            wait_for(&self.channel, PollFlags::POLLIN, PATIENCE);
            let mut octets = Vec::new();
            let received =
                sys::receive_datagram(self.channel.as_fd(), &mut octets, 16 << 10, Wait::No);
            let datagram = match received {
                Ok(datagram) => datagram,
                // That is how the end looks when it left something unread.
                Err(Errno::ECONNRESET) => return None,
                Err(Errno::EAGAIN) => continue,
                Err(errno) => panic!("{errno}"),
            };
            let mut input = &octets[..];
            if input.is_empty() {
                return None;
            }
            return Some(Raw {
                number: u32::take(&mut input).unwrap(),
                octets: input.to_vec(),
                descriptor: datagram.descriptor,
            });
        }
    }

    fn answer(&self) -> Raw {
        self.receive().expect("keeper has closed the channel")
    }

    /// Closes the test's end and waits for keeper; its exit status.
    pub(crate) fn leave(&mut self) -> i32 {
        let (closed, _) = pair();
        self.channel = closed;
        self.end()
    }

    /// Waits for keeper to end; its exit status.
    #[track_caller]
    pub(crate) fn end(&mut self) -> i32 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match waitpid(self.keeper, Some(WaitPidFlag::WNOHANG)).unwrap() {
                WaitStatus::StillAlive => {}
                ended => {
                    self.reaped = Some(ended);
                    match ended {
                        WaitStatus::Exited(_, code) => return code,
                        other => panic!("keeper ended by {other:?}"),
                    }
                }
            }
            assert!(Instant::now() < deadline, "keeper does not end");
            // Between two looks; there is nothing to wait on that says the same.
            let _ = poll(&mut [], 5u8);
        }
    }

    /// Keeper must end for misbehaviour, without a word.
    #[track_caller]
    pub(crate) fn ends_without_an_answer(mut self, what: &str) {
        let answer = self.receive();
        assert!(
            answer.is_none(),
            "{what} was answered with {:?}",
            answer.map(|raw| raw.octets)
        );
        assert_eq!(self.end(), Status::Misbehaved.code(), "{what}");
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if self.reaped.is_none() {
            // It is our child and not yet reaped, so the number is still its own.
            let _ = kill(self.keeper, Signal::SIGKILL);
            let _ = waitpid(self.keeper, None);
        }
    }
}

pub(crate) fn login_request(password: &str) -> LoginRequest {
    LoginRequest::Authenticate {
        user: UserName::new(b"tester").unwrap(),
        secret: Secret::new(password.as_bytes()),
    }
}

pub(crate) fn pair() -> (OwnedFd, OwnedFd) {
    let flags = SockFlag::SOCK_CLOEXEC;
    socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags).unwrap()
}

/// Waits until something is so; false when it was not in time.
pub(crate) fn is_ready(socket: &OwnedFd, events: PollFlags, within: Duration) -> bool {
    let mut ready = [PollFd::new(socket.as_fd(), events)];
    poll(&mut ready, until(Some(Instant::now() + within))).unwrap() > 0
}

#[track_caller]
fn wait_for(socket: &OwnedFd, events: PollFlags, within: Duration) {
    assert!(is_ready(socket, events, within), "keeper says nothing");
}

/// A control connection over loopback: the client's end and the server's.
fn connection() -> (TcpStream, OwnedFd) {
    let port = TcpListener::bind(SocketAddr::from((SERVER, 0))).unwrap();
    let client = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    client.bind(&SocketAddr::from((CLIENT, 0)).into()).unwrap();
    client.connect(&port.local_addr().unwrap().into()).unwrap();
    let (server, _) = port.accept().unwrap();
    (client.into(), server.into())
}

/// What the listener's child does for a client.
fn serve(identity: Identity, user: &User, config: Config, socket: OwnedFd) {
    let mut empty_root = None;
    if identity == Identity::Root {
        empty_root = Some(EmptyRoot::new().unwrap());
    } else if Uid::effective().is_root() {
        become_ordinary(user.uid, user.gid);
    }
    let setup = Setup {
        interest: common::hookd::Interest::default(),
        longest_hook: std::time::Duration::ZERO,
        gateway: None,
        trusted: None,
        config,
        programs: Programs::new().unwrap(),
        empty_root,
        names: Names::numeric(),
        turns: None,
        found: Found::default(),
        log: Log::nowhere(),
    };
    let client = Client {
        hooks: None,
        ends: Ends::of(&socket).unwrap(),
        socket,
        entrance: Entrance::Plain,
        tls: signer(&setup),
        lifeline: Lifeline::unattended().unwrap(),
        drain: None,
        reports: Reports::nowhere(),
        page: None,
    };
    // As in main: what is left here must not be dropped, since keeper has closed it.
    sys::exit(keeper::serve(&setup, client).code())
}

/// A signer, where the test has a certificate.
fn signer(setup: &Setup) -> Option<Offer> {
    let server = &setup.config.server;
    if server.tls.certificates.is_empty() {
        return None;
    }
    let recipe = Recipe {
        settings: server.tls.clone(),
        programs: setup.programs.clone(),
        user: server.session_user + 2,
        root: setup
            .empty_root
            .as_ref()
            .map(|root| root.try_clone().unwrap()),
        log: Log::nowhere(),
    };
    Some(recipe.start_and_wait().unwrap().offer)
}

fn become_ordinary(uid: Uid, gid: Gid) {
    setgroups(&[gid]).unwrap();
    setresgid(gid, gid, gid).unwrap();
    setresuid(uid, uid, uid).unwrap();
}
