//! The path of a deploy file: `<root>/<environment>/<application>.deploy`. Pure.
//!
//! Whoever has to know what a path is about asks here. A file that is deeper than it may be is
//! about the environment whose folder it is in, and about no application.

use crate::deployfile::EXTENSION;
use crate::id::{Application, Environment, Target};

/// The path of a target's deploy file. `root` is the folder above the environments' folders; empty:
/// it is the top.
#[must_use]
pub fn deploy_path(root: &str, target: &Target) -> String {
    match root {
        "" => format!("{target}{EXTENSION}"),
        root => format!("{root}/{target}{EXTENSION}"),
    }
}

/// The environment in whose folder the path of a deploy file is. `None`: it is in none, or it is no
/// path of a deploy file, as that of a ref.
#[must_use]
pub fn environment_of(root: &str, path: &[u8]) -> Option<Environment> {
    let (folder, _) = parts(root, path)?;
    Environment::new(folder).ok()
}

/// The application in its environment that the path of a deploy file is of. `None`: it is of none.
#[must_use]
pub fn target_of(root: &str, path: &[u8]) -> Option<Target> {
    let (folder, file) = parts(root, path)?;
    Some(Target {
        environment: Environment::new(folder).ok()?,
        application: Application::new(file).ok()?,
    })
}

/// The first folder below `root`, and what is behind it without the extension.
fn parts<'p>(root: &str, path: &'p [u8]) -> Option<(&'p [u8], &'p [u8])> {
    let below = match root {
        "" => path,
        root => path.strip_prefix(root.as_bytes())?.strip_prefix(b"/")?,
    };
    let below = below.strip_suffix(EXTENSION.as_bytes())?;
    let end = below.iter().position(|byte| *byte == b'/')?;
    Some((&below[..end], &below[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_is_about_an_environment_and_perhaps_an_application() {
        let production = Some("production");
        let table = [
            ("", "production/a.deploy", production, Some("production/a")),
            ("", "production/x/a.deploy", production, None),
            ("", "production/.deploy", production, None),
            ("", "production/a b.deploy", production, None),
            ("", "a.deploy", None, None),
            ("", "prod uction/a.deploy", None, None),
            ("", "production/a", None, None),
            ("", "refs/heads/main", None, None),
            (
                "x/y",
                "x/y/production/a.deploy",
                production,
                Some("production/a"),
            ),
            ("x/y", "x/y/a.deploy", None, None),
            ("x/y", "production/a.deploy", None, None),
            ("x", "xy/production/a.deploy", None, None),
        ];
        for (root, path, environment, target) in table {
            let found = environment_of(root, path.as_bytes());
            assert_eq!(
                found.as_ref().map(Environment::as_str),
                environment,
                "{path}"
            );
            let found = target_of(root, path.as_bytes());
            let shown = found.as_ref().map(ToString::to_string);
            assert_eq!(shown.as_deref(), target, "{path}");
            if let Some(found) = found {
                assert_eq!(deploy_path(root, &found), path);
            }
        }
    }
}
