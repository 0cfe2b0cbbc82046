//! Starting a daemon: what all of ours do between their configuration and their first client.

use std::fmt::Display;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::fcntl::OFlag;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::stat::Mode;

use crate::hookd::{self, Introduction, Stage};
use crate::listener::ToHooks;
use crate::log::{self, Log, Places, Sinks};
use crate::net::Ends;
use crate::sandbox::{EmptyRoot, Programs};
use crate::settings::{LogFormat, LogLevel, Run, ServerTls, Tls, UpstreamTls};
use crate::sys::{self, Fork};
use crate::tls::Trusted;
use crate::tls::signer::{Ready, Recipe};

/// What the daemon tells the process that was started once it serves.
const READY: &[u8] = b"+";

/// Puts what was tried before what the system says about it.
pub fn because<E: Display>(what: &str) -> impl FnOnce(E) -> String {
    move |error| format!("{what}: {error}")
}

/// Runs the start-up's work that leaves much freed memory behind in a thread of its own, so that the heap which every
/// session copies page by page on its first write stays small and dense.
pub fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
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

/// Reads who certifies servers, where they are spoken to under TLS.
///
/// # Errors
/// What is wrong with the files, as a sentence.
pub fn trusted(upstream: &UpstreamTls) -> Result<Option<Trusted>, String> {
    if upstream.mode == ServerTls::Off {
        return Ok(None);
    }
    let files = upstream.authorities.clone();
    apart(move || Trusted::read(&files)).map(Some)
}

/// The same while the daemon runs: the files may have another content.
///
/// # Errors
/// As [`trusted`].
pub fn trusted_anew(upstream: &UpstreamTls) -> Result<Option<Trusted>, String> {
    sys::expect_threads();
    let read = trusted(upstream);
    sys::promise_single_thread();
    read
}

/// Opens where the log goes; in the foreground that may be the terminal.
///
/// # Errors
/// What cannot be written to.
pub fn sinks(
    program: &'static str,
    places: Places,
    format: LogFormat,
    run: Run,
) -> Result<Sinks, String> {
    // SECURITY: under inetd these are the client's connection.
    let standard = places.main.as_deref().is_some_and(log::is_standard);
    if standard && run != Run::Foreground {
        return Err(
            "a log on STDOUT or STDERR needs the foreground: say -nodemon, or name a file"
                .to_owned(),
        );
    }
    let to_terminal = places.main.is_none() && run == Run::Foreground;
    let sinks = Sinks::open(program, places, format)?;
    match to_terminal {
        true => sinks
            .with_standard_error()
            .map_err(because("standard error")),
        false => Ok(sinks),
    }
}

/// Starts the logger, as the uid `user`, which owns as little as a session's. Panics are told to it too.
///
/// # Errors
/// It did not start.
pub fn start_logger(
    sinks: Sinks,
    level: LogLevel,
    programs: &Programs,
    user: u32,
    root: Option<&EmptyRoot>,
) -> Result<Log, String> {
    if sinks.are_none() {
        return Ok(Log::nowhere());
    }
    let log = log::start(sinks, level, programs, user, root).map_err(because("logger"))?;
    let panics = log.clone();
    std::panic::set_hook(Box::new(move |panic| {
        panics.line(&format!("bug: {panic}").replace('\n', " "))
    }));
    Ok(log)
}

/// Starts the signer, if there are certificates, and waits until it has read them. It owns as little as a session does, under a
/// uid of its own (`user`), so that no session can come near it.
///
/// # Errors
/// What is wrong with the certificates, or why it did not start.
pub fn start_signer(
    settings: &Tls,
    run: Run,
    programs: &Programs,
    user: u32,
    root: Option<&EmptyRoot>,
    log: &Log,
) -> Result<Option<(Recipe, Ready)>, String> {
    if settings.certificates.is_empty() {
        return Ok(None);
    }
    let recipe = Recipe {
        settings: settings.clone(),
        programs: programs.clone(),
        user,
        root: root
            .map(EmptyRoot::try_clone)
            .transpose()
            .map_err(because("dup"))?,
        log: log.clone(),
    };
    let ready = recipe.start_and_wait().inspect_err(|why| {
        // In the foreground the log and the terminal are one, which hears it anyway.
        if run != Run::Foreground {
            log.line(&format!("cannot start: {why}"));
        }
    })?;
    Ok(Some((recipe, ready)))
}

/// No process of ours leaves a core: a password may be in its memory.
///
/// # Errors
/// What setrlimit(2) says.
pub fn leave_no_core() -> Result<(), String> {
    setrlimit(Resource::RLIMIT_CORE, 0, 0).map_err(because("setrlimit"))
}

/// Goes on in a child. The process that was started ends when the child has written to the pipe that is returned, or has
/// failed, with its status: whoever started it knows whether the daemon runs.
///
/// # Errors
/// What the system calls say.
pub fn leave_terminal() -> Result<OwnedFd, String> {
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

/// Tells whoever started the daemon that clients may come: the process that was started, and systemd.
pub fn tell_ready(awaited: Option<OwnedFd>) {
    if let Some(pipe) = awaited {
        // It may have been killed meanwhile, and then nobody waits.
        let _ = nix::unistd::write(pipe, READY);
    }
    // Without NOTIFY_SOCKET there is nobody to tell.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
}

/// Descriptors 0 to 2 lead to /dev/null from here on.
///
/// # Errors
/// What open(2) and dup2(2) say.
pub fn detach_standard_descriptors() -> io::Result<()> {
    let null = nix::fcntl::open("/dev/null", OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty())?;
    nix::unistd::dup2_stdin(&null)?;
    nix::unistd::dup2_stdout(&null)?;
    nix::unistd::dup2_stderr(&null)?;
    Ok(())
}

/// Takes the client that inetd has for a program: descriptor 0, which is let go with the other two, since all of them are the
/// client's connection and nothing but replies may ever be written there.
///
/// # Errors
/// It is no connection, or a system call fails. There is nobody to tell.
pub fn take_client() -> io::Result<(OwnedFd, Ends)> {
    let socket = sys::take_standard_input()?;
    let ends = Ends::of(&socket)?;
    detach_standard_descriptors()?;
    socket2::SockRef::from(&socket).set_nonblocking(true)?;
    Ok((socket, ends))
}

/// Starts a hookd for the one session of inetd, if there are hooks.
///
/// # Errors
/// What socketpair(2), memfd_create(2) and fork(2) say.
pub fn introduce_single_session(
    recipe: Option<hookd::Recipe>,
    ends: Ends,
) -> Result<Option<ToHooks>, String> {
    let Some(recipe) = recipe else {
        return Ok(None);
    };
    let introduce = || {
        let (door, behind) = hookd::door()?;
        recipe.start(&behind, hookd::fresh_id(), &[])?;
        let (channel, theirs) = hookd::channel()?;
        let session = Introduction::Session {
            number: 0,
            id: hookd::fresh_id(),
            process: std::process::id(),
            client: ends.peer,
            server: ends.local,
            stage: Stage::New,
            user_follows: false,
        };
        door.introduce(&session, Some(theirs.as_fd()))?;
        let door = Some(door);
        Ok(Some(ToHooks { channel, door }))
    };
    introduce().map_err(because::<nix::errno::Errno>("hooks"))
}

/// The soft limit on descriptors is for programs that use select(2).
pub fn raise_descriptor_limit() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // It stays as it was if the system says no.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}
