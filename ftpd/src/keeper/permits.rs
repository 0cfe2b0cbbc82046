//! Which permitted verbs a request needs: keeper's own check, whatever the network half thinks. No I/O.

use common::channel::{FileRequest, UploadAt};
use common::proto::verbs::{Verb, VerbSet};

use super::unpacking::Rights;

/// Whether the permitted verbs include one that needs this request.
pub(super) fn permits(permitted: VerbSet, request: &FileRequest) -> bool {
    let has = |name: &&str| Verb::find(name).is_some_and(|verb| permitted.contains(verb));
    needed_by(request)
        .is_none_or(|verbs| verbs.iter().any(&has) && implied(request).iter().all(has))
}

/// The verbs that need this request; none where it is everybody's.
pub(super) fn needed_by(request: &FileRequest) -> Option<&'static [&'static str]> {
    Some(match request {
        FileRequest::Open { .. } | FileRequest::Pack { .. } | FileRequest::PackNext => &["RETR"],
        FileRequest::OpenForDigest { .. } | FileRequest::DigestEnd => &[
            "HASH", "MD5", "MMD5", "XCRC", "XMD5", "XSHA1", "XSHA256", "XSHA512",
        ],
        FileRequest::Create {
            at: UploadAt::Append,
            ..
        } => &["APPE"],
        FileRequest::Create {
            at: UploadAt::New, ..
        } => &["STOU"],
        FileRequest::Create { .. } => &["STOR"],
        // What the archive's entries need beside is looked at for each of them.
        FileRequest::Unpack { .. }
        | FileRequest::UnpackDirectory { .. }
        | FileRequest::UnpackFile { .. }
        | FileRequest::CommitEntry { .. }
        | FileRequest::FinishDirectory { .. } => &["STOR"],
        FileRequest::Commit | FileRequest::Discard | FileRequest::Suspend { .. } => {
            &["STOR", "APPE", "STOU"]
        }
        FileRequest::Unfinished { .. } => &["STOR", "APPE"],
        FileRequest::List { .. } | FileRequest::ListEnd => &["LIST", "NLST", "MLSD", "STAT"],
        FileRequest::Stat { .. } => &[
            "SIZE",
            "MDTM",
            "RNFR",
            "STAT",
            "LIST",
            "NLST",
            "MLSD",
            "STOU",
            "SITE CPFR",
            "XCRC",
            "XMD5",
            "XSHA1",
            "XSHA256",
            "XSHA512",
        ],
        FileRequest::Facts { .. } => &["MLST", "MLSD"],
        FileRequest::ChangeDir { .. } => &["CWD", "CDUP"],
        FileRequest::Remove { .. } => &["DELE"],
        FileRequest::MakeDir { .. } => MAKING_DIRS,
        FileRequest::RemoveDir { .. } => &["RMD"],
        FileRequest::Rename { .. } => &["RNTO"],
        FileRequest::PassiveListen { .. } => &["PASV", "EPSV"],
        FileRequest::ActiveConnect { .. } => &["PORT", "EPRT"],
        FileRequest::SetMode { .. } => SETTING_MODES,
        FileRequest::SetTimes { .. } => SETTING_TIMES,
        FileRequest::Symlink { .. } => &["SITE SYMLINK"],
        FileRequest::Umask { .. } => &["SITE UMASK"],
        FileRequest::MeasureTree { .. } => &["DSIZ"],
        FileRequest::RemoveTree { .. } => &["RMDA", "SITE RMDIR"],
        FileRequest::Copy { .. } => &["SITE CPTO"],
        FileRequest::MakeDirs { .. } => &["SITE MKDIR"],
        FileRequest::Space { .. } => &["AVBL"],
        // Whoever may log in may begin anew, give up what was begun, and tell how it ended.
        FileRequest::Reinitialise
        | FileRequest::Cancel
        | FileRequest::Sent { .. }
        | FileRequest::DataEnd
        | FileRequest::Digested { .. }
        | FileRequest::Leave { .. }
        | FileRequest::Command { .. } => return None,
        FileRequest::Who => &["SITE WHO"],
        FileRequest::Lead => &["SITE PROXY"],
        FileRequest::ChangePassword => &["SITE PSWD"],
    })
}

/// What single commands would let the user do with what an archive holds.
pub(super) fn rights(permitted: VerbSet) -> Rights {
    let any = |names: &[&str]| {
        let mut verbs = names.iter().filter_map(|name| Verb::find(name));
        verbs.any(|verb| permitted.contains(verb))
    };
    Rights {
        make_dirs: any(MAKING_DIRS),
        modes: any(SETTING_MODES),
        times: any(SETTING_TIMES),
    }
}

const MAKING_DIRS: &[&str] = &["MKD"];
const SETTING_MODES: &[&str] = &["MFF", "SITE CHMOD"];
/// Not MDTM, which is for those who only read.
const SETTING_TIMES: &[&str] = &["MFF", "MFMT", "SITE UTIME"];

/// What a request does at once that takes several verbs otherwise: who lacks one of them cannot have it this way.
fn implied(request: &FileRequest) -> &'static [&'static str] {
    match request {
        FileRequest::RemoveTree { .. } => &["DELE", "RMD"],
        FileRequest::Copy { .. } => &["RETR", "STOR"],
        FileRequest::MakeDirs { .. } => &["MKD"],
        // It tells all names in a tree.
        FileRequest::Pack { .. } => &["LIST"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::path::VirtualPath;
    use common::proto::facts::Permissions;

    #[test]
    fn metadata_is_changed_by_those_who_may_and_not_by_readers_of_times() {
        let path = VirtualPath::root();
        let set_mode = FileRequest::SetMode {
            path: path.clone(),
            mode: Permissions::of(0o644),
        };
        let set_times = FileRequest::SetTimes {
            path: path.clone(),
            modified: 0,
            accessed: None,
        };
        let symlink = FileRequest::Symlink {
            target: path.clone(),
            link: path,
        };
        let umask = FileRequest::Umask { new: None };
        let requests = [set_mode, set_times, symlink, umask];
        for (verb, expected) in [
            ("MDTM", [false, false, false, false]),
            ("MFMT", [false, true, false, false]),
            ("MFF", [true, true, false, false]),
            ("SITE CHMOD", [true, false, false, false]),
            ("SITE UTIME", [false, true, false, false]),
            ("SITE SYMLINK", [false, false, true, false]),
            ("SITE UMASK", [false, false, false, true]),
        ] {
            let mut permitted = VerbSet::NONE;
            permitted.insert(Verb::find(verb).unwrap());
            let found = requests
                .each_ref()
                .map(|request| permits(permitted, request));
            assert_eq!(found, expected, "{verb}");
        }
        let found = requests
            .each_ref()
            .map(|request| permits(VerbSet::ALL.for_anonymous(), request));
        assert_eq!(found, [false; 4]);
    }

    #[test]
    fn a_request_needs_a_permitted_verb() {
        let path = VirtualPath::root();
        let mut read_only = VerbSet::NONE;
        for verb in ["RETR", "CWD", "LIST", "PASV"] {
            read_only.insert(Verb::find(verb).unwrap());
        }
        assert!(permits(
            read_only,
            &FileRequest::Open { path: path.clone() }
        ));
        assert!(!permits(
            read_only,
            &FileRequest::Remove { path: path.clone() }
        ));
        assert!(!permits(
            read_only,
            &FileRequest::Create {
                path: path.clone(),
                at: UploadAt::Replace,
                continuable: true,
                declared: None,
            }
        ));
        assert!(!permits(read_only, &FileRequest::Commit));
        let mut without_delete = VerbSet::ALL;
        without_delete.remove(Verb::find("DELE").unwrap());
        let tree = FileRequest::RemoveTree { path: path.clone() };
        assert!(permits(VerbSet::ALL, &tree) && !permits(without_delete, &tree));
        let mut copier = VerbSet::ALL;
        copier.remove(Verb::find("STOR").unwrap());
        let copy = FileRequest::Copy {
            from: path.clone(),
            to: path.clone(),
        };
        assert!(permits(VerbSet::ALL, &copy) && !permits(copier, &copy));
        assert!(!permits(VerbSet::NONE, &FileRequest::Open { path }));
    }
}
