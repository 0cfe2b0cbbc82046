//! Two walks as one: each path of either tree once, with what is there on both sides.

use std::cmp::Ordering;
use std::io;
use std::iter::Peekable;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::tree::{Kind, Step, Walk};

/// What is at one path, which is below both roots.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) path: Vec<u8>,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    OnlyInA,
    OnlyInB,
    Both(Kind, Kind),
    /// A directory on one side that cannot be read.
    Closed(PathBuf, io::Error),
}

/// A walk through both trees.
pub(super) struct Pairs {
    roots: [PathBuf; 2],
    walks: [Peekable<Walk>; 2],
    /// Directories that one side did not show: of what the other side has there, nothing can be said.
    closed: Vec<Vec<u8>>,
}

impl Pairs {
    pub(super) fn new(a: &Path, b: &Path) -> Pairs {
        Pairs {
            roots: [a, b].map(Path::to_owned),
            walks: [a, b].map(|root| Walk::new(root).peekable()),
            closed: Vec::new(),
        }
    }

    fn path(&mut self, side: usize) -> Option<Vec<u8>> {
        let (Step::Found(path, _) | Step::Closed(path, _)) = self.walks[side].peek()?;
        let path = path.strip_prefix(&self.roots[side]).unwrap_or(path);
        Some(path.as_os_str().as_bytes().to_vec())
    }

    fn is_closed(&self, path: &[u8]) -> bool {
        self.closed.iter().any(|closed| {
            let below = path.strip_prefix(&closed[..]);
            closed.is_empty() || below.is_some_and(|below| below.starts_with(b"/"))
        })
    }
}

impl Iterator for Pairs {
    type Item = Pair;

    fn next(&mut self) -> Option<Pair> {
        loop {
            let (a, b) = (self.path(0), self.path(1));
            let order = match (&a, &b) {
                (Some(a), Some(b)) => a.cmp(b),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => return None,
            };
            let side = usize::from(order == Ordering::Greater);
            let path = if side == 0 { a } else { b }?;
            let kind = match self.walks[side].next()? {
                Step::Closed(at, error) => {
                    self.closed.push(path.clone());
                    let what = What::Closed(at, error);
                    return Some(Pair { path, what });
                }
                Step::Found(_, kind) => kind,
            };
            let what = match order {
                Ordering::Less | Ordering::Greater if self.is_closed(&path) => continue,
                Ordering::Less => What::OnlyInA,
                Ordering::Greater => What::OnlyInB,
                Ordering::Equal => match self.walks[1].next()? {
                    Step::Found(_, other) => What::Both(kind, other),
                    Step::Closed(at, error) => What::Closed(at, error),
                },
            };
            return Some(Pair { path, what });
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "trees to walk through")]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn every_path_comes_once_and_with_its_sides() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (root, files) in [(&a, ["d/x", "d-e", "z"]), (&b, ["d", "d-e", "y"])] {
            for file in files {
                let path = root.path().join(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, "").unwrap();
            }
        }
        let pairs: Vec<_> = Pairs::new(a.path(), b.path())
            .map(|pair| {
                let sides = match pair.what {
                    What::OnlyInA => "a",
                    What::OnlyInB => "b",
                    What::Both(..) => "both",
                    What::Closed(..) => "closed",
                };
                (String::from_utf8(pair.path).unwrap(), sides)
            })
            .collect();
        let expected = [
            ("d", "b"),
            ("d-e", "both"),
            ("d/x", "a"),
            ("y", "b"),
            ("z", "a"),
        ];
        assert!(
            pairs
                .iter()
                .map(|(path, sides)| (path.as_str(), *sides))
                .eq(expected),
            "{pairs:?}"
        );
    }
}
