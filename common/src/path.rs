//! Paths as a client sees them: absolute, normalised, bytes. Pure: no I/O.
//!
//! A [`VirtualPath`] cannot name anything outside of the jail by its text; links are the jail's business.

use std::fmt;

/// The longest path that is accepted, in octets (Linux `PATH_MAX` less the NUL).
pub const LONGEST_PATH: usize = 4095;
/// The longest single name, in octets (Linux `NAME_MAX`).
pub const LONGEST_NAME: usize = 255;

/// An absolute path below the session's root: starts with `/`, has no `.`, `..`, empty component or NUL.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VirtualPath(Vec<u8>);

/// Why some bytes are not a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathError {
    /// It holds a NUL octet.
    Nul,
    /// The whole or a component is longer than the system allows.
    TooLong,
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PathError::Nul => "path holds a NUL",
            PathError::TooLong => "path too long",
        })
    }
}

impl std::error::Error for PathError {}

impl VirtualPath {
    /// The root of the session, `/`.
    pub fn root() -> Self {
        VirtualPath(b"/".to_vec())
    }

    /// Parses an absolute path; a relative one is taken from the root.
    pub fn new(bytes: &[u8]) -> Result<Self, PathError> {
        VirtualPath::root().join(bytes)
    }

    /// Resolves `argument` against this directory. `..` ends at the root and `~` means nothing special.
    pub fn join(&self, argument: &[u8]) -> Result<Self, PathError> {
        if argument.contains(&0) {
            return Err(PathError::Nul);
        }
        if argument.len() > LONGEST_PATH {
            return Err(PathError::TooLong);
        }
        let mut joined = if argument.first() == Some(&b'/') {
            Vec::new()
        } else {
            self.0.clone()
        };
        if joined == b"/" {
            joined.clear();
        }
        for component in argument.split(|&b| b == b'/') {
            match component {
                b"" | b"." => {}
                b".." => {
                    let parent = joined.iter().rposition(|&b| b == b'/').unwrap_or(0);
                    joined.truncate(parent);
                }
                name if name.len() > LONGEST_NAME => return Err(PathError::TooLong),
                name => {
                    joined.push(b'/');
                    joined.extend_from_slice(name);
                }
            }
        }
        if joined.is_empty() {
            joined.push(b'/');
        }
        if joined.len() > LONGEST_PATH {
            return Err(PathError::TooLong);
        }
        Ok(VirtualPath(joined))
    }

    /// The path as octets, with the leading slash.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The path without its leading slash: what is looked up below the root descriptor. The root itself is `.`.
    pub fn relative(&self) -> &[u8] {
        if self.is_root() { b"." } else { &self.0[1..] }
    }

    pub fn is_root(&self) -> bool {
        self.0 == b"/"
    }

    /// The directory that holds this path; the root is its own parent.
    pub fn parent(&self) -> Self {
        match self.0.iter().rposition(|&b| b == b'/') {
            Some(0) | None => VirtualPath::root(),
            Some(slash) => VirtualPath(self.0[..slash].to_vec()),
        }
    }

    /// The last component, or `None` for the root.
    pub fn name(&self) -> Option<&[u8]> {
        let slash = self.0.iter().rposition(|&b| b == b'/')?;
        Some(&self.0[slash + 1..]).filter(|name| !name.is_empty())
    }
}

impl fmt::Display for VirtualPath {
    /// Shows the path for a log: anything but printable ASCII is escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

/// Quotes a path as the 257 reply wants it: in double quotes, inner quotes doubled (RFC 959 appendix II).
pub fn quote(path: &[u8]) -> Vec<u8> {
    let mut quoted = Vec::with_capacity(path.len() + 2);
    quoted.push(b'"');
    for &byte in path {
        if byte == b'"' {
            quoted.push(b'"');
        }
        quoted.push(byte);
    }
    quoted.push(b'"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn join(base: &str, argument: &str) -> String {
        let base = VirtualPath::new(base.as_bytes()).unwrap();
        String::from_utf8(base.join(argument.as_bytes()).unwrap().0).unwrap()
    }

    #[test]
    fn dot_dot_ends_at_the_root() {
        assert_eq!(join("/a/b", "../../../../etc/passwd"), "/etc/passwd");
        assert_eq!(join("/", ".."), "/");
        assert_eq!(join("/a", "/../x//./y/"), "/x/y");
    }

    #[test]
    fn names_that_only_look_special_are_names() {
        assert_eq!(join("/", "..."), "/...");
        assert_eq!(join("/", "~root"), "/~root");
        assert_eq!(join("/a", "-"), "/a/-");
        assert_eq!(join("/a", "..\\b"), "/a/..\\b");
    }

    #[test]
    fn nul_and_length_are_refused() {
        let root = VirtualPath::root();
        assert_eq!(root.join(b"a\0b"), Err(PathError::Nul));
        assert_eq!(root.join(&[b'a'; 256]), Err(PathError::TooLong));
        assert!(root.join(&[b'a'; 255]).is_ok());
        assert_eq!(root.join(&b"a/".repeat(2100)), Err(PathError::TooLong));
    }

    #[test]
    fn parent_and_name_split_the_path() {
        let path = VirtualPath::new(b"/a/b").unwrap();
        assert_eq!(path.parent().as_bytes(), b"/a");
        assert_eq!(path.name(), Some(&b"b"[..]));
        assert_eq!(VirtualPath::root().name(), None);
        assert_eq!(VirtualPath::root().relative(), b".");
    }

    #[test]
    fn quotes_are_doubled() {
        assert_eq!(quote(b"/a\"b"), b"\"/a\"\"b\"");
    }

    proptest! {
        #[test]
        fn any_argument_stays_below_the_root(base in proptest::collection::vec(any::<u8>(), 0..64),
                                             argument in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(base) = VirtualPath::new(&base) && let Ok(path) = base.join(&argument) {
                prop_assert!(path.0.starts_with(b"/"));
                prop_assert!(!path.0.contains(&0));
                for component in path.relative().split(|&b| b == b'/') {
                    prop_assert!(component != b".." && !component.is_empty());
                    prop_assert!(path.is_root() || component != b".");
                }
                prop_assert_eq!(VirtualPath::new(path.as_bytes()).unwrap(), path);
            }
        }
    }
}
