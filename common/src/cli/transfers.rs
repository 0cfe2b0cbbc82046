//! The part of the manual about transfers. Prose only.

use clap_mangen::roff::{Roff, bold, roman};

use crate::digest::Algorithm;

/// What the transfer modes do.
pub(super) fn section(page: &mut Roff) {
    page.control("SH", ["TRANSFERS"]);
    page.control("SS", ["Compressed transfers"]);
    page.text([
        roman("After "),
        bold("MODE Z"),
        roman(
            " files and listings are compressed in both directions, each transfer as one stream in the zlib format. The client \
             chooses by OPTS MODE Z LEVEL how hard the server tries, from 0, not at all, to 9; without that it is 3. REST and \
             ALLO count the octets of the file. An upload whose stream is damaged, ends too early or has more behind its end is \
             answered with 451 or 426, and replaces nothing. So that a few octets cannot fill the disk, one that becomes more \
             than ",
        ),
        bold("InflateRatio"),
        roman(
            " times what was sent is answered with 552, as soon as it is more than 64 MiB; other limits count what the file gets.",
        ),
    ]);
    page.control("SS", ["Confirmed transfers"]);
    page.text([
        roman("With "),
        bold("ConfirmTransfers"),
        roman(format!(
            ", or after OPTS TCONF and the name of a digest, the 226 at the end of RETR, STOR, STOU and APPE ends in the name, = and \
             the digest in hex, such as CRC32=cbf43926. The digests are {}. What is hashed is what this transfer moved, as it is \
             on the wire before MODE Z: in TYPE I the octets of the file; in TYPE A the text with the line ends of the network; \
             after REST and in APPE only what was moved, not what was there before. Listings have none, nor does a \
             transfer that failed. OPTS TCONF alone tells the choice, and OPTS TCONF NONE ends it.",
            Algorithm::ALL.map(Algorithm::label).join(", ")
        )),
    ]);
    page.control("SS", ["Digests of files"]);
    page.text([
        bold("HASH"),
        roman(
            " answers with the digest that OPTS HASH has chosen, the octets that it is of, from the first to before the last, and the \
             path: 213 SHA-256 0-12 and so on. ",
        ),
        bold("RANG"),
        roman(
            " before it, or before RETR, names the first and the last octet that are meant; RANG 1 0 takes that back. The X commands take \
             a name in quotes, and then a first octet and the one before which to end. What is hashed is always the file as it \
             is on the disk, whatever TYPE and MODE are. ABOR ends a digest, and so does a client that closes its side; STAT is \
             answered meanwhile, and everything else waits for its turn. Four sessions of a user of the system, and sixteen in all, take \
             digests at a time; another one is answered with 450.",
        ),
    ]);
}
