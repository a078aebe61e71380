//! What git and the host tell a hook in its environment variables.

use std::env;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use serde::Deserialize;

use crate::git::Quarantine;
use crate::identity::{Evidence, Identity};
use crate::sys::user::User;
use crate::text;

/// The longest name of a pusher that is kept, in characters.
const PUSHER_MAX: usize = 128;

/// How many push options are looked at.
const OPTIONS_MAX: usize = 64;

/// The longest `KALLITHEA_EXTRAS` that is read, in bytes.
const KALLITHEA_EXTRAS_MAX: usize = 64 * 1024;

/// The variables in which hosts name the person whom they authenticated, and the evidence that each
/// stands for, the strongest first. The first is for the forced command of an ssh key (sshd(8),
/// AUTHORIZED_KEYS), the last for web servers. [`named_in`] has what is special about some of them.
const PUSHER_VARIABLES: &[(&str, Evidence)] = &[
    ("DEPLOY_BY_CODE_PUSHER", Evidence::SshKey),
    ("GL_USERNAME", Evidence::Gitlab),
    ("GL_USER", Evidence::Gitolite),
    ("GITEA_PUSHER_NAME", Evidence::Gitea),
    ("KALLITHEA_EXTRAS", Evidence::Kallithea),
    ("SOFT_SERVE_USERNAME", Evidence::SoftServe),
    ("REMOTE_USER", Evidence::Http),
];

/// What git and the host tell a hook.
#[derive(Debug, Clone, Default)]
pub struct HookEnvironment {
    /// The repository's git folder.
    pub git_dir: PathBuf,
    /// Where the pushed objects are until the push is accepted.
    pub quarantine: Quarantine,
    /// What the pusher gave with `git push -o`.
    pub push_options: Vec<String>,
}

impl HookEnvironment {
    /// Reads the process's environment variables.
    #[must_use]
    pub fn read() -> Self {
        let count = env::var("GIT_PUSH_OPTION_COUNT")
            .ok()
            .and_then(|count| count.parse::<usize>().ok())
            .unwrap_or(0);
        let option = |index| env::var(format!("GIT_PUSH_OPTION_{index}")).ok();

        Self {
            git_dir: env::var_os("GIT_DIR").map_or_else(|| PathBuf::from("."), PathBuf::from),
            quarantine: quarantine(),
            push_options: (0..count.min(OPTIONS_MAX)).filter_map(option).collect(),
        }
    }
}

/// Who pushes: the signer of the push, or else the name that the host authenticated, or else the
/// unix user. Call this only when there is something to record, since it can read the user
/// database.
#[must_use]
pub fn pusher() -> Identity {
    signer().or_else(authenticated).unwrap_or_else(unix_user)
}

/// Who types a command: the real user of this process, and behind root the user who called sudo. A
/// person chooses the environment of what they type, so no variable that a host sets for its hooks
/// counts here. `SUDO_UID` counts where root says it: every other user could set it to any number.
#[must_use]
pub fn person() -> Identity {
    let user = User::real_number();
    let caller = (user == 0).then(|| env::var("SUDO_UID").ok()).flatten();
    match caller.and_then(|number| number.parse().ok()) {
        Some(caller) if caller != 0 => Identity::new(name_of(caller), Evidence::Sudo),
        _ => Identity::new(name_of(user), Evidence::Unix),
    }
}

/// The person whom the host authenticated.
fn authenticated() -> Option<Identity> {
    PUSHER_VARIABLES.iter().find_map(|(variable, evidence)| {
        let value = env::var_os(variable).filter(|value| !value.is_empty())?;
        named_in(value.as_bytes(), *evidence)
    })
}

/// The person whom the value of a variable names.
fn named_in(value: &[u8], evidence: Evidence) -> Option<Identity> {
    match evidence {
        // Gitolite also sets GL_REPO. Pagure has taken over GL_USER alone.
        Evidence::Gitolite if env::var_os("GL_REPO").is_none() => {
            Some(identity(value, Evidence::Pagure))
        }
        Evidence::Kallithea => {
            let name = kallithea_user(value)?;
            Some(identity(name.as_bytes(), evidence))
        }
        _ => Some(identity(value, evidence)),
    }
}

fn identity(name: &[u8], evidence: Evidence) -> Identity {
    Identity::new(text::decode(name, PUSHER_MAX), evidence)
}

/// The name in `KALLITHEA_EXTRAS`, which is a JSON object. `None`: it names nobody.
fn kallithea_user(extras: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Extras {
        username: String,
    }

    if extras.len() > KALLITHEA_EXTRAS_MAX {
        return None;
    }
    let extras: Extras = serde_json::from_slice(extras).ok()?;
    Some(extras.username).filter(|name| !name.is_empty())
}

/// The user of the operating system that this process runs as.
fn unix_user() -> Identity {
    Identity::new(name_of(User::own_number()), Evidence::Unix)
}

/// The name of a user of the operating system. A user whose number has no name is known by the
/// number. The user database, which can be behind a network, is not asked who root is.
fn name_of(user: u32) -> String {
    if user == 0 {
        return "root".to_owned();
    }
    User::by_number(user).map_or_else(|_| format!("user {user}"), |user| user.name)
}

/// Who signed the push (git-receive-pack(1), "Pre-receive hook"). git also calls the signature of
/// an unknown key good, and names no signer then. git does not refuse a replayed signature; only
/// the status of its nonce shows that.
fn signer() -> Option<Identity> {
    let is = |variable: &str, value: &str| env::var(variable).is_ok_and(|found| found == value);
    let is_good = is("GIT_PUSH_CERT_STATUS", "G") && is("GIT_PUSH_CERT_NONCE_STATUS", "OK");

    let signer = env::var_os("GIT_PUSH_CERT_SIGNER");
    let signer = signer.filter(|signer| is_good && !signer.is_empty())?;
    Some(identity(signer.as_bytes(), Evidence::Signature))
}

/// The object folders that a hook in quarantine reads before the repository's own (git(1),
/// `GIT_OBJECT_DIRECTORY`).
fn quarantine() -> Quarantine {
    if env::var_os("GIT_QUARANTINE_PATH").is_none() {
        return Quarantine::default();
    }

    let own = env::var_os("GIT_OBJECT_DIRECTORY").map(PathBuf::from);
    let alternates = env::var_os("GIT_ALTERNATE_OBJECT_DIRECTORIES").unwrap_or_default();
    let alternates = alternates
        .as_bytes()
        .split(|b| *b == b':')
        .filter(|path| !path.is_empty())
        .map(|path| PathBuf::from(OsString::from_vec(unquote(path))));

    let folders = own.into_iter().chain(alternates);
    Quarantine {
        object_folders: folders.filter(|folder| folder.is_dir()).collect(),
    }
}

/// Undoes the quoting that git gives to a path with a colon or a quote in it: `"…"` with
/// backslashes.
fn unquote(path: &[u8]) -> Vec<u8> {
    let Some(inner) = path
        .strip_prefix(b"\"")
        .and_then(|path| path.strip_suffix(b"\""))
    else {
        return path.to_vec();
    };

    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner.iter();
    while let Some(byte) = rest.next() {
        bytes.push(if *byte == b'\\' {
            rest.next().copied().unwrap_or(b'\\')
        } else {
            *byte
        });
    }
    bytes
}
