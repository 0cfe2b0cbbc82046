//! Starting: from a configuration to an open port and the processes around it, or to the one session of inetd.

use std::fmt::Display;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;

use common::auth::chain;
use common::auth::{Identity, session_group};
use common::cli;
use common::jail::Names;
use common::listener::{Client, Entrance, Lifeline, Listener, Port, Ran, Renewal, Reports};
use common::log::{self, Log, Sink};
use common::lookup::Found;
use common::net::{self, Ends};
use common::sandbox::{Bounding, EmptyRoot, Programs, drop_bounding, is_root};
use common::settings::{Config, Run, ServerConfig};
use common::sys::{self, Fork};
use common::tls::signer::{Ready, Recipe};
use common::turns::Turns;
use nix::fcntl::OFlag;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::stat::Mode;

use crate::keeper;
use crate::pid_file::PidFile;
use crate::setup::Setup;

/// What the daemon tells the process that was started once it serves.
const READY: &[u8] = b"+";

/// The most that is read of /etc/passwd and /etc/group for the names in listings.
const LONGEST_NAMES: u64 = 1 << 20;

/// Runs as a daemon until it is told to stop; in each session's processes, until that session has ended.
pub(crate) fn listen(config: Config) -> ExitCode {
    match start(config) {
        Ok((listener, setup, pid_file)) => match listener.run() {
            Ran::Stopped => {
                if let Some(pid_file) = pid_file {
                    pid_file.remove();
                }
                ExitCode::SUCCESS
            }
            Ran::Serve(client) => sys::exit(keeper::serve(&setup, client).code()),
            Ran::ChangePassword(change) => {
                sys::exit(keeper::password::change(&setup, change).code())
            }
            Ran::Reinitialise(session) => sys::exit(keeper::serve_anew(&setup, session).code()),
        },
        Err(problem) => {
            cli::out::complain("ftpd", problem);
            ExitCode::FAILURE
        }
    }
}

/// Serves the client on descriptor 0 and ends.
pub(crate) fn serve_inetd(config: Config) -> ExitCode {
    // Descriptors 0 to 2 are the client's connection: nothing is ever written to them but replies.
    let Ok(socket) = sys::take_standard_input() else {
        return ExitCode::FAILURE;
    };
    let Ok(ends) = Ends::of(&socket) else {
        return ExitCode::FAILURE;
    };
    if detach_standard_descriptors().is_err() {
        return ExitCode::FAILURE;
    }
    if socket2::SockRef::from(&socket)
        .set_nonblocking(true)
        .is_err()
    {
        return ExitCode::FAILURE;
    }
    // There is nobody to tell what goes wrong here but the log file.
    warm_up();
    let prepared = prepare(config).and_then(|(mut setup, sink)| {
        setup.log = start_logger(&setup, sink)?;
        setup.found = start_lookup(&setup)?;
        let tls = start_signer(&setup)?.map(|(_, ready)| ready.offer);
        Lifeline::unattended()
            .map(|lifeline| (setup, tls, lifeline))
            .map_err(because("pipe"))
    });
    match prepared {
        Ok((setup, tls, lifeline)) => {
            let client = Client {
                socket,
                ends,
                entrance: Entrance::Plain,
                tls,
                lifeline,
                reports: Reports::nowhere(),
            };
            sys::exit(keeper::serve(&setup, client).code())
        }
        Err(_) => ExitCode::FAILURE,
    }
}

fn because<E: Display>(what: &str) -> impl FnOnce(E) -> String {
    move |error| format!("{what}: {error}")
}

/// Opens the port, then leaves the terminal if that is wanted, then starts the servants, then tells that clients may come.
fn start(config: Config) -> Result<(Listener, Setup, Option<PidFile>), String> {
    let ports = open_ports(&config.server)?;
    let run = config.server.run;
    let (mut setup, sink) = prepare(config)?;
    let awaited = match run {
        Run::Background => Some(leave_terminal()?),
        Run::Foreground | Run::Inetd => None,
    };
    let pid_file = setup.config.server.pid_file.as_deref();
    let pid_file = pid_file.map(PidFile::new).transpose()?;
    // What is wrong with the certificates is known only later. Servants close it, and so does this process once it serves.
    let terminal = io::stderr().as_fd().try_clone_to_owned();
    // Before any servant is forked: whoever waits for the end of our output shall not wait for theirs.
    detach_standard_descriptors().map_err(because("/dev/null"))?;
    setup.log = start_logger(&setup, sink)?;
    setup.found = start_lookup(&setup)?;
    raise_descriptor_limit();
    if is_root() {
        // Programs that modules of PAM start, such as the one that makes home directories, are nothing without.
        let bounding = if setup.config.server.auth_methods.need_pam() {
            Bounding::Modules
        } else {
            Bounding::Empty
        };
        drop_bounding(bounding).map_err(|error| error.to_string())?;
    }
    warm_up();
    let signer = start_signer(&setup).inspect_err(|_| {
        // Where it fails, nobody is told.
        let _ = terminal.map(nix::unistd::dup2_stderr);
    })?;
    let renewal = signer.map(|(recipe, ready)| Renewal::new(recipe, ready));
    for port in &ports {
        let address = port.socket.local_addr().ok();
        if let Some(address) = address.and_then(|address| address.as_socket()) {
            let how = match port.entrance {
                Entrance::Plain => "",
                Entrance::Tls => ", with implicit TLS",
            };
            setup.log.line(&format!("listening on {address}{how}"));
        }
    }
    let server = &setup.config.server;
    let (limits, total) = (server.limits.clone(), server.total_rates);
    let listener = Listener::new(ports, renewal, limits, total, setup.log.clone())
        .map_err(because("signals"))?;
    tell_ready(awaited);
    Ok((listener, setup, pid_file))
}

/// Tells whoever started the daemon that clients may come: the process that was started, and systemd.
fn tell_ready(awaited: Option<OwnedFd>) {
    if let Some(pipe) = awaited {
        // It may have been killed meanwhile, and then nobody waits.
        let _ = nix::unistd::write(pipe, READY);
    }
    // Without NOTIFY_SOCKET there is nobody to tell.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
}

/// Opens the control port, and that for implicit TLS if it is wanted.
fn open_ports(server: &ServerConfig) -> Result<Vec<Port>, String> {
    let plain = (server.port, Entrance::Plain);
    let implicit = server.tls.port.map(|port| (port, Entrance::Tls));
    [plain]
        .into_iter()
        .chain(implicit)
        .map(|(number, entrance)| {
            let socket = net::listen(&server.bind, number)
                .map_err(|error| cannot_listen(server, number, &error))?;
            Ok(Port { socket, entrance })
        })
        .collect()
}

/// Starts the signer, if there are certificates, and waits until it has read them.
fn start_signer(setup: &Setup) -> Result<Option<(Recipe, Ready)>, String> {
    let server = &setup.config.server;
    if server.tls.certificates.is_empty() {
        return Ok(None);
    }
    let root = setup.empty_root.as_ref();
    let [_, _, user, _] = server.own_uids();
    let recipe = Recipe {
        settings: server.tls.clone(),
        programs: setup.programs.clone(),
        // It owns as little as a session does, under a uid of its own, so that no session can come near it.
        user,
        root: root
            .map(EmptyRoot::try_clone)
            .transpose()
            .map_err(because("dup"))?,
        log: setup.log.clone(),
    };
    let ready = recipe.start_and_wait().inspect_err(|why| {
        // In the foreground the log and the terminal are one, which hears it anyway.
        if server.run != Run::Foreground {
            setup.log.line(&format!("cannot start: {why}"));
        }
    })?;
    Ok(Some((recipe, ready)))
}

/// Why the port could not be opened, with what to do about it.
fn cannot_listen(server: &ServerConfig, port: u16, error: &io::Error) -> String {
    let hint = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "; ports below 1024 need root or CAP_NET_BIND_SERVICE, a higher one does not: -port 2121"
        }
        io::ErrorKind::AddrInUse => {
            "; another program has it: stop that or choose another with -port"
        }
        _ => "",
    };
    format!(
        "cannot listen on port {port} ({}): {error}{hint}",
        bind_name(server)
    )
}

fn bind_name(server: &ServerConfig) -> String {
    use common::settings::Bind;
    match &server.bind {
        Bind::Any => "all addresses".to_owned(),
        Bind::AnyV4 => "all IPv4 addresses".to_owned(),
        Bind::Address(address) => address.to_string(),
        Bind::Interface(name) => format!("interface {name}"),
    }
}

/// Runs the start-up's work that leaves much freed memory behind in a thread of its own, so that the heap which every
/// session copies page by page on its first write stays small and dense.
pub(crate) fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    #[expect(
        clippy::disallowed_methods,
        reason = "it has ended before anything is forked"
    )]
    let thread = std::thread::spawn(work);
    match thread.join() {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Everything that is made once, before the first fork. The log is added when the logger runs.
fn prepare(config: Config) -> Result<(Setup, Option<Sink>), String> {
    chain::look(&config.server)?;
    if let Some(group) = &config.server.default_group {
        session_group(group).map_err(because("DefaultGroup"))?;
    }
    // No process of ours leaves a core: a password may be in its memory.
    setrlimit(Resource::RLIMIT_CORE, 0, 0).map_err(because("setrlimit"))?;
    let sink = match (&config.server.log_file, config.server.run) {
        (Some(path), _) => {
            Some(Sink::file(path).map_err(because(&format!("log file {}", path.display())))?)
        }
        (None, Run::Foreground) => Some(Sink::standard_error().map_err(because("standard error"))?),
        (None, Run::Background | Run::Inetd) => None,
    };
    let (programs, names) = apart(|| {
        (
            Programs::new(),
            Names::from_passwd(&account_names("/etc/passwd"), &account_names("/etc/group")),
        )
    });
    let programs = programs.map_err(|error| error.to_string())?;
    let empty_root = if is_root() {
        Some(EmptyRoot::new().map_err(|error| error.to_string())?)
    } else {
        None
    };
    let turns = match config.server.run {
        Run::Inetd => None,
        Run::Background | Run::Foreground => Some(Turns::new().map_err(because("memfd_create"))?),
    };
    Ok((
        Setup {
            config,
            programs,
            empty_root,
            names,
            turns,
            found: Found::default(),
            log: Log::nowhere(),
        },
        sink,
    ))
}

/// The names of owners in listings; without the file, numbers are shown.
fn account_names(path: &str) -> Vec<u8> {
    use std::io::Read;
    let mut text = Vec::new();
    #[expect(
        clippy::disallowed_methods,
        reason = "the system's own list of names, read once at start"
    )]
    if let Ok(file) = File::open(path) {
        let _ = file.take(LONGEST_NAMES).read_to_end(&mut text);
    }
    text
}

fn start_logger(setup: &Setup, sink: Option<Sink>) -> Result<Log, String> {
    let Some(sink) = sink else {
        return Ok(Log::nowhere());
    };
    // The logger owns as little as a session does, under a uid of its own.
    let [_, user, _, _] = setup.config.server.own_uids();
    let log = log::start(
        sink,
        setup.config.server.log_level,
        &setup.programs,
        user,
        setup.empty_root.as_ref(),
    )
    .map_err(because("logger"))?;
    let panics = log.clone();
    std::panic::set_hook(Box::new(move |panic| {
        panics.line(&format!("bug: {panic}").replace('\n', " "))
    }));
    Ok(log)
}

/// Looks up what PassiveAddress names, if it names anything.
fn start_lookup(setup: &Setup) -> Result<Found, String> {
    let server = &setup.config.server;
    let [_, _, _, user] = server.own_uids();
    Found::start(
        &server.passive_addresses,
        server.passive_resolve,
        &setup.programs,
        user,
        &setup.log,
    )
    .map_err(because("lookup of PassiveAddress"))
}

/// Goes on in a child. The process that was started ends when the child has written to the pipe that is returned, or has
/// failed, with its status: whoever started it knows whether the daemon runs.
fn leave_terminal() -> Result<OwnedFd, String> {
    let (told, pipe) = nix::unistd::pipe2(OFlag::O_CLOEXEC).map_err(because("pipe"))?;
    match sys::fork().map_err(because("fork"))? {
        Fork::Parent(_) => {
            drop(pipe);
            let ready = nix::unistd::read(&told, &mut [0; READY.len()]);
            std::process::exit(i32::from(ready != Ok(READY.len())));
        }
        Fork::Child => {
            drop(told);
            nix::unistd::setsid().map_err(because("setsid"))?;
            // No file system shall stay busy because of where the program was started.
            nix::unistd::chdir("/").map_err(because("chdir"))?;
            Ok(pipe)
        }
    }
}

/// Does once what every session would do for itself: loading name services, asking the processor what it can do.
fn warm_up() {
    Identity::prime();
    let _ = memchr::memchr(b'\n', &[0; 64]);
    common::tls::warm_up();
}

/// Descriptors 0 to 2 lead to /dev/null from here on.
fn detach_standard_descriptors() -> io::Result<()> {
    let null = nix::fcntl::open("/dev/null", OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty())?;
    nix::unistd::dup2_stdin(&null)?;
    nix::unistd::dup2_stdout(&null)?;
    nix::unistd::dup2_stderr(&null)?;
    Ok(())
}

/// The soft limit on descriptors is for programs that use select(2).
fn raise_descriptor_limit() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // It stays as it was if the system says no.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}
