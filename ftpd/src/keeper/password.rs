//! SITE PSWD: a process of its own, as root as the listener that forked it, which changes one password and ends. Whose, is the
//! listener's word; the passwords come from the network half and from nowhere else.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use common::auth::Secret;
use common::auth::native::{self, NativeError, PasswordError, Scheme, Unchanged};
use common::channel::{Answerer, ChangeAnswer, ChangeRequest, Changing, Ticket};
use common::control::until;
use common::listener::{PasswordChange, Status};
use common::part::Part;
use common::sys;
use nix::poll::{PollFd, PollFlags, poll};

use crate::setup::Setup;

/// How long the passwords may take to come: they were there before this process was.
const PATIENCE: Duration = Duration::from_secs(5);

/// Changes the password and tells by its status whether the old one was right.
pub(crate) fn change(setup: &Setup, change: PasswordChange) -> Status {
    Part::Password.begin();
    let mut channel = Answerer::<Changing>::over(change.channel);
    let mut kept = vec![channel.as_fd()];
    kept.extend(setup.log.descriptor());
    if sys::keep_only(&kept).is_err() {
        return Status::SandboxFailed;
    }
    let Some((ticket, old, new)) = passwords(&mut channel) else {
        return Status::Misbehaved;
    };
    let user = change.user.as_slice();
    let outcome = try_change(setup, user, &old, &new);
    let (answer, status) = match &outcome {
        Ok(()) => (ChangeAnswer::Changed, Status::Ended),
        Err(Refused::TooShort(least)) => (ChangeAnswer::TooShort { least: *least }, Status::Ended),
        Err(Refused::Unchanged(why)) => match why {
            Unchanged::WrongPassword => (ChangeAnswer::WrongPassword, Status::LoginFailed),
            Unchanged::Null | Unchanged::Native(NativeError::NoSuchUser(_)) => {
                (ChangeAnswer::NotKeptHere, Status::Ended)
            }
            Unchanged::Native(NativeError::Password(
                PasswordError::Empty | PasswordError::Unsendable,
            )) => (ChangeAnswer::Unfit, Status::Ended),
            Unchanged::Changed | Unchanged::Native(_) => (ChangeAnswer::Failed, Status::Ended),
        },
    };
    let (name, client) = (user.escape_ascii(), change.ends.client());
    setup.log.line(&match outcome {
        Ok(()) => format!("password of '{name}' changed from {client}"),
        Err(Refused::TooShort(_)) => {
            format!("password of '{name}' not changed from {client}: the new one is too short")
        }
        Err(Refused::Unchanged(why)) => {
            format!("password of '{name}' not changed from {client}: {why}")
        }
    });
    // A client that is gone has its new password all the same.
    #[expect(clippy::let_underscore_must_use, reason = "as said above")]
    let _ = channel.answer(ticket, &answer, None);
    status
}

/// What the network half sends.
fn passwords(channel: &mut Answerer<Changing>) -> Option<(Ticket, Secret, Secret)> {
    let mut ready = [PollFd::new(channel.as_fd(), PollFlags::POLLIN)];
    #[expect(
        clippy::let_underscore_must_use,
        reason = "the look that follows decides"
    )]
    let _ = poll(&mut ready, until(Some(Instant::now() + PATIENCE)));
    match channel.receive() {
        Ok(Some((ticket, ChangeRequest::Change { old, new }))) => Some((ticket, old, new)),
        Ok(None) | Err(_) => None,
    }
}

enum Refused {
    TooShort(u32),
    Unchanged(Unchanged),
}

fn try_change(setup: &Setup, user: &[u8], old: &Secret, new: &Secret) -> Result<(), Refused> {
    let server = &setup.config.server;
    let least = server.min_password;
    if new.expose().len() < usize::try_from(least).unwrap_or(usize::MAX) {
        return Err(Refused::TooShort(least));
    }
    let scheme = server.update_pass.unwrap_or(Scheme::Argon2id);
    let (path, cost) = (&server.auth_file, server.password_cost);
    native::change(path, user, scheme, cost, (old, new)).map_err(Refused::Unchanged)
}
