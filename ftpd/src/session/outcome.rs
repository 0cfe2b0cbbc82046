//! What went wrong to what the client hears: one function for each family of errors.

use common::jail::Failure;
use common::proto::listing::Remark;
use common::proto::reply::{Code, Reply, shown};
use common::pump::{self, Interrupt, OpenError};
use common::stage::{Confirmation, Fault, NotOffered};
use common::tls;

use super::files::Denied;
use super::{End, Stop};

/// The most octets of a name that a reply repeats.
const LONGEST_NAME_SHOWN: usize = 200;

/// As [`file()`], naming what it is about as the client typed it.
pub(crate) fn about(typed: &[u8]) -> impl FnOnce(Denied) -> Reply {
    move |denied| {
        if let Denied::Vetoed(_) = denied {
            return file(denied);
        }
        let (code, why) = reason(&denied);
        let mut text = shown(&typed[..typed.len().min(LONGEST_NAME_SHOWN)]);
        if text.len() < typed.len() {
            text.extend_from_slice(b"...");
        }
        text.extend_from_slice(b": ");
        text.extend_from_slice(why.as_bytes());
        Reply::new(code, text)
    }
}

/// A file or directory that could not be had.
pub(crate) fn file(denied: Denied) -> Reply {
    if let Denied::Vetoed(veto) = denied {
        return Reply::new(Code::UNAVAILABLE, veto.as_slice().to_vec());
    }
    let (code, text) = reason(&denied);
    Reply::new(code, text)
}

/// Why something with a file did not work, as a sentence.
pub(crate) fn text(why: Failure) -> &'static str {
    reason(&Denied::Failed(why)).1
}

/// The failure that says the same.
pub(crate) fn failure(denied: Denied) -> Failure {
    match denied {
        Denied::Failed(why) => why,
        Denied::NotPermitted | Denied::TargetRefused | Denied::Vetoed(_) => Failure::Denied,
    }
}

/// The reply code and the sentence for it.
pub(crate) fn reason(denied: &Denied) -> (Code, &'static str) {
    let why = match denied {
        Denied::Failed(why) => *why,
        Denied::NotPermitted => return (Code::UNAVAILABLE, "Permission denied."),
        Denied::TargetRefused | Denied::Vetoed(_) => return (Code::UNAVAILABLE, "Refused."),
    };
    match why {
        Failure::NotFound => (Code::UNAVAILABLE, "No such file or directory."),
        Failure::Denied => (Code::UNAVAILABLE, "Permission denied."),
        Failure::Exists => (Code::UNAVAILABLE, "It exists already."),
        Failure::NotADirectory => (Code::UNAVAILABLE, "Not a directory."),
        Failure::IsADirectory => (Code::UNAVAILABLE, "It is a directory."),
        Failure::NotEmpty => (Code::UNAVAILABLE, "The directory is not empty."),
        Failure::Special => (Code::UNAVAILABLE, "Not a regular file."),
        Failure::NameTooLong => (Code::NAME_NOT_ALLOWED, "The name is too long."),
        Failure::Loop => (
            Code::UNAVAILABLE,
            "Too many symbolic links, or one that is not followed.",
        ),
        Failure::BadOffset => (
            Code::BAD_RESTART,
            "The restart position is behind the end of the file.",
        ),
        Failure::NoSpace => (Code::NO_SPACE, "The disk is full."),
        Failure::Quota => (Code::QUOTA_EXCEEDED, "The quota is used up."),
        Failure::TooLarge => (Code::QUOTA_EXCEEDED, "The file is too large."),
        Failure::Limit => (
            Code::QUOTA_EXCEEDED,
            "There are too many entries, or too deep ones.",
        ),
        Failure::ReadOnly => (Code::UNAVAILABLE, "The file system is read-only."),
        Failure::CrossDevice => (Code::UNAVAILABLE, "Not within one file system."),
        Failure::Busy => (Code::BUSY, "Somebody else uses it; try later."),
        Failure::Unfinished => (
            Code::BUSY,
            "A broken upload of it waits: continue that with REST, or send the file anew.",
        ),
        Failure::Crowded => (Code::BUSY, "Too many digests are being taken; try later."),
        Failure::Alone => (Code::NOT_OFFERED, "Not under inetd: it needs the daemon."),
        Failure::Exhausted => (
            Code::LOCAL_ERROR,
            "The server is out of resources; try later.",
        ),
        Failure::Io => (Code::LOCAL_ERROR, "The storage failed."),
    }
}

/// A data connection that could not be prepared.
pub(crate) fn data_setup(denied: Denied) -> Reply {
    match denied {
        Denied::Failed(Failure::Exhausted) => Reply::new(
            Code::NO_DATA_CONNECTION,
            "No passive port is free; try again.",
        ),
        Denied::Failed(_) => Reply::new(Code::NO_DATA_CONNECTION, "Cannot open a data connection."),
        Denied::Vetoed(veto) => Reply::new(Code::NO_DATA_CONNECTION, veto.as_slice().to_vec()),
        Denied::NotPermitted => Reply::new(Code::NOT_OFFERED, "This command is not offered."),
        Denied::TargetRefused => Reply::new(
            Code::BAD_ARGUMENT,
            "Address not allowed: data goes to your own one or such as the server allows, and to ports from 1024.",
        ),
    }
}

/// A connection to the client that could not be begun.
pub(crate) fn active_setup(denied: Denied) -> Reply {
    match denied {
        Denied::Failed(Failure::Exhausted) => Reply::new(
            Code::NO_DATA_CONNECTION,
            "The server's data port is still in use towards yours; try another one.",
        ),
        denied => data_setup(denied),
    }
}

/// A connection to the client that did not come about.
pub(crate) fn active_open(error: OpenError) -> Stop {
    match error {
        OpenError::TimedOut => Reply::new(
            Code::NO_DATA_CONNECTION,
            "Your data port did not answer in time; passive mode may work.",
        )
        .into(),
        error => data_open(error),
    }
}

/// A data connection that did not come about.
pub(crate) fn data_open(error: OpenError) -> Stop {
    match error {
        OpenError::TimedOut => Reply::new(
            Code::NO_DATA_CONNECTION,
            "Nobody came to the data connection in time.",
        )
        .into(),
        OpenError::Failed(_) => {
            Reply::new(Code::NO_DATA_CONNECTION, "The data connection failed.").into()
        }
        OpenError::Insecure(fault @ (tls::Fault::NotResumed | tls::Fault::OtherClient)) => {
            Reply::new(
                Code::DATA_TLS_REFUSED,
                format!("The data connection is refused: {fault}."),
            )
            .into()
        }
        OpenError::Insecure(fault) => Reply::new(
            Code::NO_DATA_CONNECTION,
            format!("No TLS on the data connection: {fault}."),
        )
        .into(),
        OpenError::Interrupted(Interrupt::Abort) => {
            Reply::new(Code::TRANSFER_ABORTED, "Transfer aborted.").into()
        }
        OpenError::Interrupted(interrupt) => end(interrupt).into(),
    }
}

/// A transfer of a file that went through, with the digest of what went through.
pub(crate) fn complete(confirmation: Option<&Confirmation>) -> Reply {
    let text = match confirmation {
        None => "Transfer complete.".to_owned(),
        Some(confirmation) => format!("Transfer complete. {confirmation}"),
    };
    Reply::new(Code::DATA_DONE, text)
}

/// The end of a download's or listing's way through the pump.
pub(crate) fn sent(end: pump::End) -> Result<Reply, End> {
    moved(end, || {
        Reply::new(Code::LOCAL_ERROR, "The file could not be read.")
    })
}

/// A listing whose data connection has taken all there was. What is missing is said, and where a limit cut it off, by the code.
pub(crate) fn listed(remark: Remark) -> Reply {
    let (code, text) = match remark {
        Remark::Whole => (Code::DATA_DONE, "Transfer complete."),
        Remark::Unsorted => (
            Code::DATA_DONE,
            "Transfer complete; it was too much to be sorted.",
        ),
        Remark::Unreadable => (
            Code::DATA_DONE,
            "Transfer complete; some directories cannot be read.",
        ),
        Remark::TooDeep => (
            Code::LOCAL_ERROR,
            "The listing is incomplete: there are directories that lie too deep.",
        ),
        Remark::TooMany => (
            Code::LOCAL_ERROR,
            "The listing is incomplete: there are too many entries.",
        ),
        Remark::TooLong => (
            Code::LOCAL_ERROR,
            "The listing is incomplete: it took too long.",
        ),
    };
    Reply::new(code, text)
}

/// The end of an upload's way through the pump; complete does not mean kept yet.
pub(crate) fn received(end: pump::End) -> Result<Reply, End> {
    let failed = match end {
        pump::End::StoreFailed(errno) => file(Denied::Failed(errno.into())),
        _ => Reply::new(Code::LOCAL_ERROR, "The file could not be written."),
    };
    moved(end, || failed)
}

fn moved(outcome: pump::End, store_failed: impl FnOnce() -> Reply) -> Result<Reply, End> {
    match outcome {
        pump::End::Complete => Ok(Reply::new(Code::DATA_DONE, "Transfer complete.")),
        pump::End::Interrupted(Interrupt::Abort) => {
            Ok(Reply::new(Code::TRANSFER_ABORTED, "Transfer aborted."))
        }
        pump::End::Interrupted(interrupt) => Err(end(interrupt)),
        pump::End::DataLost(_) | pump::End::SourceLost(_) => Ok(Reply::new(
            Code::TRANSFER_ABORTED,
            "The data connection broke.",
        )),
        pump::End::Insecure(fault) => Ok(Reply::new(
            Code::TRANSFER_ABORTED,
            format!("The TLS of the data connection broke: {fault}."),
        )),
        pump::End::StoreFailed(_) => Ok(store_failed()),
        pump::End::Spoiled(fault) => Ok(spoiled(fault)),
        pump::End::Stalled => Ok(Reply::new(
            Code::TRANSFER_ABORTED,
            "The transfer made no progress.",
        )),
    }
}

/// Data that cannot be taken as it came.
fn spoiled(fault: Fault) -> Reply {
    let (code, text) = match fault {
        Fault::Corrupt => (Code::LOCAL_ERROR, "The data is damaged; nothing was kept."),
        Fault::Truncated => (
            Code::TRANSFER_ABORTED,
            "The data ends too early; nothing was kept.",
        ),
        Fault::Trailing => (
            Code::LOCAL_ERROR,
            "There is more behind the end of the data; nothing was kept.",
        ),
        Fault::Swollen => (
            Code::QUOTA_EXCEEDED,
            "The data becomes far more than was sent; nothing was kept.",
        ),
    };
    Reply::new(code, text)
}

/// A combination of TYPE, MODE and the like that has no meaning.
pub(crate) fn not_offered(NotOffered(text): NotOffered) -> Reply {
    Reply::new(Code::PARAMETER_NOT_OFFERED, text)
}

fn end(interrupt: Interrupt) -> End {
    match interrupt {
        Interrupt::ControlLost => End::ControlLost,
        Interrupt::Abort | Interrupt::KeeperGone | Interrupt::ServerGone => End::KeeperGone,
    }
}
