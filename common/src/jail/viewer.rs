//! What the user may do with a file, as far as its mode tells: for the perm fact. Advice for clients only; the
//! kernel decides.

use crate::proto::facts::{Kind, Perm, Stat};
use crate::proto::verbs::{Verb, VerbSet};

/// The user for whom listings are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Viewer {
    pub uid: u32,
    /// The group ids, the user's own first.
    pub groups: Vec<u32>,
    pub allowed: Allowed,
}

/// What the permitted commands let a session do, whatever the files' modes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowed {
    append: bool,
    delete: bool,
    enter: bool,
    list: bool,
    make_dir: bool,
    remove_dir: bool,
    rename: bool,
    retrieve: bool,
    store: bool,
}

impl Allowed {
    /// What can be done by these commands.
    pub fn by(permitted: VerbSet) -> Allowed {
        let any = |verbs: &[&str]| {
            let mut verbs = verbs.iter().filter_map(|verb| Verb::find(verb));
            verbs.any(|verb| permitted.contains(verb))
        };
        Allowed {
            append: any(&["APPE"]),
            delete: any(&["DELE"]),
            enter: any(&["CWD"]),
            list: any(&["LIST", "NLST", "MLSD"]),
            make_dir: any(&["MKD"]),
            remove_dir: any(&["RMD"]),
            rename: any(&["RNFR"]) && any(&["RNTO"]),
            retrieve: any(&["RETR"]),
            store: any(&["STOR"]),
        }
    }
}

/// What the viewer may do with the entries of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    /// Nothing may be added or taken away, or it is not known.
    Fixed,
    /// Entries may be added and taken away.
    Changeable,
    /// A sticky directory of somebody else: only the viewer's own entries may be taken away.
    OwnEntries,
}

const STICKY: u32 = 0o1000;
const READ: u32 = 4;
const WRITE: u32 = 2;
const EXECUTE: u32 = 1;

impl Viewer {
    /// Says what may be done with the entries of the directory `stat`.
    pub(crate) fn holder(&self, stat: &Stat) -> Holder {
        if !self.has(stat, WRITE | EXECUTE) {
            Holder::Fixed
        } else if stat.mode & STICKY != 0 && stat.uid != self.uid {
            Holder::OwnEntries
        } else {
            Holder::Changeable
        }
    }

    /// The letters of the perm fact (RFC 3659 §7.5.5) of an entry of `holder`. An upload takes the place of a file,
    /// so storing needs a changeable directory as well as a file that may be written.
    pub(crate) fn perm(&self, stat: &Stat, holder: Holder) -> Perm {
        let removable = match holder {
            Holder::Fixed => false,
            Holder::Changeable => true,
            Holder::OwnEntries => stat.uid == self.uid,
        };
        let may = &self.allowed;
        let mut perm = Perm {
            delete: removable && may.delete,
            rename: removable && may.rename,
            ..Perm::default()
        };
        match stat.kind {
            Kind::File => {
                let writable = self.has(stat, WRITE);
                perm.append = writable && may.append;
                perm.store = writable && removable && may.store;
                perm.retrieve = may.retrieve && self.has(stat, READ);
            }
            Kind::Directory => {
                let changeable = self.has(stat, WRITE | EXECUTE);
                perm.delete = removable && may.remove_dir;
                perm.create = changeable && (may.store || may.append);
                perm.make_dir = changeable && may.make_dir;
                perm.purge = changeable && (may.delete || may.remove_dir);
                perm.enter = may.enter && self.has(stat, EXECUTE);
                perm.list = may.list && self.has(stat, READ | EXECUTE);
            }
            Kind::Link | Kind::Pipe | Kind::Socket | Kind::CharacterDevice | Kind::BlockDevice => {}
        }
        perm
    }

    /// Whether the mode grants all of `wanted`. The first class that fits decides, as in the kernel; there is no more to root
    /// without capabilities.
    fn has(&self, stat: &Stat, wanted: u32) -> bool {
        let granted = if stat.uid == self.uid {
            stat.mode >> 6
        } else if self.groups.contains(&stat.gid) {
            stat.mode >> 3
        } else {
            stat.mode
        };
        granted & wanted == wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn viewer() -> Viewer {
        Viewer {
            uid: 1000,
            groups: vec![100, 101],
            allowed: Allowed::by(VerbSet::ALL),
        }
    }

    fn stat(kind: Kind, mode: u32, uid: u32, gid: u32) -> Stat {
        Stat {
            kind,
            mode,
            links: 1,
            uid,
            gid,
            size: 0,
            modified: (0, 0),
            device: 0,
            inode: 0,
            node: (0, 0),
        }
    }

    #[test]
    fn the_first_class_that_fits_decides() {
        let retrieve = |mode, uid, gid| {
            let file = stat(Kind::File, mode, uid, gid);
            viewer().perm(&file, Holder::Fixed).retrieve
        };
        assert!(retrieve(0o400, 1000, 5));
        assert!(!retrieve(0o044, 1000, 101));
        assert!(retrieve(0o040, 5, 101));
        assert!(!retrieve(0o404, 5, 101));
        assert!(retrieve(0o004, 5, 5));
    }

    #[test]
    fn storing_needs_the_file_and_its_directory() {
        let file = stat(Kind::File, 0o644, 1000, 100);
        let open = viewer().perm(&file, Holder::Changeable);
        assert!(open.store && open.append && open.delete && open.rename);
        let fixed = viewer().perm(&file, Holder::Fixed);
        assert!(!fixed.store && fixed.append && !fixed.delete && !fixed.rename);
    }

    #[test]
    fn sticky_directories_guard_the_files_of_others() {
        let shared = stat(Kind::Directory, 0o1777, 0, 0);
        let holder = viewer().holder(&shared);
        assert_eq!(holder, Holder::OwnEntries);
        assert!(
            viewer()
                .perm(&stat(Kind::File, 0o666, 1000, 100), holder)
                .delete
        );
        assert!(
            !viewer()
                .perm(&stat(Kind::File, 0o666, 7, 100), holder)
                .delete
        );
        let own = stat(Kind::Directory, 0o1777, 1000, 0);
        assert_eq!(viewer().holder(&own), Holder::Changeable);
    }

    #[test]
    fn what_is_not_permitted_cannot_be_done() {
        let only = |verbs: &[&str]| {
            let mut permitted = VerbSet::NONE;
            for verb in verbs {
                permitted.insert(Verb::find(verb).unwrap());
            }
            Viewer {
                allowed: Allowed::by(permitted),
                ..viewer()
            }
        };
        let directory = stat(Kind::Directory, 0o777, 1000, 100);
        let file = stat(Kind::File, 0o666, 1000, 100);
        let reader = only(&["RETR", "CWD", "LIST"]);
        let browse = Perm {
            enter: true,
            list: true,
            ..Perm::default()
        };
        assert_eq!(reader.perm(&directory, Holder::Changeable), browse);
        let retrieve = Perm {
            retrieve: true,
            ..Perm::default()
        };
        assert_eq!(reader.perm(&file, Holder::Changeable), retrieve);
        // A drop box: files come in, and nothing else is to be had.
        let sender = only(&["STOR"]);
        let create = Perm {
            create: true,
            ..Perm::default()
        };
        assert_eq!(sender.perm(&directory, Holder::Changeable), create);
        // A file is deleted by DELE, a directory by RMD.
        let deleter = only(&["DELE"]);
        assert!(deleter.perm(&file, Holder::Changeable).delete);
        assert!(!deleter.perm(&directory, Holder::Changeable).delete);
        assert!(deleter.perm(&directory, Holder::Changeable).purge);
        assert!(!only(&["RNFR"]).perm(&file, Holder::Changeable).rename);
    }

    #[test]
    fn links_and_devices_can_only_be_moved_and_deleted() {
        let link = stat(Kind::Link, 0o777, 1000, 100);
        assert_eq!(
            viewer().perm(&link, Holder::Changeable),
            Perm {
                delete: true,
                rename: true,
                ..Perm::default()
            }
        );
    }
}
