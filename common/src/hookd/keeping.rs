//! Events from when they are told until all their hooks are done with them: noted in the ledger, so that the next hookd goes on
//! with them, and those of uploads in the spool, so that nothing loses them. Decides what is delivered again after a death.

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::stat::lstat;

use super::guest::{Identity, Owed, beside};
use super::ledger::{Key, Ledger};
use super::message::{Verdict, fresh_id};
use crate::hooks::{Event, Id, Kind, Path, Phase};
use crate::log::Log;
use crate::spool::{Entry, Spool};
use crate::wire::{Wire, decode};

/// So many uploads may wait in the spool; it counts as full then.
const MOST_KEPT: usize = 10_000;

/// How long an upload that is in the spool may take to get its name, if nobody says that it has.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the word of a note begins with that says whose hooks an event is for.
const OF_HOOKS: &str = "hooks=";

/// An event as it is written down.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) event: Event,
    /// Whether it has happened or has failed.
    pub(super) phase: Phase,
    /// As whom programs of the user run.
    pub(super) identity: Option<Identity>,
    /// Device and number of the file of an upload.
    pub(super) file: Option<(u64, u64)>,
}

/// An event that hooks still have to do with.
#[derive(Debug)]
struct Open {
    /// Whose event it is.
    session: Option<Id>,
    deliveries: usize,
    spooled: bool,
}

/// An upload that has not got its name yet, for all that is known.
#[derive(Debug)]
struct Pending {
    kept: Kept,
    until: Instant,
}

#[derive(Debug)]
pub(super) struct Keeping<'a> {
    ledger: Ledger,
    spool: Option<&'a Spool>,
    /// Of the hooks, which is on every event in the spool.
    id: Id,
    /// Of other hooks, whose hookds see to their events themselves.
    others: &'a [Id],
    open: HashMap<Id, Open>,
    pending: HashMap<Id, Pending>,
    log: Log,
}

/// What a former hookd, or a former server, has left.
#[derive(Debug, Default)]
pub(super) struct Left {
    pub(super) events: Vec<Kept>,
    /// What sessions are owed.
    pub(super) owed: HashMap<Id, Owed>,
}

impl<'a> Keeping<'a> {
    pub(super) fn new(
        ledger: Ledger,
        spool: Option<&'a Spool>,
        (id, others): (Id, &'a [Id]),
        log: Log,
    ) -> Keeping<'a> {
        Keeping {
            ledger,
            spool,
            id,
            others,
            open: HashMap::new(),
            pending: HashMap::new(),
            log,
        }
    }

    /// Takes over what is left, for when nothing was told yet.
    pub(super) fn take_over(&mut self) -> Left {
        let mut left = Left::default();
        match self.ledger.entries() {
            Ok(entries) => {
                for (key, value) in entries {
                    match key {
                        Key::Event(_) => left.events.extend(Kept::read(&value)),
                        Key::Session(id) => left
                            .owed
                            .extend(decode(&value).ok().map(|owed: Owed| (id, owed))),
                    }
                }
            }
            Err(errno) => self.complain("hooks: ledger", errno),
        }
        left.events.extend(self.take_over_spool());
        // What was told first comes first.
        left.events.sort_by_key(|kept| kept.event.id);
        left
    }

    /// The uploads in the spool that have their names; the others may yet get them.
    fn take_over_spool(&mut self) -> Vec<Kept> {
        let Some(spool) = self.spool else {
            return Vec::new();
        };
        let left = match spool.left() {
            Ok(left) => left,
            Err(errno) => {
                self.complain("hooks: spool", errno);
                return Vec::new();
            }
        };
        for name in left.strange {
            let name = name.escape_debug();
            self.log
                .line(&format!("hooks: spool: {name} is no event, and stays"));
        }
        let until = Instant::now() + PATIENCE;
        for entry in left.entries {
            let is_anothers = hooks_of(&entry.note).is_some_and(|id| self.others.contains(&id));
            if is_anothers {
                continue;
            }
            let text = format!("{}\n{}", entry.note, entry.json);
            if let Some(kept) = Kept::read(text.as_bytes()) {
                self.pending.insert(entry.id, Pending { kept, until });
            }
        }
        let published = self.pending.values().map(|pending| &pending.kept);
        let published = published.filter(|kept| kept.is_published());
        published.cloned().collect()
    }

    /// Makes sure that an event is not taken for somebody else's. SECURITY: a session chooses the ids of its events.
    pub(super) fn set_apart(&self, event: &mut Event) {
        let pending = self.pending.get(&event.id);
        let pending = pending.map(|pending| session(&pending.kept.event));
        let open = self.open.get(&event.id).map(|open| open.session);
        let owner = session(event);
        if open.into_iter().chain(pending).any(|other| other != owner) {
            event.id = fresh_id();
        }
    }

    /// Keeps an upload that is about to get its name. What comes of it is told afterwards, by [`told`](Self::told).
    ///
    /// # Errors
    /// What the file system says; `EDQUOT` where too much is kept already.
    pub(super) fn keep(&mut self, kept: Kept) -> Result<(), Errno> {
        let Some(spool) = self.spool else {
            return Ok(());
        };
        let spooled = self.open.values().filter(|open| open.spooled).count();
        if spooled + self.pending.len() >= MOST_KEPT {
            return Err(Errno::EDQUOT);
        }
        let id = kept.event.id;
        spool.put(&Entry {
            id,
            note: format!("{OF_HOOKS}{} {}", self.id, kept.note()),
            json: kept.event.to_json(),
        })?;
        let until = Instant::now() + PATIENCE;
        self.pending.insert(id, Pending { kept, until });
        Ok(())
    }

    /// Takes in that something has happened; whether it is in the spool.
    pub(super) fn told(&mut self, event: &Event) -> bool {
        let was_kept = self.pending.remove(&event.id).is_some();
        if was_kept && event.kind != Kind::Upload {
            // It did not get its name after all.
            self.forget_spooled(event.id);
        }
        let is_open = self.open.get(&event.id).is_some_and(|open| open.spooled);
        is_open || (was_kept && event.kind == Kind::Upload)
    }

    /// Notes to how many hooks an event is on its way.
    pub(super) fn delivering(&mut self, kept: &Kept, deliveries: usize, spooled: bool) {
        let id = kept.event.id;
        if deliveries == 0 {
            if spooled && !self.open.contains_key(&id) {
                self.forget_spooled(id);
            }
            return;
        }
        if !spooled {
            self.ledger.put(Key::Event(id), kept.text().as_bytes());
        }
        let open = self.open.entry(id).or_insert(Open {
            session: session(&kept.event),
            deliveries: 0,
            spooled,
        });
        open.deliveries += deliveries;
    }

    /// One hook is done with an event.
    pub(super) fn done(&mut self, id: Id) {
        let Some(open) = self.open.get_mut(&id) else {
            return;
        };
        open.deliveries -= 1;
        if open.deliveries > 0 {
            return;
        }
        if self.open.remove(&id).is_some_and(|open| open.spooled) {
            self.forget_spooled(id);
        } else {
            self.ledger.remove(Key::Event(id));
        }
    }

    /// Notes what a session is owed when it ends.
    pub(super) fn owe(&mut self, session: Id, owed: &Owed) {
        let mut octets = Vec::new();
        owed.put(&mut octets);
        self.ledger.put(Key::Session(session), &octets);
    }

    /// Forgets a session that has got what it was owed.
    pub(super) fn owe_nothing(&mut self, session: Id) {
        self.ledger.remove(Key::Session(session));
    }

    /// The uploads of a session that ended before anybody could say that they have got their names, if they have.
    pub(super) fn of_ended(&mut self, session: Id) -> Vec<Kept> {
        self.decide(|pending| self::session(&pending.kept.event) == Some(session))
    }

    /// The same for those that were waited for long enough.
    pub(super) fn overdue(&mut self, now: Instant) -> Vec<Kept> {
        self.decide(|pending| pending.until <= now)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.pending.values().map(|pending| pending.until).min()
    }

    fn decide(&mut self, is_due: impl Fn(&Pending) -> bool) -> Vec<Kept> {
        let due = self.pending.iter().filter(|(_, pending)| is_due(pending));
        let due: Vec<Id> = due.map(|(&id, _)| id).collect();
        let mut published = Vec::new();
        for id in due {
            match self.pending.get(&id).map(|pending| &pending.kept) {
                Some(kept) if kept.is_published() => published.push(kept.clone()),
                _ => {
                    self.pending.remove(&id);
                    self.forget_spooled(id);
                }
            }
        }
        published
    }

    /// Writes down what has changed.
    pub(super) fn settle(&mut self) {
        if let Err(errno) = self.ledger.settle() {
            self.complain("hooks: ledger", errno);
        }
    }

    fn forget_spooled(&self, id: Id) {
        let removed = self.spool.map(|spool| spool.delivered(id));
        if let Some(Err(errno)) = removed {
            self.complain("hooks: spool", errno);
        }
    }

    fn complain(&self, what: &str, errno: Errno) {
        self.log.line(&format!("{what}: {}", errno.desc()));
    }
}

/// Whose event it is that is in the spool.
fn hooks_of(note: &str) -> Option<Id> {
    let word = note.split(' ').find_map(|word| word.strip_prefix(OF_HOOKS));
    word.and_then(Id::parse)
}

impl Kept {
    /// What is known of it once the verdict is: the name that it is to have.
    pub(super) fn named(&mut self, verdict: &Verdict) {
        let act = &mut self.event.act;
        let is_hidden = act.temporary.take().is_some();
        if let Verdict::Rename { name } = verdict
            && is_hidden
        {
            let renamed = |path: &Path| beside(path, name.as_slice());
            act.path = act.path.as_ref().and_then(renamed);
            act.real_path = act.real_path.as_ref().and_then(renamed);
        }
    }

    /// What there is beside the event, in words on one line.
    fn note(&self) -> String {
        let mut words = Vec::new();
        if self.phase == Phase::Error {
            words.push("failed".to_owned());
        }
        if let Some(Identity { uid, gid, groups }) = &self.identity {
            let groups: Vec<String> = groups.iter().map(u32::to_string).collect();
            words.push(format!("user={uid}:{gid}:{}", groups.join(",")));
        }
        if let Some((device, number)) = self.file {
            words.push(format!("file={device}:{number}"));
        }
        words.join(" ")
    }

    fn text(&self) -> String {
        format!("{}\n{}", self.note(), self.event.to_json())
    }

    fn read(text: &[u8]) -> Option<Kept> {
        let (note, json) = std::str::from_utf8(text).ok()?.split_once('\n')?;
        let mut kept = Kept {
            event: Event::from_json(json)?,
            phase: Phase::After,
            identity: None,
            file: None,
        };
        for word in note.split(' ') {
            if word == "failed" {
                kept.phase = Phase::Error;
            }
            if let Some(user) = word.strip_prefix("user=") {
                kept.identity = Some(identity(user)?);
            }
            if let Some(file) = word.strip_prefix("file=") {
                let (device, number) = file.split_once(':')?;
                kept.file = Some((device.parse().ok()?, number.parse().ok()?));
            }
        }
        Some(kept)
    }

    /// Whether the file has its name.
    fn is_published(&self) -> bool {
        let Some((path, file)) = self.event.act.real_path.as_ref().zip(self.file) else {
            return false;
        };
        let path = std::ffi::OsStr::from_bytes(path.as_bytes());
        lstat(path).is_ok_and(|stat| (stat.st_dev, stat.st_ino) == file)
    }
}

/// Whose event it is.
fn session(event: &Event) -> Option<Id> {
    event.session.as_ref().map(|session| session.id)
}

fn identity(text: &str) -> Option<Identity> {
    let mut parts = text.split(':');
    let mut next = || parts.next()?.parse().ok();
    let (uid, gid) = (next()?, next()?);
    let groups = parts.next()?.split(',').filter(|group| !group.is_empty());
    let groups: Option<Vec<u32>> = groups.map(|group| group.parse().ok()).collect();
    Some(Identity {
        uid,
        gid,
        groups: groups?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::ledger::Book;
    use super::*;
    use crate::hooks::{Act, Session};
    use std::os::fd::AsFd;

    fn kept(number: u8, directory: &std::path::Path) -> Kept {
        let path = directory.join(format!("file{number}"));
        let id = Id::from_bytes([number; 16]);
        let client = "192.0.2.1:2000".parse().unwrap();
        Kept {
            event: Event {
                id,
                time: "2026-01-01T00:00:00Z".parse().unwrap(),
                kind: Kind::Upload,
                session: Some(Session {
                    id: Id::from_bytes([9; 16]),
                    pid: 1,
                    client,
                    server: client,
                    upstream: None,
                    tls: None,
                    login: None,
                    user: None,
                }),
                act: Act {
                    real_path: Path::new(path.as_os_str().as_bytes()).ok(),
                    ..Act::default()
                },
            },
            phase: Phase::After,
            identity: Some(Identity {
                uid: 1000,
                gid: 100,
                groups: vec![4, 24],
            }),
            file: Some((1, 2)),
        }
    }

    struct Scene {
        directory: tempfile::TempDir,
        book: Book,
        spool: Spool,
    }

    impl Scene {
        fn new() -> Scene {
            let directory = tempfile::tempdir().unwrap();
            let spool = directory.path().join("spool");
            nix::unistd::mkdir(&spool, nix::sys::stat::Mode::S_IRWXU).unwrap();
            Scene {
                spool: Spool::open(&spool).unwrap(),
                directory,
                book: Book::new().unwrap(),
            }
        }

        fn keeping(&self) -> Keeping<'_> {
            let book = self.book.as_fd().try_clone_to_owned().unwrap();
            let ledger = Ledger::open(book).unwrap();
            const OTHERS: &[Id] = &[Id::from_bytes([6; 16])];
            let own = (Id::from_bytes([7; 16]), OTHERS);
            Keeping::new(ledger, Some(&self.spool), own, Log::nowhere())
        }

        /// An upload whose file has its name.
        fn published(&self, number: u8) -> Kept {
            let mut kept = kept(number, self.directory.path());
            let path = self.directory.path().join(format!("file{number}"));
            let flags = nix::fcntl::OFlag::O_CREAT | nix::fcntl::OFlag::O_WRONLY;
            nix::fcntl::open(&path, flags, nix::sys::stat::Mode::S_IRUSR).unwrap();
            let stat = lstat(&path).unwrap();
            kept.file = Some((stat.st_dev, stat.st_ino));
            kept
        }
    }

    fn ids(kept: &[Kept]) -> Vec<u8> {
        kept.iter()
            .map(|kept| kept.event.id.as_bytes()[0])
            .collect()
    }

    #[test]
    fn what_is_written_down_is_read_back() {
        let kept = kept(1, "/srv".as_ref());
        let read = Kept::read(kept.text().as_bytes()).unwrap();
        assert_eq!(read.event, kept.event);
        assert_eq!((read.identity, read.file), (kept.identity, kept.file));
        for text in ["", "\n", "user=x\n{}", "\u{1}"] {
            assert!(Kept::read(text.as_bytes()).is_none(), "{text:?}");
        }
    }

    #[test]
    fn an_event_is_left_until_all_its_hooks_are_done_with_it() {
        let scene = Scene::new();
        let mut keeping = scene.keeping();
        let one = kept(1, "/srv".as_ref());
        assert!(!keeping.told(&one.event));
        keeping.delivering(&one, 2, false);
        keeping.settle();
        keeping.done(one.event.id);
        keeping.settle();
        drop(keeping);
        let mut keeping = scene.keeping();
        assert_eq!(ids(&keeping.take_over().events), [1]);
        keeping.delivering(&one, 1, false);
        keeping.done(one.event.id);
        keeping.settle();
        drop(keeping);
        assert_eq!(ids(&scene.keeping().take_over().events), [0u8; 0]);
    }

    #[test]
    fn an_upload_is_delivered_after_a_death_if_its_file_has_its_name() {
        let scene = Scene::new();
        let mut keeping = scene.keeping();
        keeping.keep(scene.published(1)).unwrap();
        keeping.keep(kept(2, scene.directory.path())).unwrap();
        drop(keeping);
        let mut keeping = scene.keeping();
        let left = keeping.take_over().events;
        assert_eq!(ids(&left), [1]);
        assert!(keeping.told(&left[0].event));
        keeping.delivering(&left[0], 1, true);
        // Nobody says what became of the other one: it has no name, so it was no upload.
        assert_eq!(ids(&keeping.overdue(Instant::now())), [0u8; 0]);
        let late = Instant::now() + PATIENCE;
        assert_eq!(ids(&keeping.overdue(late)), [0u8; 0]);
        keeping.done(left[0].event.id);
        drop(keeping);
        assert_eq!(ids(&scene.keeping().take_over().events), [0u8; 0]);
    }

    #[test]
    fn what_other_hooks_have_kept_is_theirs_while_they_are_there() {
        let scene = Scene::new();
        for (number, of) in [(1, 6), (2, 5)] {
            let kept = scene.published(number);
            let entry = Entry {
                id: kept.event.id,
                note: format!("{OF_HOOKS}{} {}", Id::from_bytes([of; 16]), kept.note()),
                json: kept.event.to_json(),
            };
            scene.spool.put(&entry).unwrap();
        }
        // The second one's have gone.
        assert_eq!(ids(&scene.keeping().take_over().events), [2]);
    }

    #[test]
    fn a_session_that_ends_too_soon_leaves_what_has_its_name() {
        let scene = Scene::new();
        let mut keeping = scene.keeping();
        keeping.keep(scene.published(1)).unwrap();
        keeping.keep(kept(2, scene.directory.path())).unwrap();
        let ended = keeping.of_ended(Id::from_bytes([9; 16]));
        assert_eq!(ids(&ended), [1]);
        assert!(keeping.told(&ended[0].event));
        assert_eq!(keeping.deadline(), None);
    }

    #[test]
    fn nobody_gets_at_the_events_of_others_by_their_ids() {
        let scene = Scene::new();
        let mut keeping = scene.keeping();
        let (pending, open) = (scene.published(1), scene.published(2));
        keeping.keep(pending.clone()).unwrap();
        keeping.delivering(&open, 1, false);
        for kept in [pending, open] {
            let mut own = kept.event.clone();
            keeping.set_apart(&mut own);
            assert_eq!(own.id, kept.event.id, "a session may tell again");
            let mut other = kept.event.clone();
            other.session.as_mut().unwrap().id = Id::from_bytes([8; 16]);
            keeping.set_apart(&mut other);
            assert_ne!(other.id, kept.event.id);
        }
    }

    #[test]
    fn an_upload_that_breaks_off_after_all_is_forgotten() {
        let scene = Scene::new();
        let mut keeping = scene.keeping();
        let mut one = scene.published(1);
        keeping.keep(one.clone()).unwrap();
        one.event.kind = Kind::UploadAborted;
        assert!(!keeping.told(&one.event));
        drop(keeping);
        assert_eq!(ids(&scene.keeping().take_over().events), [0u8; 0]);
    }
}
