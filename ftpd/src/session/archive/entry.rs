//! Where an entry of an archive may go: down from where it is unpacked. Pure: no I/O.

use common::path::VirtualPath;

pub(super) const NO_NAME: &str = "it has no name";

/// The path of an entry below the directory that the archive is unpacked into, as if that were the root.
pub(super) fn path(name: &[u8]) -> Result<VirtualPath, &'static str> {
    if name.starts_with(b"/") {
        return Err("its path is absolute");
    }
    if name.split(|&octet| octet == b'/').any(|part| part == b"..") {
        return Err("its path leads up");
    }
    VirtualPath::new(name).map_err(|error| match error {
        common::path::PathError::Nul => "its path holds a NUL",
        common::path::PathError::TooLong => "its path is too long",
    })
}

/// The directories that lead to a path, the first one first.
pub(super) fn above(path: &VirtualPath) -> Vec<VirtualPath> {
    let mut above = Vec::new();
    let mut next = path.parent();
    while !next.is_root() {
        let parent = next.parent();
        above.push(std::mem::replace(&mut next, parent));
    }
    above.reverse();
    above
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_down_or_nowhere() {
        let of = |name: &str| path(name.as_bytes()).map(|path| path.to_string());
        assert_eq!(of("a/./b//c/"), Ok("/a/b/c".into()));
        assert_eq!(of("./"), Ok("/".into()));
        assert_eq!(of("a..b/...").as_deref(), Ok("/a..b/..."));
        for name in [
            "/etc/passwd",
            "//x",
            "..",
            "a/..",
            "a/../b",
            "../x",
            "./../x",
        ] {
            assert!(of(name).is_err(), "{name}");
        }
        assert!(of(&"n".repeat(256)).is_err());
        assert!(of(&"n/".repeat(2100)).is_err());
    }

    #[test]
    fn directories_lead_to_what_is_in_them() {
        let path = |text: &str| VirtualPath::new(text.as_bytes()).unwrap();
        assert_eq!(above(&path("/a/b/c")), [path("/a"), path("/a/b")]);
        assert_eq!(above(&path("/a")), []);
    }
}
