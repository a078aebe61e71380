//! The URL of an application repository on another host.
//!
//! A URL is shown everywhere, becomes an argument of git, and its host and path become arguments of
//! ssh. So it has only characters that mean nothing there, nothing in it can be taken for an
//! option, and it has no secret. The names that replace `{environment}` and `{application}` can't
//! change any of this: they have only letters, digits, `.`, `_` and `-`, and begin with a letter or
//! a digit.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest URL, in bytes, with the longest names in it.
const URL_MAX: usize = 1000;

/// What git calls the way to a repository (git(1), `GIT_ALLOW_PROTOCOL`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RepositoryProtocol {
    /// HTTP over TLS.
    Https,
    /// ssh.
    Ssh,
    /// A folder of this machine.
    File,
}

impl RepositoryProtocol {
    /// The word that git has for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Ssh => "ssh",
            Self::File => "file",
        }
    }
}

/// The URL of a repository: `https://HOST[:PORT]/PATH`, `ssh://[USER@]HOST[:PORT]/PATH`,
/// `USER@HOST:PATH` or `file:///PATH`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepositoryUrl {
    text: String,
    protocol: RepositoryProtocol,
}

/// Why a text is not the URL of a repository. The text is not kept: it can have a secret in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Anybody on the way could answer.
    #[error("a URL with {0}:// is not accepted: anybody on the way could change what is deployed")]
    NotProtected(&'static str),
    /// It names a program.
    #[error("a URL with \"::\" is not accepted: it names a program that git would run")]
    Helper,
    /// The protocol is not known.
    #[error("the URL begins with another word than https://, ssh:// or file://")]
    Scheme,
    /// It has a user or a password in it, which everybody would see.
    #[error("the URL has a user or a password in it, and it is shown to everybody")]
    Login,
    /// It is like a path of scp(1), without a user.
    #[error("the URL names a host and no user")]
    NoUser,
    /// It has no valid host.
    #[error("the URL has no valid host")]
    Host,
    /// It has no valid user.
    #[error("the URL has no valid user")]
    User,
    /// It has no valid port.
    #[error("the URL has no valid port")]
    Port,
    /// It has no path.
    #[error("the URL has no path")]
    NoPath,
    /// Its path could be taken for an option.
    #[error("the path of the URL begins with \"-\"")]
    Option,
    /// Its path goes up again.
    #[error("the URL has \"..\" in it")]
    GoesUp,
    /// Its path has a character that could mean something.
    #[error("the path of the URL has a character that is not accepted there")]
    Character,
    /// It is too long.
    #[error("the URL is longer than {URL_MAX} bytes")]
    TooLong,
}

impl UrlError {
    /// What to write instead, where the message does not say so already.
    pub(super) fn hint(self) -> Option<&'static str> {
        Some(match self {
            Self::NotProtected(_) | Self::Helper | Self::Scheme => {
                "write https://HOST/PATH, ssh://USER@HOST/PATH or USER@HOST:PATH"
            }
            Self::Login => {
                "remove it; git takes it from ~/.netrc or the credential.helper of the user that \
                 the hooks run as"
            }
            Self::NoUser => "write USER@HOST:PATH, or a path that begins with \"/\"",
            Self::Character => {
                "letters, digits and / . _ - ~ + % @ = , : are accepted; write others as %XX"
            }
            Self::Host
            | Self::User
            | Self::Port
            | Self::NoPath
            | Self::Option
            | Self::GoesUp
            | Self::TooLong => return None,
        })
    }
}

impl RepositoryUrl {
    /// Whether a text is meant to be a URL, and not a path.
    pub(super) fn is_meant(text: &str) -> bool {
        let before_slash = text.split('/').next().unwrap_or_default();
        before_slash.contains(':')
    }

    /// Reads a URL.
    ///
    /// # Errors
    /// It is none, or none that is accepted.
    pub(super) fn parse(text: &str) -> Result<Self, UrlError> {
        if text.len() > URL_MAX {
            return Err(UrlError::TooLong);
        }
        let (protocol, path) = match text.split_once("://") {
            Some((scheme, rest)) if !scheme.contains(['/', ':', '@']) => with_scheme(scheme, rest)?,
            _ => (RepositoryProtocol::Ssh, like_scp(text)?),
        };
        check_path(path)?;
        Ok(Self {
            text: text.to_owned(),
            protocol,
        })
    }

    /// The URL, as it is written and as git gets it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The way to the repository, and the only one that git may take.
    #[must_use]
    pub fn protocol(&self) -> RepositoryProtocol {
        self.protocol
    }
}

impl TryFrom<String> for RepositoryUrl {
    type Error = UrlError;

    fn try_from(text: String) -> Result<Self, UrlError> {
        Self::parse(&text)
    }
}

impl From<RepositoryUrl> for String {
    fn from(url: RepositoryUrl) -> Self {
        url.text
    }
}

impl fmt::Display for RepositoryUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The protocol and the path of `SCHEME://REST`.
fn with_scheme<'t>(scheme: &str, rest: &'t str) -> Result<(RepositoryProtocol, &'t str), UrlError> {
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let protocol = match scheme {
        "https" if authority.contains('@') => return Err(UrlError::Login),
        "https" => RepositoryProtocol::Https,
        "ssh" => RepositoryProtocol::Ssh,
        "file" if authority.is_empty() => RepositoryProtocol::File,
        "file" => return Err(UrlError::Host),
        "http" => return Err(UrlError::NotProtected("http")),
        "git" => return Err(UrlError::NotProtected("git")),
        _ => return Err(UrlError::Scheme),
    };
    if protocol != RepositoryProtocol::File {
        let (user, place) = match authority.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, authority),
        };
        user.map_or(Ok(()), check_user)?;
        check_place(place)?;
    }
    if path.trim_matches('/').is_empty() {
        return Err(UrlError::NoPath);
    }
    Ok((protocol, path))
}

/// The path of `USER@HOST:PATH`, as scp(1) writes it.
fn like_scp(text: &str) -> Result<&str, UrlError> {
    if text.split('/').next().is_some_and(|it| it.contains("::")) && !text.contains("@[") {
        return Err(UrlError::Helper);
    }
    let (user, rest) = text.split_once('@').ok_or(UrlError::NoUser)?;
    check_user(user)?;
    let host_end = match rest.strip_prefix('[') {
        Some(_) => rest.find(']').map(|at| at + 1),
        None => rest.find(':'),
    };
    let (host, rest) = rest.split_at(host_end.ok_or(UrlError::Host)?);
    check_host(host)?;
    match rest.strip_prefix(':') {
        None => Err(UrlError::Host),
        Some("") => Err(UrlError::NoPath),
        Some(path) => Ok(path),
    }
}

fn check_user(user: &str) -> Result<(), UrlError> {
    if user.contains(':') {
        return Err(UrlError::Login);
    }
    let is_good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    if user.is_empty() || user.starts_with('-') || !user.bytes().all(is_good) {
        return Err(UrlError::User);
    }
    Ok(())
}

/// Checks `HOST[:PORT]`.
fn check_place(place: &str) -> Result<(), UrlError> {
    let host_end = match place.strip_prefix('[') {
        Some(_) => place.find(']').map(|at| at + 1),
        None => place.find(':'),
    };
    let (host, port) = place.split_at(host_end.unwrap_or(place.len()));
    check_host(host)?;
    match port.strip_prefix(':') {
        Some(port) if port.bytes().all(|b| b.is_ascii_digit()) => match port.parse::<u16>() {
            Ok(1..) => Ok(()),
            _ => Err(UrlError::Port),
        },
        Some(_) => Err(UrlError::Port),
        None if port.is_empty() => Ok(()),
        None => Err(UrlError::Host),
    }
}

/// Checks a host: a name, an address, or an IPv6 address in brackets.
fn check_host(host: &str) -> Result<(), UrlError> {
    let inner = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    let is_good = match inner {
        Some(address) => {
            let is_good = |b: u8| b.is_ascii_hexdigit() || matches!(b, b':' | b'.');
            address.contains(':') && address.bytes().all(is_good)
        }
        None => {
            let is_good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
            host.starts_with(|c: char| c.is_ascii_alphanumeric()) && host.bytes().all(is_good)
        }
    };
    if is_good { Ok(()) } else { Err(UrlError::Host) }
}

/// Checks a path. What a host makes of it is its own affair.
fn check_path(path: &str) -> Result<(), UrlError> {
    if path.starts_with('-') {
        return Err(UrlError::Option);
    }
    if path.split('/').any(|part| part == "..") {
        return Err(UrlError::GoesUp);
    }

    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-~+@=,:".contains(&b);
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = match (first, after) {
            // git(1) decodes these before it shows or uses them.
            (b'%', [high, low, after @ ..]) if is_text(*high, *low) => after,
            (first, after) if is_plain(*first) => after,
            _ => return Err(UrlError::Character),
        };
    }
    Ok(())
}

/// Whether two hexadecimal digits stand for a byte that is no control character.
fn is_text(high: u8, low: u8) -> bool {
    let digit = |digit: u8| char::from(digit).to_digit(16);
    match (digit(high), digit(low)) {
        (Some(high), Some(low)) => high >= 2 && (high, low) != (7, 15),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_known_protocols_are_accepted() {
        use RepositoryProtocol::*;
        for (text, protocol) in [
            ("https://example.org/web.git", Https),
            ("https://example.org:8443/~a/web", Https),
            ("https://[::1]:8443/web.git", Https),
            ("https://example.org/a%20b/%C3%A4", Https),
            ("ssh://git@example.org/srv/web.git", Ssh),
            ("ssh://git@example.org:2222/~git/web.git", Ssh),
            ("ssh://example/web.git", Ssh),
            ("git@example.org:group/web.git", Ssh),
            ("git@example.org:/srv/web.git", Ssh),
            ("git@[::1]:web.git", Ssh),
            ("file:///srv/git/web.git", File),
        ] {
            assert!(RepositoryUrl::is_meant(text), "{text}");
            let url = RepositoryUrl::parse(text).unwrap();
            assert_eq!((url.as_str(), url.protocol()), (text, protocol));
        }
    }

    #[test]
    fn other_texts_are_mistakes_that_say_what_is_wrong() {
        use UrlError::*;
        let long = format!("https://example.org/{}", "a".repeat(URL_MAX));
        for (text, expect) in [
            ("http://example.org/web.git", NotProtected("http")),
            ("git://example.org/web.git", NotProtected("git")),
            ("ext::sh -c evil", Helper),
            ("fd::7", Helper),
            ("https::https://example.org/x", Helper),
            ("ftp://example.org/x", Scheme),
            ("HTTPS://example.org/x", Scheme),
            ("-https://example.org/x", Scheme),
            ("https://me:secret@example.org/x", Login),
            ("https://token@example.org/x", Login),
            ("ssh://me:secret@example.org/x", Login),
            ("me:secret@example.org:x", Login),
            ("example.org:web.git", NoUser),
            ("C:\\web.git", NoUser),
            ("https:///web.git", Host),
            ("https://-oProxyCommand=x/web.git", Host),
            ("ssh://-oProxyCommand=x/web.git", Host),
            ("ssh://git@-oProxyCommand=x/web.git", Host),
            ("git@-oProxyCommand=x:web.git", Host),
            ("https://exa mple.org/x", Host),
            ("https://[::1/x", Host),
            ("https://[nonsense]/x", Host),
            ("git@[::1]web.git", Host),
            ("file://example.org/x", Host),
            ("ssh://-l@example.org/x", User),
            ("ssh://@example.org/x", User),
            ("a b@example.org:x", User),
            ("https://example.org:0/x", Port),
            ("https://example.org:99999/x", Port),
            ("https://example.org:+1/x", Port),
            ("https://example.org:/x", Port),
            ("https://example.org", NoPath),
            ("https://example.org//", NoPath),
            ("file:///", NoPath),
            ("git@example.org:", NoPath),
            ("git@example.org:--upload-pack=x", Option),
            ("file:///srv/../etc", GoesUp),
            ("https://example.org/a b", Character),
            ("https://example.org/a\nb", Character),
            ("https://example.org/a%0ab", Character),
            ("https://example.org/a%7Fb", Character),
            ("https://example.org/a%+1", Character),
            ("https://example.org/a%2", Character),
            ("https://example.org/x?private_token=secret", Character),
            ("https://example.org/x#secret", Character),
            ("https://example.org/\u{202e}x", Character),
            ("git@example.org:$(evil)", Character),
            ("git@example.org:'x'", Character),
            (&long, TooLong),
        ] {
            assert!(RepositoryUrl::is_meant(text), "{text}");
            let error = RepositoryUrl::parse(text).unwrap_err();
            assert_eq!(error, expect, "{text:?}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn path_is_not_taken_for_a_url() {
        for path in ["/srv/git/web.git", "/srv/a:b", "web.git", "", "./a:b"] {
            assert!(!RepositoryUrl::is_meant(path), "{path}");
        }
    }
}
