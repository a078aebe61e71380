//! How this program's links are recognized.

use std::path::Path;

use super::name::{HOOKS, PROGRAM, kept};

/// Where the package has links of its own to the program.
const PACKAGE_HOOKS: &str = "share/deploy-by-code/hooks";

/// Whether a path is one of this program's links. The link may lead to any build of the program. It
/// may also lead to one of the package's own links, as Gitolite's common hooks do.
#[must_use]
pub fn is_own_link(path: &Path) -> bool {
    if let Some(hook) = sibling(path).map(|name| path.with_file_name(name)) {
        // The hook that the link led to before may be kept. Then the link is to be kept as well.
        let is_kept = kept(&hook).is_some_and(|kept| kept.symlink_metadata().is_ok());
        return !is_kept && sibling(&hook).is_none() && is_own_link(&hook);
    }

    let is_program = |target: &Path| target.file_name().is_some_and(|name| name == PROGRAM);
    let is_in_package = |target: &Path| {
        target
            .parent()
            .is_some_and(|folder| folder.ends_with(PACKAGE_HOOKS))
    };
    std::fs::read_link(path).is_ok_and(|target| {
        // A broken link is recognized by the name of its target alone.
        is_program(&target)
            || is_in_package(&target)
            || path.canonicalize().is_ok_and(|end| is_program(&end))
    })
}

/// The hook in a link's own folder that the link leads to, if it leads to one.
#[must_use]
pub fn sibling(link: &Path) -> Option<&'static str> {
    let folder = link.parent()?;
    let target = folder.join(std::fs::read_link(link).ok()?);
    let name = HOOKS
        .iter()
        .find(|hook| target.file_name().is_some_and(|name| name == **hook))?;

    (target.parent()?.canonicalize().ok()? == folder.canonicalize().ok()?).then_some(name)
}

/// Whether a link leads to a program, directly or by way of others.
#[must_use]
pub fn leads_to(link: &Path, program: &Path) -> bool {
    link.canonicalize()
        .is_ok_and(|end| program.canonicalize().is_ok_and(|program| end == program))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use super::*;

    /// A folder of hooks in which the first hook is a link with this target.
    fn folder_with(target: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let hook = folder.path().join("pre-receive");
        symlink(target, &hook).unwrap();
        (folder, hook)
    }

    #[test]
    fn own_links_are_known_by_the_name_of_what_they_lead_to() {
        for target in [
            "/nonexistent/deploy-by-code",
            "/usr/share/deploy-by-code/hooks/pre-receive",
        ] {
            let (_folder, hook) = folder_with(target);
            assert!(is_own_link(&hook), "{target}");
        }
        for target in ["/bin/sh", "/nonexistent/other", "deploy-by-code.sh"] {
            let (_folder, hook) = folder_with(target);
            assert!(!is_own_link(&hook), "{target}");
        }
    }

    #[test]
    fn link_by_way_of_another_one_is_known_too() {
        let (folder, hook) = folder_with("other");
        fs::write(folder.path().join("deploy-by-code"), "").unwrap();
        symlink("deploy-by-code", folder.path().join("other")).unwrap();
        assert!(is_own_link(&hook));
        assert!(leads_to(&hook, &folder.path().join("deploy-by-code")));
    }

    #[test]
    fn link_to_an_own_hook_is_own_unless_that_one_has_kept_another() {
        let (folder, first) = folder_with("/nonexistent/deploy-by-code");
        let second = folder.path().join("post-receive");
        symlink("pre-receive", &second).unwrap();
        assert_eq!(sibling(&second), Some("pre-receive"));
        assert!(is_own_link(&second));

        let kept = kept(&first).unwrap();
        fs::create_dir(kept.parent().unwrap()).unwrap();
        fs::write(kept, "").unwrap();
        assert!(!is_own_link(&second));
    }
}
