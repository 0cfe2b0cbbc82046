//! Texts with variables, `%u` or `%{real_path}`, that become one argument of a program. Pure: no I/O.
//!
//! SECURITY: a template is read once, at start. What a client chose gets in afterwards and is never read as a template,
//! whatever it looks like; nor is it cut, split or quoted.

use super::event::Event;
use super::variable::Variable;

/// The longest template, in octets.
pub const LONGEST_TEMPLATE: usize = 4096;

/// A text with variables.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    Variable(Variable),
}

/// What is wrong with a text, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    /// The octet of the text where the variable begins.
    pub at: usize,
    pub message: String,
}

impl std::fmt::Display for TemplateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for TemplateError {}

impl Template {
    /// Reads a text. `%%` is a percent sign; a variable that nobody knows is an error.
    pub fn parse(text: &str) -> Result<Template, TemplateError> {
        let error = |at, message| Err(TemplateError { at, message });
        if text.len() > LONGEST_TEMPLATE || text.contains('\0') {
            let message = format!("it is longer than {LONGEST_TEMPLATE} octets, or has a NUL");
            return error(0, message);
        }
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            let at = text.len() - after.len() - 1;
            literal.push_str(before);
            rest = match after.strip_prefix('%') {
                Some(behind) => {
                    literal.push('%');
                    behind
                }
                None => {
                    let (variable, behind) =
                        variable(after).map_err(|message| TemplateError { at, message })?;
                    if !literal.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut literal)));
                    }
                    parts.push(Part::Variable(variable));
                    behind
                }
            };
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Text(literal));
        }
        Ok(Template {
            text: text.to_owned(),
            parts,
        })
    }

    /// A text in which nothing is a variable.
    pub fn literal(text: &str) -> Template {
        Template {
            parts: vec![Part::Text(text.to_owned())],
            text: text.replace('%', "%%"),
        }
    }

    /// The variable of the daemon's environment that has this name.
    pub(super) fn of_environment(name: &str) -> Result<Template, TemplateError> {
        match Variable::of_environment(name) {
            Ok(variable) => Ok(Template {
                text: format!("%{{env:{name}}}"),
                parts: vec![Part::Variable(variable)],
            }),
            Err(message) => Err(TemplateError { at: 0, message }),
        }
    }

    /// The text as it is read.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text, if it has no variables.
    pub fn as_literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The text for an event: always one argument, without NUL. `environment` is the daemon's.
    pub fn expand(&self, event: &Event, environment: &dyn Fn(&str) -> Option<Vec<u8>>) -> Vec<u8> {
        let mut argument = Vec::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => argument.extend_from_slice(text.as_bytes()),
                Part::Variable(variable) => variable.push(event, environment, &mut argument),
            }
        }
        argument.retain(|&octet| octet != 0);
        argument
    }
}

/// The variable behind a percent sign, and what follows it.
fn variable(after: &str) -> Result<(Variable, &str), String> {
    let Some(inside) = after.strip_prefix('{') else {
        let Some(letter) = after.chars().next() else {
            return Err("a single % at the end: a percent sign is written %%".to_owned());
        };
        return Ok((Variable::of_letter(letter)?, &after[letter.len_utf8()..]));
    };
    let Some((name, behind)) = inside.split_once('}') else {
        return Err("\"%{\" has no \"}\"".to_owned());
    };
    // The old forms have their kind behind the brace: %{HOME}e, %{%Y}t. As a field's name wins, %{user}e is user and "e".
    if Variable::of_name(name).is_err() {
        if let Some(behind) = behind.strip_prefix('e') {
            return Ok((Variable::of_environment(name)?, behind));
        }
        if let Some(behind) = behind.strip_prefix('t') {
            return Ok((Variable::of_time(name)?, behind));
        }
    }
    Ok((Variable::of_name(name)?, behind))
}

#[cfg(test)]
mod tests {
    use super::super::bounded::Path;
    use super::super::field::tests::full;
    use super::super::field::{FIELDS, Value};
    use super::super::variable::VARIABLES;
    use super::*;
    use proptest::prelude::*;

    fn expand(text: &str, event: &Event) -> Vec<u8> {
        let environment = |name: &str| (name == "HOME").then(|| b"/root".to_vec());
        Template::parse(text).unwrap().expand(event, &environment)
    }

    fn expanded(text: &str) -> String {
        String::from_utf8(expand(text, &full())).unwrap()
    }

    fn wrong(text: &str) -> (usize, String) {
        let error = Template::parse(text).unwrap_err();
        (error.at, error.message)
    }

    #[test]
    fn letters_and_names_are_what_they_are_in_logformat() {
        assert_eq!(
            expanded("%a %b %f %F %m %u %U %w"),
            "192.0.2.7 10 /home/fred/in/a b.txt /in/a b.txt STOR fred Fred /in/old"
        );
        assert_eq!(expanded("%r|%s %S|%T"), "STOR in/a b.txt|226 Done|1.500");
        assert_eq!(expanded("%t"), "2025-11-24 16:00:00 +0000");
        assert_eq!(expanded("%{basename}%{file-size}"), "a b.txt12");
        assert_eq!(expanded("%{HOME}e=%{env:HOME} %{env:NONE}"), "/root=/root ");
        assert_eq!(expanded("%{%H:%M}t %{time:%Y}"), "16:00 2025");
        assert_eq!(expanded("100%% %{real_path}"), "100% /home/fred/in/a b.txt");
        assert_eq!(expanded(""), "");
    }

    #[test]
    fn a_field_is_in_a_template_what_it_is_in_json() {
        let event = full();
        for field in FIELDS {
            let mut value = Vec::new();
            (field.value)(&event).unwrap().push(&mut value);
            assert_eq!(expand(&format!("%{{{}}}", field.name), &event), value);
        }
        for row in VARIABLES {
            let names = [
                row.letter.map(|letter| format!("%{letter}")),
                row.long.map(|long| format!("%{{{long}}}")),
            ];
            for name in names.into_iter().flatten() {
                assert!(!expand(&name, &event).is_empty(), "{name}");
            }
        }
        assert_eq!(
            Value::Flag(true),
            (FIELDS.iter().find(|f| f.name == "replaced").unwrap().value)(&event).unwrap()
        );
    }

    #[test]
    fn what_is_unknown_is_told_with_its_place_and_the_nearest_name() {
        assert_eq!(
            wrong("a %{real-path}"),
            (
                2,
                "unknown variable \"%{real-path}\", did you mean \"%{real_path}\"?".to_owned()
            )
        );
        assert_eq!(wrong("é%x").0, 2);
        assert!(
            wrong("%x")
                .1
                .starts_with("unknown variable \"%x\": the letters are abCDd")
        );
        assert_eq!(
            wrong("%").1,
            "a single % at the end: a percent sign is written %%"
        );
        assert_eq!(wrong("%{user").1, "\"%{\" has no \"}\"");
        assert!(wrong("%A").1.contains("\"%A\" is not offered: "));
        assert!(
            wrong("%{note:x}")
                .1
                .contains("\"%{note}\" is not offered: ")
        );
        assert!(wrong("%{time:%!}").1.contains("is not a format of a time"));
        assert!(wrong("%{time:%!}").1.starts_with("\"%!\""));
        assert!(Template::parse(&"a".repeat(LONGEST_TEMPLATE + 1)).is_err());
    }

    /// Row 75 and row 77 of the attacks that we test for: names that look like templates, options or shell.
    #[test]
    fn a_name_is_one_argument_and_stays_literal() {
        let long = "x".repeat(4095);
        for name in [
            "-rf",
            "--use-compress-program=sh",
            "';id;'",
            "a'b c",
            "x\nNewPassword: root x",
            "%U %{env:HOME} ${x} {{7*7}} $(id) %%",
            &long,
        ] {
            let mut event = full();
            event.act.path = Path::new(name).ok();
            assert_eq!(expand("%F", &event), name.as_bytes());
            assert_eq!(expand("<%{path}>", &event), format!("<{name}>").as_bytes());
        }
    }

    proptest! {
        #[test]
        fn any_name_comes_through_whole(name in proptest::collection::vec(1u8..=255, 0..4096)) {
            let mut event = full();
            event.act.real_path = Path::new(name.clone()).ok();
            prop_assert_eq!(expand("%f", &event), name);
        }

        #[test]
        fn any_text_is_a_template_or_told_wrong(text in "[%{}a-z:A-Z é-]{0,40}") {
            match Template::parse(&text) {
                Ok(template) => prop_assert!(!template.expand(&full(), &|_| None).contains(&0)),
                Err(error) => prop_assert!(text.is_char_boundary(error.at) && !error.message.is_empty()),
            }
        }

        #[test]
        fn a_text_without_percent_is_itself(text in "[^%\0]{0,80}") {
            let template = Template::parse(&text).unwrap();
            prop_assert_eq!(template.as_literal(), Some(text.as_str()));
            prop_assert_eq!(template.expand(&full(), &|_| None), text.as_bytes());
        }
    }
}
