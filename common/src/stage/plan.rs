//! Decides what a transfer does to its octets, once and before anything is opened. Pure: no I/O.

use super::{Chain, Confirm, ascii, charset, deflate};
use crate::charset::Charset;
use crate::proto::representation::{Mode, Representation, Structure, Type};

/// What is moved, and in which direction.
#[derive(Clone, Copy, Debug)]
pub enum Cargo {
    /// A file to the client.
    Download,
    /// A file from the client.
    Upload,
    /// Names in this charset, in lines that are as they should be.
    Listing(Charset),
}

/// What a client has asked for besides the representation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// REST's offset.
    pub restart: u64,
    /// The digest that the end of the transfer tells.
    pub confirm: Option<Confirm>,
    /// How many times more than it was an upload in MODE Z may become; zero is no limit.
    pub inflate_ratio: u64,
}

/// A combination that has no meaning here (504), as a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotOffered(pub &'static str);

/// What a transfer does to its octets.
#[derive(Default)]
pub struct Plan {
    chain: Chain,
}

impl Plan {
    /// Decides.
    ///
    /// # Errors
    /// The combination is not offered.
    pub fn new(
        representation: Representation,
        options: Options,
        cargo: Cargo,
    ) -> Result<Plan, NotOffered> {
        let text = representation.kind == Type::Ascii;
        let is_listing = matches!(cargo, Cargo::Listing(_));
        if representation.structure == Structure::Archive && !is_listing {
            if text {
                return Err(NotOffered("STRU T is offered in TYPE I only."));
            }
            if options.restart > 0 {
                return Err(NotOffered("REST is not offered with STRU T."));
            }
        }
        if text && options.restart > 0 && !is_listing {
            // An offset counts octets of the representation, which for text is not the file's.
            return Err(NotOffered("REST is offered in TYPE I only."));
        }
        let mut chain = Chain::default();
        match cargo {
            Cargo::Download => {
                if text {
                    chain = chain.then(ascii::ToWire::default());
                }
                if let Some(confirm) = options.confirm {
                    chain = chain.tapped(confirm);
                }
            }
            // Its lines have the ends of the wire already, and no place in them has a number.
            Cargo::Listing(charset) => {
                if !charset.is_transparent() {
                    chain = chain.then(charset::ToWire::new(charset));
                }
            }
            Cargo::Upload => {
                if representation.mode == Mode::Deflate {
                    chain = chain.then(deflate::Inflate::new(options.inflate_ratio));
                }
                if let Some(confirm) = options.confirm {
                    chain = chain.tapped(confirm);
                }
                if text {
                    chain = chain.then(ascii::FromWire::default());
                }
                return Ok(Plan { chain });
            }
        }
        if representation.mode == Mode::Deflate {
            chain = chain.then(deflate::Deflate::new(representation.level));
        }
        Ok(Plan { chain })
    }

    /// Whether the octets stay as they are, so that the kernel can move them.
    pub fn is_direct(&self) -> bool {
        self.chain.is_empty()
    }

    /// The stages, in the order of the transfer.
    pub fn into_chain(self) -> Chain {
        self.chain
    }
}

#[cfg(test)]
mod tests {
    use super::super::Stage;
    use super::*;
    use crate::digest::{Algorithm, Hasher};

    fn plan(kind: Type, restart: u64, cargo: Cargo) -> Result<bool, NotOffered> {
        with(kind, Structure::File, restart, cargo)
    }

    fn with(
        kind: Type,
        structure: Structure,
        restart: u64,
        cargo: Cargo,
    ) -> Result<bool, NotOffered> {
        let representation = Representation {
            kind,
            structure,
            ..Representation::default()
        };
        let options = Options {
            restart,
            ..Options::default()
        };
        Plan::new(representation, options, cargo).map(|plan| plan.is_direct())
    }

    #[test]
    fn archives_are_octets_from_the_beginning_and_listings_are_none() {
        for cargo in [Cargo::Download, Cargo::Upload] {
            let archive = |kind, restart| with(kind, Structure::Archive, restart, cargo);
            assert_eq!(archive(Type::Image, 0), Ok(true));
            assert!(archive(Type::Image, 5).is_err());
            assert!(archive(Type::Ascii, 0).is_err());
        }
        let listing = Cargo::Listing(Charset::UTF_8);
        assert_eq!(with(Type::Ascii, Structure::Archive, 5, listing), Ok(true));
    }

    #[test]
    fn what_needs_no_stage_is_left_to_the_kernel() {
        let transparent = Cargo::Listing(Charset::UTF_8);
        let latin = Cargo::Listing(Charset::find("windows-1252").unwrap());
        for kind in [Type::Ascii, Type::Image] {
            let direct = Ok(kind == Type::Image);
            assert_eq!(plan(kind, 0, Cargo::Download), direct);
            assert_eq!(plan(kind, 0, Cargo::Upload), direct);
            assert_eq!(plan(kind, 0, transparent), Ok(true));
            assert_eq!(plan(kind, 0, latin), Ok(false));
        }
    }

    /// What a download and an upload make of each other's octets, in pieces.
    #[test]
    fn the_way_there_leads_back() {
        for (kind, mode) in [Type::Ascii, Type::Image]
            .into_iter()
            .flat_map(|kind| [Mode::Stream, Mode::Deflate].map(|mode| (kind, mode)))
        {
            let representation = Representation {
                kind,
                mode,
                ..Representation::default()
            };
            let options = Options {
                confirm: Some(Confirm {
                    algorithm: Algorithm::Md5,
                    begin: |algorithm| Box::new(Hasher::new(algorithm)),
                }),
                ..Options::default()
            };
            let run = |cargo, octets: &[u8]| {
                let plan = Plan::new(representation, options, cargo).unwrap();
                let (mut chain, mut out) = (plan.into_chain(), Vec::new());
                for piece in octets.chunks(3) {
                    chain.push(piece, &mut out).unwrap();
                }
                chain.finish(&mut out).unwrap();
                (out, chain.confirmation().map(|told| told.digest))
            };
            let file = b"one\ntwo\nthree\0\nand no end";
            let (wire, sent) = run(Cargo::Download, file);
            assert_eq!(wire == file, (kind, mode) == (Type::Image, Mode::Stream));
            let (back, received) = run(Cargo::Upload, &wire);
            assert_eq!(back, file, "{kind:?} {mode:?}");
            // What is hashed is the representation: with the line ends of the wire, and before it is compressed.
            let representation = match kind {
                Type::Ascii => &b"one\r\ntwo\r\nthree\0\r\nand no end"[..],
                Type::Image => file,
            };
            let digest = Some(Algorithm::Md5.digest(representation));
            assert_eq!((sent, received), (digest.clone(), digest));
            let (listing, digest) = run(Cargo::Listing(Charset::UTF_8), b"a\r\nb\r\n");
            assert_eq!(listing == b"a\r\nb\r\n", mode == Mode::Stream);
            assert_eq!(digest, None);
        }
    }

    #[test]
    fn text_has_no_offset() {
        assert_eq!(plan(Type::Image, 5, Cargo::Download), Ok(true));
        assert!(plan(Type::Ascii, 5, Cargo::Download).is_err());
        assert!(plan(Type::Ascii, 5, Cargo::Upload).is_err());
        assert_eq!(
            plan(Type::Ascii, 5, Cargo::Listing(Charset::UTF_8)),
            Ok(true)
        );
    }
}
