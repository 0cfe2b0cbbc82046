//! What is a record, what is none, and which passwords it accepts.

use std::path::PathBuf;

use super::*;

fn parse(line: &str) -> Result<Record, RecordError> {
    Record::parse(line.as_bytes())
}

fn verdict(line: &str, password: &str) -> Verdict {
    parse(line).unwrap().verify(&secret(password)).unwrap()
}

#[test]
fn digests_of_metaftpd_are_verified_in_every_spelling() {
    for (word, hex) in OLD {
        let line = format!("Fred:{word}:0a1b2c:{hex}:nobody:/srv:");
        assert_eq!(verdict(&line, "hunter2"), Verdict::Accept, "{word}");
        assert_eq!(verdict(&line, "hunter3"), Verdict::Refuse, "{word}");
        assert_eq!(verdict(&line, ""), Verdict::Refuse, "{word}");
    }
}

#[test]
fn argon2id_of_the_reference_implementation_is_verified() {
    let line = format!("fred:argon2id::{PHC}:nobody:/srv:");
    assert_eq!(verdict(&line, "hunter2"), Verdict::Accept);
    assert_eq!(verdict(&line, "Hunter2"), Verdict::Refuse);
}

#[test]
fn plain_and_null_do_what_they_say() {
    for word in ["plain", "plaintext", "challenge"] {
        let line = format!("fred:{word}::hunter2:nobody:/srv:");
        assert_eq!(verdict(&line, "hunter2"), Verdict::Accept);
        assert_eq!(verdict(&line, "hunter"), Verdict::Refuse);
        assert_eq!(verdict(&line, ""), Verdict::Refuse);
    }
    for password in ["", "guest@example.org"] {
        assert_eq!(
            verdict("anonymous:null:::nobody:/srv:", password),
            Verdict::Accept
        );
    }
}

#[test]
fn types_that_are_not_verified_are_refused_by_name() {
    for word in ["crc32", "CRC-32", "blake3"] {
        let error = parse(&format!("fred:{word}:00:00:nobody:/srv:")).unwrap_err();
        assert_eq!(
            error,
            RecordError::Scheme(NoScheme::Refused(word.to_owned()))
        );
        assert!(error.to_string().contains(word));
    }
    for word in [
        "NULL",
        "Plain",
        "Challenge",
        "jh",
        "jh-123",
        "",
        "nul",
        "argon2i",
        "ARGON2ID",
        "null ",
    ] {
        let error = parse(&format!("fred:{word}::secret:nobody:/srv:")).unwrap_err();
        assert_eq!(
            error,
            RecordError::Scheme(NoScheme::Unknown(word.to_owned()))
        );
    }
}

#[test]
fn a_malformed_record_is_no_login() {
    let md5 = OLD[0].1;
    let bad_hash = RecordError::Secret("the hex digest of its type");
    let bad_phc = RecordError::Secret("a PHC string of argon2id");
    let without_hash = &PHC[..PHC.rfind('$').unwrap()];
    #[rustfmt::skip]
    let lines = [
        ("fred".to_owned(),                                        RecordError::TooFewFields),
        ("fred:plain:".to_owned(),                                 RecordError::TooFewFields),
        ("fred:null:::nobody".to_owned(),                          RecordError::TooFewFields),
        ("fred:plain:::nobody:/srv:".to_owned(),                   RecordError::EmptySecret),
        ("fred:md5:00::nobody:/srv:".to_owned(),                   RecordError::EmptySecret),
        ("fred:argon2id:::nobody:/srv:".to_owned(),                RecordError::EmptySecret),
        (format!("fred:sha1:00:{md5}:nobody:/srv:"),               bad_hash.clone()),
        ("fred:md5:00:xyz:nobody:/srv:".to_owned(),                bad_hash),
        ("fred:argon2id::hunter2:nobody:/srv:".to_owned(),         bad_phc.clone()),
        (format!("fred:argon2id::{without_hash}:nobody:/srv:"),    bad_phc.clone()),
        (format!("fred:argon2id::{}:nobody:/srv:", PHC.replace("2id", "2i")), bad_phc.clone()),
        ("fred:argon2id::$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQxMg$AAAAAAAAAAAAAAAA:nobody:/srv:".to_owned(), bad_phc),
        (format!("fred:argon2id:00:{PHC}:nobody:/srv:"),           RecordError::Secret("alone: such a hash has its own salt")),
    ];
    for (line, error) in lines {
        assert_eq!(parse(&line).unwrap_err(), error, "{line}");
    }
}

#[test]
fn a_field_that_could_be_read_otherwise_is_refused() {
    let fault = |line: &str| match parse(line) {
        Err(RecordError::Field(error)) => error.fault(),
        other => panic!("{line:?}: {other:?}"),
    };
    assert_eq!(fault("..:null:::nobody:/srv:"), FieldFault::Dots);
    assert_eq!(fault(":null:::nobody:/srv:"), FieldFault::Empty);
    assert_eq!(fault("a/b:null:::nobody:/srv:"), FieldFault::Slash);
    assert_eq!(fault("a\0b:null:::nobody:/srv:"), FieldFault::Control);
    assert_eq!(fault("fred\\:null:::nobody:/srv:"), FieldFault::Backslash);
    assert_eq!(fault("fred:null::::/srv:"), FieldFault::Empty);
    assert_eq!(fault("fred:null:::nobody::"), FieldFault::NotAbsolute);
    assert_eq!(fault("fred:null:::nobody:srv:"), FieldFault::NotAbsolute);
    assert_eq!(
        fault("fred:null:::nobody:/srv:ChHome"),
        FieldFault::NoEquals
    );
    assert_eq!(fault("fred:null:::nobody:/srv:=/srv"), FieldFault::Empty);
    assert_eq!(fault("fred:null:::nobody:/s\x1bv:"), FieldFault::Control);
    // The five fields of a file from before there was a salt: the home stands where the real user belongs.
    assert_eq!(
        fault("fred:plain:pw:nobody:/srv:Chhome=y"),
        FieldFault::NotAbsolute
    );
    let long = format!("{}:null:::nobody:/srv:", "x".repeat(256));
    assert_eq!(fault(&long), FieldFault::TooLong(255));
}

#[test]
fn what_cannot_be_read_back_cannot_be_made() {
    let nobody = || Name::new(b"fred").unwrap();
    for name in [
        "", ".", "..", "a/b", "a:b", "a\nb", "a\rb", "a\0b", "a\x7fb", "#a", "a\\",
    ] {
        assert!(Name::new(name.as_bytes()).is_err(), "{name:?}");
    }
    let made = |real_user, home, key: &str, value: &str| {
        let null = Stored::new(Scheme::Null, CHEAP, &nobody(), &secret("")).unwrap();
        let settings = vec![(key.to_owned(), value.to_owned())];
        Record::new(nobody(), null, real_user, Path::new(home), settings)
    };
    assert!(made("nobody", "/srv", "ChShare", "/a:b").is_ok());
    for (real_user, home, key, value) in [
        ("a:root", "/srv", "Idle", "1"),
        ("", "/srv", "Idle", "1"),
        ("nobody", "/srv\nroot:null:::nobody:/:", "Idle", "1"),
        ("nobody", "/srv:x", "Idle", "1"),
        ("nobody", "/srv", "Idle", "1 ChShare=/"),
        ("nobody", "/srv", "Idle", "1\nx"),
        ("nobody", "/srv", "Idle", "1\0x"),
        ("nobody", "/srv", "Id le", "1"),
        ("nobody", "/srv", "Id=le", "1"),
        ("nobody", "/srv", "Id:le", "1"),
    ] {
        assert!(
            made(real_user, home, key, value).is_err(),
            "{home:?} {value:?}"
        );
    }
    let stored = |scheme, password| Stored::new(scheme, CHEAP, &nobody(), &secret(password));
    for scheme in all().filter(|&s| s != Scheme::Null) {
        assert_eq!(stored(scheme, ""), Err(PasswordError::Empty));
        assert_eq!(stored(scheme, "a\nb"), Err(PasswordError::Unsendable));
        assert_eq!(stored(scheme, "a\0b"), Err(PasswordError::Unsendable));
    }
    assert!(stored(Scheme::Md5, "a:b\\").is_ok());
    assert!(matches!(
        stored(Scheme::Plain, "a:b"),
        Err(PasswordError::Field(_))
    ));
    assert!(matches!(
        stored(Scheme::Plain, "a\\"),
        Err(PasswordError::Field(_))
    ));
}

#[test]
fn new_records_verify_and_read_back() {
    for scheme in all() {
        let made = record("Fred", scheme, "hunter2");
        let read = Record::parse(&made.encode()).unwrap();
        assert_eq!(read, made);
        assert_eq!(read.stored().scheme(), scheme);
        assert_eq!(read.verify(&secret("hunter2")), Ok(Verdict::Accept));
        if scheme != Scheme::Null {
            assert_eq!(read.verify(&secret("hunter3")), Ok(Verdict::Refuse));
        }
        let clear = matches!(scheme, Scheme::Plain | Scheme::Challenge);
        if !clear && !matches!(scheme, Scheme::Null | Scheme::Crypt) {
            let again = record("Fred", scheme, "hunter2");
            assert_ne!(again.encode(), made.encode(), "the salt is not new");
        }
    }
    let line = String::from_utf8(record("fred", Scheme::Argon2id, "x").encode()).unwrap();
    assert!(
        line.starts_with("fred:argon2id::$argon2id$v=19$m=8,t=1,p=1$"),
        "{line}"
    );
}

#[test]
fn a_costly_record_is_refused_before_any_work() {
    for (cost, allowed) in [
        ("m=262144,t=64,p=8", true),
        ("m=262145,t=2,p=1", false),
        ("m=8192,t=1023,p=1", true),
        ("m=8192,t=2049,p=1", false),
        ("m=19456,t=2,p=9", false),
        ("m=4294967295,t=4294967295,p=1", false),
    ] {
        let phc = PHC.replace("m=19456,t=2,p=1", cost);
        let parsed = parse(&format!("fred:argon2id::{phc}:nobody:/srv:"));
        match parsed {
            Ok(_) => assert!(allowed, "{cost}"),
            Err(error) => assert!(!allowed && error == RecordError::Cost, "{cost}: {error}"),
        }
    }
}

fn any_record() -> impl Strategy<Value = Record> {
    let word = "[!-9;-\\[\\]-~äß]{1,12}";
    let setting = ("[A-Za-z-]{1,8}", "[!-~ä]{0,8}");
    let scheme = prop::sample::select(&WITH_PASSWORD[2..]);
    let settings = prop::collection::vec(setting, 0..4);
    (word, scheme, word, word, word, settings).prop_filter_map(
        "a field that is refused",
        |(name, scheme, password, real_user, home, settings)| {
            let name = Name::new(name.as_bytes()).ok()?;
            let stored = Stored::new(scheme, CHEAP, &name, &secret(&password)).ok()?;
            let home = PathBuf::from(format!("/{home}"));
            Record::new(name, stored, &real_user, &home, settings).ok()
        },
    )
}

proptest! {
    #[test]
    fn a_record_reads_back_as_it_was_written(made in any_record()) {
        let line = made.encode();
        prop_assert!(!line.contains(&b'\n'));
        prop_assert_eq!(Record::parse(&line), Ok(made));
    }

    #[test]
    fn any_octets_are_a_whole_record_or_none(line in any_line()) {
        if let Ok(record) = Record::parse(&line) {
            let secret = line.split(|&b| b == b':').nth(3).unwrap();
            prop_assert!(!secret.is_empty() || record.stored().scheme() == Scheme::Null);
            prop_assert!(!record.real_user().is_empty() && record.home().is_absolute());
            prop_assert_eq!(Record::parse(&record.encode()), Ok(record));
        }
    }

    #[test]
    fn an_empty_secret_denies_whatever_stands_around_it(word in prop::sample::select(vec![
            "plain", "plaintext", "md5", "sha1", "sha-256", "sha512", "whirl", "argon2id", "jh-512", "challenge"]),
            salt in "[0-9a-f]{0,40}", rest in "[ -~]{0,20}") {
        let line = format!("fred:{word}:{salt}::{rest}");
        prop_assert!(parse(&line).is_err());
    }
}

/// A record that lets fred in with one password, and its seven fields.
fn fields_of_fred(scheme: Scheme) -> Vec<Vec<u8>> {
    let line = record("fred", scheme, "hunter2").encode();
    let fields = line.splitn(7, |&b| b == b':').map(<[u8]>::to_vec);
    fields.collect()
}

const WITH_PASSWORD: [Scheme; 10] = [
    Scheme::Argon2id,
    Scheme::Crypt,
    Scheme::Plain,
    Scheme::Md5,
    Scheme::Sha1,
    Scheme::Sha256,
    Scheme::Sha512,
    Scheme::Whirlpool,
    Scheme::Jh(Jh::Jh256),
    Scheme::Challenge,
];

/// What a whole field may become.
const ODD: [&str; 14] = [
    "",
    "0",
    "-1",
    "0x0",
    "4294967296",
    "root",
    "null",
    " ",
    "\\",
    "..",
    "/",
    "$argon2id$",
    "=",
    "\t",
];

/// One field with an octet put in, taken out or replaced, or the field as a whole.
fn any_damage() -> impl Strategy<Value = (usize, usize, u8, Vec<u8>)> {
    let odd = prop::sample::select(&ODD[..]).prop_map(|text| text.as_bytes().to_vec());
    (
        0usize..7,
        any::<prop::sample::Index>().prop_map(|index| index.index(200)),
        0u8..4,
        odd,
    )
}

proptest! {
    /// SECURITY: whatever happens to a field of somebody's record, nobody gets in with another password, and no field is read as
    /// another one.
    #[test]
    fn attack_69_a_damaged_record_lets_in_nobody_who_does_not_know_the_password(
            scheme in prop::sample::select(&WITH_PASSWORD[..]), (field, place, how, odd) in any_damage(), octet in any::<u8>()) {
        let whole = fields_of_fred(scheme);
        let mut fields = whole.clone();
        let damaged = &mut fields[field];
        let place = place % (damaged.len() + 1);
        match how {
            0 => damaged.insert(place, octet),
            1 if place < damaged.len() => drop(damaged.remove(place)),
            2 if place < damaged.len() => damaged[place] = octet,
            _ => *damaged = odd,
        }
        // A colon makes two fields of one, so that nothing stands where it did.
        let moved = fields[field].iter().any(|b| b":\n".contains(b));
        let line = fields.join(&b':');
        if let Ok(read) = Record::parse(&line) {
            let wrong = read.verify(&secret("hunter3"));
            let became_null = field == 1 && fields[1] == b"null";
            prop_assert!(wrong == Ok(Verdict::Refuse) || became_null, "{}", line.escape_ascii());
            if !moved {
                prop_assert_eq!(read.name().as_bytes(), &fields[0][..]);
                prop_assert_eq!(read.real_user().as_bytes(), &fields[4][..]);
                prop_assert_eq!(read.home().as_os_str().as_encoded_bytes(), &fields[5][..]);
            }
        }
    }
}
