//! Values that have names, which the help and the completions of shells list, and further spellings, which they do not.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::{Arg, Command, Error};

/// A parser with the names that it takes.
#[derive(Clone)]
struct Named<P> {
    parser: P,
    names: Vec<&'static str>,
}

/// Has the help and shells know these names of what a parser takes.
pub(super) fn named<P: TypedValueParser>(
    names: impl IntoIterator<Item = &'static str>,
    parser: P,
) -> impl TypedValueParser<Value = P::Value> {
    Named {
        parser,
        names: names.into_iter().collect(),
    }
}

impl<P: TypedValueParser> TypedValueParser for Named<P> {
    type Value = P::Value;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Self::Value, Error> {
        self.parser.parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let values = self.names.iter().map(|name| PossibleValue::new(*name));
        Some(Box::new(values))
    }
}
