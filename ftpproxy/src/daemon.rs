//! Starting: from a configuration to an open port and the processes around it.

use std::io;
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::Duration;

use common::cli::{self, finding};
use common::dialer::Rules;
use common::entrances;
use common::gateway::{self, Gateway};
use common::hookd::{self, Interest};
use common::hooks::Hook;
use common::listener::{Client, Lifeline, Listener, Operator, Pool, Ran, Renewal, Status, ToHooks};
use common::log::{Log, Places, Sinks};
use common::net::Ends;
use common::pid_file::PidFile;
use common::pool::{Login, Recipe, Standing};
use common::rate::Rates;
use common::sandbox::{Bounding, EmptyRoot, Programs, drop_bounding, is_root};
use common::settings::{GatewayConfig, Run, Source, SpoolFull};
use common::startup::{self, apart, because};
use common::sys;
use common::tls::{Offer, Trusted, signer};

use crate::check;
use crate::reload::reload;

/// What every session is started with: made once by the listener, before the first fork.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) config: GatewayConfig,
    pub(crate) programs: Programs,
    /// Only root needs and can use it.
    pub(crate) empty_root: Option<EmptyRoot>,
    pub(crate) log: Log,
    /// How the servers of the pool are.
    pub(crate) standing: Option<Standing>,
    /// Who certifies servers.
    pub(crate) trusted: Option<Trusted>,
    /// What hooks are for, and the longest that a session waits for them.
    pub(crate) interest: Interest,
    pub(crate) longest_hook: Duration,
}

impl Setup {
    fn begin_log(&mut self, sinks: Sinks) -> Result<(), String> {
        let [_, user, ..] = self.config.own_uids();
        let (level, root) = (self.config.log_level, self.empty_root.as_ref());
        self.log = startup::start_logger(sinks, level, &self.programs, user, root)?;
        Ok(())
    }

    /// Starts the signer, if there are certificates, and waits until it has read them.
    fn start_signer(&self) -> Result<Option<(signer::Recipe, signer::Ready)>, String> {
        let [_, _, _, user, ..] = self.config.own_uids();
        let root = self.empty_root.as_ref();
        let (tls, run) = (&self.config.tls, self.config.run);
        startup::start_signer(tls, run, &self.programs, user, root, &self.log)
    }

    fn gateway(&self) -> Gateway<'_> {
        let [_, _, user, ..] = self.config.own_uids();
        Gateway {
            rules: Rules {
                config: &self.config,
                programs: &self.programs,
                log: &self.log,
                user,
                standing: self.standing.as_ref(),
            },
            empty_root: self.empty_root.as_ref(),
            trusted: self.trusted.as_ref(),
            interest: self.interest,
            longest_hook: self.longest_hook,
        }
    }
}

/// Runs as a daemon until it is told to stop; in each session's processes, until that session has ended.
pub(crate) fn listen(config: GatewayConfig, source: &Source) -> ExitCode {
    match start(config) {
        Ok((mut listener, mut setup, pid_file)) => loop {
            match listener.run() {
                Ran::Stopped => {
                    if let Some(pid_file) = pid_file {
                        pid_file.remove();
                    }
                    return ExitCode::SUCCESS;
                }
                Ran::Serve(client) => {
                    setup.log.begin_session();
                    sys::exit(gateway::serve(&setup.gateway(), client).code())
                }
                Ran::Reload(again) => {
                    listener = *again;
                    reload(source, &mut setup, &mut listener);
                }
                // Nobody in a gateway's sessions asks for these.
                Ran::ChangePassword(_) | Ran::Reinitialise(_) => {
                    sys::exit(Status::Broken(None).code())
                }
            }
        },
        Err(problem) => {
            cli::out::complain("ftpproxy", problem);
            ExitCode::FAILURE
        }
    }
}

/// Serves the client on descriptor 0 and ends.
pub(crate) fn serve_inetd(config: GatewayConfig) -> ExitCode {
    let Ok((socket, ends)) = startup::take_client() else {
        return ExitCode::FAILURE;
    };
    match prepare_single_session(config, ends) {
        Ok(Prepared {
            setup,
            tls,
            hooks,
            lifeline,
        }) => {
            let client = Client::of_inetd(socket, ends, tls, hooks, lifeline);
            sys::exit(gateway::serve(&setup.gateway(), client).code())
        }
        // There is nobody to tell what goes wrong here but the log.
        Err(_) => ExitCode::FAILURE,
    }
}

/// What the one session of inetd is started with.
struct Prepared {
    setup: Setup,
    tls: Option<Offer>,
    hooks: Option<ToHooks>,
    lifeline: Lifeline,
}

fn prepare_single_session(config: GatewayConfig, ends: Ends) -> Result<Prepared, String> {
    let (mut setup, sinks) = prepare(config)?;
    setup.begin_log(sinks)?;
    common::tls::warm_up();
    let tls = setup.start_signer()?.map(|(_, ready)| ready.offer);
    let hooks = hook_recipe(&setup, &setup.config);
    let hooks = startup::introduce_single_session(hooks, ends)?;
    setup.log.begin_session();
    let lifeline = Lifeline::unattended().map_err(because("pipe"))?;
    Ok(Prepared {
        setup,
        tls,
        hooks,
        lifeline,
    })
}

/// Makes everything that is made once. The log is added when the logger runs.
fn prepare(config: GatewayConfig) -> Result<(Setup, Sinks), String> {
    startup::leave_no_core()?;
    let places = Places::of(
        config.log_file.as_deref(),
        &config.outputs,
        config.logs_to_syslog(),
    );
    let sinks = startup::sinks("ftpproxy", places, config.outputs.format, config.run)?;
    let programs = apart(Programs::new).map_err(|error| error.to_string())?;
    let empty_root = match is_root() {
        true => Some(EmptyRoot::new().map_err(|error| error.to_string())?),
        false => None,
    };
    let trusted = startup::trusted(&config.upstream)?;
    look(&config)?;
    let (interest, longest_hook) = interest_in(&config);
    let setup = Setup {
        interest,
        longest_hook,
        config,
        programs,
        empty_root,
        log: Log::nowhere(),
        trusted,
        standing: None,
    };
    Ok((setup, sinks))
}

/// Opens the port, then leaves the terminal if that is wanted, then starts the logger.
fn start(config: GatewayConfig) -> Result<(Listener, Setup, Option<PidFile>), String> {
    let ports = entrances::open(&config.bind, config.port, &config.tls)?;
    entrances::admit(&ports, config.transparent.into())?;
    let (mut setup, sinks) = prepare(config)?;
    let awaited = match setup.config.run {
        Run::Background => Some(startup::leave_terminal()?),
        Run::Foreground | Run::Inetd => None,
    };
    let pid_file = setup.config.pid_file.as_deref();
    let pid_file = pid_file.map(PidFile::new).transpose()?;
    let terminal = io::stderr().as_fd().try_clone_to_owned();
    startup::detach_standard_descriptors().map_err(because("/dev/null"))?;
    setup.begin_log(sinks)?;
    for text in wrong_with_hooks(&setup.config) {
        setup.log.line(&format!("hooks: {text}"));
    }
    startup::raise_descriptor_limit();
    if is_root() {
        // Programs that run as root are to have its capabilities.
        let privileged = setup.config.hooks().any(Hook::needs_privileges);
        let bounding = if privileged {
            Bounding::Whole
        } else {
            Bounding::Empty
        };
        drop_bounding(bounding).map_err(|error| error.to_string())?;
    }
    common::tls::warm_up();
    let signer = setup.start_signer().inspect_err(|_| {
        // Where it fails, nobody is told.
        let _ = terminal.map(nix::unistd::dup2_stderr);
    })?;
    let renewal = signer.map(|(recipe, ready)| Renewal::new(recipe, ready));
    let operator = setup.config.control_socket.as_deref().map(Operator::new);
    let operator = operator.transpose()?;
    let (pool, standing) = pool(&setup, &setup.config, &setup.trusted, None)?;
    setup.standing = standing;
    let (config, log) = (&setup.config, &setup.log);
    let limits = config.limits.clone();
    let drain_time = config.drain_timeout;
    let mut listener = Listener::new(ports, renewal, limits, Rates::default(), log.clone())
        .map_err(because("signals"))?
        .with_hooks(hook_recipe(&setup, &setup.config))
        .map_err(because("hooks"))?
        .with_operator(operator)
        .with_pool(pool);
    listener.set_drain_time(drain_time);
    entrances::announce(listener.ports(), &setup.log);
    startup::tell_ready(awaited);
    Ok((listener, setup, pid_file))
}

/// Has somebody watch the servers of the pool, if there is one, with what is known of them from before.
pub(crate) fn pool(
    setup: &Setup,
    config: &GatewayConfig,
    trusted: &Option<Trusted>,
    former: Option<&Pool>,
) -> Result<(Option<Pool>, Option<Standing>), String> {
    if !config.pools() {
        return Ok((None, None));
    }
    let [.., user, _] = config.own_uids();
    let recipe = Recipe {
        config: config.clone(),
        trusted: trusted.clone(),
        programs: setup.programs.clone(),
        user,
        log: setup.log.clone(),
    };
    let pool = Pool::start_after(former, recipe).map_err(because("pool"))?;
    let standing = pool.standing().map_err(because("pool"))?;
    Ok((Some(pool), Some(standing)))
}

/// What hooks are for, and the longest that a session waits for them.
pub(crate) fn interest_in(config: &GatewayConfig) -> (Interest, Duration) {
    let hooks: Vec<Hook> = config.hooks().cloned().collect();
    (Interest::of(&hooks, None), hookd::longest(&hooks))
}

/// What the process that runs hooks is started with, if there are any.
pub(crate) fn hook_recipe(setup: &Setup, config: &GatewayConfig) -> Option<hookd::Recipe> {
    let hooks: Vec<Hook> = config.hooks().cloned().collect();
    let [.., user] = config.own_uids();
    (!hooks.is_empty()).then(|| hookd::Recipe {
        hooks,
        user,
        // It is for uploads, which are the servers' own.
        spool: None,
        spool_full: SpoolFull::Accept,
        programs: setup.programs.clone(),
        results: config.hooks.log.clone(),
        log: setup.log.clone(),
    })
}

/// What is wrong with what hooks name: it starts all the same.
pub(crate) fn wrong_with_hooks(config: &GatewayConfig) -> Vec<String> {
    finding::errors(check::hooks(config))
}

/// Whether what the settings are about is there.
pub(crate) fn look(config: &GatewayConfig) -> Result<(), String> {
    match config.pool.login.clone() {
        Some(path) => apart(move || Login::read(&path).map(|_| ())),
        None => Ok(()),
    }
}
