//! The sessions that run: which process is whose trusted half, what is known of them, and the list for SITE WHO.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::time::Instant;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::stat::{SFlag, fstat};
use nix::unistd::{Pid, getpgid, write};

use super::reports::{self, Report};
use crate::channel::UserName;
use crate::net::Ends;
use crate::sys;

/// So many reports a session may make; one that makes more was taken over.
const MOST_REPORTS: u32 = 1000;
/// The longest list of sessions, in octets: what a pipe takes at once.
const LONGEST_LIST: usize = 64 << 10;

/// A session, by its process group, which its first process has founded and named.
#[derive(Debug)]
pub(super) struct Session {
    /// Its trusted half, a child of the listener that is not collected yet; none between two of them.
    pub(super) keeper: Option<Pid>,
    /// Its network half, once a keeper has left that to the next.
    network: Option<Pid>,
    pub(super) ends: Ends,
    user: Option<UserName>,
    since: Instant,
    reports: u32,
    /// The former trusted half has left its channel: another one is to take it.
    pub(super) handover: Option<Handover>,
}

/// What one trusted half leaves to the next.
#[derive(Debug)]
pub(super) struct Handover {
    pub(super) channel: OwnedFd,
    pub(super) ticket: u32,
    /// The network half.
    pub(super) session: Pid,
    /// Tells when the network half has ended.
    pub(super) ended: OwnedFd,
}

/// A process that has ended, as a session sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dead {
    /// The trusted half: the session is over.
    Session,
    /// A network half that has outlived its first keeper.
    NetworkHalf,
    /// A trusted half that another one has followed.
    Former,
    /// No part of a session.
    Other,
}

#[derive(Debug, Default)]
pub(super) struct Sessions(HashMap<Pid, Session>);

impl Sessions {
    pub(super) fn add(&mut self, keeper: Pid, ends: Ends) {
        let session = Session {
            keeper: Some(keeper),
            network: None,
            ends,
            user: None,
            since: Instant::now(),
            reports: 0,
            handover: None,
        };
        self.0.insert(keeper, session);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The process groups of all.
    pub(super) fn groups(&self) -> impl Iterator<Item = Pid> {
        self.0.keys().copied()
    }

    /// What has ended with a child that is about to be collected. Its reports must have been heard before.
    pub(super) fn buried(&mut self, child: Pid) -> Dead {
        let group = getpgid(Some(child)).ok();
        let Some(session) = group.and_then(|group| self.0.get_mut(&group)) else {
            return Dead::Other;
        };
        if session.keeper == Some(child) {
            session.keeper = None;
            if session.handover.is_none() {
                return Dead::Session;
            }
        }
        if session.network == Some(child) {
            Dead::NetworkHalf
        } else {
            Dead::Former
        }
    }

    /// Forgets the session of a trusted half that has ended; gives its process group.
    pub(super) fn remove(&mut self, keeper: Pid) -> Option<Pid> {
        let group = getpgid(Some(keeper)).ok()?;
        self.0.remove(&group).map(|_| group)
    }

    /// Forgets a session by its group.
    pub(super) fn forget(&mut self, group: Pid) {
        self.0.remove(&group);
    }

    /// Takes a report in; `Err` is the group of a session that breaks the rules.
    pub(super) fn hear(
        &mut self,
        (sender, report, descriptor): reports::Received,
    ) -> Result<(), Option<Pid>> {
        // SECURITY: the sender is the kernel's word, and nobody leaves the group of its session.
        let group = getpgid(Some(sender)).map_err(|_| None)?;
        let session = self.0.get_mut(&group).ok_or(None)?;
        session.reports += 1;
        if session.keeper != Some(sender) || session.reports > MOST_REPORTS {
            return Err(Some(group));
        }
        match (report, descriptor) {
            (Some(Report::LoggedIn { user }), None) if session.user.is_none() => {
                session.user = Some(user);
                Ok(())
            }
            (
                Some(Report::Reinitialise {
                    ticket,
                    session: network,
                }),
                Some(channel),
            ) if session.handover.is_none() && reports::is_channel(&channel) => {
                let (network, ended) = member(network, group).ok_or(Some(group))?;
                session.network = Some(network);
                session.handover = Some(Handover {
                    channel,
                    ticket,
                    session: network,
                    ended,
                });
                Ok(())
            }
            (Some(Report::Who), Some(pipe)) => {
                self.list(&pipe);
                Ok(())
            }
            _ => Err(Some(group)),
        }
    }

    /// A session that waits for its next trusted half.
    pub(super) fn waiting(&mut self) -> Option<(Pid, &mut Session)> {
        self.0
            .iter_mut()
            .find(|(_, session)| session.handover.is_some())
            .map(|(group, session)| (*group, session))
    }

    /// Writes the list of sessions, as much as fits, without waiting for a reader.
    fn list(&self, pipe: &OwnedFd) {
        // SECURITY: only a pipe cannot make the listener wait, and only without blocking.
        let is_pipe = fstat(pipe).is_ok_and(|stat| {
            SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits()) == SFlag::S_IFIFO
        });
        if !is_pipe || fcntl(pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).is_err() {
            return;
        }
        let mut sessions: Vec<_> = self.0.iter().collect();
        sessions.sort_unstable_by_key(|(_, session)| session.since);
        let mut text = String::new();
        for (group, session) in sessions {
            let line = session.line(*group);
            if text.len() + line.len() > LONGEST_LIST {
                break;
            }
            text.push_str(&line);
        }
        // Whoever asked is gone, or sees a shorter list.
        let _ = write(pipe, text.as_bytes());
    }
}

impl Session {
    pub(super) fn replaced_by(&mut self, keeper: Pid) {
        self.keeper = Some(keeper);
        self.user = None;
    }

    fn line(&self, group: Pid) -> String {
        let user = match &self.user {
            Some(user) => user.as_slice().escape_ascii().to_string(),
            None => "(login)".to_owned(),
        };
        let seconds = self.since.elapsed().as_secs();
        let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        let client = self.ends.client().to_string();
        format!("{group:>8}  {user:<20}  {client:<39}  {hours:>3}:{minutes:02}:{seconds:02}\r\n")
    }
}

/// A descriptor that tells the end of a process, if that belongs to the group.
fn member(process: u32, group: Pid) -> Option<(Pid, OwnedFd)> {
    let process = Pid::from_raw(i32::try_from(process).ok()?);
    let ended = sys::watch_process(process).ok()?;
    // The descriptor is held already, so the number cannot be another's meanwhile.
    (getpgid(Some(process)) == Ok(group)).then_some((process, ended))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::unistd::{getpgrp, getpid, pipe, read};
    use std::net::SocketAddr;

    fn ends() -> Ends {
        Ends {
            local: SocketAddr::from(([127, 0, 0, 1], 21)),
            peer: SocketAddr::from(([127, 0, 0, 2], 5000)),
        }
    }

    /// This process as the trusted half of a session.
    fn own() -> Sessions {
        let mut sessions = Sessions::default();
        sessions.add(getpgrp(), ends());
        if let Some(session) = sessions.0.get_mut(&getpgrp()) {
            session.keeper = Some(getpid());
        }
        sessions
    }

    fn login(name: &[u8]) -> reports::Received {
        let user = UserName::new(name).unwrap();
        (getpid(), Some(Report::LoggedIn { user }), None)
    }

    #[test]
    fn the_list_tells_users_and_addresses() {
        let mut sessions = own();
        assert_eq!(sessions.hear(login(b"al\nice")), Ok(()));
        let (reader, writer) = pipe().unwrap();
        assert_eq!(
            sessions.hear((getpid(), Some(Report::Who), Some(writer))),
            Ok(())
        );
        let mut text = [0; 512];
        let count = read(&reader, &mut text).unwrap();
        let text = std::str::from_utf8(&text[..count]).unwrap();
        assert!(
            text.contains(r"al\nice") && text.contains("127.0.0.2"),
            "{text}"
        );
        assert_eq!(text.lines().count(), 1);
    }

    #[test]
    fn a_session_that_breaks_the_rules_is_found_out() {
        let group = getpgrp();
        assert_eq!(own().hear((getpid(), None, None)), Err(Some(group)));
        let mut sessions = own();
        sessions.hear(login(b"a")).unwrap();
        assert_eq!(sessions.hear(login(b"b")), Err(Some(group)));
        // Not a channel, and not a member of the group.
        for session in [1, u32::MAX] {
            let (reader, _writer) = pipe().unwrap();
            let report = Report::Reinitialise { ticket: 0, session };
            assert_eq!(
                own().hear((getpid(), Some(report), Some(reader))),
                Err(Some(group))
            );
        }
        let mut sessions = Sessions::default();
        assert_eq!(sessions.hear(login(b"a")), Err(None));
    }

    #[test]
    fn too_many_reports_end_a_session() {
        let mut sessions = own();
        let heard = (0..=MOST_REPORTS).map(|_| {
            let (_, writer) = pipe().unwrap();
            sessions.hear((getpid(), Some(Report::Who), Some(writer)))
        });
        assert_eq!(heard.last(), Some(Err(Some(getpgrp()))));
    }
}
