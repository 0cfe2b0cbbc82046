//! The section of the manual about signals. Prose only.

use clap_mangen::roff::{Roff, bold, roman};

/// What a daemon does on each signal that the listener takes.
const SIGNALS: [(&str, &str); 4] = [
    (
        "SIGHUP",
        "reads the configuration and the certificates anew. New sessions have it, those that run keep what they have. If anything is \
         wrong with it, the log tells what, and the old settings stay.",
    ),
    (
        "SIGUSR1",
        "opens the log files anew, after they have been renamed.",
    ),
    (
        "SIGTERM",
        "ends it: nobody comes in, and transfers may finish for DrainTimeout. A second one does not wait.",
    ),
    ("SIGINT", "ends it without waiting."),
];

/// Adds the section, which is the same for `ftpd` and `ftpproxy`.
pub(super) fn section(page: &mut Roff) {
    page.control("SH", ["SIGNALS"]);
    page.text([roman("Those to the process in PidFile:")]);
    for (signal, what) in SIGNALS {
        page.control("TP", []);
        page.text([bold(signal)]);
        page.text([roman(what)]);
    }
}
