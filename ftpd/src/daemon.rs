//! Starting: from a configuration to an open port and the processes around it, or to the one session of inetd.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use common::auth::chain;
use common::auth::{Identity, session_group};
use common::cli;
use common::entrances;
use common::gateway;
use common::hookd::{self, Interest};
use common::hooks::Hook;
use common::jail::Names;
use common::listener::{Client, Lifeline, Listener, Operator, Ran, Renewal, Status};
use common::log::{Log, Places, Sinks};
use common::lookup::Found;
use common::net;
use common::pid_file::PidFile;
use common::sandbox::{Bounding, EmptyRoot, Programs, drop_bounding, is_root};
use common::settings::{Config, Run, ServerConfig, Source};
use common::spool::Spool;
use common::startup::{
    self, apart, because, detach_standard_descriptors, leave_terminal, raise_descriptor_limit,
};
use common::sys;
use common::tls::signer::{Ready, Recipe};
use common::turns::Turns;

use crate::check;
use crate::keeper;
use crate::reload::reload;
use crate::setup::Setup;

/// The most that is read of /etc/passwd and /etc/group for the names in listings.
const LONGEST_NAMES: u64 = 1 << 20;

/// Runs as a daemon until it is told to stop; in each session's processes, until that session has ended.
pub(crate) fn listen(config: Config, source: &Source) -> ExitCode {
    let (mut listener, mut setup, pid_file) = match start(config) {
        Ok(started) => started,
        Err(problem) => {
            cli::out::complain("ftpd", problem);
            return ExitCode::FAILURE;
        }
    };
    loop {
        match listener.run() {
            Ran::Stopped => {
                if let Some(pid_file) = pid_file {
                    pid_file.remove();
                }
                return ExitCode::SUCCESS;
            }
            Ran::Reload(again) => {
                listener = *again;
                reload(source, &mut setup, &mut listener);
            }
            Ran::Serve(client) => {
                setup.log.begin_session();
                sys::exit(serve(&setup, client).code())
            }
            Ran::ChangePassword(change) => {
                setup.log.begin_session();
                sys::exit(keeper::password::change(&setup, change).code())
            }
            Ran::Reinitialise(session) => {
                setup.log.begin_session();
                sys::exit(keeper::serve_anew(&setup, session).code())
            }
        }
    }
}

/// Serves the client on descriptor 0 and ends.
pub(crate) fn serve_inetd(config: Config) -> ExitCode {
    let Ok((socket, ends)) = startup::take_client() else {
        return ExitCode::FAILURE;
    };
    // There is nobody to tell what goes wrong here but the log file.
    warm_up();
    let prepared = prepare(config).and_then(|(mut setup, sinks)| {
        setup.log = start_logger(&setup, sinks)?;
        setup.found = start_lookup(&setup)?;
        let hooks = hook_recipe(&setup, &setup.config.server, None);
        let hooks = startup::introduce_single_session(hooks, ends)?;
        let tls = start_signer(&setup)?.map(|(_, ready)| ready.offer);
        Lifeline::unattended()
            .map(|lifeline| (setup, tls, hooks, lifeline))
            .map_err(because("pipe"))
    });
    match prepared {
        Ok((mut setup, tls, hooks, lifeline)) => {
            setup.log.begin_session();
            let client = Client::of_inetd(socket, ends, tls, hooks, lifeline);
            sys::exit(serve(&setup, client).code())
        }
        Err(_) => ExitCode::FAILURE,
    }
}

/// Serves one client, here or, where all are redirected, at another server.
fn serve(setup: &Setup, client: Client) -> Status {
    match setup.gateway() {
        Some(gateway) if gateway.rules.config.transparent.is_on() => {
            gateway::serve(&gateway, client)
        }
        _ => keeper::serve(setup, client),
    }
}

/// Opens the port, then leaves the terminal if that is wanted, then starts the servants, then tells that clients may come.
fn start(config: Config) -> Result<(Listener, Setup, Option<PidFile>), String> {
    let ports = entrances::open(&config.server.bind, config.server.port, &config.server.tls)?;
    entrances::admit(&ports, config.server.leading.transparent.into())?;
    let run = config.server.run;
    let (mut setup, sinks) = prepare(config)?;
    let spool = spool_for(&setup.config.server, None)?;
    let awaited = match run {
        Run::Background => Some(leave_terminal()?),
        Run::Foreground | Run::Inetd => None,
    };
    let pid_file = setup.config.server.pid_file.as_deref();
    let pid_file = pid_file.map(PidFile::new).transpose()?;
    let operator = setup.config.server.control_socket.as_deref();
    let operator = operator.map(Operator::new).transpose()?;
    // What is wrong with the certificates is known only later. Servants close it, and so does this process once it serves.
    let terminal = io::stderr().as_fd().try_clone_to_owned();
    // Before any servant is forked: whoever waits for the end of our output shall not wait for theirs.
    detach_standard_descriptors().map_err(because("/dev/null"))?;
    setup.log = start_logger(&setup, sinks)?;
    for text in check::wrong_with_hooks(&setup.config.server) {
        setup.log.line(&format!("hooks: {text}"));
    }
    setup.found = start_lookup(&setup)?;
    raise_descriptor_limit();
    if is_root() {
        // Programs that modules of PAM start, such as the one that makes home directories, are nothing without.
        let server = &setup.config.server;
        let bounding = if server.hooks().any(Hook::needs_privileges) {
            // Programs that run as root are to have its capabilities.
            Bounding::Whole
        } else if server.auth_methods.need_pam() {
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
    let server = &setup.config.server;
    let (limits, total) = (server.limits.clone(), server.total_rates);
    let drain_time = server.drain_timeout;
    let mut listener = Listener::new(ports, renewal, limits, total, setup.log.clone())
        .map_err(because("signals"))?
        .with_hooks(hook_recipe(&setup, &setup.config.server, spool))
        .map_err(because("hooks"))?
        .with_operator(operator);
    listener.set_drain_time(drain_time);
    entrances::announce(listener.ports(), &setup.log);
    startup::tell_ready(awaited);
    Ok((listener, setup, pid_file))
}

/// Starts the signer, if there are certificates, and waits until it has read them.
fn start_signer(setup: &Setup) -> Result<Option<(Recipe, Ready)>, String> {
    signer_for(setup, &setup.config.server)
}

/// The same for settings that are not in use yet.
pub(crate) fn signer_for(
    setup: &Setup,
    server: &ServerConfig,
) -> Result<Option<(Recipe, Ready)>, String> {
    let [_, _, user, ..] = server.own_uids();
    let root = setup.empty_root.as_ref();
    startup::start_signer(
        &server.tls,
        server.run,
        &setup.programs,
        user,
        root,
        &setup.log,
    )
}

/// What is made once, before the first fork: for all sessions, for the logger, and for hookd.
type Prepared = (Setup, Sinks);

/// Makes everything that is made once. The log is added when the logger runs.
fn prepare(config: Config) -> Result<Prepared, String> {
    look(&config.server)?;
    startup::leave_no_core()?;
    let sinks = open_log(&config)?;
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
    let leading = &config.server.leading;
    let gateway = leading.gateway(&config.server, &config.session);
    let trusted = startup::trusted(&leading.upstream)?;
    let (interest, longest_hook) = interest_in(&config.server);
    Ok((
        Setup {
            config,
            programs,
            empty_root,
            names,
            turns,
            found: Found::default(),
            interest,
            longest_hook,
            gateway,
            trusted,
            log: Log::nowhere(),
        },
        sinks,
    ))
}

/// Opens where the log goes.
fn open_log(config: &Config) -> Result<Sinks, String> {
    let server = &config.server;
    let places = Places::of(
        config.server_log(),
        &server.outputs,
        config.logs_to_syslog(),
    );
    startup::sinks("ftpd", places, server.outputs.format, server.run)
}

/// Whether what the settings are about is there.
pub(crate) fn look(server: &ServerConfig) -> Result<(), String> {
    chain::look(server)?;
    if !is_root() {
        net::may_use(&server.active_sources)?;
    }
    match &server.default_group {
        Some(group) => session_group(group)
            .map(drop)
            .map_err(because("DefaultGroup")),
        None => Ok(()),
    }
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

fn start_logger(setup: &Setup, sinks: Sinks) -> Result<Log, String> {
    let server = &setup.config.server;
    let [_, user, ..] = server.own_uids();
    let root = setup.empty_root.as_ref();
    startup::start_logger(sinks, server.log_level, &setup.programs, user, root)
}

/// Looks up what PassiveAddress names, if it names anything.
fn start_lookup(setup: &Setup) -> Result<Found, String> {
    lookup_for(setup, &setup.config.server)
}

/// The same for settings that are not in use yet.
pub(crate) fn lookup_for(setup: &Setup, server: &ServerConfig) -> Result<Found, String> {
    let [_, _, _, user, ..] = server.own_uids();
    Found::start(
        &server.passive_addresses,
        server.passive_resolve,
        &setup.programs,
        user,
        &setup.log,
    )
    .map_err(because("lookup of PassiveAddress"))
}

/// The directory for events of uploads, if there are hooks that it could be for.
pub(crate) fn spool_for(
    server: &ServerConfig,
    open: Option<&Arc<Spool>>,
) -> Result<Option<Arc<Spool>>, String> {
    let wanted = server.spool.as_deref();
    let wanted = wanted.filter(|_| server.hooks().next().is_some());
    match open {
        // Opened once: its lock keeps out everybody else.
        Some(open) => Ok(Some(Arc::clone(open))),
        None => wanted
            .map(|path| Spool::open(path).map(Arc::new))
            .transpose()
            .map_err(because("EventSpool")),
    }
}

/// What hooks are for, and the longest that a session waits for them.
pub(crate) fn interest_in(server: &ServerConfig) -> (Interest, Duration) {
    let hooks: Vec<Hook> = server.hooks().cloned().collect();
    let spool_full = server.spool.as_ref().map(|_| server.spool_full);
    (Interest::of(&hooks, spool_full), hookd::longest(&hooks))
}

/// What the process that runs hooks is started with, if there are any.
pub(crate) fn hook_recipe(
    setup: &Setup,
    server: &ServerConfig,
    spool: Option<Arc<Spool>>,
) -> Option<hookd::Recipe> {
    let hooks: Vec<Hook> = server.hooks().cloned().collect();
    let [.., user, _] = server.own_uids();
    (!hooks.is_empty()).then(|| hookd::Recipe {
        hooks,
        user,
        spool,
        spool_full: server.spool_full,
        programs: setup.programs.clone(),
        results: server.hooks.log.clone(),
        log: setup.log.clone(),
    })
}

/// Does once what every session would do for itself: loading name services, asking the processor what it can do.
fn warm_up() {
    Identity::prime();
    let _ = memchr::memchr(b'\n', &[0; 64]);
    common::tls::warm_up();
}
