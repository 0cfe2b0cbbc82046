//! The manual pages of section 5: the files that the tools read, from the tables. Writes nothing itself.

mod configuration;
mod grammar;
mod hooks;
mod rules;
mod users;

pub use grammar::meaning;

use clap_mangen::roff::{Roff, bold, roman};

/// The page of a file.
struct Page {
    /// The tool that generates it.
    tool: &'static str,
    name: &'static str,
    about: &'static str,
    text: fn(&mut Roff),
}

const PAGES: &[Page] = &[
    Page {
        tool: "ftpd",
        name: "metaftpd.conf",
        about: "configuration of ftpd",
        text: configuration::ftpd,
    },
    Page {
        tool: "ftpd",
        name: "ftpd-hooks",
        about: "what ftpd does when something happens",
        text: hooks::page,
    },
    Page {
        tool: "ftpproxy",
        name: "ftpproxy.conf",
        about: "configuration of ftpproxy",
        text: configuration::gateway,
    },
    Page {
        tool: "ftpuser",
        name: "metaftpd.auth",
        about: "users of ftpd",
        text: users::page,
    },
];

/// The page that is called so, such as `metaftpd.conf.5`, if it belongs to this tool.
pub(super) fn page(tool: &str, file: &str) -> Option<String> {
    let name = file.strip_suffix(".5")?;
    let page = PAGES
        .iter()
        .find(|page| page.tool == tool && page.name == name)?;
    let mut roff = Roff::new();
    let version = concat!("ftpd ", env!("CARGO_PKG_VERSION"));
    roff.control("TH", [page.name, "5", "", version]);
    roff.control("SH", ["NAME"]);
    roff.text([roman(format!("{} - {}", page.name, page.about))]);
    (page.text)(&mut roff);
    Some(roff.to_roff())
}

/// Text that is a file, or lines for a shell: shown as it is.
fn example(page: &mut Roff, what: &str, lines: &str) {
    page.control("PP", []);
    page.text([roman(what)]);
    page.control("PP", []);
    page.control("RS", ["4"]);
    page.control("nf", []);
    for line in lines.lines() {
        page.text([roman(line)]);
    }
    page.control("fi", []);
    page.control("RE", []);
}

/// Terms and what they mean.
fn terms<'a>(page: &mut Roff, terms: impl IntoIterator<Item = (&'a str, &'a str)>) {
    for (term, meaning) in terms {
        page.control("TP", []);
        page.text([bold(term)]);
        page.text([roman(meaning)]);
    }
}

fn see_also(page: &mut Roff, pages: &[(&str, &str)]) {
    page.control("SH", ["SEE ALSO"]);
    let mut text = Vec::new();
    for (count, (name, section)) in pages.iter().enumerate() {
        let comma = if count == 0 { "" } else { ", " };
        text.extend([roman(comma), bold(*name), roman(format!("({section})"))]);
    }
    page.text(text);
}
