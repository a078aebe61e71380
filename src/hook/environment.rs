//! What git and the host tell a hook in its environment variables.

use std::env;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use crate::git::Quarantine;
use crate::sys::user::User;
use crate::text;

/// The longest name of a pusher that is kept, in characters.
const PUSHER_MAX: usize = 128;

/// How many push options are looked at.
const OPTIONS_MAX: usize = 64;

/// The variables in which hosts name whom they authenticated, the surest first: GitLab, Gitolite, Gitea and Forgejo, a web server.
const PUSHER_VARIABLES: &[&str] = &["GL_USERNAME", "GL_USER", "GITEA_PUSHER_NAME", "REMOTE_USER"];

/// What a hook was told.
#[derive(Debug, Clone, Default)]
pub struct HookEnvironment {
    /// The repository's git folder.
    pub git_dir: PathBuf,
    /// Where the pushed objects are while the push is not accepted.
    pub quarantine: Quarantine,
    /// What the pusher gave with `git push -o`.
    pub push_options: Vec<String>,
}

impl HookEnvironment {
    /// Reads the process's environment variables.
    #[must_use]
    pub fn read() -> Self {
        let count = env::var("GIT_PUSH_OPTION_COUNT").ok().and_then(|count| count.parse::<usize>().ok()).unwrap_or(0);
        let option = |index| env::var(format!("GIT_PUSH_OPTION_{index}")).ok();
        Self {
            git_dir: env::var_os("GIT_DIR").map_or_else(|| PathBuf::from("."), PathBuf::from),
            quarantine: quarantine(),
            push_options: (0..count.min(OPTIONS_MAX)).filter_map(option).collect(),
        }
    }
}

/// Who acts: the name that the host authenticated, or the unix user. Asked for only when there is something to record, since it can mean a look into
/// the user database.
#[must_use]
pub fn pusher() -> Option<String> {
    let named = PUSHER_VARIABLES.iter().filter_map(env::var_os).find(|name| !name.is_empty());
    let named = named.map(|name| text::decode(name.as_bytes(), PUSHER_MAX));
    named.or_else(|| User::current().ok().map(|user| user.name))
}

/// The object folders that a hook in quarantine reads from, before the repository's own (git(1), `GIT_OBJECT_DIRECTORY`).
fn quarantine() -> Quarantine {
    if env::var_os("GIT_QUARANTINE_PATH").is_none() {
        return Quarantine::default();
    }
    let own = env::var_os("GIT_OBJECT_DIRECTORY").into_iter().map(PathBuf::from);
    let alternates = env::var_os("GIT_ALTERNATE_OBJECT_DIRECTORIES").unwrap_or_default();
    let alternates = alternates.as_bytes().split(|b| *b == b':').filter(|path| !path.is_empty());
    let alternates = alternates.map(|path| PathBuf::from(OsString::from_vec(unquote(path))));
    Quarantine { object_folders: own.chain(alternates).filter(|folder| folder.is_dir()).collect() }
}

/// Undoes the quoting that git gives a path with a colon or quote in it: `"…"` with backslashes.
fn unquote(path: &[u8]) -> Vec<u8> {
    let Some(inner) = path.strip_prefix(b"\"").and_then(|path| path.strip_suffix(b"\"")) else { return path.to_vec() };
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner.iter();
    while let Some(byte) = rest.next() {
        bytes.push(if *byte == b'\\' { rest.next().copied().unwrap_or(b'\\') } else { *byte });
    }
    bytes
}
