//! The lists beside the users: valid shells, and users who may not use FTP.

use std::io;
use std::path::Path;

use super::{LONGEST_LINE, Lines, SystemError, open};

/// Whether people log in with this shell. Without a list those two are valid that getusershell(3) names; none is the first
/// of them, as in passwd(5).
pub(super) fn is_shell(list: &Path, shell: &[u8]) -> Result<bool, SystemError> {
    let shell = if shell.is_empty() { b"/bin/sh" } else { shell };
    let listed = holds(list, |line| shell.starts_with(b"/") && line == shell)?;
    Ok(listed.unwrap_or([&b"/bin/sh"[..], b"/bin/csh"].contains(&shell)))
}

/// Whether the list names a user. Without a list it does not.
pub(super) fn names(list: &Path, user: &[u8]) -> Result<bool, SystemError> {
    let first = |line: &[u8]| {
        let mut words = line.split(u8::is_ascii_whitespace);
        words.next().is_some_and(|word| word == user)
    };
    Ok(holds(list, first)?.unwrap_or(false))
}

/// Whether any line fits, without comments and the blanks around it; `None` if there is no such file.
fn holds(list: &Path, fits: impl Fn(&[u8]) -> bool) -> Result<Option<bool>, SystemError> {
    let file = match open(list) {
        Err(SystemError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return Ok(None);
        }
        opened => opened?,
    };
    let mut lines = Lines::new(file, LONGEST_LINE);
    while let Some(line) = lines.next().map_err(|error| super::io(list, error))? {
        let text = line.octets.split(|&b| b == b'#').next().unwrap_or(b"");
        if fits(text.trim_ascii()) {
            return Ok(Some(true));
        }
    }
    Ok(Some(false))
}
