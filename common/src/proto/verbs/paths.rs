//! What a command is about. Pure: no I/O.

use super::Command;

impl Command {
    /// The path that it is about, as it was typed and relative to the working directory: of a rename or a copy the new one.
    pub fn path(&self) -> Option<&[u8]> {
        match self {
            Command::Appe(path)
            | Command::Avbl(path)
            | Command::Cwd(path)
            | Command::Dele(path)
            | Command::Dsiz(path)
            | Command::Hash(path)
            | Command::Md5(path)
            | Command::Mdtm(path)
            | Command::MdtmSet { path, .. }
            | Command::Mff(_, path)
            | Command::Mfmt(_, path)
            | Command::Mkd(path)
            | Command::Mlsd(path)
            | Command::Mlst(path)
            | Command::Retr(path)
            | Command::Rmd(path)
            | Command::Rmda(path)
            | Command::Rnfr(path)
            | Command::Rnto(path)
            | Command::SiteChmod(_, path)
            | Command::SiteCpfr(path)
            | Command::SiteCpto(path)
            | Command::SiteMkdir(path)
            | Command::Size(path)
            | Command::Stor(path) => Some(&path.0),
            Command::List(list) | Command::Nlst(list) | Command::Stat(Some(list)) => {
                Some(&list.path)
            }
            Command::SiteSymlink(new) => Some(&new.link.0),
            Command::SiteUtime(times) => Some(&times.path.0),
            Command::XDigest(_, part) => Some(&part.path.0),
            Command::Cdup => Some(b".."),
            Command::Pwd => Some(b""),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{parse, verb};

    #[test]
    fn a_command_that_is_typed_with_a_path_is_about_it() {
        let about = |line: &str| {
            let line = line.as_bytes();
            let command = parse(verb(line).unwrap(), line).unwrap();
            command
                .path()
                .map(|path| String::from_utf8_lossy(path).into_owned())
        };
        for (line, path) in [
            ("STOR a b", Some("a b")),
            ("LIST -la d", Some("d")),
            ("SITE CHMOD 644 x", Some("x")),
            ("MFMT 20200101000000 y", Some("y")),
            ("CDUP", Some("..")),
            ("NOOP", None),
            ("PASV", None),
        ] {
            assert_eq!(about(line).as_deref(), path, "{line}");
        }
    }
}
