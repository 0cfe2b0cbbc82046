//! The hashes of htpasswd(1) that are not crypt(3)'s: `$apr1$…`, which is md5-crypt under another name, and `{SHA}…`. Pure.
//! Source: the manual's "Password Formats", and `openssl passwd -apr1`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::crypt::DIGITS;
use crate::digest::{Algorithm, Hasher};

/// What starts a hash of Apache's MD5, and one of SHA-1.
pub(super) const APR1: &[u8] = b"$apr1$";
pub(super) const SHA1: &[u8] = b"{SHA}";

/// The longest salt that counts, the rounds, and the digits of a hash.
pub(super) const SALT: usize = 8;
const ROUNDS: usize = 1000;
pub(super) const LENGTH: usize = 22;

/// Whether this is a SHA-1 in Base64.
pub(super) fn is_sha1(base64: &[u8]) -> bool {
    let length = Algorithm::Sha1.length();
    STANDARD
        .decode(base64)
        .is_ok_and(|octets| octets.len() == length)
}

/// `{SHA}` and the SHA-1 of the password in Base64.
pub(super) fn sha1(password: &[u8]) -> Vec<u8> {
    let digest = md(Algorithm::Sha1, &[password]);
    [SHA1, STANDARD.encode(&*digest).as_bytes()].concat()
}

/// `$apr1$`, the salt and the hash of the password.
pub(super) fn apr1(password: &[u8], salt: &[u8]) -> Vec<u8> {
    let salt = &salt[..salt.len().min(SALT)];
    let digest = stretched(password, salt);
    [APR1, salt, b"$", &encoded(&digest)].concat()
}

fn md(algorithm: Algorithm, parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let mut hasher = Hasher::new(algorithm);
    parts.iter().for_each(|part| hasher.update(part));
    Zeroizing::new(hasher.finish().as_bytes().to_vec())
}

fn stretched(password: &[u8], salt: &[u8]) -> Zeroizing<Vec<u8>> {
    let md5 = |parts: &[&[u8]]| md(Algorithm::Md5, parts);
    let inner = md5(&[password, salt, password]);
    let mut first: Vec<&[u8]> = vec![password, APR1, salt];
    first.extend(
        (0..password.len())
            .step_by(inner.len())
            .map(|at| &inner[..inner.len().min(password.len() - at)]),
    );
    // One octet for each bit of the length: NUL, or the password's first.
    let bits = usize::BITS - password.len().leading_zeros();
    first.extend((0..bits).map(|bit| match password.len() >> bit & 1 {
        1 => &b"\0"[..],
        _ => &password[..1],
    }));
    let mut digest = md5(&first);
    for round in 0..ROUNDS {
        let (before, after) = match round % 2 {
            0 => (&digest[..], password),
            _ => (password, &digest[..]),
        };
        let salt = if round % 3 == 0 { &[][..] } else { salt };
        let again = if round % 7 == 0 { &[][..] } else { password };
        digest = md5(&[before, salt, again, after]);
    }
    digest
}

/// The digest's octets in the order of md5-crypt, six bits a digit.
fn encoded(digest: &[u8]) -> Vec<u8> {
    let octet = |place: usize| u32::from(digest.get(place).copied().unwrap_or_default());
    let mut groups: Vec<(u32, usize)> =
        [(0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5)]
            .map(|(a, b, c)| (octet(a) << 16 | octet(b) << 8 | octet(c), 4))
            .to_vec();
    groups.push((octet(11), 2));
    let digits = groups.into_iter().flat_map(|(group, length)| {
        (0..length).map(move |place| DIGITS[(group >> (6 * place) & 0x3f) as usize])
    });
    digits.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hashes_are_those_of_openssl() {
        // openssl passwd -apr1 -salt SALT PASSWORD
        for (password, salt, hash) in APR1S {
            let expected = format!("$apr1${salt}${hash}");
            assert_eq!(
                apr1(password.as_bytes(), salt.as_bytes()),
                expected.into_bytes(),
                "{password}"
            );
        }
    }

    #[test]
    fn the_digest_is_that_of_openssl() {
        // printf hunter2 | openssl dgst -sha1 -binary | base64
        assert_eq!(sha1(b"hunter2"), b"{SHA}87u9ZqY9S/F0eUBXjsPQEDUw4h0=");
        assert!(is_sha1(b"87u9ZqY9S/F0eUBXjsPQEDUw4h0="));
        assert!(!is_sha1(b"87u9"));
        assert!(!is_sha1(b""));
    }

    const APR1S: [(&str, &str, &str); 4] = [
        ("hunter2", "i5rYhGaj", "9lp4Qe3I6wJqmBeBvfay5/"),
        ("x", "a", "CwOs8ZUV1Vmp.iAwImfTn1"),
        (
            "a password that is longer than one digest",
            "salt1234",
            "eKOyyq.rO9e8ql4LbYXpc1",
        ),
        ("sixteen octets!!", "./", "d4k8qSzobOk/GeRg.O3BZ/"),
    ];
}
