//! Values that are one of a few words. Pure: no I/O.

use super::{Value, Wrong, not, shown, words};
use crate::charset::{Charset, Unusable};
use crate::digest::Algorithm;
use crate::proto::listing::Order;
use crate::settings::nearest::nearest;
use crate::settings::{
    ArchiveLinks, Durability, Locks, LogFormat, LogLevel, Method, Methods, Owners, Scheme,
};

impl Value<'_> {
    pub fn charset(self) -> Result<Charset, Wrong> {
        charset(self.text)
    }

    /// A digest by any of its names, or none.
    pub fn digest(self) -> Result<Option<Algorithm>, Wrong> {
        if ["none", "no", "off"]
            .iter()
            .any(|word| self.text.eq_ignore_ascii_case(word))
        {
            return Ok(None);
        }
        let found = Algorithm::find(self.text).map(Some);
        found.ok_or_else(|| {
            let names = Algorithm::ALL.map(Algorithm::name).join(", ");
            let none = format!(
                "\"{}\" is no digest: none, or one of {names}",
                shown(self.text)
            );
            Wrong::Because(none)
        })
    }

    pub fn durability(self) -> Result<Durability, Wrong> {
        match self.text.to_ascii_lowercase().as_str() {
            "strict" => Ok(Durability::Strict),
            "rename" => Ok(Durability::Rename),
            "off" => Ok(Durability::Off),
            _ => Err(not("strict, rename or off")),
        }
    }

    /// In any case, where MetaFTPd wants these very capitals.
    pub fn locks(self) -> Result<Locks, Wrong> {
        match self.text.to_ascii_lowercase().as_str() {
            "none" => Ok(Locks::None),
            "advisory" => Ok(Locks::Advisory),
            "mandatory" => Ok(Locks::Mandatory),
            "mandatorywrite" => Ok(Locks::MandatoryWrite),
            _ => Err(not("none, Advisory, Mandatory or MandatoryWrite")),
        }
    }

    pub fn owners(self) -> Result<Owners, Wrong> {
        match self.text.to_ascii_lowercase().as_str() {
            "names" => Ok(Owners::Names),
            "numbers" => Ok(Owners::Numbers),
            "hidden" => Ok(Owners::Hidden),
            _ => Err(not("names, numbers or hidden")),
        }
    }

    pub fn list_order(self) -> Result<Order, Wrong> {
        match self.text.to_ascii_lowercase().as_str() {
            "directory" => Ok(Order::Unsorted),
            "name" => Ok(Order::Name),
            _ => Err(not("directory or name")),
        }
    }

    pub fn archive_links(self) -> Result<ArchiveLinks, Wrong> {
        match self.text.to_ascii_lowercase().as_str() {
            "keep" => Ok(ArchiveLinks::Keep),
            "skip" => Ok(ArchiveLinks::Skip),
            _ => Err(not("keep or skip")),
        }
    }

    pub fn log_format(self) -> Result<LogFormat, Wrong> {
        match self.text.to_ascii_lowercase().as_str() {
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            _ => Err(not("text or json")),
        }
    }

    pub fn log_level(self) -> Result<LogLevel, Wrong> {
        match self.text.to_ascii_lowercase().as_str() {
            "logins" => Ok(LogLevel::Logins),
            "transfers" => Ok(LogLevel::Transfers),
            "commands" => Ok(LogLevel::Commands),
            _ => Err(not("logins, transfers or commands")),
        }
    }

    pub fn scheme(self) -> Result<Scheme, Wrong> {
        match Scheme::to_make(self.text) {
            Ok(Scheme::Null) => Err(Wrong::Because(
                "the type null would let everybody in".to_owned(),
            )),
            Ok(Scheme::Crypt) => Err(Wrong::Because(
                "the type crypt is for hashes from elsewhere; argon2id is the better one"
                    .to_owned(),
            )),
            Ok(scheme) => Ok(scheme),
            Err(error) => Err(Wrong::Because(error.to_string())),
        }
    }

    /// The ways to check a password.
    pub fn auth_methods(self) -> Result<Methods, Wrong> {
        let (on_top, methods): (Vec<&str>, Vec<&str>) =
            words(self.text).partition(|word| word.eq_ignore_ascii_case(Methods::SESSION_PAM));
        let found = methods.into_iter().map(Method::find);
        let found: Vec<Method> = found.collect::<Result<_, _>>().map_err(Wrong::Because)?;
        match (Methods::new(found), on_top.is_empty()) {
            (Some(methods), true) => Ok(methods),
            (Some(methods), false) => Ok(methods.with_session_pam()),
            (None, true) => Err(not("a list of authentication methods")),
            (None, false) => Err(Wrong::Because(
                "session-pam checks no password: name a method that does beside it".to_owned(),
            )),
        }
    }
}

/// Finds a charset for names.
pub(in crate::settings) fn charset(name: &str) -> Result<Charset, Wrong> {
    Charset::find(name).map_err(|why| {
        Wrong::Because(match why {
            Unusable::Unknown => {
                let hint = nearest(name, Charset::all().map(Charset::name))
                    .map(|name| format!(", did you mean \"{name}\"?"))
                    .unwrap_or_default();
                format!("unknown charset \"{}\"{hint}", shown(name))
            }
            Unusable::NotForNames(why) => {
                format!("the charset \"{}\" is not for names: {why}", shown(name))
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::value;
    use super::*;

    #[test]
    fn a_charset_is_one_that_names_can_have() {
        assert_eq!(value("cp1251").charset(), value("Windows-1251").charset());
        let wrong = |text, sentence: &str| {
            assert_eq!(
                value(text).charset(),
                Err(Wrong::Because(sentence.to_owned()))
            );
        };
        wrong(
            "Shift_JSI",
            "unknown charset \"Shift_JSI\", did you mean \"Shift_JIS\"?",
        );
        wrong("EBCDIC", "unknown charset \"EBCDIC\"");
        wrong("", "unknown charset \"\"");
        wrong(
            "iso-2022-jp",
            "the charset \"iso-2022-jp\" is not for names: what its octets mean depends on those before them",
        );
        wrong(
            "UTF-16",
            "the charset \"UTF-16\" is not for names: its text is full of NUL octets",
        );
    }

    #[test]
    fn methods_are_separated_by_commas_or_blanks() {
        let methods = |text| {
            let methods = value(text).auth_methods();
            methods.map(|methods| methods.iter().map(Method::name).collect::<Vec<_>>())
        };
        assert_eq!(
            methods(" Native,  shadow native"),
            Ok(vec!["native", "shadow"])
        );
        assert_eq!(methods("native, Session-PAM"), Ok(vec!["native"]));
        assert!(
            value("session-pam,native")
                .auth_methods()
                .unwrap()
                .session_pam()
        );
        let alone = methods("session-pam").unwrap_err().sentence("session-pam");
        assert!(alone.contains("checks no password"), "{alone}");
        assert!(methods("").is_err());
        assert!(methods(" , ").is_err());
        assert!(methods("nativ").is_err());
    }
}
