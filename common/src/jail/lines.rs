//! The lines of LIST, NLST and MLSD for one entry each, and the facts of MLST. Decides nothing about which entries there are.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use nix::fcntl::readlinkat;

use super::viewer::Holder;
use super::{Failure, Format, Jail, Kind, Shared, Stat};
use crate::path::VirtualPath;
use crate::proto::facts::{FactSet, Facts, LongLines, Subject, name_in_line};

/// A name as it is shown and as it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Name<'a> {
    pub(super) prefix: &'a [u8],
    pub(super) shown: &'a [u8],
    /// In its directory.
    pub(super) own: &'a [u8],
}

/// The writer of each format, with what it needs for all entries.
pub(super) enum Lines {
    Names,
    Long(Box<LongLines>, Arc<Shared>),
    Facts(Box<Facts>, Arc<Shared>, Holder),
}

impl Lines {
    /// Writes lines about the entries of one directory, or with [`Format::Facts`] those of `holder`.
    pub(super) fn new(jail: &Jail, format: Format, wanted: FactSet, holder: Holder) -> Lines {
        let shared = Arc::clone(&jail.shared);
        match format {
            Format::Names => Lines::Names,
            Format::Long => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH);
                let now = now.map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
                Lines::Long(Box::new(LongLines::new(now)), shared)
            }
            Format::Facts => {
                let wanted = to_be_seen(jail, wanted);
                Lines::Facts(Box::new(Facts::new(wanted)), shared, holder)
            }
        }
    }

    /// Whether a line tells more than the name.
    pub(super) fn describe(&self) -> bool {
        match self {
            Lines::Names => false,
            Lines::Long(..) | Lines::Facts(..) => true,
        }
    }

    /// Writes one line; formats that [describe](Self::describe) need a `stat`.
    pub(super) fn write(
        &mut self,
        out: &mut Vec<u8>,
        directory: &OwnedFd,
        name: Name<'_>,
        stat: Option<&Stat>,
    ) {
        let Name { prefix, shown, own } = name;
        match (self, stat) {
            (Lines::Long(lines, shared), Some(stat)) => {
                let names = &shared.names;
                lines.write(
                    out,
                    stat,
                    |out| names.write_user(stat.uid, out),
                    |out| names.write_group(stat.gid, out),
                );
                name_in_line(out, prefix);
                name_in_line(out, shown);
                if stat.kind == Kind::Link {
                    out.extend_from_slice(b" -> ");
                    name_in_line(out, &target_of(directory, own));
                }
            }
            (Lines::Facts(lines, shared, holder), Some(stat)) => {
                let perm = || shared.viewer.perm(stat, *holder);
                if stat.kind == Kind::Link {
                    let target = target_of(directory, own);
                    lines.write(out, Subject::Link(&target), stat, perm, shown);
                } else {
                    lines.write(out, Subject::Entry, stat, perm, shown);
                }
            }
            (Lines::Names, _) | (_, None) => {
                name_in_line(out, prefix);
                name_in_line(out, shown);
            }
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// Where a link points to; nothing when it has just gone.
fn target_of(directory: &OwnedFd, name: &[u8]) -> Vec<u8> {
    let target = readlinkat(directory, name).unwrap_or_default();
    std::os::unix::ffi::OsStringExt::into_vec(target)
}

/// The facts without those of hidden owners.
fn to_be_seen(jail: &Jail, wanted: FactSet) -> FactSet {
    match jail.shared.names.are_hidden() {
        true => wanted.without(FactSet::OWNER).without(FactSet::GROUP),
        false => wanted,
    }
}

/// Writes the lines of the listed directory itself and, below the root, of the one above it (RFC 3659 §7.5.1).
/// The one above is that of the path, so that nothing above the root can show.
pub(super) fn itself_and_above(
    jail: &Jail,
    path: &VirtualPath,
    stat: &Stat,
    wanted: FactSet,
    out: &mut Vec<u8>,
) {
    let viewer = &jail.shared.viewer;
    let wanted = to_be_seen(jail, wanted);
    let mut write = |subject, stat: &Stat, name| {
        let perm = || viewer.perm(stat, Holder::Fixed);
        Facts::new(wanted).write(out, subject, stat, perm, name);
        out.extend_from_slice(b"\r\n");
    };
    write(Subject::Listed, stat, b".");
    if !path.is_root()
        && let Ok(above) = jail.stat(&path.parent())
    {
        write(Subject::Above, &above, b"..");
    }
}

/// Appends the line of MLST.
pub(super) fn facts(
    jail: &Jail,
    path: &VirtualPath,
    wanted: FactSet,
    out: &mut Vec<u8>,
) -> Result<(), Failure> {
    let viewer = &jail.shared.viewer;
    let mut lines = Facts::new(to_be_seen(jail, wanted));
    let Some(place) = jail.place(path)? else {
        let stat = jail.stat(path)?;
        let perm = || viewer.perm(&stat, Holder::Fixed);
        lines.write(out, Subject::Entry, &stat, perm, path.as_bytes());
        return Ok(());
    };
    let own = place.look()?;
    let mut stat = own;
    if own.kind == Kind::Link || own.device != place.stat.device {
        stat = match jail.stat(path) {
            Ok(target) => target,
            Err(Failure::Special) => return Err(Failure::Special),
            Err(_) => own,
        };
    }
    let target;
    let subject = if stat.kind == Kind::Link {
        target = target_of(&place.directory, place.name);
        Subject::Link(&target)
    } else {
        Subject::Entry
    };
    // To delete or rename the path is to delete or rename the link.
    let holder = viewer.holder(&place.stat);
    let perm = || viewer.perm(&stat, holder);
    lines.write(out, subject, &stat, perm, path.as_bytes());
    Ok(())
}
