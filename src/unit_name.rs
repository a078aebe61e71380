//! Names of systemd's units for paths.

use std::path::Path;

/// A path as a part of a unit's name, as systemd-escape(1) `--path` writes it. Different absolute
/// paths get different names, except for superfluous slashes.
#[must_use]
pub fn escape(path: &Path) -> String {
    let bytes = path.as_os_str().as_encoded_bytes();
    let trimmed: Vec<u8> = bytes
        .split(|b| *b == b'/')
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(&b'/');
    if trimmed.is_empty() {
        return "-".to_owned();
    }

    let mut name = String::new();
    for (at, byte) in trimmed.iter().enumerate() {
        match byte {
            b'/' => name.push('-'),
            b'.' if at == 0 => name.push_str("\\x2e"),
            b if b.is_ascii_alphanumeric() || matches!(b, b':' | b'_' | b'.') => {
                name.push(char::from(*b));
            }
            b => name.push_str(&format!("\\x{b:02x}")),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_systemd_escape() {
        let table = [
            ("/srv/git/deploys.git", "srv-git-deploys.git"),
            ("/srv//a-b/.x/", "srv-a\\x2db-.x"),
            ("/.x", "\\x2ex"),
            ("/", "-"),
            ("/é", "\\xc3\\xa9"),
        ];
        for (path, expect) in table {
            assert_eq!(escape(Path::new(path)), expect);
        }
    }
}
