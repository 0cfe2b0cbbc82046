//! What the reports of the trusted halves do: to their sessions, to the door, and to whoever owes what. It waits for nobody.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::time::Instant;

use nix::unistd::{Pid, getpgid};

use super::answers::Envelope;
use super::door::Door;
use super::hooks::Hooks;
use super::leases::Leases;
use super::reports::{self, OwnLog, Report, Verdict};
use super::sessions::{Handover, Sessions};
use crate::net::Passed;
use crate::rate::Direction;
use crate::sys;

/// So many reports a session may make; one that makes more was taken over.
const MOST_REPORTS: u32 = 1000;

impl Sessions {
    /// Takes a report in; `Err` is the group of a session that breaks the rules.
    pub(super) fn hear(
        &mut self,
        (sender, report, descriptor): reports::Received,
        door: &mut Door,
        leases: &mut Leases,
        hooks: &mut Hooks,
    ) -> Result<(), Option<Pid>> {
        // SECURITY: the sender is the kernel's word, and nobody leaves the group of its session.
        let group = getpgid(Some(sender)).map_err(|_| None)?;
        let session = self.of(group).ok_or(None)?;
        // Those who move much ask often: of leases there are as many as time allows, and so there are of passwords, of which
        // one is checked at a time.
        let unlimited = matches!(
            report,
            Some(Report::Lease { .. } | Report::Admit | Report::Failed)
        );
        if !unlimited {
            session.reports += 1;
        }
        if session.keeper != Some(sender) || session.reports > MOST_REPORTS {
            return Err(Some(group));
        }
        let report = report.ok_or(Some(group))?;
        self.act((group, sender), (report, descriptor), door, leases, hooks)
    }

    /// Does what a report of this session asks for.
    fn act(
        &mut self,
        (group, keeper): (Pid, Pid),
        (report, descriptor): (Report, Option<OwnedFd>),
        door: &mut Door,
        leases: &mut Leases,
        hooks: &mut Hooks,
    ) -> Result<(), Option<Pid>> {
        let session = self.of(group).ok_or(None)?;
        match (report, descriptor) {
            (Report::Peer { client, server }, Some(pipe)) if door.awaits_header(&session.ends) => {
                let envelope = envelope(pipe, group)?;
                let passed = Passed { client, server };
                if let Some(who) = session.acquaintance {
                    hooks.passed(who, passed);
                }
                envelope.send(&self.readmit(group, passed, door));
                Ok(())
            }
            (Report::Admit, Some(pipe)) if session.user().is_none() => {
                let source = session.source();
                let asked = door.logins.ask(group, source, envelope(pipe, group)?);
                asked.map_err(|()| Some(group))
            }
            (Report::Failed, None) if door.logins.runs(group) => {
                door.failed(group, session.ends.client(), Instant::now());
                Ok(())
            }
            // SECURITY: before the login only, when keeper is not yet the user.
            (Report::Introduce { user }, Some(root))
                if session.user().is_none() && door.logins.runs(group) =>
            {
                let introduced = session.introduce_user(hooks, user, root);
                introduced.map_err(|()| Some(group))
            }
            // SECURITY: the name of a log is root's word, too.
            (Report::LoggedIn { user, most, log }, Some(pipe)) if door.logins.runs(group) => {
                door.logins.succeeded(group);
                let envelope = envelope(pipe, group)?;
                let acquaintance = session.acquaintance;
                let admitted = self.enter(group, user, most);
                // Before the answer, so that the entry about the login is in it.
                if let (true, Some(log)) = (admitted, log) {
                    let begun = self.begin_log(group, keeper, &log);
                    begun.ok_or(Some(group))?;
                }
                let verdict = match admitted {
                    true => Verdict::Admitted,
                    false => Verdict::TooMany,
                };
                hooks.answer(acquaintance, envelope, verdict);
                Ok(())
            }
            (
                Report::Reinitialise {
                    ticket,
                    session: network,
                    led,
                },
                Some(channel),
            ) if reports::is_channel(&channel) => {
                let (session, ended) = member(network, group).ok_or(Some(group))?;
                let handover = Handover {
                    channel,
                    ticket,
                    session,
                    ended,
                    led,
                };
                self.hand_over(group, handover).map_err(|()| Some(group))
            }
            (Report::ChangePassword, Some(channel)) if reports::is_channel(&channel) => {
                self.want_change(group, channel);
                Ok(())
            }
            (Report::Lease { upload, user_rates }, Some(pipe)) => {
                let user = session.user().ok_or(Some(group))?;
                let direction = match upload {
                    true => Direction::Upload,
                    false => Direction::Download,
                };
                envelope(pipe, group)?.send(&leases.grant(user, user_rates, direction));
                Ok(())
            }
            (Report::Serves { server }, None) if session.user().is_none() => {
                session.server = Some(server);
                Ok(())
            }
            (Report::Who, Some(pipe)) => {
                self.list(&envelope(pipe, group)?);
                Ok(())
            }
            _ => Err(Some(group)),
        }
    }

    /// Gives a session the log of its own that `keeper` has named as root.
    fn begin_log(&mut self, group: Pid, keeper: Pid, log: &OwnLog) -> Option<()> {
        let (network, _) = member(log.network, group)?;
        let path = OsStr::from_bytes(log.path.as_slice()).as_ref();
        self.logs.begin(group, keeper, network, path);
        Some(())
    }
}

/// Where the answer goes that a session of this group asks for.
fn envelope(pipe: OwnedFd, group: Pid) -> Result<Envelope, Option<Pid>> {
    Envelope::of(pipe).ok_or(Some(group))
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
    use super::super::answers;
    use super::*;
    use crate::channel::UserName;
    use crate::log::Log;
    use crate::net::Ends;
    use crate::settings::Limits;
    use nix::unistd::{getpgrp, getpid, pipe, read};
    use std::net::SocketAddr;

    fn ends() -> Ends {
        Ends {
            local: SocketAddr::from(([127, 0, 0, 1], 21)),
            peer: SocketAddr::from(([127, 0, 0, 2], 5000)),
            passed: None,
        }
    }

    fn leases() -> Leases {
        Leases::new(crate::rate::Rates::default())
    }

    fn door() -> Door {
        Door::new(Limits::default())
    }

    /// This process as the trusted half of a session.
    fn own() -> Sessions {
        let mut sessions = Sessions::with_log(Log::nowhere());
        sessions.add(getpgrp(), ends(), false);
        if let Some(session) = sessions.of(getpgrp()) {
            session.keeper = Some(getpid());
        }
        sessions
    }

    /// Reports a right password.
    fn log_in(sessions: &mut Sessions, name: &[u8]) -> Result<Verdict, Option<Pid>> {
        let mut door = door();
        let (_turn, envelope) = answers::pair::<Verdict>().unwrap();
        sessions.hear(
            (getpid(), Some(Report::Admit), Some(envelope.into())),
            &mut door,
            &mut leases(),
            &mut Hooks::default(),
        )?;
        door.turn(Instant::now());
        let user = UserName::new(name).unwrap();
        let report = Report::LoggedIn {
            user,
            most: 2,
            log: None,
        };
        let (answer, envelope) = answers::pair().unwrap();
        sessions.hear(
            (getpid(), Some(report), Some(envelope.into())),
            &mut door,
            &mut leases(),
            &mut Hooks::default(),
        )?;
        Ok(answer.take().unwrap().unwrap())
    }

    /// More sessions of other processes: a number, the last octet of the address, and the user.
    fn with(mut sessions: Sessions, others: &[(i32, u8, Option<&[u8]>)]) -> Sessions {
        for &(group, last, user) in others {
            let peer = SocketAddr::from(([192, 0, 2, last], 5000));
            sessions.add(Pid::from_raw(group), Ends { peer, ..ends() }, false);
            let user = user.and_then(UserName::new);
            assert!(user.is_none_or(|user| sessions.enter(Pid::from_raw(group), user, 0)));
        }
        sessions
    }

    #[test]
    fn the_list_tells_users_and_addresses() {
        let mut sessions = own();
        assert_eq!(log_in(&mut sessions, b"al\nice"), Ok(Verdict::Admitted));
        let (reader, writer) = pipe().unwrap();
        let heard = sessions.hear(
            (getpid(), Some(Report::Who), Some(writer)),
            &mut door(),
            &mut leases(),
            &mut Hooks::default(),
        );
        assert_eq!(heard, Ok(()));
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
    fn a_user_has_only_so_many_sessions() {
        let mut sessions = with(own(), &[(-2, 1, Some(b"a")), (-3, 2, Some(b"b"))]);
        assert_eq!(log_in(&mut sessions, b"a"), Ok(Verdict::Admitted));
        let mut sessions = with(own(), &[(-2, 1, Some(b"a")), (-3, 2, Some(b"a"))]);
        assert_eq!(log_in(&mut sessions, b"a"), Ok(Verdict::TooMany));
        // The refused one has not become the user, and may try another name.
        assert_eq!(log_in(&mut sessions, b"b"), Ok(Verdict::Admitted));
    }

    #[test]
    fn a_session_that_breaks_the_rules_is_found_out() {
        let group = getpgrp();
        let mut door = door();
        assert_eq!(
            own().hear(
                (getpid(), None, None),
                &mut door,
                &mut leases(),
                &mut Hooks::default()
            ),
            Err(Some(group))
        );
        let mut sessions = own();
        log_in(&mut sessions, b"a").unwrap();
        assert_eq!(log_in(&mut sessions, b"b"), Err(Some(group)));
        // A login, or a failure, that was not admitted.
        let user = UserName::new(b"a").unwrap();
        let (_reader, writer) = pipe().unwrap();
        let report = Report::LoggedIn {
            user,
            most: 0,
            log: None,
        };
        let heard = own().hear(
            (getpid(), Some(report), Some(writer)),
            &mut door,
            &mut leases(),
            &mut Hooks::default(),
        );
        assert_eq!(heard, Err(Some(group)));
        let heard = own().hear(
            (getpid(), Some(Report::Failed), None),
            &mut door,
            &mut leases(),
            &mut Hooks::default(),
        );
        assert_eq!(heard, Err(Some(group)));
        // Not a channel, and not a member of the group.
        for session in [1, u32::MAX] {
            let (reader, _writer) = pipe().unwrap();
            let report = Report::Reinitialise {
                ticket: 0,
                session,
                led: false,
            };
            let heard = own().hear(
                (getpid(), Some(report), Some(reader)),
                &mut door,
                &mut leases(),
                &mut Hooks::default(),
            );
            assert_eq!(heard, Err(Some(group)));
        }
        let mut sessions = Sessions::with_log(Log::nowhere());
        assert_eq!(log_in(&mut sessions, b"a"), Err(None));
    }

    #[test]
    fn too_many_reports_end_a_session() {
        let mut sessions = own();
        let heard = (0..=MOST_REPORTS).map(|_| {
            let (_, writer) = pipe().unwrap();
            sessions.hear(
                (getpid(), Some(Report::Who), Some(writer)),
                &mut door(),
                &mut leases(),
                &mut Hooks::default(),
            )
        });
        assert_eq!(heard.last(), Some(Err(Some(getpgrp()))));
    }

    #[test]
    fn passwords_may_be_as_many_as_the_settings_allow() {
        let (mut sessions, mut door) = (own(), door());
        for _ in 0..MOST_REPORTS {
            let (_turn, envelope) = answers::pair::<Verdict>().unwrap();
            let reports = [
                (getpid(), Some(Report::Admit), Some(envelope.into())),
                (getpid(), Some(Report::Failed), None),
            ];
            for report in reports {
                let heard = sessions.hear(report, &mut door, &mut leases(), &mut Hooks::default());
                assert_eq!(heard, Ok(()));
                door.turn(Instant::now());
            }
        }
        assert_eq!(log_in(&mut sessions, b"a"), Ok(Verdict::Admitted));
    }
}
