//! What the tools print, kept beside the commands that print it. `TRYCMD=overwrite` writes the files anew.

use tests::binaries;

/// The tools, which one after the other are built when they are asked for.
const TOOLS: [&str; 4] = ["ftpd", "ftphash", "ftpproxy", "ftpuser"];

#[test]
fn the_tools_print_what_they_printed() {
    let cases = trycmd::TestCases::new();
    for tool in TOOLS {
        cases.register_bin(tool, binaries::path(tool));
    }
    cases
        // Messages must not depend on who runs the tests where.
        .env("LC_ALL", "C")
        .env("TZ", "UTC")
        .case("snapshots/*.trycmd");
}
