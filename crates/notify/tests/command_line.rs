//! The command line. What the program does is tested together with hooks and runners, in tests/it
//! of the workspace's root. This file also makes cargo build the program for those tests.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::process::Command;

#[test]
fn version_and_help_are_shown() {
    let shown = |option| {
        let program = env!("CARGO_BIN_EXE_deploy-by-code-notify");
        let output = Command::new(program).arg(option).output().unwrap();
        assert!(output.status.success(), "{option}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let version = concat!("deploy-by-code-notify ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(shown("--version"), version);
    assert!(shown("--help").contains("--test <NAME>"));
}
