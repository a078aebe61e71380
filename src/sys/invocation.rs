//! A program with its arguments and its environment, ready to be executed by a child that may not
//! allocate any more.
//!
//! Protocol: everything that execve(2) gets is made before the child is. The program is looked for
//! as execvp(3) does it, in the folders of the `PATH` that it gets itself, and a file that names no
//! interpreter is run by /bin/sh.
//!
//! It does not promise that the program is there: only the call of execve(2) says so.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, OsStr, OsString, c_char};
use std::fs::File;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::ptr;

use nix::errno::Errno;
use nix::libc;

/// What runs a file that names no interpreter.
const SHELL: &CStr = c"/bin/sh";

/// What a child executes, and with what.
pub struct Invocation {
    /// The program and its arguments.
    pub arguments: Vec<OsString>,
    /// Its whole environment.
    pub environment: BTreeMap<OsString, OsString>,
    /// The folder that it begins in.
    pub folder: PathBuf,
    /// Its standard input, its standard output and its standard error.
    pub streams: [File; 3],
}

impl Invocation {
    /// Sets a variable of the environment.
    pub fn set(&mut self, name: impl Into<OsString>, value: impl Into<OsString>) {
        self.environment.insert(name.into(), value.into());
    }

    /// The files that the program can be, in the order in which they are tried.
    fn files(&self) -> Vec<PathBuf> {
        let Some(program) = self.arguments.first().filter(|name| !name.is_empty()) else {
            return Vec::new();
        };
        if program.as_bytes().contains(&b'/') {
            return vec![PathBuf::from(program)];
        }
        let path = self.environment.get(OsStr::new("PATH"));
        let path = path.map_or(b"".as_slice(), |path| path.as_bytes());
        let folders = path.split(|b| *b == b':');
        folders
            .map(|folder| Path::new(OsStr::from_bytes(folder)).join(program))
            .collect()
    }
}

/// An invocation as the kernel takes it.
pub(super) struct Image {
    folder: CString,
    files: Vec<CString>,
    arguments: Vec<CString>,
    environment: Vec<CString>,
}

impl Image {
    /// Makes it.
    ///
    /// # Errors
    /// There is a NUL in something.
    pub(super) fn of(invocation: &Invocation) -> io::Result<Self> {
        let text = |text: OsString| Ok(CString::new(text.into_vec())?);
        let files = invocation.files().into_iter().map(PathBuf::into_os_string);
        let variables = invocation.environment.iter().map(|(name, value)| {
            let mut variable = name.clone();
            variable.push("=");
            variable.push(value);
            variable
        });
        Ok(Self {
            folder: text(invocation.folder.clone().into_os_string())?,
            files: files.map(text).collect::<io::Result<_>>()?,
            arguments: invocation
                .arguments
                .iter()
                .cloned()
                .map(text)
                .collect::<io::Result<_>>()?,
            environment: variables.map(text).collect::<io::Result<_>>()?,
        })
    }

    /// The folder that the program begins in.
    pub(super) fn folder(&self) -> &CStr {
        &self.folder
    }

    /// Makes the lists of pointers that [`Vectors::execute`] needs.
    pub(super) fn vectors(&self) -> Vectors<'_> {
        let pointers = |texts: &[CString]| -> Vec<*const c_char> {
            let pointers = texts.iter().map(|text| text.as_ptr());
            pointers.chain([ptr::null()]).collect()
        };
        let arguments = pointers(&self.arguments);
        let after_name = arguments.get(1..).unwrap_or(&[ptr::null()]);
        let by_shell = [SHELL.as_ptr(), ptr::null()]
            .into_iter()
            .chain(after_name.iter().copied())
            .collect();
        Vectors {
            image: self,
            arguments,
            by_shell,
            environment: pointers(&self.environment),
        }
    }
}

/// Lists of pointers into an [`Image`], each of which ends with a null pointer.
pub(super) struct Vectors<'i> {
    image: &'i Image,
    arguments: Vec<*const c_char>,
    /// The arguments of [`SHELL`]; the second one is the file.
    by_shell: Vec<*const c_char>,
    environment: Vec<*const c_char>,
}

impl Vectors<'_> {
    /// Executes the program in place of this process, and returns why that failed. It makes system
    /// calls alone.
    pub(super) fn execute(&mut self) -> Errno {
        let mut failed = Errno::ENOENT;
        for file in &self.image.files {
            let mut errno = execve(file, &self.arguments, &self.environment);
            if errno == Errno::ENOEXEC {
                if let Some(place) = self.by_shell.get_mut(1) {
                    *place = file.as_ptr();
                }
                errno = execve(SHELL, &self.by_shell, &self.environment);
            }
            match errno {
                // One of the next folders may have a file that can be executed.
                Errno::EACCES => failed = errno,
                Errno::ENOENT
                | Errno::ENOTDIR
                | Errno::ESTALE
                | Errno::ENODEV
                | Errno::ETIMEDOUT => {}
                errno => return errno,
            }
        }
        failed
    }
}

/// Calls execve(2). Both lists end with a null pointer.
fn execve(file: &CStr, arguments: &[*const c_char], environment: &[*const c_char]) -> Errno {
    // SAFETY: each pointer is null or that of a text which outlives the call, and both lists end
    // with a null pointer.
    #[expect(unsafe_code, reason = "sys is where it may stand")]
    unsafe {
        libc::execve(file.as_ptr(), arguments.as_ptr(), environment.as_ptr());
    }
    Errno::last()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invocation(program: &str, path: &str) -> Invocation {
        let null = || File::open("/dev/null").unwrap();
        Invocation {
            arguments: vec![program.into()],
            environment: [("PATH".into(), path.into())].into(),
            folder: "/".into(),
            streams: [null(), null(), null()],
        }
    }

    #[test]
    fn program_is_looked_for_in_the_path_that_it_gets() {
        let table: [(&str, &str, &[&str]); 6] = [
            ("web", "/a:/b", &["/a/web", "/b/web"]),
            ("./web", "/a:/b", &["./web"]),
            ("/c/web", "/a", &["/c/web"]),
            // An empty folder is the current one.
            ("web", "/a:", &["/a/web", "web"]),
            ("web", "", &["web"]),
            ("", "/a", &[]),
        ];
        for (program, path, expect) in table {
            let files = invocation(program, path).files();
            let expect: Vec<PathBuf> = expect.iter().map(PathBuf::from).collect();
            assert_eq!(files, expect, "{program:?} in {path:?}");
        }
    }

    #[test]
    fn nul_is_refused_and_nothing_is_executed() {
        assert!(Image::of(&invocation("a\0b", "/")).is_err());
        assert!(Image::of(&invocation("a", "/\0")).is_err());
        assert!(Image::of(&invocation("a", "/")).is_ok());
    }
}
