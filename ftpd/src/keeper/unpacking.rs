//! An archive that is being unpacked: what its entries may become, each checked as the single commands would be.

use common::channel::FileAnswer;
use common::jail::{Allowance, Disposition, Failure, Jail, Upload, Wanted};
use common::path::VirtualPath;
use common::proto::facts::Permissions;
use common::settings::{Durability, SessionConfig};

use super::files::Answered;

/// What the user may do by single commands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rights {
    pub(super) make_dirs: bool,
    pub(super) modes: bool,
    pub(super) times: bool,
}

/// The directory that the archive goes to, and what is left of its limits.
pub(super) struct Unpacking {
    jail: Jail,
    place: VirtualPath,
    allowance: Allowance,
    rights: Rights,
    durability: Durability,
}

impl Unpacking {
    pub(super) fn new(
        jail: &Jail,
        directory: &VirtualPath,
        settings: &SessionConfig,
        rights: Rights,
    ) -> Result<Unpacking, Failure> {
        let entries = settings.archive_entries;
        Ok(Unpacking {
            jail: jail.inside(directory)?,
            place: directory.clone(),
            allowance: Allowance {
                entries: (entries > 0).then_some(entries),
                octets: settings.archive_size,
            },
            rights,
            durability: settings.durability,
        })
    }

    /// Makes a directory, unless it is there. The permissions are those of the archive where the user may change any.
    pub(super) fn directory(
        &mut self,
        path: &VirtualPath,
        mode: Permissions,
    ) -> Result<FileAnswer, Failure> {
        if !self.rights.make_dirs {
            return match self.jail.check_dir(path) {
                Ok(()) => Ok(FileAnswer::DirectoryReady { made: false }),
                Err(Failure::NotFound) => Ok(FileAnswer::NotPermitted),
                Err(failure) => Err(failure),
            };
        }
        self.allowance.take(path, 0)?;
        let mode = match self.rights.modes {
            true => mode,
            false => Permissions::of(0o777),
        };
        let made = self.jail.unpack_dir(path, mode, self.durability)?;
        Ok(FileAnswer::DirectoryReady { made })
    }

    /// Begins a file of so many octets: an upload like any other.
    pub(super) fn file(
        &mut self,
        path: &VirtualPath,
        size: u64,
    ) -> Result<(Upload, Answered), Failure> {
        self.allowance.take(path, size)?;
        let wanted = Wanted {
            declared: Some(size),
            ..Disposition::Replace.into()
        };
        let upload = self.jail.create(path, wanted)?;
        let file = upload
            .descriptor()
            .try_clone_to_owned()
            .map_err(|_| Failure::Exhausted)?;
        Ok((upload, (FileAnswer::FileReady, Some(file))))
    }

    /// Where an entry is, from the user's root.
    pub(super) fn place(&self, path: &VirtualPath) -> VirtualPath {
        self.place
            .join(path.as_bytes().get(1..).unwrap_or_default())
            .unwrap_or_else(|_| path.clone())
    }

    /// Gives a file what the archive says of it, before it is complete.
    pub(super) fn finish_file(
        &self,
        upload: &mut Upload,
        mode: Permissions,
        modified: i64,
    ) -> Result<(), Failure> {
        if self.rights.modes {
            upload.set_mode(self.jail.masked(mode))?;
        }
        if self.rights.times {
            upload.set_modified(modified)?;
        }
        Ok(())
    }

    /// Gives a directory that was made what the archive says of it, now that all is in it.
    pub(super) fn finish_directory(
        &self,
        path: &VirtualPath,
        mode: Permissions,
        modified: i64,
    ) -> Result<FileAnswer, Failure> {
        if self.rights.times {
            self.jail.set_times(path, modified, None, self.durability)?;
        }
        if self.rights.modes {
            self.jail
                .set_mode(path, self.jail.masked(mode), self.durability)?;
        }
        Ok(FileAnswer::Done)
    }
}
