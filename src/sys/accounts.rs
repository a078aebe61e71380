//! The machine's database of users (nsswitch.conf(5)).
//!
//! Protocol: the C library looks users up by libraries that it loads, and a program that is linked
//! with it statically can't rely on them. So /etc/passwd is read here, where nsswitch.conf says
//! that it counts first. Where it does not know somebody, such as a user of LDAP or sssd, getent(1)
//! is asked, which belongs to the C library. It also says of which groups somebody is a member,
//! because every source of nsswitch.conf can add some. Only lines of the usual form are read here;
//! whatever else there is, getent is asked.
//!
//! It does not promise that a lookup is fast: the database can be behind a network. But a lookup
//! ends after [`LIMIT`].

use std::io;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use super::environment;
use super::open;
use super::output::output_within;
use crate::text;

/// Which sources the database has, and in which order.
const SOURCES: &str = "/etc/nsswitch.conf";

/// The source that is a file.
const PASSWD: &str = "/etc/passwd";

/// The largest of these files that is read, in bytes.
const FILE_MAX: u64 = 4 * 1024 * 1024;

/// How long getent may take.
const LIMIT: Duration = Duration::from_secs(30);

/// The most that getent may print, in bytes: the numbers of 65,536 groups, which is the most that
/// the kernel lets a process have.
const PRINTED_MAX: usize = 1024 * 1024;

/// The exit code of getent for a key that it did not find. It is the same where a source did not
/// answer.
const NOT_FOUND: i32 = 2;

/// The sources that are on this machine, and always answer.
const LOCAL: &[&str] = &["files", "db", "systemd", "extrausers", "altfiles"];

/// By what a user is looked up.
#[derive(Debug, Clone, Copy)]
pub(super) enum UserKey<'k> {
    Name(&'k str),
    Number(u32),
}

/// A line of passwd(5), as far as it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) home: String,
}

/// Looks a user up; `None`: there is no such user.
///
/// # Errors
/// The database can't be read.
pub(super) fn find(key: UserKey<'_>) -> io::Result<Option<Account>> {
    if let UserKey::Name(name) = key
        && !is_name(name)
    {
        return Ok(None);
    }
    match in_file(key) {
        Some(found) => Ok(Some(found)),
        None => by_getent(key),
    }
}

/// The groups of which a user is a member, without the one that passwd(5) names.
///
/// # Errors
/// The database can't be read.
pub(super) fn other_groups(name: &str) -> io::Result<Vec<u32>> {
    let output = getent("initgroups", name)?;
    let printed = printed(&output)?;
    let groups = printed.strip_prefix(name.as_bytes());
    let groups = groups.and_then(|groups| str::from_utf8(groups).ok());
    let groups = groups.map(|groups| groups.split_ascii_whitespace().map(number).collect());
    groups.flatten().ok_or_else(|| unknown_answer(printed))
}

/// The user by /etc/passwd; `None`: that file does not decide it.
fn in_file(key: UserKey<'_>) -> Option<Account> {
    let sources = open::read_text(Path::new(SOURCES), FILE_MAX).ok()?;
    if !file_is_first(&sources) {
        return None;
    }
    first_of(&open::read(Path::new(PASSWD), FILE_MAX).ok()?, key)
}

/// The user by getent; `None`: no source knows it.
fn by_getent(key: UserKey<'_>) -> io::Result<Option<Account>> {
    let output = match key {
        UserKey::Name(name) => getent("passwd", name)?,
        UserKey::Number(uid) => getent("passwd", &uid.to_string())?,
    };
    if output.status.code() == Some(NOT_FOUND) {
        return match sources_elsewhere()?.as_slice() {
            [] => Ok(None),
            elsewhere => Err(io::Error::other(format!(
                "getent finds no such user, and does not say whether {} answered",
                elsewhere.join(" and ")
            ))),
        };
    }
    answer(printed(&output)?, key)
}

/// The sources of users that may be on other machines, by nsswitch.conf(5). Without that file, the
/// C library only reads files.
fn sources_elsewhere() -> io::Result<Vec<String>> {
    match open::read_text(Path::new(SOURCES), FILE_MAX) {
        Ok(sources) => Ok(elsewhere(&sources)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The user that getent printed; `None`: it is not the one that was asked for.
fn answer(printed: &[u8], key: UserKey<'_>) -> io::Result<Option<Account>> {
    let found = printed.split(|b| *b == b'\n').next();
    let found = found.and_then(Account::parse);
    let found = found.ok_or_else(|| unknown_answer(printed))?;
    let is_asked_for = match key {
        // A source can know a user by more than one name: Active Directory does not tell upper
        // from lower case. But getent takes a name that consists of digits for a number.
        UserKey::Name(name) if number(name).is_none() => true,
        key => found.is(key),
    };
    Ok(is_asked_for.then_some(found))
}

/// What getent says of a key in a database. It finds no settings of a user, as git does not.
fn getent(database: &str, key: &str) -> io::Result<Output> {
    let mut command = Command::new("getent");
    environment::inherit_only(&mut command, &["PATH", "LD_LIBRARY_PATH"]);
    command.args([database, "--", key]).current_dir("/");
    // No kind of this error is passed on: that getent is missing does not mean that the user is.
    output_within(command, LIMIT, PRINTED_MAX)
        .map_err(|error| io::Error::other(format!("getent {database} {key}: {error}")))
}

/// What getent printed.
fn printed(output: &Output) -> io::Result<&[u8]> {
    if !output.status.success() {
        return Err(io::Error::other(format!(
            "getent, which looks up users, failed: {}",
            output.status
        )));
    }
    Ok(&output.stdout)
}

fn unknown_answer(printed: &[u8]) -> io::Error {
    let printed = String::from_utf8_lossy(printed);
    io::Error::other(format!("getent printed no answer: {printed:.200?}"))
}

/// The words behind `passwd:` in nsswitch.conf(5).
fn words_of(sources: &str) -> impl Iterator<Item = impl Iterator<Item = &str>> {
    let lines = sources.lines().map(|line| line.split('#').next());
    let lines = lines.filter_map(|line| line?.trim_start().strip_prefix("passwd:"));
    lines.map(str::split_ascii_whitespace)
}

/// The sources of users that are not on this machine for certain.
fn elsewhere(sources: &str) -> Vec<String> {
    let words = words_of(sources).flatten();
    let sources = words.filter(|word| !word.starts_with('[') && !LOCAL.contains(word));
    sources.map(|source| text::escape(source, 40)).collect()
}

/// Whether nsswitch.conf(5) says that /etc/passwd is the first source of users, and that who is
/// found there is not looked for any further.
fn file_is_first(sources: &str) -> bool {
    let mut lines = words_of(sources);
    let (Some(mut words), None) = (lines.next(), lines.next()) else {
        return false;
    };
    words.next() == Some("files") && !words.next().is_some_and(|word| word.starts_with('['))
}

/// The first user in the text of a file to whom a key belongs. `None`: there is none, or a line
/// before has another form than usual, such as one for NIS.
fn first_of(text: &[u8], key: UserKey<'_>) -> Option<Account> {
    let lines = text.split(|b| *b == b'\n');
    let lines = lines.filter(|line| !line.is_empty());
    let users = lines.map(Account::parse).take_while(Option::is_some);
    users.flatten().find(|user| user.is(key))
}

/// Whether a user can have this name. Those of Active Directory can have spaces in them.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(['+', '-', '#'])
        && !name.contains([':', '\n', '\0'])
        && name.trim() == name
}

/// A number of passwd(5): digits alone.
fn number(text: &str) -> Option<u32> {
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_digits)
}

impl Account {
    /// Reads a line of passwd(5); `None`: it has another form. Nobody says how the name of a person
    /// is encoded that is in it.
    fn parse(line: &[u8]) -> Option<Self> {
        let fields: Vec<&[u8]> = line.split(|b| *b == b':').collect();
        let [name, _, uid, gid, _, home, _] = fields[..] else {
            return None;
        };
        let text = |field| str::from_utf8(field).ok();
        Some(Self {
            name: text(name).filter(|name| is_name(name))?.to_owned(),
            uid: number(text(uid)?)?,
            gid: number(text(gid)?)?,
            home: String::from_utf8_lossy(home).into_owned(),
        })
    }

    /// Whether a key is this user's.
    fn is(&self, key: UserKey<'_>) -> bool {
        match key {
            UserKey::Name(name) => self.name == name,
            UserKey::Number(uid) => self.uid == uid,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_counts_where_it_is_the_first_source_and_what_it_says_is_final() {
        let table = [
            ("passwd: files\n", true),
            (
                "# passwd: ldap\n\n  passwd:\t\tfiles systemd # all\ngroup: files\n",
                true,
            ),
            ("passwd:files", true),
            ("passwd: sss files", false),
            ("passwd: compat", false),
            ("passwd: files [SUCCESS=continue] sss", false),
            ("passwd: filesystem", false),
            ("passwd: files\npasswd: ldap\n", false),
            ("passwd:\n", false),
            ("passwd_compat: files\ngroup: files\n", false),
            ("", false),
        ];
        for (sources, expect) in table {
            assert_eq!(file_is_first(sources), expect, "{sources:?}");
        }
    }

    #[test]
    fn only_sources_on_this_machine_are_known_to_answer() {
        let table = [
            ("passwd: files systemd extrausers\ngroup: ldap\n", ""),
            ("", ""),
            ("passwd: files sss # ldap", "sss"),
            (
                "passwd: files [NOTFOUND=continue] ldap winbind\n",
                "ldap winbind",
            ),
            ("passwd: compat", "compat"),
            ("passwd: files\npasswd: nis\n", "nis"),
        ];
        for (sources, expect) in table {
            assert_eq!(elsewhere(sources).join(" "), expect, "{sources:?}");
        }
    }

    const FILE: &[u8] = b"root:x:0:0:root:/root:/bin/bash\n\n\
                        m d:x:5:5:Andr\xe9:/home/m d:/bin/sh\n\
                        git:x:998:997:Git, the server:/srv/git:/bin/sh\n\
                        twin:x:998:997::/srv/twin:\n";

    #[test]
    fn first_line_with_the_name_or_the_number_counts() {
        let git = Account {
            name: "git".to_owned(),
            uid: 998,
            gid: 997,
            home: "/srv/git".to_owned(),
        };
        for key in [UserKey::Name("git"), UserKey::Number(998)] {
            assert_eq!(first_of(FILE, key), Some(git.clone()), "{key:?}");
        }
        for key in [
            UserKey::Name("gi"),
            UserKey::Name("998"),
            UserKey::Number(99),
        ] {
            assert_eq!(first_of(FILE, key), None, "{key:?}");
        }
    }

    #[test]
    fn line_of_an_unusual_form_leaves_all_that_follows_to_getent() {
        for line in [
            "+@admins::::::",
            "-bad:x:1:1:::",
            "# a comment",
            " a:x:1:1:::",
            "a:x:1:1::",
            "a:x:1:1::::",
            ":x:1:1:::",
            "a:x:-1:1:::",
            "a:x:+1:1:::",
            "a:x::1:::",
            "a:x:1:4294967296:::",
        ] {
            let line = format!("{line}\n");
            let text = [line.as_bytes(), FILE].concat();
            assert_eq!(first_of(&text, UserKey::Name("git")), None, "{line:?}");
            let text = [FILE, line.as_bytes()].concat();
            assert!(first_of(&text, UserKey::Name("git")).is_some(), "{line:?}");
        }
    }

    #[test]
    fn answer_counts_under_the_name_that_the_source_has() {
        let printed = b"m d@corp.example:*:5:6:Andr\xe9:/home/m d:/bin/sh\n";
        for key in [
            UserKey::Name("M D@corp.example"),
            UserKey::Name("m d"),
            UserKey::Number(5),
        ] {
            let found = answer(printed, key).unwrap().unwrap();
            assert_eq!((found.uid, found.gid), (5, 6), "{key:?}");
            assert_eq!(found.name, "m d@corp.example", "{key:?}");
        }
        for key in [UserKey::Name("5"), UserKey::Number(6)] {
            assert_eq!(answer(printed, key).unwrap(), None, "{key:?}");
        }
        for printed in [b"".as_slice(), b"\n", b"m d\n"] {
            assert!(answer(printed, UserKey::Number(5)).is_err(), "{printed:?}");
        }
    }

    #[test]
    fn file_and_getent_say_the_same() {
        let text = open::read(Path::new(PASSWD), FILE_MAX).unwrap();
        for line in String::from_utf8_lossy(&text).lines().take(5) {
            let name = line.split(':').next().unwrap();
            let user = find(UserKey::Name(name)).unwrap().unwrap();
            assert_eq!(by_getent(UserKey::Name(name)).unwrap().unwrap(), user);
            assert_eq!(
                find(UserKey::Number(user.uid)).unwrap().unwrap().uid,
                user.uid
            );
        }
    }

    #[test]
    fn nobody_is_found_for_what_is_no_user() {
        for name in [
            "",
            "0",
            "no-such-user",
            "--help",
            "-i",
            "root:x",
            "root\n",
            "a\0",
        ] {
            assert_eq!(find(UserKey::Name(name)).unwrap(), None, "{name:?}");
        }
        assert_eq!(find(UserKey::Number(4_200_000_042)).unwrap(), None);
    }

    #[test]
    fn groups_are_those_that_the_system_counts() {
        let mut id = Command::new("id");
        id.args(["-G", "root"]);
        let id = output_within(id, LIMIT, PRINTED_MAX).unwrap();
        let mut expect: Vec<u32> = String::from_utf8(id.stdout)
            .unwrap()
            .split_whitespace()
            .map(|group| group.parse().unwrap())
            .collect();
        let mut found = other_groups("root").unwrap();
        found.push(0);
        found.sort_unstable();
        found.dedup();
        expect.sort_unstable();
        assert_eq!(found, expect);
    }
}
