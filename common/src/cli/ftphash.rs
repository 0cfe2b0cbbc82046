//! The command line of `ftphash`: what can be asked for. Does nothing.

use std::path::PathBuf;

use clap::{Arg, ArgAction, Command, value_parser};

use super::named::named;
use crate::digest::Algorithm;

pub fn command() -> Command {
    Command::new("ftphash")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Print and check digests of files, in the form of sha256sum and its kin")
        .after_help(
            "Exit status: 0 all is well, 1 a file differs or failed, 2 wrong usage. That of compare is its own.",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(sum())
        .subcommand(verify())
        .subcommand(confirm())
        .subcommand(compare())
}

fn sum() -> Command {
    Command::new("sum")
        .about("Print the digests of files and of all files in trees")
        .after_help(
            "Plain lines are those of sha256sum and its kin, tagged ones those of BSD's programs (SHA256 (name) = hex). \
             --json prints an object on each line: \"path\", or \"path_hex\" where the name is no UTF-8; \"size\" in \
             octets; \"digests\", an object with a name and lower-case hex for each digest. `ftphash verify` reads all of \
             them.\n\
             A file that changes while it is read is told, and has no line.",
        )
        .arg(
            algorithm("Which digest; several, with commas, are taken in one read, and printed in tagged lines")
                .action(ArgAction::Append)
                .value_delimiter(',')
                .default_value(Algorithm::Sha256.name()),
        )
        .arg(switch("recursive", "Read the directories among the files too: all regular files below them, sorted; \
             symbolic links are not followed, and other files are named and left out").short('r'))
        .arg(switch("tag", "Print tagged lines"))
        .arg(json().conflicts_with_all(["tag", "zero"]))
        .arg(zero("End lines with NUL, and print names as they are"))
        .arg(no_progress())
        .arg(
            files("FILE")
                .default_value("-")
                .help("The files; - is the standard input"),
        )
}

fn verify() -> Command {
    Command::new("verify")
        .about("Check files against the digests in a manifest")
        .after_help(
            "Names that are no absolute paths are looked for from the working directory. The exit status is 1 too if a \
             manifest has no proper line, and with --ignore-missing if no file was there.\n\
             --json prints an object on each line: \"path\", or \"path_hex\" where the name is no UTF-8; \"verdict\", which is ok, \
             failed or unreadable.",
        )
        .arg(algorithm(
            "Which digest, where neither a name nor its length tells (default for a length: the SHA of it, MD5, CRC32)",
        ))
        .arg(switch("quiet", "Do not print OK for each good file"))
        .arg(switch("status", "Print nothing; the exit status tells"))
        .arg(switch("ignore-missing", "Pass over files that are not there"))
        .arg(switch("strict", "Fail if a line is improperly formatted"))
        .arg(switch("warn", "Name each improperly formatted line").short('w'))
        .arg(zero("Lines end with NUL, and names are as they are"))
        .arg(no_progress())
        .arg(json().conflicts_with("zero"))
        .arg(files("MANIFEST").default_value("-").help(
            "What `ftphash sum`, a program of coreutils or BSD, b3sum or `openssl dgst` printed; - is the standard input",
        ))
}

fn confirm() -> Command {
    Command::new("confirm")
        .about("Check local files against what an FTP server said about them")
        .after_help(
            "Understood are the digest at the end of a 226 (Transfer complete. SHA-256=hex), and the replies to HASH, MD5, \
             MMD5, XCRC, XMD5, XSHA and their like. A transcript is what curl -v, lftp -d, tnftp or ftp -d -v, wget -d, or \
             a log with C: and S: before the lines tell; passwords in it are not looked at. ftpd's own log will do too, with \
             LogFormat=json, which has the digests that clients were told, or the TransferLog, which has sizes alone: there \
             the last whole transfer of each file counts.\n\
             A server digests what it sends. After REST that is the rest of the file, and in TYPE A the lines end in CR LF, \
             whatever they end in on disk: the transcript shows both, for --reply say --ascii. Where a server's range 0-9 \
             may mean nine octets or ten, either is accepted.\n\
             Only the last part of the names that a server or transcript mentions is used. A transfer whose reply has no \
             digest, or that failed and was not done again, makes the exit status 1, as a wrong file does.\n\
             --json prints an object on each line: \"path\", or \"path_hex\" where the name is no UTF-8; \"verdict\", which is ok, \
             failed, unreadable or unknown; and \"note\", if it is ok only so far, or why nothing is known.",
        )
        .arg(algorithm("Which digest, where the reply does not tell (default: by length)"))
        .arg(
            Arg::new("reply")
                .long("reply")
                .value_name("TEXT")
                .action(ArgAction::Append)
                .conflicts_with("transcript")
                .help("A reply of the server"),
        )
        .arg(
            Arg::new("transcript")
                .long("transcript")
                .short('t')
                .value_name("LOG")
                .value_parser(value_parser!(PathBuf))
                .help("What a client told of its session, or a log of ftpd; - is the standard input (default without --reply: -)"),
        )
        .arg(json())
        .arg(switch("ascii", "The transfer was in TYPE A").requires("reply"))
        .arg(
            Arg::new("directory")
                .long("directory")
                .short('d')
                .value_name("DIR")
                .value_parser(value_parser!(PathBuf))
                .default_value(".")
                .help("Where the local files are"),
        )
        .arg(switch("quiet", "Do not print OK for each good file"))
        .arg(switch("status", "Print nothing; the exit status tells"))
        .arg(no_progress())
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("The local file (default: the one of that name in DIR)"),
        )
}

fn compare() -> Command {
    Command::new("compare")
        .about("Compare two trees, or two files")
        .after_help(
            "Prints `differs`, `only in A` or `only in B` and a name for each regular file and symbolic link that is not \
             the same in both; links are compared by where they point, and directories by the files in them. Contents \
             are read only where sizes agree.\n\
             Exit status: 0 both are the same, 1 they differ, 2 wrong usage or something could not be read.",
        )
        .arg(switch("all", "Print `same` for those that are").short('a'))
        .arg(switch("status", "Print nothing; the exit status tells").conflicts_with("all"))
        .arg(switch("json", "Print an object in JSON on each line: \"path\" or \"path_hex\", and \"verdict\""))
        .arg(zero("End lines with NUL, and print names as they are").conflicts_with("json"))
        .arg(no_progress())
        .arg(tree("a", "A", "A tree or a file"))
        .arg(tree("b", "B", "Another of the same kind"))
}

fn algorithm(help: &'static str) -> Arg {
    let names = Algorithm::ALL.map(Algorithm::name);
    let parser = move |name: &str| {
        Algorithm::find(name).ok_or_else(|| format!("there are {}", names.join(", ")))
    };
    Arg::new("algorithm")
        .long("algorithm")
        .short('a')
        .value_name("ALGO")
        .help(help)
        .value_parser(named(names, parser))
}

fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .action(ArgAction::SetTrue)
        .help(help)
}

fn json() -> Arg {
    switch("json", "Print an object in JSON on each line")
}

fn zero(help: &'static str) -> Arg {
    switch("zero", help).short('z')
}

fn no_progress() -> Arg {
    switch(
        "no-progress",
        "Show no progress; there is none unless the standard error is a terminal",
    )
}

fn files(what: &'static str) -> Arg {
    Arg::new("files")
        .value_name(what)
        .num_args(1..)
        .value_parser(value_parser!(PathBuf))
}

fn tree(id: &'static str, name: &'static str, help: &'static str) -> Arg {
    Arg::new(id)
        .value_name(name)
        .value_parser(value_parser!(PathBuf))
        .required(true)
        .help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }
}
