//! Starting: from a configuration to an open port and the processes around it.

use std::io;
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::Duration;

use common::cli;
use common::dialer::Rules;
use common::entrances;
use common::gateway::{self, Gateway};
use common::hookd::Interest;
use common::listener::{
    Client, Entrance, Lifeline, Listener, Operator, Pool, Ran, Renewal, Reports, Status,
};
use common::log::{Log, Places, Sinks};
use common::pid_file::PidFile;
use common::pool::{Login, Recipe, Standing};
use common::rate::Rates;
use common::sandbox::{Bounding, EmptyRoot, Programs, drop_bounding, is_root};
use common::settings::{GatewayConfig, Run, Source};
use common::startup::{self, apart, because};
use common::sys;
use common::tls::{Offer, Trusted, signer};

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
        let [_, _, _, user, _] = self.config.own_uids();
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
            // It has no hooks.
            interest: Interest::default(),
            longest_hook: Duration::ZERO,
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
    match prepare_single_session(config) {
        Ok((setup, tls, lifeline)) => {
            let client = Client {
                socket,
                ends,
                entrance: Entrance::Plain,
                tls,
                lifeline,
                drain: None,
                reports: Reports::nowhere(),
                hooks: None,
                page: None,
            };
            sys::exit(gateway::serve(&setup.gateway(), client).code())
        }
        // There is nobody to tell what goes wrong here but the log.
        Err(_) => ExitCode::FAILURE,
    }
}

fn prepare_single_session(
    config: GatewayConfig,
) -> Result<(Setup, Option<Offer>, Lifeline), String> {
    let (mut setup, sinks) = prepare(config)?;
    setup.begin_log(sinks)?;
    common::tls::warm_up();
    let tls = setup.start_signer()?.map(|(_, ready)| ready.offer);
    setup.log.begin_session();
    let lifeline = Lifeline::unattended().map_err(because("pipe"))?;
    Ok((setup, tls, lifeline))
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
    let setup = Setup {
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
    startup::raise_descriptor_limit();
    if is_root() {
        drop_bounding(Bounding::Empty).map_err(|error| error.to_string())?;
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
    entrances::announce(&ports, log);
    let limits = config.limits.clone();
    let drain_time = config.drain_timeout;
    let mut listener = Listener::new(ports, renewal, limits, Rates::default(), log.clone())
        .map_err(because("signals"))?
        .with_operator(operator)
        .with_pool(pool);
    listener.set_drain_time(drain_time);
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
    let [.., user] = config.own_uids();
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

/// Whether what the settings are about is there.
pub(crate) fn look(config: &GatewayConfig) -> Result<(), String> {
    match config.pool.login.clone() {
        Some(path) => apart(move || Login::read(&path).map(|_| ())),
        None => Ok(()),
    }
}
