//! What the text of a value may be: a path, a branch, a size. Nothing here knows for which key.

use std::fmt;
use std::time::Duration;

use super::calendar::WindowError;
use super::environment_key::EnvironmentKey;
use super::notify::SmtpServer;
use super::release_path::ReleasePathError;
use super::repository_url::UrlError;
use super::web_error::WebError;
use crate::id::{Application, Environment, NameError};
use crate::text;
use crate::time::{self, NotADuration};

/// The smallest size that a limit may have, in bytes.
const SIZE_MIN: u64 = 4096;

/// The longest mail address, in bytes (RFC 5321, 4.5.3.1.3: a path of 256 with its brackets).
const ADDRESS_MAX: usize = 254;

/// Where the refs are that this program writes. Nobody may push there.
pub const OWN_REFS: &str = "refs/deploy-by-code/";

/// A text that does not say what is needed. Most hold the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ValueError {
    /// A path with a control character in it.
    ControlCharacter(String),
    /// A path that does not begin at the root folder.
    RelativePath(String),
    /// A path that goes up again.
    PathGoesUp(String),
    /// A branch by its full name.
    FullBranch(String),
    /// A text that is not a valid branch name.
    Branch(String),
    /// A path to something outside of the repository.
    Root(String),
    /// A text that is not a valid user name.
    User(String),
    /// A text that is not a size.
    Size(String),
    /// A size below [`SIZE_MIN`].
    SmallSize(String),
    /// A ref that does not begin with `refs/`.
    ShortRef(String),
    /// A ref that nothing is published at.
    NotPublished(String),
    /// A text that is not a valid name of an environment or application.
    Name(String, NameError),
    /// A text that is not a length of time, with what is wrong with it.
    Duration(NotADuration),
    /// A text that is not a mail address.
    MailAddress(String),
    /// A text that is not the URL of an SMTP server.
    SmtpServer(String),
    /// A text that is not the URL of a web server. It is not kept: a password can be in it.
    HttpUrl,
    /// A URL with a user or a password in it, which is not kept either.
    UrlWithLogin,
    /// A text that is not the URL of a repository.
    RepositoryUrl(UrlError),
    /// A text that is not a window of the calendar.
    Window(WindowError),
    /// A text that says nothing of the page.
    Web(WebError),
    /// A text that is not a path in a release.
    ReleasePath(ReleasePathError),
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quote = |found: &str| text::quote(found, 80);

        match self {
            Self::ControlCharacter(path) => {
                write!(f, "{} has a control character in it", quote(path))
            }
            Self::RelativePath(path) => write!(f, "{} is not an absolute path", quote(path)),
            Self::PathGoesUp(path) => write!(f, "{} has \"..\" in it", quote(path)),
            Self::FullBranch(name) => write!(f, "write {} without refs/heads/", quote(name)),
            Self::Branch(name) => write!(f, "{} is not a valid branch name", quote(name)),
            Self::Root(path) => write!(f, "{} is not a folder in the repository", quote(path)),
            Self::User(name) => write!(f, "{} is not a valid user name", text::quote(name, 40)),
            Self::Size(size) => {
                let size = text::quote(size, 40);
                write!(f, "{size} is not a size like \"64KiB\" or \"16MiB\"")
            }
            Self::SmallSize(size) => write!(f, "{} is less than \"4KiB\"", text::quote(size, 40)),
            Self::ShortRef(name) => write!(f, "{} is not a full ref name", quote(name)),
            Self::NotPublished(name) => write!(
                f,
                "{} is neither a valid name of a branch nor of a ref below refs/deploy-by-code/",
                quote(name)
            ),
            Self::Name(name, error) => write!(f, "{}: {error}", text::quote(name, 64)),
            Self::Duration(error) => f.write_str(&text::escape(error.to_string(), 200)),
            Self::MailAddress(address) => {
                write!(f, "{} is not a mail address", quote(address))
            }
            Self::SmtpServer(url) => write!(
                f,
                "{} is not like \"smtp://mail.example.org:587\" or \"smtps://mail.example.org\"",
                quote(url)
            ),
            Self::HttpUrl => f.write_str("the value is not like \"https://example.org/path\""),
            Self::UrlWithLogin => f.write_str("the URL has a user or a password in it"),
            Self::RepositoryUrl(error) => error.fmt(f),
            Self::Window(error) => error.fmt(f),
            Self::Web(error) => error.fmt(f),
            Self::ReleasePath(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ValueError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Name(_, error) => Some(error),
            Self::RepositoryUrl(error) => Some(error),
            Self::Window(error) => Some(error),
            Self::Web(error) => Some(error),
            _ => None,
        }
    }
}

impl From<WindowError> for ValueError {
    fn from(error: WindowError) -> Self {
        Self::Window(error)
    }
}

impl From<ReleasePathError> for ValueError {
    fn from(error: ReleasePathError) -> Self {
        Self::ReleasePath(error)
    }
}

impl ValueError {
    /// What to write instead, where the message does not say so already.
    pub(super) fn hint(&self) -> Option<String> {
        match self {
            Self::ShortRef(name) => {
                let name = text::escape(name, 80);
                Some(format!("write \"refs/heads/{name}\""))
            }
            Self::NotPublished(_) => Some(
                "write \"refs/deploy-by-code/status\" or, for example, \"refs/heads/deploy-status\""
                    .to_owned(),
            ),
            Self::MailAddress(text) if text.starts_with('{') => {
                Some("\"{author}\" is the only name for one".to_owned())
            }
            Self::ReleasePath(error) => Some(error.hint().to_owned()),
            Self::RepositoryUrl(error) => error.hint().map(str::to_owned),
            Self::UrlWithLogin => Some(
                "put the whole URL into a file that only this user can read, and name the file \
                 in url_file"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

/// An absolute path without `..`. It gets into units and messages, which are lines.
pub(super) fn absolute(path: &str) -> Result<String, ValueError> {
    if path.contains(|c: char| c.is_control()) {
        return Err(ValueError::ControlCharacter(path.to_owned()));
    }
    if !path.starts_with('/') {
        return Err(ValueError::RelativePath(path.to_owned()));
    }
    if path.split('/').any(|part| part == "..") {
        return Err(ValueError::PathGoesUp(path.to_owned()));
    }
    Ok(path.to_owned())
}

/// A branch as git-check-ref-format(1) allows it, without `refs/heads/`.
pub(super) fn branch(name: &str) -> Result<String, ValueError> {
    let bad = |c: char| c.is_ascii_control() || " ~^:?*[\\".contains(c);
    let bad_part = |part: &str| part.is_empty() || part.starts_with('.') || part.ends_with(".lock");

    if name.starts_with("refs/") {
        return Err(ValueError::FullBranch(name.to_owned()));
    }
    if name.starts_with('-')
        || name.ends_with('.')
        || name.contains("..")
        || name.contains("@{")
        || name.contains(bad)
        || name.split('/').any(bad_part)
    {
        return Err(ValueError::Branch(name.to_owned()));
    }
    Ok(name.to_owned())
}

/// A folder in the repository, without slashes at its ends; empty for the top.
pub(super) fn root(path: &str) -> Result<String, ValueError> {
    let trimmed = path.trim_matches('/');
    let bad = |part: &str| matches!(part, "" | "." | "..");

    if !trimmed.is_empty() && (path.starts_with('/') || trimmed.split('/').any(bad)) {
        return Err(ValueError::Root(path.to_owned()));
    }
    Ok(trimmed.to_owned())
}

/// The name of a user of the machine.
pub(super) fn user(name: &str) -> Result<String, ValueError> {
    if name.is_empty() || name.contains([':', '\n', '/']) {
        return Err(ValueError::User(name.to_owned()));
    }
    Ok(name.to_owned())
}

/// A size in bytes: a whole number with B, KiB, MiB or GiB, at least [`SIZE_MIN`] and within what
/// the offset of a file can be.
pub(super) fn size(text: &str) -> Result<u64, ValueError> {
    let not_a_size = || ValueError::Size(text.to_owned());

    let end = text.find(|c: char| !c.is_ascii_digit());
    let (digits, unit) = text.split_at(end.unwrap_or(text.len()));
    let unit = match unit.trim_start() {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(not_a_size()),
    };

    let number: u64 = digits.parse().map_err(|_| not_a_size())?;
    match number.checked_mul(unit) {
        Some(bytes) if bytes < SIZE_MIN => Err(ValueError::SmallSize(text.to_owned())),
        Some(bytes) if i64::try_from(bytes).is_ok() => Ok(bytes),
        _ => Err(not_a_size()),
    }
}

/// A length of time.
pub(super) fn duration(text: &str) -> Result<Duration, ValueError> {
    time::parse_duration(text).map_err(ValueError::Duration)
}

/// The full name of a ref, which may hold the wildcards of `allowed_refs`.
pub(super) fn full_ref(name: &str) -> Result<String, ValueError> {
    if !name.starts_with("refs/") {
        return Err(ValueError::ShortRef(name.to_owned()));
    }
    Ok(name.to_owned())
}

/// The full name of a ref at which something is published: that of a branch, or of a ref of this
/// program's own.
pub(super) fn published_ref(name: &str) -> Result<String, ValueError> {
    full_ref(name)?;
    let folders = ["refs/heads/", OWN_REFS];
    let below = folders.iter().find_map(|folder| name.strip_prefix(folder));
    match below.map(branch) {
        Some(Ok(_)) => Ok(name.to_owned()),
        _ => Err(ValueError::NotPublished(name.to_owned())),
    }
}

/// The name of an environment.
pub(super) fn environment(name: &str) -> Result<Environment, ValueError> {
    Environment::new(name).map_err(|error| ValueError::Name(name.to_owned(), error))
}

/// The name of an environment, or a pattern for some.
pub(super) fn environment_key(name: &str) -> Result<EnvironmentKey, ValueError> {
    name.parse()
        .map_err(|error| ValueError::Name(name.to_owned(), error))
}

/// A mail address, `who@where`. The program that sends the mail checks it by the whole of the
/// rules.
pub(super) fn mail_address(text: &str) -> Result<String, ValueError> {
    let bad = |c: char| c.is_whitespace() || text::is_deceptive(c) || "<>(),;:\\\"[]{}".contains(c);
    match text.rsplit_once('@') {
        Some((who, place))
            if !who.is_empty()
                && !place.is_empty()
                && text.len() <= ADDRESS_MAX
                && !text.starts_with('-')
                && !who.contains('@')
                && !text.contains(bad) =>
        {
            Ok(text.to_owned())
        }
        _ => Err(ValueError::MailAddress(text.to_owned())),
    }
}

/// An SMTP server: `smtp://HOST[:PORT]` or `smtps://HOST[:PORT]`.
pub(super) fn smtp_server(text: &str) -> Result<SmtpServer, ValueError> {
    let not_a_server = || ValueError::SmtpServer(text.to_owned());
    let (scheme, rest) = text.split_once("://").ok_or_else(not_a_server)?;
    let is_smtps = match scheme {
        "smtp" => false,
        "smtps" => true,
        _ => return Err(not_a_server()),
    };
    let (host, port) = host_and_port(rest.trim_end_matches('/')).ok_or_else(not_a_server)?;
    Ok(SmtpServer {
        host: host.to_owned(),
        port,
        is_smtps,
        login: None,
        ca_file: None,
    })
}

/// A URL that a request can be sent to: `http://` or `https://`, without a user in it.
pub(super) fn http_url(text: &str) -> Result<String, ValueError> {
    let rest = text.strip_prefix("https://");
    let rest = rest.or_else(|| text.strip_prefix("http://"));
    let rest = rest.ok_or(ValueError::HttpUrl)?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);

    if authority.contains('@') {
        return Err(ValueError::UrlWithLogin);
    }
    let bad = |c: char| c.is_whitespace() || c.is_control() || !c.is_ascii();
    if host_and_port(authority).is_none() || path.contains(bad) {
        return Err(ValueError::HttpUrl);
    }
    Ok(text.to_owned())
}

/// The host and the port of `HOST[:PORT]`; `None`: it is no such text.
fn host_and_port(text: &str) -> Option<(&str, Option<u16>)> {
    let ipv6_end = text.starts_with('[').then(|| text.find(']')).flatten();
    let (host, port) = match ipv6_end {
        Some(end) => {
            let (host, rest) = text.split_at(end + 1);
            (host, (!rest.is_empty()).then(|| rest.strip_prefix(':')))
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(Some(port))),
            None => (text, None),
        },
    };

    let inner = host.trim_start_matches('[').trim_end_matches(']');
    let is_good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    let is_good = |b: u8| is_good(b) || ipv6_end.is_some() && b == b':';
    if inner.is_empty() || !inner.bytes().all(is_good) {
        return None;
    }
    match port {
        None => Some((host, None)),
        Some(port) => Some((host, Some(port?.parse().ok().filter(|port| *port > 0)?))),
    }
}

/// The name of an application.
pub(super) fn application(name: &str) -> Result<Application, ValueError> {
    Application::new(name).map_err(|error| ValueError::Name(name.to_owned(), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let table = [
            ("4KiB", Some(4096)),
            ("4096B", Some(4096)),
            ("16 MiB", Some(16 << 20)),
            ("2GiB", Some(2 << 30)),
            ("4095B", None),
            ("0MiB", None),
            ("16MB", None),
            ("16", None),
            ("MiB", None),
            ("-1MiB", None),
            ("", None),
            ("8589934592GiB", None),
            ("99999999999999999999B", None),
        ];
        for (text, expect) in table {
            assert_eq!(size(text).ok(), expect, "{text:?}");
        }

        assert_eq!(
            size("1B").unwrap_err().to_string(),
            "\"1B\" is less than \"4KiB\""
        );
    }

    #[test]
    fn addresses_servers_and_urls() {
        let long = format!("a@{}", "b".repeat(253));
        let table = [
            ("a@b", true),
            ("ops+x@example.org", true),
            ("jörg@example.org", true),
            ("", false),
            ("a", false),
            ("@b", false),
            ("a@", false),
            ("a@b@c", false),
            ("a b@c", false),
            ("a@b\nBcc: c@d", false),
            ("<a@b>", false),
            ("a@b, c@d", false),
            ("-oQ/tmp@x", false),
            ("a\u{202e}@b", false),
            (&long, false),
        ];
        for (text, is_good) in table {
            assert_eq!(mail_address(text).is_ok(), is_good, "{text:?}");
        }

        let table = [
            (
                "smtp://mail.example.org",
                Some(("mail.example.org", None, false)),
            ),
            ("smtp://localhost:25/", Some(("localhost", Some(25), false))),
            ("smtps://[::1]:465", Some(("[::1]", Some(465), true))),
            ("mail.example.org", None),
            ("http://mail", None),
            ("smtp://", None),
            ("smtp://a:b@mail", None),
            ("smtp://mail:0", None),
            ("smtp://mail:99999", None),
            ("smtp://ma il", None),
        ];
        for (text, expect) in table {
            let server = smtp_server(text).ok();
            let found = server
                .as_ref()
                .map(|s| (s.host.as_str(), s.port, s.is_smtps));
            assert_eq!(found, expect, "{text:?}");
        }

        let table = [
            ("https://example.org", Ok(())),
            ("http://127.0.0.1:8080/a?b#c", Ok(())),
            ("https://[::1]/x", Ok(())),
            (
                "https://me:secret@example.org/",
                Err(ValueError::UrlWithLogin),
            ),
            ("ftp://example.org", Err(ValueError::HttpUrl)),
            ("example.org", Err(ValueError::HttpUrl)),
            ("https:///path", Err(ValueError::HttpUrl)),
            ("https://example.org/a b", Err(ValueError::HttpUrl)),
            ("https://example.org/\r\nX: y", Err(ValueError::HttpUrl)),
        ];
        for (text, expect) in table {
            assert_eq!(http_url(text).map(drop), expect, "{text:?}");
        }
    }

    #[test]
    fn published_refs() {
        let table = [
            ("refs/deploy-by-code/status", true),
            ("refs/heads/deploy-status", true),
            ("refs/heads/ops/status", true),
            ("refs/deploy-by-code/", false),
            ("refs/deploy-by-code", false),
            ("refs/deploy-by-code/a..b", false),
            ("refs/heads/-x", false),
            ("refs/heads/x.", false),
            ("refs/heads/x.lock", false),
            ("refs/heads/a\nb", false),
            ("refs/tags/x", false),
            ("refs/replace/x", false),
            ("deploy-status", false),
        ];
        for (name, is_good) in table {
            assert_eq!(published_ref(name).is_ok(), is_good, "{name:?}");
        }
    }

    #[test]
    fn absolute_paths() {
        for (path, is_good) in [
            ("/", true),
            ("/srv/a b", true),
            ("srv", false),
            ("", false),
            ("/srv/../etc", false),
            ("/srv/..a", true),
            ("/srv\n", false),
        ] {
            assert_eq!(absolute(path).is_ok(), is_good, "{path:?}");
        }
    }
}
