//! The kinds of events. Pure: no I/O.

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Connect,
    Login,
    LoginFailed,
    Logout,
    Upload,
    UploadAborted,
    UploadRefused,
    Download,
    DownloadAborted,
    Delete,
    Rename,
    MakeDir,
    RemoveDir,
    SetMode,
    Symlink,
    DataUp,
    DataDown,
    LimitHit,
    Ban,
    Reload,
    Start,
    Stop,
    Command,
}

impl Kind {
    /// All kinds, in the order of the manual; a kind's place is its number on the inner channels.
    pub const ALL: [Kind; 23] = [
        Kind::Connect,
        Kind::Login,
        Kind::LoginFailed,
        Kind::Logout,
        Kind::Upload,
        Kind::UploadAborted,
        Kind::UploadRefused,
        Kind::Download,
        Kind::DownloadAborted,
        Kind::Delete,
        Kind::Rename,
        Kind::MakeDir,
        Kind::RemoveDir,
        Kind::SetMode,
        Kind::Symlink,
        Kind::DataUp,
        Kind::DataDown,
        Kind::LimitHit,
        Kind::Ban,
        Kind::Reload,
        Kind::Start,
        Kind::Stop,
        Kind::Command,
    ];

    /// Finds a kind by its name.
    pub fn find(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The name in configuration files and in JSON.
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// One line for the manual.
    pub fn doc(self) -> &'static str {
        self.row().1
    }

    /// Whether a session causes it; the others are the daemon's own.
    pub fn is_of_session(self) -> bool {
        !matches!(
            self,
            Kind::LimitHit | Kind::Ban | Kind::Reload | Kind::Start | Kind::Stop
        )
    }

    /// Whether it can happen at a gateway, which knows nothing of files.
    pub fn is_of_gateway(self) -> bool {
        let of_session = matches!(
            self,
            Kind::Connect
                | Kind::Login
                | Kind::LoginFailed
                | Kind::Logout
                | Kind::DataUp
                | Kind::DataDown
        );
        of_session || !self.is_of_session()
    }

    /// Whether a hook can come before it, and refuse it.
    pub fn has_before(self) -> bool {
        matches!(
            self,
            Kind::Upload
                | Kind::Download
                | Kind::Delete
                | Kind::Rename
                | Kind::MakeDir
                | Kind::RemoveDir
                | Kind::SetMode
                | Kind::Symlink
                | Kind::DataUp
                | Kind::Command
        )
    }

    fn row(self) -> (&'static str, &'static str) {
        match self {
            Kind::Connect => ("connect", "A client has connected"),
            Kind::Login => ("login", "A user has logged in"),
            Kind::LoginFailed => ("login_failed", "A login was refused"),
            Kind::Logout => (
                "logout",
                "The session of a user has ended, in whichever way",
            ),
            Kind::Upload => ("upload", "A file has arrived whole, under its own name"),
            Kind::UploadAborted => ("upload_aborted", "An upload has ended before its time"),
            Kind::UploadRefused => ("upload_refused", "A hook has refused an uploaded file"),
            Kind::Download => ("download", "A file was sent whole"),
            Kind::DownloadAborted => ("download_aborted", "A download has ended before its time"),
            Kind::Delete => ("delete", "A file was deleted"),
            Kind::Rename => ("rename", "A file or directory was renamed"),
            Kind::MakeDir => ("mkdir", "A directory was made"),
            Kind::RemoveDir => ("rmdir", "A directory was removed"),
            Kind::SetMode => ("chmod", "The mode of a file or directory was changed"),
            Kind::Symlink => ("symlink", "A symbolic link was made"),
            Kind::DataUp => ("data_up", "A data connection is about to be made"),
            Kind::DataDown => ("data_down", "A data connection has ended"),
            Kind::LimitHit => ("limit_hit", "A client was turned away by a limit"),
            Kind::Ban => ("ban", "An address was banned"),
            Kind::Reload => ("reload", "The daemon has read its files again"),
            Kind::Start => ("start", "The daemon has started"),
            Kind::Stop => ("stop", "The daemon is about to stop"),
            Kind::Command => ("command", "A command was answered"),
        }
    }
}

/// A set of kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KindSet(u32);

const _: () = assert!(Kind::ALL.len() <= 32);

impl KindSet {
    pub const NONE: KindSet = KindSet(0);

    pub fn contains(self, kind: Kind) -> bool {
        self.0 & (1 << kind as u32) != 0
    }

    pub fn insert(&mut self, kind: Kind) {
        self.0 |= 1 << kind as u32;
    }

    pub fn iter(self) -> impl Iterator<Item = Kind> {
        Kind::ALL
            .into_iter()
            .filter(move |kind| self.contains(*kind))
    }
}

impl FromIterator<Kind> for KindSet {
    fn from_iter<I: IntoIterator<Item = Kind>>(kinds: I) -> Self {
        let mut set = KindSet::NONE;
        kinds.into_iter().for_each(|kind| set.insert(kind));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_name_and_is_one_of_a_set() {
        for (number, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(Kind::find(kind.name()), Some(kind));
            assert_eq!(kind as usize, number);
            let set = KindSet::from_iter([kind]);
            assert_eq!(set.iter().collect::<Vec<_>>(), [kind]);
        }
        assert_eq!(Kind::find("uploads"), None);
    }
}
