//! Walks a tree: what is in it, in the order of the octets of the paths, as `find | LC_ALL=C sort` has it. Follows no link.

use std::ffi::OsString;
use std::fs::FileType;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// What an entry is. Directories are only where the others lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Link,
    /// A device, a socket, a named pipe.
    Special,
}

/// What the walk came across.
#[derive(Debug)]
pub(crate) enum Step {
    Found(PathBuf, Kind),
    /// A directory that cannot be read.
    Closed(PathBuf, io::Error),
}

/// A walk under way. Holds the names of the directories that it is in.
pub(crate) struct Walk {
    /// Of each directory on the way, what is still to come, last first.
    levels: Vec<Vec<Name>>,
    /// The directory itself is looked at when its turn comes.
    root: Option<PathBuf>,
    at: PathBuf,
}

struct Name {
    name: OsString,
    /// `None` of a directory.
    kind: Option<Kind>,
}

impl Walk {
    /// Begins at a directory, or at a link to one.
    pub(crate) fn new(root: &Path) -> Walk {
        Walk {
            levels: Vec::new(),
            root: Some(root.to_owned()),
            at: root.to_owned(),
        }
    }

    /// Goes into the directory where the walk is.
    fn enter(&mut self) -> Option<Step> {
        match entries(&self.at) {
            Ok(names) => {
                self.levels.push(names);
                None
            }
            Err(error) => {
                let closed = Step::Closed(self.at.clone(), error);
                self.at.pop();
                Some(closed)
            }
        }
    }
}

impl Iterator for Walk {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        if let Some(root) = self.root.take() {
            match entries(&root) {
                Ok(names) => self.levels.push(names),
                Err(error) => return Some(Step::Closed(root, error)),
            }
        }
        loop {
            let Some(name) = self.levels.last_mut()?.pop() else {
                self.levels.pop();
                // Of the root, nothing is left to be asked for.
                self.at.pop();
                continue;
            };
            match name.kind {
                Some(kind) => return Some(Step::Found(self.at.join(name.name), kind)),
                None => {
                    self.at.push(name.name);
                    if let Some(closed) = self.enter() {
                        return Some(closed);
                    }
                }
            }
        }
    }
}

/// The entries of a directory, last first.
#[expect(
    clippy::disallowed_methods,
    reason = "a directory that the caller named, read with the caller's rights"
)]
fn entries(directory: &Path) -> io::Result<Vec<Name>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        names.push(Name {
            name: entry.file_name(),
            kind: kind(entry.file_type()?),
        });
    }
    names.sort_by_cached_key(|name| {
        let mut key = name.name.clone().into_vec();
        if name.kind.is_none() {
            key.push(b'/');
        }
        std::cmp::Reverse(key)
    });
    Ok(names)
}

fn kind(found: FileType) -> Option<Kind> {
    if found.is_dir() {
        None
    } else if found.is_symlink() {
        Some(Kind::Link)
    } else if found.is_file() {
        Some(Kind::File)
    } else {
        Some(Kind::Special)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a tree to walk through")]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn paths_come_in_the_order_of_their_octets() {
        let root = tempfile::tempdir().unwrap();
        for directory in ["a", "a-b", "empty", "z/deep/er"] {
            fs::create_dir_all(root.path().join(directory)).unwrap();
        }
        for file in [
            "a/x",
            "a.txt",
            "a-b/y",
            "z/deep/er/1",
            "z/deep/2",
            "z/3",
            "b",
        ] {
            fs::write(root.path().join(file), "").unwrap();
        }
        std::os::unix::fs::symlink("a", root.path().join("link")).unwrap();
        let found: Vec<_> = Walk::new(root.path())
            .map(|step| match step {
                Step::Found(path, kind) => {
                    let path = path.strip_prefix(root.path()).unwrap();
                    (path.to_str().unwrap().to_owned(), kind)
                }
                Step::Closed(path, error) => panic!("{path:?}: {error}"),
            })
            .collect();
        let paths: Vec<_> = found.iter().map(|(path, _)| path.as_str()).collect();
        let mut sorted = paths.clone();
        sorted.sort_unstable();
        assert_eq!(paths, sorted);
        assert_eq!(found.len(), 8);
        assert!(found.contains(&("link".to_owned(), Kind::Link)));
    }

    #[test]
    fn what_is_no_directory_is_told() {
        let steps: Vec<_> = Walk::new(Path::new("/dev/null")).collect();
        assert!(matches!(&steps[..], [Step::Closed(path, _)] if path == Path::new("/dev/null")));
    }
}
