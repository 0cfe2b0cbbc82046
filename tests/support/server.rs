//! Starts `ftpd` for a test and ends it with the test, even if that panics. Knows the command line, not the code.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::unistd::{Gid, Uid};

use crate::binaries;
use crate::client::Client;
use crate::faults;
use crate::log::{Log, address_in};
use crate::passed::Passed;
use crate::processes::Process;
use crate::scratch::{Scratch, copy_program, give, mode};
use crate::user::{Account, ordinary};

/// How long a session under inetd may take to end by itself.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Where a client goes and as whom it logs in.
#[derive(Clone, Debug)]
pub struct Login {
    pub address: SocketAddr,
    pub name: String,
    pub password: String,
    /// Whom a client has to trust that goes there under TLS; without it goes in the clear.
    pub certificate: Option<PathBuf>,
    /// Where it has itself led from there.
    pub led: Option<Led>,
}

/// A server that a client comes to by SITE PROXY, and as whom it logs in there. Nobody who waits for a login lets it in before:
/// it is led after the login, or where that has failed.
#[derive(Clone, Debug)]
pub struct Led {
    pub server: SocketAddr,
    pub name: String,
    pub password: String,
}

impl Led {
    /// The lines of a client that can say what it likes once it believes that it is logged in.
    pub fn lines(&self) -> [String; 3] {
        let Led {
            server,
            name,
            password,
        } = self;
        [
            format!("SITE PROXY {} {}", server.ip(), server.port()),
            format!("USER {name}"),
            format!("PASS {password}"),
        ]
    }
}

/// What a server is to be like, before it starts.
pub struct Setup {
    scratch: Scratch,
    account: Account,
    owner: (Uid, Gid),
    bind: IpAddr,
    beside: String,
    port: u16,
    drop_root: bool,
    penalties: bool,
    flags: Vec<String>,
    settings: Vec<String>,
    toml: String,
    entries: Vec<String>,
    methods: String,
    jail: Vec<String>,
    through: Vec<String>,
    system_files: Vec<(String, PathBuf)>,
    /// Words before all others, of a program that starts the rest as its only child.
    starter: Vec<String>,
    passed: Option<Passed>,
}

impl Setup {
    /// A server with the identity of the tests: root, if they run as root.
    pub fn new() -> Setup {
        let user = ordinary();
        Setup {
            scratch: Scratch::new(),
            account: Account::tester(),
            owner: (user.uid, user.gid),
            bind: Ipv4Addr::LOCALHOST.into(),
            port: 0,
            drop_root: false,
            penalties: false,
            flags: Vec::new(),
            settings: Vec::new(),
            toml: String::new(),
            entries: Vec::new(),
            methods: "native".to_owned(),
            jail: vec!["-chhome".to_owned()],
            through: Vec::new(),
            system_files: Vec::new(),
            starter: Vec::new(),
            passed: None,
            beside: String::new(),
        }
    }

    /// A server that is started by an ordinary user: `nobody` if the tests run as root, or whom `real_user` names.
    pub fn rootless() -> Setup {
        Setup {
            drop_root: Uid::effective().is_root(),
            ..Setup::new()
        }
    }

    /// Bans addresses as a server does by default. Others do not, since a test's failures are its purpose.
    pub fn with_penalties(mut self) -> Setup {
        self.penalties = true;
        self
    }

    /// Listens on `::1`.
    pub fn ipv6(mut self) -> Setup {
        self.bind = Ipv6Addr::LOCALHOST.into();
        self
    }

    /// Listens on this address.
    pub fn on(mut self, address: IpAddr) -> Setup {
        self.bind = address;
        self
    }

    /// Listens on more than that: addresses and interfaces, with ports or without.
    pub fn also_on(mut self, list: &str) -> Setup {
        self.beside = format!(",{list}");
        self
    }

    /// Starts the server by these words before its own: a program that has it as its only child, and ends after it.
    pub fn started_by(mut self, words: &[&str]) -> Setup {
        self.starter = words.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// Finds sockets open, and opens none; the first of them is at the address that it listens on otherwise.
    pub fn passing(mut self, passed: Passed) -> Setup {
        self.passed = Some(passed);
        self
    }

    /// Listens on this port, in a network namespace where nobody else does.
    pub fn port(mut self, port: u16) -> Setup {
        self.port = port;
        self
    }

    /// Adds a flag and its value.
    pub fn flag(mut self, words: &[&str]) -> Setup {
        self.flags.extend(words.iter().map(|&word| word.to_owned()));
        self
    }

    /// Adds a `Key=Value` line to the configuration file.
    pub fn setting(mut self, line: &str) -> Setup {
        self.settings.push(line.to_owned());
        self
    }

    /// Adds the lines of a `[[hook]]` to the configuration, which then is a TOML file: settings are to be flags.
    pub fn hook(self, lines: &str) -> Setup {
        self.toml(&format!("[[hook]]\n{lines}"))
    }

    /// Adds lines to a configuration file in TOML, which then is the only one. `{scratch}` is the directory.
    pub fn toml(mut self, lines: &str) -> Setup {
        let scratch = self.scratch.path().to_str().unwrap();
        self.toml.push_str(&lines.replace("{scratch}", scratch));
        self.toml.push('\n');
        self
    }

    /// Checks passwords by other methods than the user file.
    pub fn methods(mut self, list: &str) -> Setup {
        list.clone_into(&mut self.methods);
        self
    }

    /// Confines sessions by these flags instead of `-chhome`.
    pub fn jail(mut self, flags: &[&str]) -> Setup {
        self.jail = flags.iter().map(|&flag| flag.to_owned()).collect();
        self
    }

    /// Starts the program by another one that becomes it, such as env(1), whose words these are.
    pub fn through(mut self, words: &[&str]) -> Setup {
        self.through = words.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// Lets the server see other content in an existing file of the system. Needs root.
    pub fn system_file(mut self, path: &str, content: &str) -> Setup {
        let name = format!("system{}", self.system_files.len());
        let copy = self.scratch.join(&name);
        fs::write(&copy, content).unwrap();
        mode(&copy, 0o644);
        self.system_files.push((path.to_owned(), copy));
        self
    }

    /// Lets the server see a directory of the scratch directory in the place of one of the system. Needs root.
    pub fn system_directory(mut self, path: &str, name: &str) -> Setup {
        let copy = self.scratch.join(name);
        self.system_files.push((path.to_owned(), copy));
        self
    }

    /// The words before a program that let it see what `system_file` has put there.
    pub fn with_system_files(&self) -> Vec<String> {
        if self.system_files.is_empty() {
            return Vec::new();
        }
        let binds = self.system_files.iter().map(|(path, copy)| {
            let copy = copy.display();
            format!("mount --bind '{copy}' '{path}' && ")
        });
        let script = binds.collect::<String>() + "exec \"$0\" \"$@\"";
        ["unshare", "--mount", "sh", "-c", &script]
            .map(str::to_owned)
            .to_vec()
    }

    /// Serves the files of another user of the system.
    pub fn real_user(mut self, name: &str, uid: Uid, gid: Gid) -> Setup {
        self.account.real_user = name.to_owned();
        self.owner = (uid, gid);
        self
    }

    /// Adds an entry to the authentication file, with the password of the tester. `{scratch}` is the directory.
    pub fn entry(mut self, name: &str, real_user: &str, home: &str) -> Setup {
        let home = home.replace("{scratch}", self.scratch.path().to_str().unwrap());
        self.entries.push(format!(
            "{name}:plain::{}:{real_user}:{home}:",
            self.account.password
        ));
        self
    }

    /// Adds an entry that shares the tester's home and files: its type of password, and `Key=Value` settings.
    pub fn account(mut self, name: &str, kind: &str, settings: &str) -> Setup {
        let home = self.scratch.join("home");
        self.entries.push(format!(
            "{name}:{kind}::{}:{}:{}:{settings}",
            self.account.password,
            self.account.real_user,
            home.display()
        ));
        self
    }

    /// Adds a line to the authentication file as it is, but for `{user}`, `{home}` and `{password}`.
    pub fn line(mut self, line: &str) -> Setup {
        let home = self.scratch.join("home");
        let line = line
            .replace("{user}", &self.account.real_user)
            .replace("{home}", home.to_str().unwrap())
            .replace("{password}", &self.account.password);
        self.entries.push(line);
        self
    }

    pub fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// Writes the files that the server needs and returns the command that starts it, without port and descriptors.
    fn prepare(&self) -> (Command, PathBuf) {
        let home = self.scratch.directory("home");
        give(&home, self.owner.0, self.owner.1);
        let Account {
            name,
            password,
            real_user,
        } = &self.account;
        let mut entries = vec![format!(
            "{name}:plain::{password}:{real_user}:{}:",
            home.display()
        )];
        entries.extend(self.entries.iter().cloned());
        let auth = self.scratch.join("auth");
        fs::write(&auth, entries.join("\n") + "\n").unwrap();
        let configuration = self.configuration();
        for file in [&auth, &configuration] {
            mode(file, 0o600);
        }
        let mut program = binaries::path("ftpd");
        // Only root can mount, so that comes first. The test's thread is the parent: if it is killed, so is the server.
        let mut words = self.with_system_files();
        words.extend(["setpriv", "--pdeathsig", "KILL"].map(str::to_owned));
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        if self.drop_root {
            let (uid, gid) = self.owner;
            command
                .arg(format!("--reuid={uid}"))
                .arg(format!("--regid={gid}"));
            command.arg("--clear-groups");
            give(self.scratch.path(), uid, gid);
            // The checkout may be in a directory that this user cannot enter.
            let copy = self.scratch.join("ftpd");
            copy_program(&program, &copy);
            program = copy;
        }
        command
            .arg("--")
            .args(&self.starter)
            .args(&self.through)
            .args(self.passed.iter().flat_map(Passed::words))
            .arg(program)
            .args(["-A", &self.methods])
            .args(&self.jail)
            .arg("-a")
            .arg(auth);
        command.arg("-f").arg(configuration).args(&self.flags);
        command.current_dir(self.scratch.path()).env_remove("CI");
        (command, home)
    }

    /// Writes the configuration file.
    fn configuration(&self) -> PathBuf {
        let mut settings = self.settings.clone();
        let given = |line: &String| line.starts_with("Penalty=");
        if !self.penalties && !settings.iter().any(given) {
            settings.push("Penalty=0".to_owned());
        }
        let (name, text) = match self.toml.as_str() {
            "" => ("ftpd.conf", settings.join("\n") + "\n"),
            toml => {
                assert!(self.settings.is_empty(), "one file has one format");
                let penalty = if self.penalties {
                    ""
                } else {
                    "limits.penalty = \"0\"\n"
                };
                ("ftpd.toml", format!("{penalty}{toml}"))
            }
        };
        let path = self.scratch.join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// Starts the daemon in the foreground and waits until it says that it listens.
    #[track_caller]
    pub fn start(self) -> Server {
        let bind = self.bind;
        // From here on the drop of Server cleans up, also when the wait for the line panics.
        let mut server = self.spawn();
        let line = server.log.line_with(&["listening on "]);
        server.login.address = address_in(&line);
        assert_eq!(server.login.address.ip(), bind, "{line}");
        assert_ne!(server.login.address.port(), 0, "{line}");
        server.servants = server.process().children();
        server
    }

    /// Starts a daemon that must end at once, with a line that holds this sentence; gives the line.
    #[track_caller]
    pub fn refused(self, sentence: &str) -> String {
        let mut server = self.spawn();
        let line = server.log.line_with(&[sentence]);
        assert_eq!(server.wait().code(), Some(1), "{line}");
        line
    }

    /// Starts the daemon in the foreground.
    #[track_caller]
    fn spawn(mut self) -> Server {
        let (mut command, home) = self.prepare();
        command
            .arg("-nodemon")
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        match self.passed.take() {
            Some(passed) => passed.give(&mut command),
            None => {
                let port = self.port.to_string();
                let bind = format!("{}{}", self.bind, self.beside);
                command.args(["-port", &port, "-i", &bind]);
            }
        }
        let mut child = command.spawn().unwrap();
        let log = Log::follow(child.stderr.take().unwrap());
        self.running(child, home, log, Kind::Daemon)
    }

    fn running(self, child: Child, home: PathBuf, log: Log, kind: Kind) -> Server {
        Server {
            child: Some(child),
            login: Login {
                address: SocketAddr::new(self.bind, 0),
                name: self.account.name,
                password: self.account.password,
                certificate: None,
                led: None,
            },
            home,
            log,
            scratch: self.scratch,
            servants: Vec::new(),
            has_starter: !self.starter.is_empty(),
            kind,
        }
    }

    /// Starts one session as inetd does, for a client that has read the greeting.
    #[track_caller]
    pub fn inetd_for_client(self) -> (Server, Client) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (theirs, _) = listener.accept().unwrap();
        let server = self.inetd(theirs.into());
        let mut client = Client::over(ours);
        client.expect_reply(220);
        (server, client)
    }

    /// Starts one session as inetd does: the connection is descriptors 0, 1 and 2.
    #[track_caller]
    pub fn inetd(self, connection: std::os::fd::OwnedFd) -> Server {
        let (mut command, home) = self.prepare();
        command.arg("-inetd").process_group(0);
        command
            .stdin(connection.try_clone().unwrap())
            .stdout(connection.try_clone().unwrap())
            .stderr(connection);
        let child = command.spawn().unwrap();
        self.running(child, home, Log::default(), Kind::Session)
    }
}

impl Default for Setup {
    fn default() -> Self {
        Setup::new()
    }
}

/// A running server. It is stopped when it goes out of scope, and its log must tell of no mistake; what is left is killed.
pub struct Server {
    child: Option<Child>,
    pub login: Login,
    /// The home directory of the account.
    pub home: PathBuf,
    /// What it wrote on its standard error.
    pub log: Log,
    pub scratch: Scratch,
    /// The children of the listener that serve all sessions, such as the logger: started before it listens.
    pub servants: Vec<Process>,
    has_starter: bool,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Daemon,
    /// Under inetd there is no log that a test sees, and no listener.
    Session,
}

impl Server {
    /// A server like the tests themselves; see [`Setup`] for others.
    #[track_caller]
    pub fn start() -> Server {
        Setup::new().start()
    }

    pub fn address(&self) -> SocketAddr {
        self.login.address
    }

    /// A client that has read the greeting.
    #[track_caller]
    pub fn connect(&self) -> Client {
        Client::connect(self.address())
    }

    /// A client that is logged in and uses TYPE I.
    #[track_caller]
    pub fn logged_in(&self) -> Client {
        let mut client = self.connect();
        client.login(&self.login.name, &self.login.password);
        client
    }

    /// Puts a file into the home, owned as the home is.
    pub fn put(&self, name: &str, content: &[u8]) -> PathBuf {
        use std::os::unix::fs::MetadataExt;
        let path = self.home.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        let owner = fs::metadata(&self.home).unwrap();
        let top = self.home.join(Path::new(name).components().next().unwrap());
        give(&top, Uid::from_raw(owner.uid()), Gid::from_raw(owner.gid()));
        path
    }

    /// Makes a directory in the home, owned as the home is.
    pub fn put_directory(&self, name: &str) {
        use std::os::unix::fs::MetadataExt;
        let path = self.home.join(name);
        fs::create_dir(&path).unwrap();
        let owner = fs::metadata(&self.home).unwrap();
        give(
            &path,
            Uid::from_raw(owner.uid()),
            Gid::from_raw(owner.gid()),
        );
    }

    /// What is in a file of the home.
    #[track_caller]
    pub fn content(&self, name: &str) -> Vec<u8> {
        fs::read(self.home.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// The names in the home directory, hidden ones too, in order.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.home).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// The first process: the listener, or under inetd the keeper.
    pub fn process(&self) -> Process {
        let child = Process::of(self.child.as_ref().unwrap().id() as i32).expect("the server runs");
        if self.has_starter {
            child.only_child()
        } else {
            child
        }
    }

    /// The listener, if there is one that runs.
    fn listener(&self) -> Option<Process> {
        let child = self.child.as_ref().filter(|_| self.kind == Kind::Daemon)?;
        let process = Process::of(child.id() as i32)?;
        match self.has_starter {
            true => process.children().into_iter().next(),
            false => Some(process),
        }
    }

    /// The keepers of the sessions there are: all children of the listener but the servants.
    pub fn keepers(&self) -> Vec<Process> {
        let mut children = self.process().children();
        children.retain(|child| !self.servants.contains(child));
        children
    }

    /// The keeper of the only session that there is sooner or later.
    #[track_caller]
    pub fn only_keeper(&self) -> Process {
        crate::wait::until("there is one session", || self.keepers().len() == 1);
        self.keepers().remove(0)
    }

    /// Waits for the first process to end by itself and reaps it.
    #[track_caller]
    pub fn wait(&mut self) -> std::process::ExitStatus {
        crate::wait::for_child(self.child.as_mut().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let process = self.listener();
        let Some(mut child) = self.child.take() else {
            return;
        };
        let mut by_itself = None;
        if self.kind == Kind::Session && !std::thread::panicking() {
            // Its client has gone, most often.
            crate::wait::at_most(LAST_WORDS, || {
                by_itself = child.try_wait().unwrap();
                by_itself.is_some()
            });
        }
        faults::end("server", &mut child, process.as_ref(), &self.log);
        let mistake = by_itself.filter(|&status| faults::is_mistake(status));
        assert_eq!(mistake, None, "a session ended by a mistake of its own");
    }
}
