//! The forms in which files are described: MLSx facts and time values (RFC 3659), LIST lines. Pure: no I/O.

/// The FEAT line of MLST (RFC 3659 §7.8): every fact is sent, and all are on.
pub const FEAT: &str = "MLST type*;size*;modify*;perm*;unique*;UNIX.mode*;UNIX.owner*;UNIX.group*;";
