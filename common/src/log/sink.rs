//! Where entries end up, and how it is opened. Only the process that starts the logger opens anything.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use super::order::Order;
use crate::settings::value::{STDERR, STDOUT, SYSLOG};
use crate::settings::{LogFormat, Outputs};

/// What is named in the configuration, to be opened again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// Lines of text or JSON.
    pub main: Option<PathBuf>,
    /// The xferlog.
    pub transfers: Option<PathBuf>,
    /// The socket of syslog.
    pub syslog: Option<PathBuf>,
    /// The socket of the journal.
    pub journal: Option<PathBuf>,
}

/// Everything that the logger writes to.
#[derive(Debug, Default)]
pub struct Sinks {
    pub(super) places: Places,
    pub(super) format: LogFormat,
    /// The program's name, for syslog.
    pub(super) program: &'static str,
    pub(super) main: Option<File>,
    pub(super) transfers: Option<File>,
    pub(super) syslog: Option<OwnedFd>,
    pub(super) journal: Option<OwnedFd>,
}

impl Sinks {
    /// Opens what is named.
    ///
    /// # Errors
    /// The first thing that could not be opened, and why.
    pub fn open(program: &'static str, places: Places, format: LogFormat) -> Result<Sinks, String> {
        let mut sinks = Sinks {
            format,
            program,
            ..Sinks::default()
        };
        for (order, opened) in places.open() {
            sinks.take(order, opened?);
        }
        sinks.places = places;
        Ok(sinks)
    }

    /// Writes there from now on.
    pub(super) fn take(&mut self, order: Order, opened: OwnedFd) {
        match order {
            Order::Main => self.main = Some(File::from(opened)),
            Order::Transfers => self.transfers = Some(File::from(opened)),
            Order::Syslog => self.syslog = Some(opened),
            Order::Journal => self.journal = Some(opened),
            Order::File { .. } | Order::Close { .. } | Order::Begin { .. } | Order::End { .. } => {}
        }
    }

    /// Whether anything but sentences is written.
    pub(super) fn want_facts(&self) -> bool {
        self.format == LogFormat::Json || self.transfers.is_some() || self.has_sockets()
    }

    /// Writes lines to the standard error of the program as well.
    ///
    /// # Errors
    /// What dup(2) says.
    pub fn with_standard_error(mut self) -> std::io::Result<Sinks> {
        let copy = std::io::stderr().as_fd().try_clone_to_owned()?;
        self.main = Some(File::from(copy));
        Ok(self)
    }

    /// Whether there is nothing to write to.
    pub fn are_none(&self) -> bool {
        self.main.is_none() && self.transfers.is_none() && !self.has_sockets()
    }

    fn has_sockets(&self) -> bool {
        self.syslog.is_some() || self.journal.is_some()
    }
}

impl Places {
    /// Those of a daemon: its own file, and what its settings name beside that; `syslog` is whether that hears of it.
    pub fn of(main: Option<&Path>, outputs: &Outputs, syslog: bool) -> Places {
        Places {
            main: main.map(Path::to_owned),
            transfers: outputs.transfers.clone(),
            syslog: syslog.then(|| outputs.syslog_socket.clone()),
            journal: outputs.journal.then(|| outputs.journal_socket.clone()),
        }
    }

    /// Opens again what may have another file behind its name.
    pub(super) fn reopen(&self) -> impl Iterator<Item = (Order, Result<OwnedFd, String>)> + '_ {
        let main = self.main.as_deref().and_then(standard);
        // Those stay what they were, and this process has others by now.
        self.open()
            .filter(move |(order, _)| *order != Order::Main || main.is_none())
    }

    /// Opens all that is named, each with what the logger takes it for.
    fn open(&self) -> impl Iterator<Item = (Order, Result<OwnedFd, String>)> + '_ {
        let named =
            |path: &Option<PathBuf>, order: Order, open: fn(&Path) -> Result<OwnedFd, String>| {
                path.as_deref().map(|path| {
                    let opened = open(path);
                    (
                        order,
                        opened.map_err(|why| format!("log {}: {why}", path.display())),
                    )
                })
            };
        let main = self.main.clone().filter(|path| !is_syslog(path));
        [
            named(&main, Order::Main, file),
            named(&self.transfers, Order::Transfers, file),
            named(&self.syslog, Order::Syslog, |path| {
                socket(path, "a syslog daemon")
            }),
            named(&self.journal, Order::Journal, |path| {
                socket(path, "systemd's journal")
            }),
        ]
        .into_iter()
        .flatten()
    }
}

/// What a program was started with.
#[derive(Clone, Copy)]
enum Standard {
    Output,
    Error,
}

fn standard(path: &Path) -> Option<Standard> {
    match path.to_str() {
        Some(STDOUT) => Some(Standard::Output),
        Some(STDERR) => Some(Standard::Error),
        _ => None,
    }
}

/// Whether this is no file but what the program was started with.
pub fn is_standard(path: &Path) -> bool {
    standard(path).is_some()
}

/// Whether this is no file but syslog.
pub fn is_syslog(path: &Path) -> bool {
    path == Path::new(SYSLOG)
}

/// Opens a file to append to, which is created for its owner alone.
///
/// SECURITY: in a directory that others can write, somebody else may have put a link, a pipe or a file of their own there.
pub(super) fn file(path: &Path) -> Result<OwnedFd, String> {
    if let Some(descriptor) = standard(path) {
        let copy = match descriptor {
            Standard::Output => std::io::stdout().as_fd().try_clone_to_owned(),
            Standard::Error => std::io::stderr().as_fd().try_clone_to_owned(),
        };
        return copy.map_err(|error| error.to_string());
    }
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    options
        .append(true)
        .create(true)
        .mode(0o600)
        // Nobody reads from a pipe that was put there, and nobody is to wait for that.
        .custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK);
    #[expect(
        clippy::disallowed_methods,
        reason = "the log file is configuration, not a user's file"
    )]
    let file = options
        .open(path)
        .map_err(|error| match error.raw_os_error() {
            Some(nix::libc::ELOOP) => LINK.to_owned(),
            _ => error.to_string(),
        })?;
    let about = file.metadata().map_err(|error| error.to_string())?;
    judge(&about)?;
    Ok(file.into())
}

const LINK: &str =
    "it is a symbolic link, which whoever can write there may have put there: name the file itself";

/// Says why the log could not go to a file that is there, and opens nothing.
///
/// # Errors
/// The sentence.
pub fn look(path: &Path) -> Result<(), String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the log file is configuration, not a user's file"
    )]
    match std::fs::symlink_metadata(path) {
        Ok(about) if about.is_symlink() => Err(LINK.to_owned()),
        Ok(about) => judge(&about),
        // What else keeps it from being opened, access(2) tells.
        Err(_) => Ok(()),
    }
}

fn judge(about: &std::fs::Metadata) -> Result<(), String> {
    let kind = about.file_type();
    if !kind.is_file() && !kind.is_char_device() && !kind.is_fifo() {
        return Err("it is neither a file nor a device".to_owned());
    }
    let own = nix::unistd::geteuid().as_raw();
    if kind.is_file() && about.uid() != own && about.uid() != 0 {
        return Err(format!(
            "it belongs to user {}, who could change what it says: remove it, or chown it",
            about.uid()
        ));
    }
    Ok(())
}

/// Connects to who listens there, without ever waiting for them.
fn socket(path: &Path, who: &str) -> Result<OwnedFd, String> {
    let socket = UnixDatagram::unbound().map_err(|error| error.to_string())?;
    socket
        .connect(path)
        .map_err(|error| format!("{error}; does {who} run?"))?;
    socket
        .set_nonblocking(true)
        .map_err(|error| error.to_string())?;
    Ok(socket.into())
}
