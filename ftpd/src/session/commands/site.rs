//! SITE IDLE, TIME, ZONE: what a session tells of itself beyond the RFCs, and its patience.

use std::time::Duration;

use common::clock;
use common::proto::reply::{Code, Reply};

use crate::session::User;

/// The longest limit that can be asked for where the server sets none: as in the settings.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);
/// What SITE TIME shows when it is not told how (RFC 5322).
const FORMAT: &str = "%a, %d %b %Y %H:%M:%S %z";

/// Sets the limit, up to MaxIdle, or tells it. 0 is none, where there may be none.
pub(in crate::session) fn idle(user: &mut User, seconds: Option<u64>) -> Reply {
    let most = user.account.max_idle;
    if let Some(seconds) = seconds {
        let asked = Duration::from_secs(seconds);
        let (least, top) = match most {
            Duration::ZERO => (Duration::ZERO, LONGEST),
            most => (Duration::from_secs(1), most),
        };
        if !(least..=top).contains(&asked) {
            let (least, top) = (least.as_secs(), top.as_secs());
            return Reply::new(
                Code::BAD_ARGUMENT,
                format!("The idle limit is between {least} and {top} seconds."),
            );
        }
        user.account.idle = asked;
    }
    let now = match user.account.idle {
        Duration::ZERO => "There is no idle limit".to_owned(),
        idle => format!("The idle limit is {} seconds", idle.as_secs()),
    };
    let top = match most {
        Duration::ZERO => String::new(),
        most => format!(", at most {}", most.as_secs()),
    };
    Reply::new(Code::OK, format!("{now}{top}."))
}

pub(in crate::session) fn time(format: Option<&str>) -> Reply {
    match clock::now(format.unwrap_or(FORMAT)) {
        Some(text) => Reply::new(Code::OK, text),
        None => Reply::new(Code::BAD_ARGUMENT, "The format is not understood."),
    }
}

/// The zone of all times that a client is shown.
pub(in crate::session) fn zone() -> Reply {
    Reply::new(Code::OK, "UTC+0")
}
