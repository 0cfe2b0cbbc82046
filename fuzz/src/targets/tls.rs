//! What stands between a stranger and the private keys, and what the signer tells the listener.

use common::channel::{SignAnswer, SignRequest};
use common::tls::Shape;
use common::tls::signer::Word;

use super::there_and_back;

/// The fixed beginning of what TLS 1.3 signs (RFC 8446 §4.4.3).
const BEGINNING: &[u8] = b"                                                                TLS 1.3, server CertificateVerify\0";
/// What TLS 1.2 signs has the randoms of both sides first.
const RANDOMS: usize = 64;

/// What may be signed: its shape, where its fixed octets are, and the whole.
struct Sample {
    shape: Shape,
    fixed: std::ops::Range<usize>,
    message: Vec<u8>,
}

/// Messages of each shape with free octets from the input.
fn samples(octets: &[u8]) -> Vec<Sample> {
    let free = |count| {
        octets
            .iter()
            .copied()
            .cycle()
            .chain([0].repeat(count))
            .take(count)
    };
    let verify = |hash| Sample {
        shape: Shape::CertificateVerify,
        fixed: 0..BEGINNING.len(),
        message: BEGINNING.iter().copied().chain(free(hash)).collect(),
    };
    // Group, length of the point, and whether its first octet says that it is not compressed.
    let exchange = |(group, length, uncompressed): (u8, u8, bool)| {
        let mut message: Vec<u8> = free(RANDOMS).collect();
        message.extend([3, 0, group, length]);
        let point = message.len();
        message.extend(free(length.into()));
        if uncompressed {
            message[point] = 4;
        }
        Sample {
            shape: Shape::ServerKeyExchange,
            fixed: RANDOMS..point + usize::from(uncompressed),
            message,
        }
    };
    let groups = [
        (23, 65, true),
        (24, 97, true),
        (25, 133, true),
        (29, 32, false),
    ];
    let verifies = [32, 48].into_iter().map(verify);
    verifies.chain(groups.into_iter().map(exchange)).collect()
}

/// The signer signs what a server signs in a handshake and nothing else, whoever asks.
pub(super) fn signature(octets: &[u8]) {
    // By chance octets come out as no message at all; if one does, nothing but its free octets may differ from a sample.
    if let Some(shape) = Shape::of(octets) {
        let known = samples(&[0]).into_iter().any(|sample| {
            sample.shape == shape
                && sample.message.len() == octets.len()
                && sample.message[sample.fixed.clone()] == octets[sample.fixed]
        });
        assert!(known, "{shape:?}: {}", octets.escape_ascii());
    }
    let [at, change, length, ..] = *octets else {
        return;
    };
    for Sample {
        shape,
        fixed,
        message,
    } in samples(octets)
    {
        assert_eq!(Shape::of(&message), Some(shape));
        let mut changed = message.clone();
        let at = usize::from(at) % changed.len();
        changed[at] ^= change;
        if fixed.contains(&at) && change != 0 {
            assert_eq!(Shape::of(&changed), None, "{}", changed.escape_ascii());
        } else {
            assert_eq!(Shape::of(&changed), Some(shape));
        }
        // Of another length there is none that has these beginnings, but for the two hashes.
        let mut cut = message.clone();
        cut.resize(usize::from(length), 7);
        let hashed = [32, 48].map(|hash| BEGINNING.len() + hash);
        let may_be = match shape {
            Shape::CertificateVerify => hashed.contains(&cut.len()),
            Shape::ServerKeyExchange => cut.len() == message.len(),
        };
        assert_eq!(Shape::of(&cut).is_some(), may_be, "{}", cut.escape_ascii());
    }
}

/// What decodes of the signer's messages encodes to the same octets; the listener, which is root, reads one of them.
pub(super) fn word(octets: &[u8]) {
    decode(octets);
    for sample in [ready(octets), request(octets)] {
        let mut changed = sample;
        for change in octets.chunks_exact(2).take(3) {
            let at = usize::from(change[0]) % changed.len();
            changed[at] = change[1];
        }
        decode(&changed);
    }
}

fn decode(octets: &[u8]) {
    there_and_back::<Word>(octets);
    there_and_back::<SignRequest>(octets);
    there_and_back::<SignAnswer>(octets);
}

/// A list as it is sent: its length in four octets, then what is in it.
fn list(items: &[&[u8]]) -> Vec<u8> {
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes();
    let mut out = count(items.len()).to_vec();
    for item in items {
        out.extend(count(item.len()));
        out.extend_from_slice(item);
    }
    out
}

/// A signer's word that it is ready: tag, generation, one chain of certificates, key, names and end, and for clients one
/// authority and one list of what it has revoked, without the time of the next.
fn ready(octets: &[u8]) -> Vec<u8> {
    let (certificate, issuer) = octets.split_at(octets.len() / 2);
    let mut out = vec![1, 7, 0, 0, 0, 1, 0, 0, 0];
    out.extend(list(&[certificate, issuer]));
    out.push(1);
    out.extend(list(&[b"host.example", b"*.example"]));
    out.extend([0; 8]);
    out.push(1);
    out.extend(list(&[issuer]));
    out.extend(list(&[certificate]));
    out.extend([0, 1]);
    assert!(there_and_back::<Word>(&out), "{}", out.escape_ascii());
    out
}

/// A session's request for a signature.
fn request(octets: &[u8]) -> Vec<u8> {
    let message = &octets[..octets.len().min(200)];
    let mut out = vec![220, 0, 3, 4];
    out.extend(u16::try_from(message.len()).unwrap_or(0).to_le_bytes());
    out.extend_from_slice(message);
    out
}
