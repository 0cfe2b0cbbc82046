//! Hooks: what happens ([`Event`]), who wants to know it ([`Hook`]), and in which words ([`Template`]). Pure: no I/O.

mod bounded;
pub mod directive;
mod event;
mod field;
mod hook;
mod kind;
mod matching;
mod reading;
mod script;
mod template;
pub mod toml;
mod variable;

pub use bounded::{Name, Path, Text, TooLong};
pub use event::{
    Act, CommandLine, Connection, DataConnection, ENDS, Event, Id, LIMITS, Outcome, Session,
    TLS_VERSIONS, Time, User,
};
pub use field::{FIELDS, Field, SCHEMA_VERSION, Value};
pub use hook::{
    Action, Exec, Hook, Input, Mode, OnFailure, Output, Phase, RateLimit, RunAs, Trigger, Webhook,
};
pub use kind::{Kind, KindSet};
pub use matching::{Match, PathPatterns, UserPatterns};
pub use script::Scripts;
pub use template::{LONGEST_TEMPLATE, Template, TemplateError};
pub use variable::{Row, VARIABLES};
