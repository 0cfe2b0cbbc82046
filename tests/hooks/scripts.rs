//! Scripts for hooks, and what they leave behind.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tests::{Setup, scratch, wait};

/// A script beside the server's files, and the file that it is to write.
pub(crate) struct Script {
    pub(crate) path: PathBuf,
    out: PathBuf,
}

impl Script {
    /// Writes a script of bash. In it `$out` is a directory that everybody may write to.
    pub(crate) fn new(setup: &Setup, name: &str, body: &str) -> Script {
        Script::within(setup.scratch(), name, body)
    }

    /// The same in another directory.
    pub(crate) fn within(place: &Path, name: &str, body: &str) -> Script {
        let out = place.join("out");
        fs::create_dir_all(&out).unwrap();
        fs::set_permissions(place, fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(&out, fs::Permissions::from_mode(0o1777)).unwrap();
        let path = place.join(name);
        let text = format!("#!/bin/bash\nout='{}'\n{body}\n", out.display());
        scratch::script(&path, &text);
        Script { path, out }
    }

    /// The setting that makes it a hook.
    pub(crate) fn setting(&self, key: &str) -> String {
        format!("{key}={}", self.path.display())
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.out.join(name)
    }

    /// Waits until the script has written a whole file, which it must have renamed into place.
    pub(crate) fn wait_for(&self, name: &str) -> Vec<u8> {
        let file = self.file(name);
        wait::until(&format!("{}", file.display()), || file.exists());
        fs::read(file).unwrap()
    }
}

/// A body that writes its arguments, each ended by NUL, to a file of this name.
pub(crate) fn arguments_to(name: &str) -> String {
    format!("printf '%s\\0' \"$@\" > $out/{name}.new; mv $out/{name}.new $out/{name}")
}
