//! The manual page and the shell completions of a tool, from its command line and the tables. Writes nothing itself.

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, italic, roman};

use super::{examples, files, gateway, processes, signals, transfers};
use crate::proto::verbs::{Verb, When};
use crate::settings::DEFAULT_FILE;
use crate::settings::table::Setting;

/// What a tool's manual page has beside name, synopsis and options.
struct Tool {
    name: &'static str,
    /// The section of the manual.
    section: &'static str,
    pages: fn(&mut Roff),
}

/// The tools whose pages have more than their options; another one is in section 1 without it.
const TOOLS: &[Tool] = &[
    Tool {
        name: "ftpd",
        section: "8",
        pages: ftpd,
    },
    Tool {
        name: "ftpproxy",
        section: "8",
        pages: gateway::section,
    },
];

/// Generates `man`, `bash`, `zsh` or `fish`, or the manual page of a file of the tool, such as `metaftpd.conf.5`;
/// `None` for any other word.
pub(super) fn text(command: &Command, what: &str) -> Option<String> {
    let shell = match what {
        "man" => return Some(ascii(&manual(command))),
        "bash" => Shell::Bash,
        "zsh" => Shell::Zsh,
        "fish" => Shell::Fish,
        _ => return files::page(command.get_name(), what).map(|page| ascii(&page)),
    };
    let mut octets = Vec::new();
    let name = command.get_name().to_owned();
    clap_complete::generate(shell, &mut command.clone(), name, &mut octets);
    String::from_utf8(octets).ok()
}

/// What is not ASCII in a page, as any troff understands it.
fn ascii(page: &str) -> String {
    page.replace('\u{2026}', "...")
}

fn manual(command: &Command) -> String {
    let tool = TOOLS.iter().find(|tool| tool.name == command.get_name());
    let man = Man::new(command.clone()).section(tool.map_or("1", |tool| tool.section));
    let mut page = Vec::new();
    // Writing to memory does not fail.
    let _ = man.render_title(&mut page);
    let _ = man.render_name_section(&mut page);
    let _ = man.render_synopsis_section(&mut page);
    let _ = man.render_description_section(&mut page);
    let mut text = String::from_utf8_lossy(&page).into_owned();
    text.push_str(&options(&man, ".SH OPTIONS"));
    text.push_str(&hint(command));
    text.push_str(&subcommands(command));
    let mut sections = Roff::new();
    match tool {
        Some(tool) => (tool.pages)(&mut sections),
        None => examples::section(&mut sections, command.get_name()),
    }
    text.push_str(&sections.to_roff());
    text
}

/// One part for each subcommand, all on the tool's own page.
fn subcommands(command: &Command) -> String {
    let mut built = command.clone().disable_help_subcommand(true);
    built.build();
    let mut text = String::new();
    for (count, subcommand) in built
        .get_subcommands()
        .filter(|subcommand| !subcommand.is_hide_set())
        .enumerate()
    {
        let mut head = Roff::new();
        if count == 0 {
            head.control("SH", ["COMMANDS"]);
        }
        let usage = subcommand.clone().render_usage().to_string();
        let usage = usage.trim_start_matches("Usage: ");
        head.control("SS", [usage]);
        if let Some(about) = subcommand.get_about() {
            head.text([roman(about.to_string())]);
        }
        text.push_str(&head.to_roff());
        text.push_str(&options(&Man::new(subcommand.clone()), ".PP"));
        text.push_str(&hint(subcommand));
    }
    text
}

/// What the help says below the options, each line a paragraph.
fn hint(command: &Command) -> String {
    let mut page = Roff::new();
    let hint = command.get_after_help().map(ToString::to_string);
    for line in hint.iter().flat_map(|hint| hint.lines()) {
        page.control("PP", []);
        page.text([roman(line)]);
    }
    page.to_roff()
}

/// The options below a heading of their own; the headings among them are one level lower, as `FILES` and the like mean
/// something else in a manual.
fn options(man: &Man, heading: &str) -> String {
    let mut rendered = Vec::new();
    let _ = man.render_options_section(&mut rendered);
    let mut text = String::new();
    for line in String::from_utf8_lossy(&rendered).lines() {
        match line.strip_prefix(".SH ") {
            Some("OPTIONS") => text.push_str(heading),
            Some(lower) => text.push_str(&format!(".SS {lower}")),
            None => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

fn ftpd(page: &mut Roff) {
    page.control("SH", ["CONFIGURATION"]);
    page.text([
        roman("The file named by "),
        bold("-f"),
        roman(", or else "),
        italic(DEFAULT_FILE),
        roman(" if it exists; see "),
        bold("metaftpd.conf"),
        roman("(5). Flags go over it. "),
        bold("--check"),
        roman(" tells what is wrong with it, "),
        bold("--explain"),
        roman(" what a setting is, "),
        bold("--dump-config"),
        roman(" what holds and where it was said."),
    ]);
    archives(page);
    transfers::section(page);
    commands(page);
    processes::section(page, "ftpd");
    signals::section(page);
    closing(page);
}

fn archives(page: &mut Roff) {
    page.control("SH", ["ARCHIVES"]);
    page.text([roman(
        "After STRU T, and in TYPE I, RETR sends a POSIX tar archive that is made on its way. Its argument is a name, a \
         pattern, or several with blanks between and in quotes where they hold blanks. Directories come with all that is in \
         them, in the order of names; links as links, and devices, pipes and sockets not at all. A file that grows \
         meanwhile is cut where its header says; one that shrinks is filled up with zeros, and the reply is 451, as it is \
         where something could not be read: the archive is well-formed, and the reply names the first of what it lacks. \
         RETR needs the permission for LIST too.",
    )]);
    page.control("PP", []);
    page.text([roman(
        "STOR unpacks an archive into the current directory while it arrives; its argument is only a name. Files and \
         directories are made, with their times, and with their permissions less the umask as far as the user may set \
         either by MFMT, MFF, SITE UTIME or SITE CHMOD; directories need the permission for MKD, and those that are there \
         stay as they are. A file is there when it is whole, in the place of one of the same name. Links, devices and \
         pipes are left out and counted. An absolute path, one with .. in it, a sparse file, and whatever two programs \
         could understand differently end the archive; the reply says at which entry, and what was whole stays. \
         REST, APPE and STOU are refused.",
    )]);
}

fn commands(page: &mut Roff) {
    page.control("SH", ["FTP COMMANDS"]);
    page.text([roman(
        "Each with its group. Those marked * are accepted before the login.",
    )]);
    for verb in Verb::all().map(Verb::spec) {
        let mut head = vec![bold(verb.verb)];
        for alias in verb.aliases {
            head.extend([roman(", "), bold(*alias)]);
        }
        if !verb.arguments.is_empty() {
            head.extend([roman(" "), italic(verb.arguments)]);
        }
        page.control("TP", []);
        page.text(head);
        let early = match verb.when {
            When::Always => " *",
            When::LoggedIn => "",
        };
        page.text([roman(format!(
            "{} ({}){early}",
            verb.help,
            verb.group.name()
        ))]);
    }
}

fn closing(page: &mut Roff) {
    let entries = |page: &mut Roff, title: &str, entries: &[(&str, &str)]| {
        page.control("SH", [title]);
        for (head, text) in entries {
            page.control("TP", []);
            page.text([bold(*head)]);
            page.text([roman(*text)]);
        }
    };
    entries(
        page,
        "EXIT STATUS",
        &[
            (
                "0",
                "The server was told to end, or --check found nothing wrong.",
            ),
            (
                "1",
                "The configuration is wrong, the server cannot start, or --who, --kick or --health found none that answers, or that serves.",
            ),
            ("2", "The command line is wrong."),
            (
                "3",
                "--check --user: the configuration is right, and a login of this user would be refused.",
            ),
        ],
    );
    let auth_file = Setting::find("AuthFile").map_or("", |setting| setting.default);
    entries(
        page,
        "FILES",
        &[
            (DEFAULT_FILE, "The configuration."),
            (auth_file, "The native users; see metaftpd.auth(5)."),
        ],
    );
    examples::section(page, "ftpd");
    page.control("SH", ["SEE ALSO"]);
    page.text([
        bold("metaftpd.conf"),
        roman("(5), "),
        bold("metaftpd.auth"),
        roman("(5), "),
        bold("ftpuser"),
        roman("(1), "),
        bold("ftphash"),
        roman("(1), "),
        bold("ftpproxy"),
        roman("(8)"),
    ]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::table::FTPD;
    use clap::Arg;

    #[test]
    fn the_manual_has_every_flag_and_every_command() {
        let page = manual(&crate::cli::ftpd::command());
        let page = page.replace("\\-", "-").replace("\\*(Aq", "'");
        for setting in FTPD.rows {
            assert!(page.contains(setting.doc), "{}", setting.key);
            let flag = setting.flags[0];
            assert!(page.contains(&format!("-{flag}")), "{flag}");
        }
        for verb in Verb::all().map(Verb::spec) {
            assert!(page.contains(verb.verb) && page.contains(verb.help));
        }
    }

    #[test]
    fn a_tool_with_subcommands_has_them_on_its_page() {
        let tool = Command::new("tool").subcommand(
            Command::new("add")
                .about("Add a user")
                .arg(Arg::new("type").long("type").help("Kind of password")),
        );
        let page = manual(&tool);
        for part in [
            ".TH tool 1",
            ".SS \"tool add",
            "Add a user",
            "Kind of password",
        ] {
            assert!(page.contains(part), "{part} in {page}");
        }
        assert_eq!(page.matches(".SH OPTIONS").count(), 1);
    }

    #[test]
    fn an_unknown_kind_of_text_is_refused() {
        assert!(text(&Command::new("tool"), "pdf").is_none());
        for what in ["bash", "zsh", "fish"] {
            let completions = text(&crate::cli::ftpd::command(), what).unwrap();
            assert!(completions.contains("maxidle"), "{what}");
        }
    }
}
