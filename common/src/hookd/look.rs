//! Looks at what hooks name: programs that somebody else could change, that nobody may run, or that are not there. Lists the
//! hooks. Runs nothing.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::{FileStat, Mode, SFlag, stat};
use nix::unistd::{Uid, User, read};

use crate::auth::{Identity, Wanted};
use crate::cli::finding::Finding::{self, Error, Note, Warning};
use crate::hooks::{Action, Exec, Hook, RunAs, Webhook};
use crate::sandbox::is_root;

/// So much of a script is read to find its interpreter, which is as much as the kernel reads.
const HEAD: usize = 256;

const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// Looks at every hook, each with its place. `hook_user` is whom programs run as where nothing else is said, `results` the file that
/// tells of them.
pub fn look(
    hooks: Vec<(String, &Hook)>,
    hook_user: u32,
    results: Option<&Path>,
    found: &mut Vec<Finding>,
) {
    for (place, hook) in hooks {
        found.push(Note(format!("hook {place}: {hook}")));
        let mut problems = Vec::new();
        match &hook.action {
            Action::Exec(exec) => program(exec, hook_user, &mut problems),
            other => sink(other, &mut problems),
        }
        found.extend(problems.into_iter().map(|problem| match problem {
            Error(text) => Error(format!("{place}: {text}")),
            Warning(text) => Warning(format!("{place}: {text}")),
            Note(text) => Note(format!("{place}: {text}")),
        }));
    }
    if let Some(path) = results {
        directories(path, &[], found);
    }
}

/// Looks at a program and at whoever could put another one in its place.
fn program(exec: &Exec, hook_user: u32, found: &mut Vec<Finding>) {
    let path = exec.program.as_path();
    let owners = match runner(exec, hook_user) {
        Ok(owners) => owners,
        Err(why) => return found.push(Error(why)),
    };
    if exec.run_as == RunAs::Root && !is_root() {
        found.push(Warning(
            "only a server that root starts has programs run as root: this one runs them as itself"
                .to_owned(),
        ));
    }
    match stat(path) {
        Err(errno) => found.push(Error(format!(
            "{}: {}: write the path of a program that is there",
            path.display(),
            errno.desc()
        ))),
        Ok(status) if !is(&status, SFlag::S_IFREG) => {
            found.push(Error(format!("{} is no regular file", path.display())));
        }
        Ok(status) => {
            executable(path, &status, &owners, found);
            owned(path, &status, &owners, found);
            interpreter(path, found);
        }
    }
    directories(path, &owners, found);
    if let Some(directory) = &exec.directory
        && !stat(directory).is_ok_and(|status| is(&status, SFlag::S_IFDIR))
    {
        found.push(Error(format!(
            "the working directory {} is not there",
            directory.display()
        )));
    }
    if let Some(directory) = &exec.quarantine {
        quarantine(directory, found);
    }
}

/// The uids that a program may belong to: root's, and that of whoever runs it, who gains nothing by changing it.
fn runner(exec: &Exec, hook_user: u32) -> Result<Vec<u32>, String> {
    let own = Uid::effective().as_raw();
    if own != 0 {
        return Ok(vec![0, own]);
    }
    match &exec.run_as {
        RunAs::Root | RunAs::User => Ok(vec![0]),
        RunAs::Hook => Ok(vec![0, hook_user]),
        RunAs::Named { user, group } => {
            let wanted = Wanted {
                real_user: user,
                group: group.as_deref(),
                root_named: false,
            };
            match Identity::of(wanted) {
                Ok(identity) => Ok(vec![0, identity.uid]),
                Err(error) => Err(format!(
                    "run-as: {user}: {error}: name a user of this system, \"hook\", \"user\" or \"root\""
                )),
            }
        }
    }
}

fn executable(path: &Path, status: &FileStat, owners: &[u32], found: &mut Vec<Finding>) {
    let path = path.display();
    if status.st_mode & 0o111 == 0 {
        found.push(Error(format!("{path} is not executable: chmod a+x {path}")));
    } else if status.st_mode & 0o001 == 0 && owners.last() != Some(&status.st_uid) {
        found.push(Warning(format!(
            "not everybody may run {path}: chmod a+x {path}, unless its user's groups may"
        )));
    }
}

/// SECURITY: whoever can write a program decides what it does as somebody else.
fn owned(path: &Path, status: &FileStat, owners: &[u32], found: &mut Vec<Finding>) {
    let path = path.display();
    if !owners.contains(&status.st_uid) {
        let name = name(status.st_uid);
        found.push(Error(format!(
            "{path} belongs to {name}, who can change what it does: chown root {path}"
        )));
    }
    if status.st_mode & OTHERS_WRITE != 0 {
        found.push(Error(format!(
            "everybody may write {path}: chmod o-w {path}"
        )));
    }
    if status.st_mode & GROUP_WRITES != 0 && status.st_gid != 0 {
        found.push(Error(format!(
            "group {} may write {path}: chmod g-w {path}",
            status.st_gid
        )));
    }
}

/// Looks at all directories on the way: who may rename entries there puts another file in its place.
fn directories(path: &Path, owners: &[u32], found: &mut Vec<Finding>) {
    for directory in path.ancestors().skip(1) {
        let Ok(status) = stat(directory) else {
            continue;
        };
        let shown = directory.display();
        if status.st_uid != 0 && !owners.contains(&status.st_uid) {
            let name = name(status.st_uid);
            found.push(Error(format!(
                "{} is in {shown}, which belongs to {name}: chown root {shown}",
                path.display()
            )));
        }
        if status.st_mode & STICKY != 0 {
            continue;
        }
        if status.st_mode & OTHERS_WRITE != 0 {
            found.push(Error(format!(
                "{} is in {shown}, where everybody may write: chmod o-w {shown}",
                path.display()
            )));
        }
        if status.st_mode & GROUP_WRITES != 0 && status.st_gid != 0 {
            found.push(Warning(format!(
                "{} is in {shown}, where group {} may write: chmod g-w {shown}",
                path.display(),
                status.st_gid
            )));
        }
    }
}

fn interpreter(path: &Path, found: &mut Vec<Finding>) {
    let mut head = [0; HEAD];
    let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let count = open(path, flags, Mode::empty()).and_then(|file| read(&file, &mut head));
    let head = match count {
        Ok(count) => head.get(..count).unwrap_or_default(),
        Err(Errno::EACCES) => return,
        Err(errno) => {
            return found.push(Warning(format!(
                "{} cannot be read: {}",
                path.display(),
                errno.desc()
            )));
        }
    };
    let Some(line) = head.strip_prefix(b"#!") else {
        if !head.starts_with(b"\x7fELF") {
            found.push(Error(format!(
                "{} is no program: a script begins with a line such as #!/bin/sh",
                path.display()
            )));
        }
        return;
    };
    let line = line
        .split(|&octet| octet == b'\n')
        .next()
        .unwrap_or_default();
    // The kernel takes CR for a part of the name.
    let words = line.split(|octet| matches!(octet, b' ' | b'\t'));
    let word = words.into_iter().find(|word| !word.is_empty());
    let program = Path::new(std::ffi::OsStr::from_bytes(word.unwrap_or_default()));
    let runs = stat(program)
        .is_ok_and(|status| is(&status, SFlag::S_IFREG) && status.st_mode & 0o111 != 0);
    if !runs {
        let ends = if line.ends_with(b"\r") {
            " (its lines end with CR LF)"
        } else {
            ""
        };
        found.push(Error(format!(
            "{}: there is no interpreter {}{ends}: correct its first line, or install it",
            path.display(),
            program.display().to_string().trim_end()
        )));
    }
}

/// What is in it may be dangerous, so nobody but root has anything to do there.
fn quarantine(directory: &Path, found: &mut Vec<Finding>) {
    let shown = directory.display();
    match stat(directory) {
        Ok(status) if !is(&status, SFlag::S_IFDIR) => {
            found.push(Error(format!("quarantine: {shown} is no directory")));
        }
        Ok(status) if status.st_mode & 0o022 != 0 => {
            found.push(Error(format!(
                "quarantine: others may write to {shown}: chmod 700 {shown}"
            )));
        }
        Ok(_) => {}
        Err(errno) => found.push(Error(format!(
            "quarantine: {shown}: {}: mkdir -m 700 {shown}",
            errno.desc()
        ))),
    }
}

/// Looks at where events go.
fn sink(action: &Action, found: &mut Vec<Finding>) {
    let must_be = |path: &Path, kind: SFlag, what: &str| match stat(path) {
        Ok(status) if is(&status, kind) => None,
        Ok(_) => Some(Error(format!("{} is no {what}", path.display()))),
        Err(errno) => Some(Warning(format!(
            "{}: {}: events are dropped until it is there",
            path.display(),
            errno.desc()
        ))),
    };
    match action {
        Action::Fifo(path) => {
            found.extend(must_be(path, SFlag::S_IFIFO, "FIFO: make one with mkfifo"))
        }
        Action::UnixDatagram(path) | Action::UnixStream(path) => {
            found.extend(must_be(path, SFlag::S_IFSOCK, "socket"));
        }
        Action::File(path) => directories(path, &[Uid::effective().as_raw()], found),
        Action::Webhook(webhook) => webhook_files(webhook, found),
        Action::Exec(_) | Action::Journald => {}
    }
}

fn webhook_files(webhook: &Webhook, found: &mut Vec<Finding>) {
    if let Some(path) = &webhook.ca_file
        && let Err(errno) = stat(path)
    {
        found.push(Error(format!("{}: {}", path.display(), errno.desc())));
    }
    let Some(path) = &webhook.secret_file else {
        return;
    };
    let shown = path.display();
    match stat(path) {
        Err(errno) => found.push(Error(format!(
            "{shown}: {}: make a key by (umask 077; openssl rand -hex 32 > {shown})",
            errno.desc()
        ))),
        Ok(status) if status.st_mode & 0o077 != 0 => found.push(Error(format!(
            "others may read the key in {shown}: chmod 600 {shown}"
        ))),
        // A line's end is none of it.
        Ok(status) if !(16..=4097).contains(&status.st_size) => {
            found.push(Error(format!("{shown}: a key has 16 to 4096 octets")));
        }
        Ok(_) => {}
    }
}

fn is(status: &FileStat, kind: SFlag) -> bool {
    SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT == kind
}

fn name(uid: u32) -> String {
    let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    user.map_or_else(|| format!("uid {uid}"), |user| user.name)
}
