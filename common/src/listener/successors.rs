//! What the listener forks for a session that runs: its next trusted half, and whoever changes its password.

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::{Pid, setpgid};

use super::{Listener, PasswordChange, Reinitialised, Renewal, ToHooks, unblock_termination};
use crate::hookd::{self, Stage};
use crate::sys::{self, Fork};

impl Listener {
    /// Gives the sessions that wait for it another keeper, in a new child of its own each; `Some` in the child.
    pub(super) fn reinitialise(&mut self) -> Option<Reinitialised> {
        while let Some((group, session, handover)) = self.sessions.next_handover() {
            // SECURITY: the former keeper must not hear the next user's password on the channel that it has left.
            if let Some(former) = session.keeper.take() {
                let _ = kill(former, Signal::SIGKILL);
            }
            let channel = self.hooks.are_there().then(hookd::channel);
            let (ours, theirs) = channel.and_then(Result::ok).unzip();
            match sys::fork() {
                // In the listener, so that no signal to the group can come between; it fails if the session has ended.
                Ok(Fork::Parent(child)) if setpgid(child, group).is_ok() => {
                    if let Some(theirs) = theirs {
                        let (former, ends) = (session.acquaintance, session.ends);
                        let stage = Stage::Again;
                        let introduced = self.hooks.introduce(child, ends, theirs, stage, former);
                        self.sessions.introduced(group, introduced);
                    }
                    self.sessions.replaced(group, child);
                }
                Ok(Fork::Parent(child)) => {
                    let _ = kill(child, Signal::SIGKILL);
                    self.forget(group);
                }
                Ok(Fork::Child) => {
                    let ends = session.ends;
                    let lifeline = self.lifeline.try_clone();
                    let reports = self.reports.try_clone();
                    self.ports.clear();
                    let made = unblock_termination().and_then(|()| Ok((lifeline?, reports?)));
                    let (lifeline, reports) = match made {
                        Ok(made) => made,
                        Err(errno) => self.give_up("start of another keeper", errno),
                    };
                    return Some(Reinitialised {
                        ends,
                        tls: self.renewal.as_ref().map(Renewal::offer),
                        lifeline,
                        reports,
                        hooks: ours.map(ToHooks::by_listener),
                        channel: handover.channel,
                        ticket: handover.ticket,
                        session: handover.session,
                        ended: handover.ended,
                        led: handover.led,
                    });
                }
                Err(errno) => {
                    self.log
                        .line(&format!("session {group}: cannot begin anew: {errno}"));
                    let _ = killpg(group, Signal::SIGKILL);
                    self.forget(group);
                }
            }
        }
        None
    }

    /// Begins the changes of passwords that may begin now, in a new child of its own each; `Some` in the child.
    pub(super) fn change_passwords(&mut self) -> Option<PasswordChange> {
        while let Some((group, session, channel, user)) = self.sessions.next_change(&mut self.door)
        {
            match sys::fork() {
                // A member of the session: it ends with that.
                Ok(Fork::Parent(child)) if setpgid(child, group).is_ok() => {
                    session.changed_by(child);
                }
                Ok(Fork::Parent(child)) => {
                    let _ = kill(child, Signal::SIGKILL);
                    self.door.logins.free(group);
                }
                Ok(Fork::Child) => {
                    let ends = session.ends;
                    self.ports.clear();
                    if let Err(errno) = unblock_termination() {
                        self.give_up("start of a change of passwords", errno);
                    }
                    return Some(PasswordChange {
                        ends,
                        user,
                        channel,
                    });
                }
                Err(errno) => {
                    self.door.logins.free(group);
                    self.log.line(&format!(
                        "session {group}: cannot change a password: {errno}"
                    ));
                }
            }
        }
        None
    }

    /// Forgets a session that cannot go on.
    pub(super) fn forget(&mut self, group: Pid) {
        self.door.logins.done(group);
        self.sessions.forget(group);
    }
}
