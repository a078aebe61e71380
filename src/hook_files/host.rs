//! Which forge or server manages a repository, and where its hooks are.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::name::{HOOKS, LAST, PROGRAM};
use crate::sys::open;

/// How much of a hook is read, in bytes.
const SCRIPT_MAX: u64 = 64 * 1024;

/// The path of each hook's file, by the hook's name.
pub type Places = Vec<(&'static str, PathBuf)>;

/// Which program manages a repository and its hooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// None: git runs what is in the folder of hooks.
    Plain,
    /// Gitea or Forgejo: its own hooks call what is in `hooks/<name>.d`.
    Gitea,
    /// GitLab: Gitaly runs what is in `custom_hooks/<name>.d`. It does not run this program's hook
    /// reference-transaction.
    GitLab,
    /// Gitolite: it sets links to what is in `hooks/common` of its `LOCAL_CODE`, and leaves other
    /// hooks alone.
    Gitolite,
}

impl Host {
    /// All hosts.
    pub const ALL: &[Self] = &[Self::Plain, Self::Gitea, Self::GitLab, Self::Gitolite];

    /// The host of a repository, by what its folder shows. `has_gitlab_setting`: whether the
    /// repository's configuration has `gitlab.fullpath`.
    #[must_use]
    pub fn of(git_dir: &Path, has_gitlab_setting: bool) -> Self {
        // GitLab names the folders of repositories by hashes, and a Gitaly cluster by numbers.
        let is_stored_by_gitlab = git_dir
            .components()
            .any(|part| part.as_os_str() == "@hashed" || part.as_os_str() == "@cluster");

        if has_gitlab_setting || is_stored_by_gitlab {
            Self::GitLab
        } else if git_dir.join("gl-conf").exists() {
            Self::Gitolite
        } else if dispatches(git_dir, "pre-receive") && dispatches(git_dir, "post-receive") {
            Self::Gitea
        } else if git_dir.join("custom_hooks").is_dir() {
            // Not every version of GitLab writes gitlab.fullpath, and no other host has a folder of
            // this name.
            Self::GitLab
        } else {
            Self::Plain
        }
    }

    /// Where the file of each hook is. `hooks`: the folder that git runs hooks from.
    #[must_use]
    pub fn places(self, git_dir: &Path, hooks: &Path) -> Places {
        let custom_hooks = git_dir.join("custom_hooks");
        let place = |name: &'static str| {
            let in_folder = |folder: &Path, own: &str| folder.join(format!("{name}.d")).join(own);
            match (self, name) {
                (Self::GitLab, "reference-transaction") => None,
                (Self::GitLab, _) => Some((name, in_folder(&custom_hooks, PROGRAM))),
                (Self::Gitea, "pre-receive" | "post-receive") => {
                    Some((name, in_folder(hooks, LAST)))
                }
                _ => Some((name, hooks.join(name))),
            }
        };

        HOOKS.iter().copied().filter_map(place).collect()
    }

    /// What the administrator of a repository there should know, if anything.
    #[must_use]
    pub fn note(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Gitea => Some(
                "Gitea or Forgejo: its own hooks call these; \
                 see /usr/share/doc/deploy-by-code/docs/hosts/gitea.md",
            ),
            Self::GitLab => Some(
                "GitLab: what a broken connection misses, only the timer picks up; \
                 see /usr/share/doc/deploy-by-code/docs/hosts/gitlab.md",
            ),
            Self::Gitolite => Some(
                "Gitolite: a hook of the same name in hooks/common of LOCAL_CODE would take \
                 the place of these; \
                 see /usr/share/doc/deploy-by-code/docs/hosts/gitolite.md",
            ),
        }
    }
}

/// Whether a hook is a script that calls what is in the folder beside it that has its name.
fn dispatches(git_dir: &Path, name: &str) -> bool {
    let hook = git_dir.join("hooks").join(name);
    let text = read_beginning(&hook).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    hook.with_extension("d").is_dir()
        && !hook.is_symlink()
        && (text.contains("}.d/") || text.contains(&format!("{name}.d/")))
}

/// The beginning of a file. For anything else it is empty, because reading a pipe, for example,
/// could wait for ever.
fn read_beginning(file: &Path) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let file = open::without_waiting(file)?;
    if file.metadata()?.is_file() {
        file.take(SCRIPT_MAX).read_to_end(&mut text)?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn hosts_are_recognized_by_what_a_folder_shows() {
        let folder = tempfile::tempdir().unwrap();
        let git_dir = folder.path();
        let host = || Host::of(git_dir, false);
        assert_eq!(host(), Host::Plain);
        assert_eq!(Host::of(git_dir, true), Host::GitLab);
        assert_eq!(Host::of(Path::new("/a/@hashed/b.git"), false), Host::GitLab);

        fs::create_dir(git_dir.join("custom_hooks")).unwrap();
        assert_eq!(host(), Host::GitLab);

        for name in ["pre-receive", "post-receive"] {
            fs::create_dir_all(git_dir.join(format!("hooks/{name}.d"))).unwrap();
            let script = "for hook in \"$0.d\"/*; do \"$hook\"; done";
            fs::write(git_dir.join("hooks").join(name), script).unwrap();
            assert_eq!(host(), Host::GitLab, "the script calls nothing in {name}.d");
            fs::write(git_dir.join("hooks").join(name), "\"${0}.d/\"*").unwrap();
        }
        assert_eq!(host(), Host::Gitea);

        fs::write(git_dir.join("gl-conf"), "").unwrap();
        assert_eq!(host(), Host::Gitolite);
    }

    #[test]
    fn hooks_are_where_the_host_looks_for_them() {
        let places = |host: Host| {
            let places = host.places(Path::new("/r"), Path::new("/r/hooks"));
            let paths = places
                .into_iter()
                .map(|(_, path)| path.display().to_string());
            paths.collect::<Vec<_>>()
        };
        let plain = [
            "/r/hooks/pre-receive",
            "/r/hooks/post-receive",
            "/r/hooks/reference-transaction",
        ];
        assert_eq!(places(Host::Plain), plain);
        assert_eq!(places(Host::Gitolite), plain);
        assert_eq!(
            places(Host::Gitea),
            [
                "/r/hooks/pre-receive.d/zz-deploy-by-code",
                "/r/hooks/post-receive.d/zz-deploy-by-code",
                "/r/hooks/reference-transaction",
            ]
        );
        assert_eq!(
            places(Host::GitLab),
            [
                "/r/custom_hooks/pre-receive.d/deploy-by-code",
                "/r/custom_hooks/post-receive.d/deploy-by-code",
            ]
        );
    }
}
