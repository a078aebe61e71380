//! By which path this program was called.

use std::env;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

/// The path by which this program was called, made absolute. Links in it stay as they are: a link
/// such as /usr/local/bin/deploy-by-code leads to the next version after an upgrade, while the
/// folder of this version may be removed.
///
/// # Errors
/// The system does not say which file this program is.
pub(super) fn as_called() -> io::Result<PathBuf> {
    let own = env::current_exe()?;
    let called = env::args_os().next().unwrap_or_default();
    let paths = env::var_os("PATH").unwrap_or_default();
    Ok(find(&called, &paths, &own).unwrap_or(own))
}

/// The absolute path by which `called` leads to the file `own`; `None`: it does not lead there. A
/// name without a slash is looked for in the folders of `paths`, as a shell does.
fn find(called: &OsString, paths: &OsString, own: &Path) -> Option<PathBuf> {
    let is_own = |path: &PathBuf| path.canonicalize().is_ok_and(|end| end == own);
    if Path::new(called).components().count() > 1 {
        return std::path::absolute(called).ok().filter(is_own);
    }
    env::split_paths(paths)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(called))
        .find(is_own)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_by_which_the_program_was_called_stay() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        let at = |name: &str| folder.join(name);
        for name in ["v1", "bin", "other"] {
            fs::create_dir(at(name)).unwrap();
        }
        for name in ["v1/program", "other/program"] {
            fs::write(at(name), "").unwrap();
        }
        symlink("../v1/program", at("bin/program")).unwrap();

        let paths = env::join_paths([at("other"), at("bin"), at("v1")]).unwrap();
        let found = |called: &str| find(&called.into(), &paths, &at("v1/program"));
        let shown = |name: &str| at(name).to_str().unwrap().to_owned();
        assert_eq!(found("program"), Some(at("bin/program")));
        assert_eq!(found(&shown("bin/program")), Some(at("bin/program")));
        assert_eq!(found(&shown("v1/program")), Some(at("v1/program")));
        assert_eq!(found(&shown("other/program")), None);
        assert_eq!(found("missing"), None);
    }
}
