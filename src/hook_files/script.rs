//! The file that `install` puts in the place of a hook. Pure.
//!
//! Protocol: its first line names this program, and the kernel starts it from there (execve(2),
//! "Interpreter scripts"). No shell is involved. So each repository has a file of its own: to take
//! away its permissions changes nothing for the program and for other repositories. And where the
//! program is gone, git can't start the hook and refuses the push. A link that leads nowhere would
//! be skipped.
//!
//! It does not promise to work for every path: see [`hook_file`].

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The first word after the program's path. The kernel adds the path of the hook's file and the
/// hook's own arguments.
pub const AS_HOOK: &str = "as-hook";

/// What the file says about itself, and by which it is recognized.
const ABOUT: &str = "\
    # A hook of deploy-by-code. The command `deploy-by-code install` writes this file, and\n\
    # `deploy-by-code uninstall` removes it. If the program of the first line is missing, git\n\
    # refuses every push.\n";

/// The longest first line, in bytes. Linux reads 256 bytes (execve(2), kernels since 5.1).
const LINE_MAX: usize = 250;

/// The content of the file of a hook. `None`: the kernel can't read the program's path from it,
/// because the path is relative or too long, or has white space in it.
#[must_use]
pub fn hook_file(program: &Path) -> Option<Vec<u8>> {
    let path = program.as_os_str().as_bytes();
    let is_readable = program.is_absolute() && !path.iter().any(u8::is_ascii_whitespace);

    let line = [b"#!", path, b" ", AS_HOOK.as_bytes(), b"\n"].concat();
    (is_readable && line.len() <= LINE_MAX).then(|| [&line, ABOUT.as_bytes()].concat())
}

/// The program that the file of a hook names. `None`: the text is not that of a hook's file.
#[must_use]
pub(super) fn program_of(text: &[u8]) -> Option<PathBuf> {
    let line = text.split(|byte| *byte == b'\n').next()?;
    let path = line.strip_prefix(b"#!")?.strip_suffix(AS_HOOK.as_bytes())?;
    let program = Path::new(OsStr::from_bytes(path.strip_suffix(b" ")?));

    // The rest can be the text of another version.
    let is_ours =
        program.is_absolute() && text[line.len()..].starts_with(b"\n# A hook of deploy-by-code.");
    is_ours.then(|| program.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_its_program_and_is_recognized() {
        for program in ["/usr/bin/deploy-by-code", "/opt/dbc-0.2/bin/dbc"] {
            let text = hook_file(Path::new(program)).unwrap();
            let line = format!("#!{program} as-hook\n");
            assert!(text.starts_with(line.as_bytes()), "{program}");
            assert_eq!(program_of(&text).as_deref(), Some(Path::new(program)));
        }
    }

    #[test]
    fn path_that_the_kernel_cannot_read_has_no_file() {
        let long = format!("/{}", "x".repeat(250));
        for program in ["bin/deploy-by-code", "/a b/deploy-by-code", "/a\nb", &long] {
            assert_eq!(hook_file(Path::new(program)), None, "{program}");
        }
    }

    #[test]
    fn hooks_of_others_are_not_taken_for_ours() {
        for text in [
            "",
            "#!/bin/sh\n# A hook of deploy-by-code.\n",
            "#!/usr/bin/deploy-by-code as-hook\n",
            "#!/usr/bin/deploy-by-code as-hook\n# Ours\n",
            "#!deploy-by-code as-hook\n# A hook of deploy-by-code.\n",
            "\n#!/usr/bin/deploy-by-code as-hook\n# A hook of deploy-by-code.\n",
        ] {
            assert_eq!(program_of(text.as_bytes()), None, "{text}");
        }
    }
}
