//! HASH, RANG, MD5, MMD5, XCRC and their like: digests of files that stay where they are.

use common::digest::{Algorithm, Digest};
use common::hookd::FileDigest;
use common::proto::args::{PartArg, PathArg, Span};
use common::proto::reply::{Code, Reply};
use common::pump::{End, Source};

use super::navigate::{join, resolve};
use crate::session::files::Denied;
use crate::session::{Link, Pending, Stop, User, outcome, transfer};

/// The digest of a part of a file.
struct Found {
    digest: Digest,
    span: Span,
}

/// The reply names the octets from the first to before the last, as other servers do: an empty file is 0-0.
pub(in crate::session) fn hash(
    link: &mut Link,
    user: &mut User,
    path: &PathArg,
    pending: &Pending,
) -> Result<Reply, Stop> {
    let algorithm = user.hash;
    let span = pending.end.map(|end| Span {
        start: pending.restart,
        end,
    });
    let found = find(link, user, algorithm, path, span, Code::NAME_NOT_ALLOWED)?;
    let Span { start, end } = found.span;
    let text = format!("{} {start}-{end} {} ", algorithm.label(), found.digest);
    Ok(Reply::new(
        Code::FILE_STATUS,
        [text.as_bytes(), &path.0].concat(),
    ))
}

/// OPTS HASH: which digest HASH gives.
pub(in crate::session) fn choose(user: &mut User, algorithm: Option<Algorithm>) -> Reply {
    user.hash = algorithm.unwrap_or(user.hash);
    Reply::new(Code::OK, user.hash.label())
}

/// RANG: which octets the next RETR or HASH is about.
pub(in crate::session) fn rang(user: &mut User, range: Option<Span>) -> Reply {
    user.pending.restart = range.map_or(0, |range| range.start);
    user.pending.end = range.map(|range| range.end);
    let text = match range {
        None => "The next transfer is of the whole file.".to_owned(),
        Some(Span { start, end }) => {
            format!("The next transfer is of the octets {start} to {}.", end - 1)
        }
    };
    Reply::new(Code::PENDING, text)
}

pub(in crate::session) fn md5(
    link: &mut Link,
    user: &mut User,
    path: &PathArg,
) -> Result<Reply, Stop> {
    let line = named_md5(link, user, path)?;
    Ok(Reply::new(Code::FILE_DIGEST, line))
}

/// One line for all the files, or what is wrong with the first that has none.
pub(in crate::session) fn mmd5(
    link: &mut Link,
    user: &mut User,
    paths: &[PathArg],
) -> Result<Reply, Stop> {
    let lines = paths.iter().map(|path| named_md5(link, user, path));
    let lines: Vec<Vec<u8>> = lines.collect::<Result<_, _>>()?;
    Ok(Reply::new(Code::FILE_DIGESTS, lines.join(&b", "[..])))
}

/// draft-twine-ftpmd5 §3: the path as it was typed, and the digest.
fn named_md5(link: &mut Link, user: &mut User, path: &PathArg) -> Result<Vec<u8>, Stop> {
    let found = find(
        link,
        user,
        Algorithm::Md5,
        path,
        None,
        Code::PARAMETER_NOT_OFFERED,
    )?;
    let digest = found.digest.to_string().to_ascii_uppercase();
    Ok([&path.0, &b" "[..], digest.as_bytes()].concat())
}

/// XCRC, XMD5, XSHA1 and so on: nothing but the digest.
pub(in crate::session) fn part(
    link: &mut Link,
    user: &mut User,
    algorithm: Algorithm,
    part: &PartArg,
) -> Result<Reply, Stop> {
    let mut about = (&part.path, part.span);
    if let Some(whole) = &part.whole
        && user.files.stat(resolve(user, &whole.0)?)?.is_ok()
    {
        about = (whole, None);
    }
    let found = find(link, user, algorithm, about.0, about.1, Code::UNAVAILABLE)?;
    let digest = found.digest.to_string().to_ascii_uppercase();
    Ok(Reply::new(Code::ACTION_DONE, digest))
}

/// Reads the file, or a part of it, while the client is looked after. `no_file` is the code for what is none.
fn find(
    link: &mut Link,
    user: &mut User,
    algorithm: Algorithm,
    path: &PathArg,
    span: Option<Span>,
    no_file: Code,
) -> Result<Found, Stop> {
    let name = user.names.on_disk(&path.0)?;
    let target = join(user, &name)?;
    let opened = user.files.open_for_digest(target)?;
    let (file, size) = opened.map_err(|denied| no_digest(denied, &path.0, no_file))?;
    let span = span.unwrap_or(Span {
        start: 0,
        end: size,
    });
    if span.end > size {
        return Err(Reply::new(
            Code::BAD_ARGUMENT,
            format!("The file has {size} octets only."),
        )
        .into());
    }
    let source = Source::File {
        file,
        offset: span.start,
        end: span.end,
    };
    let (ended, digest) = transfer::digest(link, user, source, algorithm);
    user.files.digest_end()?.map_err(outcome::file)?;
    if ended.outcome.end != End::Complete {
        let reply = outcome::sent(ended.outcome.end)?;
        return Err(transfer::conclude(link, ended.aborted, reply)?.into());
    }
    if user.account.tells_digests && (span.start, span.end) == (0, size) {
        user.files.digested(FileDigest {
            algorithm,
            digest: digest.clone(),
        })?;
    }
    Ok(Found { digest, span })
}

fn no_digest(denied: Denied, typed: &[u8], no_file: Code) -> Reply {
    use common::jail::Failure::{IsADirectory, Special};
    match denied {
        Denied::Failed(IsADirectory | Special) => {
            let text = [typed, b": Only files have digests."].concat();
            Reply::new(no_file, text)
        }
        other => outcome::about(typed)(other),
    }
}
