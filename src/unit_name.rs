//! Names of systemd's units and of files for paths.

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

/// The longest name of a file that holds a whole path, in bytes.
const FILE_NAME_MAX: usize = 200;

/// A name for a file about a path: [`escape`]. If that is too long for the name of a file, it is
/// its beginning and a number that differs from path to path (FNV-1a).
#[must_use]
pub fn file_name(path: &Path) -> String {
    let name = escape(path);
    if name.len() <= FILE_NAME_MAX {
        return name;
    }

    let number = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{}-{number:016x}", &name[..FILE_NAME_MAX / 2])
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

    #[test]
    fn path_too_long_for_a_name_gets_a_name_of_its_own() {
        let long = "/a".repeat(FILE_NAME_MAX);
        let [one, two] = ["b", "c"].map(|end| file_name(Path::new(&format!("{long}/{end}"))));
        assert_ne!(one, two);
        assert!(one.len() <= FILE_NAME_MAX, "{one:?}");
        assert_eq!(file_name(Path::new("/a/b")), "a-b");
    }
}
