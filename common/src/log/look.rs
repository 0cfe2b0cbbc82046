//! Whether the places of a log can be written to, for `--check`: nothing is made or changed.

use std::path::Path;

use nix::errno::Errno;
use nix::unistd::{AccessFlags, access};

use super::{is_standard, is_syslog, look};
use crate::settings::Outputs;

/// What is wrong with a file that entries are to be appended to; `key` is the setting that names it.
pub fn look_at_file(key: &str, path: &Path) -> Option<String> {
    if is_standard(path) || is_syslog(path) {
        return None;
    }
    let parent = path.parent().unwrap_or(Path::new("/"));
    let asked = match access(path, AccessFlags::W_OK) {
        Err(Errno::ENOENT) => access(parent, AccessFlags::W_OK | AccessFlags::X_OK),
        asked => asked,
    };
    match (asked, look(path)) {
        (_, Err(why)) => Some(format!("{key}: {}: {why}", path.display())),
        (Err(errno), Ok(())) => Some(unreachable(key, path, errno, "")),
        (Ok(()), Ok(())) => None,
    }
}

/// What is wrong with a directory that log files are to be made in.
pub fn look_at_directory(key: &str, path: &Path) -> Option<String> {
    let asked = access(path, AccessFlags::W_OK | AccessFlags::X_OK);
    asked.err().map(|errno| unreachable(key, path, errno, ""))
}

/// What is wrong with the places beside the daemon's own file; `syslog` is whether that hears of it.
pub fn look_at_outputs(outputs: &Outputs, syslog: bool) -> Vec<String> {
    let transfers = outputs.transfers.as_deref();
    let mut wrong = Vec::new();
    wrong.extend(transfers.and_then(|path| look_at_file("TransferLog", path)));
    let sockets = [
        (
            "SyslogSocket",
            syslog,
            &outputs.syslog_socket,
            "a syslog daemon",
        ),
        (
            "JournalSocket",
            outputs.journal,
            &outputs.journal_socket,
            "systemd's journal",
        ),
    ];
    for (key, wanted, path, who) in sockets {
        if wanted && let Err(errno) = access(path.as_path(), AccessFlags::W_OK) {
            let remark = format!("; does {who} run?");
            wrong.push(unreachable(key, path, errno, &remark));
        }
    }
    wrong
}

fn unreachable(key: &str, path: &Path, errno: Errno, remark: &str) -> String {
    format!("{key}: {}: {}{remark}", path.display(), errno.desc())
}
