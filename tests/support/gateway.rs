//! Starts `ftpproxy`, or `ftpd` as a gateway, for a test and ends it with the test, even if that panics. Knows the command line, not the code.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use nix::sys::signal::Signal;
use nix::unistd::Uid;

use crate::binaries;
use crate::client::Client;
use crate::faults;
use crate::log::{Log, address_in};
use crate::passed::Passed;
use crate::processes::Process;
use crate::scratch::{Scratch, copy_program, give, mode};
use crate::server::Login;
use crate::user::ordinary;

/// What a gateway is to be like, before it starts.
pub struct GatewaySetup {
    program: &'static str,
    bind: IpAddr,
    port: u16,
    drop_root: bool,
    settings: Vec<String>,
    passed: Option<Passed>,
    /// What stands in /etc/hosts for it.
    hosts: Option<String>,
    /// The connection that inetd gives it.
    client: Option<OwnedFd>,
    /// The whole configuration file, where that is in TOML.
    toml: Option<String>,
}

impl GatewaySetup {
    /// A gateway with the identity of the tests that goes to these targets, and holds nothing against anybody.
    pub fn to(targets: &str) -> GatewaySetup {
        GatewaySetup {
            program: "ftpproxy",
            bind: Ipv4Addr::LOCALHOST.into(),
            port: 0,
            drop_root: false,
            settings: vec![format!("Targets={targets}"), "Penalty=0".to_owned()],
            passed: None,
            hosts: None,
            client: None,
            toml: None,
        }
    }

    /// A gateway to this machine, which only tests want.
    pub fn to_here() -> GatewaySetup {
        GatewaySetup::to("127.0.0.1:1024-65535,[::1]:1024-65535")
    }

    /// A gateway in front of a pool of servers, as the setting names them.
    pub fn before(servers: &str) -> GatewaySetup {
        let mut setup = GatewaySetup::to_here();
        setup.settings[0] = format!("Servers={servers}");
        setup
    }

    /// It is `ftpd` that leads to other servers, and serves nobody itself.
    pub fn by_ftpd(mut self) -> GatewaySetup {
        self.program = "ftpd";
        self
    }

    /// Is started by an ordinary user: `nobody` if the tests run as root.
    pub fn rootless(mut self) -> GatewaySetup {
        self.drop_root = Uid::effective().is_root();
        self
    }

    /// Listens on this address.
    pub fn on(mut self, address: IpAddr) -> GatewaySetup {
        self.bind = address;
        self
    }

    /// Finds sockets open, and opens none.
    pub fn passing(mut self, passed: Passed) -> GatewaySetup {
        self.passed = Some(passed);
        self
    }

    /// Listens on this port, in a network namespace where nobody else does.
    pub fn port(mut self, port: u16) -> GatewaySetup {
        self.port = port;
        self
    }

    /// Listens on `::1`.
    pub fn ipv6(self) -> GatewaySetup {
        self.on(Ipv6Addr::LOCALHOST.into())
    }

    /// Adds a `Key=Value` line to the configuration file. `{scratch}` is the directory of that.
    pub fn setting(mut self, line: &str) -> GatewaySetup {
        self.settings.push(line.to_owned());
        self
    }

    /// Has all of the configuration in TOML.
    pub fn toml(mut self, text: &str) -> GatewaySetup {
        self.toml = Some(text.to_owned());
        self
    }

    /// Leaves a line of the configuration file out that would be there.
    pub fn without(mut self, line: &str) -> GatewaySetup {
        self.settings.retain(|setting| setting != line);
        self
    }

    /// Lets the gateway see other names of hosts; the file `hosts` of the scratch directory has them. Needs root.
    pub fn hosts(mut self, content: &str) -> GatewaySetup {
        self.hosts = Some(content.to_owned());
        self
    }

    /// Starts the gateway in the foreground and waits until it says that it listens.
    #[track_caller]
    pub fn start(self) -> Gateway {
        // From here on the drop of Gateway cleans up, also when the wait for the line panics.
        let mut gateway = self.spawn();
        let line = gateway.log.line_with(&["listening on "]);
        gateway.address = address_in(&line);
        gateway.servants = gateway.process().children();
        gateway
    }

    /// Starts a gateway that must end at once, with a line that holds this sentence.
    #[track_caller]
    pub fn refused(self, sentence: &str) {
        let mut gateway = self.spawn();
        gateway.log.line_with(&[sentence]);
        assert_eq!(gateway.child.wait().unwrap().code(), Some(1));
    }

    /// Starts one session as inetd does: the connection is descriptors 0, 1 and 2. Gives the session and its client.
    #[track_caller]
    pub fn inetd_for_client(mut self) -> (Gateway, Client) {
        let listener = TcpListener::bind((self.bind, 0)).unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (theirs, _) = listener.accept().unwrap();
        self.settings.push("Inetd".to_owned());
        self.client = Some(theirs.into());
        let gateway = self.spawn();
        (gateway, Client::over(ours))
    }

    fn spawn(mut self) -> Gateway {
        let scratch = Scratch::new();
        let (name, settings) = match self.toml.take() {
            Some(text) => ("gateway.toml", text),
            None => ("gateway.conf", self.settings.join("\n")),
        };
        let configuration = scratch.join(name);
        let place = scratch.path().to_str().unwrap();
        let settings = settings.replace("{scratch}", place);
        fs::write(&configuration, settings + "\n").unwrap();
        mode(&configuration, 0o600);
        let mut program = binaries::path(self.program);
        // The test's thread is the parent: if it is killed, so is the gateway.
        let mut words: Vec<String> = Vec::new();
        if let Some(hosts) = &self.hosts {
            let file = scratch.join("hosts");
            fs::write(&file, hosts).unwrap();
            mode(scratch.path(), 0o755);
            mode(&file, 0o644);
            let script = format!(
                "mount --bind '{}' /etc/hosts && exec \"$0\" \"$@\"",
                file.display()
            );
            words.extend(["unshare", "--mount", "sh", "-c", &script].map(str::to_owned));
        }
        words.extend(["setpriv", "--pdeathsig", "KILL"].map(str::to_owned));
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        if self.drop_root {
            let user = ordinary();
            command.arg(format!("--reuid={}", user.uid));
            command
                .arg(format!("--regid={}", user.gid))
                .arg("--clear-groups");
            give(scratch.path(), user.uid, user.gid);
            give(&configuration, user.uid, user.gid);
            // The checkout may be in a directory that this user cannot enter.
            let copy = scratch.join(self.program);
            copy_program(&program, &copy);
            program = copy;
        }
        command
            .arg("--")
            .args(self.passed.iter().flat_map(Passed::words))
            .arg(program)
            .arg("-f")
            .arg(&configuration)
            .process_group(0);
        match self.client.take() {
            Some(client) => command
                .stdin(client.try_clone().unwrap())
                .stdout(client.try_clone().unwrap())
                .stderr(client),
            None => command
                .arg("-nodemon")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::piped()),
        };
        match self.passed.take() {
            Some(passed) => passed.give(&mut command),
            None => {
                let (port, bind) = (self.port.to_string(), self.bind.to_string());
                command.args(["-port", &port, "-i", &bind]);
            }
        }
        let mut child = command.spawn().unwrap();
        let log = child.stderr.take().map(Log::follow).unwrap_or_default();
        Gateway {
            child,
            address: SocketAddr::new(self.bind, 0),
            log,
            servants: Vec::new(),
            scratch,
            configuration,
            program: self.program,
        }
    }
}

/// A running gateway. It is stopped when it goes out of scope, and its log must tell of no mistake; what is left is killed.
pub struct Gateway {
    child: Child,
    pub address: SocketAddr,
    /// What it wrote on its standard error.
    pub log: Log,
    /// The children of the listener that serve all sessions.
    pub servants: Vec<Process>,
    pub scratch: Scratch,
    configuration: PathBuf,
    program: &'static str,
}

impl Gateway {
    /// Asks the daemon, as whoever runs it does.
    pub fn ask(&self, words: &[&str]) -> std::process::Output {
        let mut command = Command::new(binaries::path(self.program));
        command.arg("-f").arg(&self.configuration);
        command.args(words).output().unwrap()
    }

    /// Writes the configuration anew, tells the daemon, and waits for the line of the log with these words.
    #[track_caller]
    pub fn reload(&self, lines: &str, words: &[&str]) {
        fs::write(&self.configuration, lines).unwrap();
        self.process().signal(Signal::SIGHUP);
        self.log.line_with(words);
    }

    /// A client that has read the greeting.
    #[track_caller]
    pub fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// Where a client goes, and as whom, to come through the gateway to a server.
    pub fn login(&self, at: &Login) -> Login {
        Login {
            address: self.address,
            name: format!("{}@{}", at.name, at.address),
            password: at.password.clone(),
            certificate: None,
            led: None,
        }
    }

    /// The same where the gateway itself knows the server.
    pub fn login_there(&self, at: &Login) -> Login {
        Login {
            address: self.address,
            certificate: None,
            ..at.clone()
        }
    }

    /// The listener.
    pub fn process(&self) -> Process {
        Process::of(self.child.id() as i32).expect("the gateway runs")
    }

    /// Waits for the listener to end by itself and reaps it.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        crate::wait::for_child(&mut self.child)
    }

    /// The trusted halves of the sessions there are.
    pub fn dialers(&self) -> Vec<Process> {
        let mut children = self.process().children();
        children.retain(|child| !self.servants.contains(child));
        children
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let process = Process::of(self.child.id() as i32);
        faults::end("gateway", &mut self.child, process.as_ref(), &self.log);
    }
}
