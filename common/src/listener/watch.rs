//! Tells when files have changed, whichever way they are replaced: written anew, renamed into place, or by a link that leads
//! elsewhere. The kernel tells of changes in their directories; what files there are then decides.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::sys::stat::stat;

/// So long nothing must change any more: certificate and key are two files.
const QUIET: Duration = Duration::from_millis(500);
/// So long a change is left alone at most.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Files that are watched.
#[derive(Debug)]
pub(super) struct Watch {
    inotify: Inotify,
    files: Vec<PathBuf>,
    /// What the files were when it was asked last.
    seen: Vec<Option<Identity>>,
    /// When something changed first, and when it is to be looked at.
    due: Option<(Instant, Instant)>,
}

/// What tells one content of a file from another: device, number, size, and the time of the last change of any kind.
type Identity = (u64, u64, i64, i64, i64);

impl Watch {
    /// Begins to watch.
    pub(super) fn new(files: Vec<PathBuf>) -> Result<Watch, Errno> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        let changes = AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_ATTRIB;
        for directory in directories(&files) {
            inotify.add_watch(&directory, changes)?;
        }
        let seen = identities(&files);
        Ok(Watch {
            inotify,
            files,
            seen,
            due: None,
        })
    }

    /// Takes what the kernel tells. Whether the files are others than before, once nothing changes any more.
    pub(super) fn look(&mut self, now: Instant) -> bool {
        let mut changed = false;
        // An overflow of the queue is told as an event too.
        while self
            .inotify
            .read_events()
            .is_ok_and(|events| !events.is_empty())
        {
            changed = true;
        }
        if changed {
            let since = self.due.map_or(now, |(since, _)| since);
            self.due = Some((since, (now + QUIET).min(since + LONGEST_WAIT)));
        }
        if self.due.is_none_or(|(_, due)| due > now) {
            return false;
        }
        self.due = None;
        let files = identities(&self.files);
        let others = files != self.seen;
        self.seen = files;
        others
    }

    /// When [`look`](Self::look) has something to do by itself.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due.map(|(_, due)| due)
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

/// The directories in which the files have their names, and those in which they are where a name is a link.
fn directories(files: &[PathBuf]) -> BTreeSet<PathBuf> {
    let targets = files.iter().filter_map(|file| file.canonicalize().ok());
    let all = files.iter().cloned().chain(targets);
    all.filter_map(|file| file.parent().map(PathBuf::from))
        .collect()
}

fn identities(files: &[PathBuf]) -> Vec<Option<Identity>> {
    let identity = |file: &PathBuf| {
        let status = stat(file).ok()?;
        Some((
            status.st_dev,
            status.st_ino,
            status.st_size,
            status.st_ctime,
            status.st_ctime_nsec,
        ))
    };
    files.iter().map(identity).collect()
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "it makes the files that are watched"
)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    /// Waits for the kernel's word, then looks as if that were long ago.
    fn changed(watch: &mut Watch) -> bool {
        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        let mut ready = [PollFd::new(watch.as_fd(), PollFlags::POLLIN)];
        assert_eq!(poll(&mut ready, PollTimeout::from(5000u16)), Ok(1));
        let now = Instant::now();
        assert!(!watch.look(now));
        assert_eq!(watch.due(), Some(now + QUIET));
        watch.look(now + QUIET)
    }

    #[test]
    fn every_way_to_replace_a_file_is_seen_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::create_dir(path("archive")).unwrap();
        fs::create_dir(path("live")).unwrap();
        fs::write(path("archive/1"), "one").unwrap();
        fs::write(path("archive/2"), "two").unwrap();
        symlink("../archive/1", path("live/cert")).unwrap();
        let mut watch = Watch::new(vec![path("live/cert")]).unwrap();
        assert!(!watch.look(Instant::now()));
        fs::write(path("archive/1"), "one again").unwrap();
        assert!(changed(&mut watch));
        symlink("../archive/2", path("live/new")).unwrap();
        assert!(!changed(&mut watch));
        fs::rename(path("live/new"), path("live/cert")).unwrap();
        assert!(changed(&mut watch));
        fs::write(path("live/README"), "nothing").unwrap();
        assert!(!changed(&mut watch));
    }

    #[test]
    fn what_never_rests_is_looked_at_all_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("cert");
        let mut watch = Watch::new(vec![file.clone()]).unwrap();
        let begin = Instant::now();
        let mut now = begin;
        while now < begin + 2 * LONGEST_WAIT {
            fs::write(&file, now.duration_since(begin).as_millis().to_string()).unwrap();
            if watch.look(now) {
                return;
            }
            now += QUIET / 2;
        }
        panic!("it was never looked at");
    }
}
