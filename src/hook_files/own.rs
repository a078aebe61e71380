//! How this program's hooks are recognized, and whether git runs them.
//!
//! Protocol: a hook is known by what is in its file, and not by its name: the text that `install`
//! writes, or this program itself. Only a link that leads nowhere is known by the name of what it
//! led to. What can't be read is an error, and never the hook of another program.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::name::{HOOKS, PROGRAM, kept};
use super::script::program_of;
use crate::sys::access::may_execute;
use crate::sys::file::{is_absence, is_there, link_target};
use crate::sys::open;
use crate::text;

/// Where the package has hooks of its own, which the administrator of a host can link to.
const PACKAGE_HOOKS: &str = "share/deploy-by-code/hooks";

/// Every build of this program has this text in its file.
static MARK: &[u8] = b"\x02this program is deploy-by-code, under whatever name\x03";

/// How an executable file of Linux begins (elf(5)).
const ELF: &[u8] = b"\x7fELF";

/// How much of a file is read at once, in bytes. The file of a hook is shorter.
const CHUNK: usize = 64 * 1024;

/// How much of a program is searched for the mark, in bytes.
const SEARCHED_MAX: u64 = 512 * 1024 * 1024;

/// A hook of this program, as it is in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnHook {
    /// A file that names this program, or a link to one. `install` writes such files.
    File {
        /// The program that it names.
        program: PathBuf,
    },
    /// The program itself, or a link that leads to it or led to it.
    Program,
}

/// Why git does not run a hook of this program in a place where it should. The message goes on
/// after the place.
#[derive(Debug, thiserror::Error)]
pub enum HookFault {
    /// Nothing is there. git skips it.
    #[error("is missing, so git skips it")]
    Missing,
    /// The hook of another program is there.
    #[error("is a hook of another program")]
    OfAnother,
    /// It is a link that leads nowhere. git skips it.
    #[error("is a broken link, so git skips it")]
    BrokenLink,
    /// It is not executable. git skips it.
    #[error("is not executable, so git skips it")]
    NotExecutable,
    /// The program that it names can't be executed. git refuses every push.
    #[error(
        "starts {}, which is missing or not executable, so git refuses every push",
        text::escape(.0.as_os_str().as_encoded_bytes(), 200)
    )]
    NoProgram(PathBuf),
}

/// The hook of this program that is in a place, if one is.
///
/// # Errors
/// It can't be found out what is there.
pub fn own_hook(path: &Path) -> io::Result<Option<OwnHook>> {
    if let Some(hook) = sibling(path)?.map(|name| path.with_file_name(name)) {
        // The hook that the link led to before may be kept. Then the link is to be kept as well.
        let is_kept = match kept(&hook) {
            Some(kept) => is_there(&kept)?,
            None => false,
        };
        if is_kept || sibling(&hook)?.is_some() {
            return Ok(None);
        }
        return own_hook(&hook);
    }

    match fs::metadata(path) {
        Ok(found) if found.is_file() => look_into(path),
        Ok(_) => Ok(None),
        Err(error) if is_absence(&error) => {
            Ok(led_to_the_program(path)?.then_some(OwnHook::Program))
        }
        Err(error) => Err(error),
    }
}

/// Whether a hook of this program is in a place.
///
/// # Errors
/// As for [`own_hook`].
pub fn is_own(path: &Path) -> io::Result<bool> {
    Ok(own_hook(path)?.is_some())
}

/// Why git does not run this program as the hook in a place; `None`: it does.
///
/// # Errors
/// As for [`own_hook`].
pub fn fault(path: &Path) -> io::Result<Option<HookFault>> {
    if !is_there(path)? {
        return Ok(Some(HookFault::Missing));
    }
    // Whatever it led to, git skips it.
    if let Err(error) = fs::metadata(path) {
        return if is_absence(&error) {
            Ok(Some(HookFault::BrokenLink))
        } else {
            Err(error)
        };
    }
    let Some(hook) = own_hook(path)? else {
        return Ok(Some(HookFault::OfAnother));
    };
    Ok(match hook {
        _ if !may_execute(path) => Some(HookFault::NotExecutable),
        OwnHook::File { program } if !may_execute(&program) => Some(HookFault::NoProgram(program)),
        OwnHook::File { .. } | OwnHook::Program => None,
    })
}

/// The hook in a link's own folder that the link leads to, if it leads to one.
///
/// # Errors
/// It can't be found out.
pub fn sibling(link: &Path) -> io::Result<Option<&'static str>> {
    let (Some(folder), Some(target)) = (link.parent(), link_target(link)?) else {
        return Ok(None);
    };
    let target = folder.join(target);
    let is_target = |hook: &&&str| target.file_name().is_some_and(|name| name == **hook);
    let (Some(name), Some(above)) = (HOOKS.iter().find(is_target), target.parent()) else {
        return Ok(None);
    };

    match above.canonicalize() {
        Ok(above) => Ok((above == folder.canonicalize()?).then_some(name)),
        Err(error) if is_absence(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a link that leads nowhere led to this program or to a hook of its package.
fn led_to_the_program(link: &Path) -> io::Result<bool> {
    Ok(link_target(link)?.is_some_and(|target| {
        let above = target.parent();
        target.file_name().is_some_and(|name| name == PROGRAM)
            || above.is_some_and(|folder| folder.ends_with(PACKAGE_HOOKS))
    }))
}

/// What a regular file is.
fn look_into(path: &Path) -> io::Result<Option<OwnHook>> {
    let mut file = open::without_waiting(path)?;
    let mut text = Vec::with_capacity(CHUNK);
    file.by_ref().take(CHUNK as u64).read_to_end(&mut text)?;

    if let Some(program) = program_of(&text) {
        return Ok(Some(OwnHook::File { program }));
    }
    if !text.starts_with(ELF) {
        return Ok(None);
    }
    let is_named = path
        .canonicalize()?
        .file_name()
        .is_some_and(|name| name == PROGRAM);
    Ok((is_named || has_mark(file, text)?).then_some(OwnHook::Program))
}

/// Whether the mark is in what was read of a file or in the rest of it.
fn has_mark(file: fs::File, mut text: Vec<u8>) -> io::Result<bool> {
    let mut rest = file.take(SEARCHED_MAX);
    loop {
        if text.windows(MARK.len()).any(|window| window == MARK) {
            return Ok(true);
        }
        // The mark can begin in one chunk and end in the next.
        let seen = text.split_off(text.len().saturating_sub(MARK.len()));
        text = seen;
        if rest.by_ref().take(CHUNK as u64).read_to_end(&mut text)? == 0 {
            return Ok(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::hook_files::hook_file;

    /// A folder of hooks in which the first hook is a link with this target.
    fn folder_with(target: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let hook = folder.path().join("pre-receive");
        symlink(target, &hook).unwrap();
        (folder, hook)
    }

    fn write(path: &Path, text: &[u8]) {
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn broken_link_is_known_by_the_name_of_what_it_led_to() {
        for (target, expected) in [
            ("/nonexistent/deploy-by-code", true),
            ("/nonexistent/share/deploy-by-code/hooks/pre-receive", true),
            ("/nonexistent/other", false),
            ("deploy-by-code.sh", false),
            ("pre-receive", false),
        ] {
            let (_folder, hook) = folder_with(target);
            assert_eq!(is_own(&hook).unwrap(), expected, "{target}");
        }
    }

    #[test]
    fn hook_is_known_by_its_content() {
        let (folder, hook) = folder_with("program");
        let program = folder.path().join("program");
        let text =
            |middle: &[u8]| [ELF, &"x".repeat(CHUNK - 20).into_bytes(), middle, b"end"].concat();

        for (content, expected) in [
            (text(MARK), true),
            (text(b"this program is another one"), false),
            (b"#!/bin/sh\nexec deploy-by-code\n".to_vec(), false),
            (
                hook_file(Path::new("/usr/bin/deploy-by-code")).unwrap(),
                true,
            ),
            (Vec::new(), false),
        ] {
            write(&program, &content);
            assert_eq!(is_own(&hook).unwrap(), expected, "{}", content.len());
            // A copy counts as the link does.
            assert_eq!(is_own(&program).unwrap(), expected, "{}", content.len());
        }

        // A script of that name is another program, an older build of this one is not.
        let (folder, hook) = folder_with("deploy-by-code");
        let program = folder.path().join("deploy-by-code");
        write(&program, b"#!/bin/sh\n");
        assert!(!is_own(&hook).unwrap());
        write(&program, &text(b""));
        assert!(is_own(&hook).unwrap());
    }

    #[test]
    fn program_of_these_tests_has_the_mark() {
        let own = std::env::current_exe().unwrap();
        assert_eq!(own_hook(&own).unwrap(), Some(OwnHook::Program));
    }

    #[test]
    fn link_to_an_own_hook_is_own_unless_that_one_has_kept_another() {
        let (folder, first) = folder_with("/nonexistent/deploy-by-code");
        let second = folder.path().join("post-receive");
        symlink("pre-receive", &second).unwrap();
        assert_eq!(sibling(&second).unwrap(), Some("pre-receive"));
        assert!(is_own(&second).unwrap());

        let kept = kept(&first).unwrap();
        fs::create_dir(kept.parent().unwrap()).unwrap();
        fs::write(kept, "").unwrap();
        assert!(!is_own(&second).unwrap());
    }

    #[test]
    fn fault_says_what_git_does_with_a_hook() {
        let folder = tempfile::tempdir().unwrap();
        let hook = folder.path().join("pre-receive");
        let program = folder.path().join("program");
        let says = || fault(&hook).unwrap().map(|fault| fault.to_string());
        let check = |part: &str| {
            let said = says().unwrap_or_default();
            assert!(said.contains(part), "{said:?} does not say {part:?}");
        };

        check("is missing");
        write(&hook, &hook_file(&program).unwrap());
        check("git refuses every push");
        write(&program, b"#!/bin/sh\n");
        assert_eq!(says(), None);

        fs::set_permissions(&program, fs::Permissions::from_mode(0o644)).unwrap();
        check("git refuses every push");
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o644)).unwrap();
        check("is not executable");
        write(&hook, b"#!/bin/sh\n");
        check("another program");
        fs::remove_file(&hook).unwrap();
        // The name of what is gone does not matter.
        for target in [
            "/nonexistent/deploy-by-code",
            "/nonexistent/other",
            "pre-receive",
        ] {
            symlink(target, &hook).unwrap();
            check("broken link");
            fs::remove_file(&hook).unwrap();
        }
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let name = "x".repeat(300);
        let error = is_own(&folder.path().join(name)).unwrap_err();
        assert!(!is_absence(&error), "{error}");
    }
}
