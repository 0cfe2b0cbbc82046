//! Tests of the user file: its records, and the file with its readers and editors.

mod files;
mod records;

use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::auth::Secret;
use crate::digest::Jh;
use crate::settings::{Cost, NoScheme};

/// What need not be safe need not take time.
const CHEAP: Cost = Cost {
    memory: 8,
    passes: 1,
    lanes: 1,
};

/// Every type.
fn all() -> impl Iterator<Item = Scheme> {
    Scheme::MADE.into_iter().chain(Scheme::OLD)
}

fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes())
}

fn record(name: &str, scheme: Scheme, password: &str) -> Record {
    let name = Name::new(name.as_bytes()).unwrap();
    let password = if scheme == Scheme::Crypt {
        assert_eq!(password, "hunter2", "there is one hash");
        CRYPTED
    } else {
        password
    };
    let stored = Stored::new(scheme, CHEAP, &name, &secret(password)).unwrap();
    Record::new(name, stored, "nobody", Path::new("/srv"), Vec::new()).unwrap()
}

/// HASH("Fred" ‖ "0a1b2c" ‖ "hunter2"), made with Python's hashlib, OpenSSL, and for JH with a JavaScript of its algorithm that
/// gives the known answers.
#[rustfmt::skip]
const OLD: [(&str, &str); 13] = [
    ("md5",       "d87d4720c08d66a50a3fe23e9f8e1908"),
    ("sha1",      "558d422b8fe4531ac8ee4286e7300a999755a3df"),
    ("sha-1",     "558D422B8FE4531AC8EE4286E7300A999755A3DF"),
    ("SHA256",    "c86edf54574c4d957346443b8e683f3be1a54a80a271ff19d966d6fa85e1a7df"),
    ("sha-256",   "c86edf54574c4d957346443b8e683f3be1a54a80a271ff19d966d6fa85e1a7df"),
    ("sha512",    "44712a307e7a2cf5b1f2846e0ed120634279f43227aa21d19befae462be0b065a56f63506f03789bf33abfd0531bfc2867ecf9f24e3c32c0c08ff976a5a81832"),
    ("sha-512",   "44712a307e7a2cf5b1f2846e0ed120634279f43227aa21d19befae462be0b065a56f63506f03789bf33abfd0531bfc2867ecf9f24e3c32c0c08ff976a5a81832"),
    ("whirl",     "6f48569583c61b53c5c70f9b492a0ce07c4a3c7f2fd687e525fcc9df6667e7f041edfda6d4d0c31d53a3364ae3cc2bf5a914554ac286b33ff1282a84bfcaf595"),
    ("whirlpool", "6f48569583c61b53c5c70f9b492a0ce07c4a3c7f2fd687e525fcc9df6667e7f041edfda6d4d0c31d53a3364ae3cc2bf5a914554ac286b33ff1282a84bfcaf595"),
    ("jh-224",    "2f27de63809a7a146c4e8496102db9bb4badb89933febca0f4cb6c5f"),
    ("JH-256",    "4b2a68952c7df46ef9253515b843b2f3dfae29967beee2aecf479f932d9df9eb"),
    ("jh384",     "f38433def020b09841e5a4a3deb6914e0c7f2cf5e489d98d81b9f2c6e7fa524f8e3a1da11140d01f6517145bab995b72"),
    ("jh-512",    "127ba54485891ac322f7315b6bbb3a200480ad8fb494a431ab45546691162081a024316abeb00872e82281ca5a8e46e669842d1f5b51bbc943dc3b8c320430fa"),
];

/// "hunter2", made with the reference implementation's `argon2 somesalt12 -id -t 2 -k 19456 -p 1 -l 32`.
const PHC: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQxMg$3aCUUMC/sW7YIzzgKtbnfVwuuDg9X8ZDdXSBhK3zE1g";

/// "hunter2", made with `mkpasswd -m sha512crypt -R 1000`.
const CRYPTED: &str = "$6$rounds=1000$V3LhoX6YGivjEfKX$qOb2.UCRE2wqxiWhHe7nCl6ng.u3Ndk4sS/KTgSW5BuHn2/xYDRfAj147vK1RqdmVPE7966nbj/Ng/1lCkhhe.";

/// Octets that are often nearly a record: of the right words in the right places, some are something else.
fn any_line() -> impl Strategy<Value = Vec<u8>> {
    let field = |right: &'static [&'static str]| {
        let right = prop::sample::select(right).prop_map(|text| text.as_bytes().to_vec());
        let noise = prop::collection::vec(any::<u8>(), 0..6);
        let odd = prop::sample::select(&["", "\\", "\r", "::", "..", PHC][..]);
        prop_oneof![20 => right, 1 => noise, 1 => odd.prop_map(|text| text.as_bytes().to_vec())]
    };
    let fields = (
        field(&["fred", "FRED", "anonymous", "ann"]),
        field(&[
            "null",
            "plain",
            "md5",
            "sha-1",
            "argon2id",
            "jh-256",
            "challenge",
        ]),
        field(&["", "0a1b2c"]),
        field(&["", "hunter2", OLD[0].1, OLD[1].1, PHC]),
        field(&["nobody", "root"]),
        field(&["/srv", "/"]),
        field(&["", "Idle=1", "Idle=1  ChShare=/a:b", "ChHome"]),
    );
    (fields, 4usize..=7).prop_map(|((a, b, c, d, e, f, g), kept)| {
        let parts = [a, b, c, d, e, f, g];
        parts[..kept].join(&b':')
    })
}
