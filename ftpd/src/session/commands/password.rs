//! SITE PSWD: the passwords go to a process that keeper knows nothing of.

use common::auth::Secret;
use common::channel::{Asker, Broken, ChangeAnswer, ChangeRequest, Changing};
use common::jail::Failure;
use common::proto::reply::{Code, Reply};
use common::wire::LONGEST_SECRET;

use crate::session::files::Denied;
use crate::session::{End, Stop, User, outcome};

pub(in crate::session) fn change(user: &mut User, old: Secret, new: Secret) -> Result<Reply, Stop> {
    if [&old, &new]
        .iter()
        .any(|s| s.expose().len() > LONGEST_SECRET)
    {
        return Ok(Reply::new(Code::BAD_ARGUMENT, "A password is too long."));
    }
    let channel = match user.files.change_password()? {
        Ok(channel) => channel,
        Err(Denied::Failed(Failure::Exhausted)) => return Ok(not_now()),
        Err(denied) => return Err(outcome::file(denied).into()),
    };
    let request = ChangeRequest::Change { old, new };
    let answer = match Asker::<Changing>::over(channel).call(&request) {
        Ok((answer, None)) => answer,
        // Nobody took it up, or the one who did is gone: the old password may be as good as the new one.
        Err(Broken::Closed) => return Ok(not_now()),
        Ok((_, Some(_))) => return Err(End::bug("an answer with a descriptor").into()),
        Err(broken) => return Err(End::from(broken).into()),
    };
    Ok(match answer {
        ChangeAnswer::Changed => Reply::new(Code::ACTION_DONE, "Password changed."),
        ChangeAnswer::WrongPassword => Reply::new(Code::UNAVAILABLE, "The old password is wrong."),
        ChangeAnswer::TooShort { least } => Reply::new(
            Code::UNAVAILABLE,
            format!("The new password must have at least {least} characters."),
        ),
        ChangeAnswer::Unfit => Reply::new(Code::UNAVAILABLE, "That cannot be a password."),
        ChangeAnswer::NotKeptHere => Reply::new(
            Code::UNAVAILABLE,
            "This account's password cannot be changed here.",
        ),
        ChangeAnswer::Failed => not_now(),
    })
}

fn not_now() -> Reply {
    Reply::new(Code::BUSY, "The password cannot be changed now.")
}
