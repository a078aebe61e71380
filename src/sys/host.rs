//! The name of this machine, for mail.
//!
//! Protocol: Debian keeps the name that mail of this machine comes from in /etc/mailname (Debian
//! Policy, 11.6). Where there is none, it is the kernel's name of the machine.
//!
//! It does not promise that anybody else can find the machine by that name.

use std::path::Path;

use super::open;

/// How long a name can be, in bytes (RFC 1035, 2.3.4).
const NAME_MAX: u64 = 255;

/// The name that mail of this machine comes from; `localhost` where it has none.
#[must_use]
pub fn mail_name() -> String {
    let files = ["/etc/mailname", "/proc/sys/kernel/hostname"];
    let mut names = files.iter().filter_map(|file| name_in(Path::new(file)));
    names.next().unwrap_or_else(|| "localhost".to_owned())
}

/// The name in a file; `None`: there is none, or it is not a name.
fn name_in(file: &Path) -> Option<String> {
    let text = open::read_text(file, NAME_MAX + 1).ok()?;
    let name = text.trim();
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
    let is_good = !name.is_empty() && name.bytes().all(is_name);
    is_good.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_is_one_that_can_stand_in_a_header() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mailname");
        for (text, expect) in [
            ("mail.example.org\n", Some("mail.example.org")),
            ("", None),
            ("a b", None),
            ("a\r\nBcc: x@y", None),
        ] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(name_in(&file).as_deref(), expect, "{text:?}");
        }
        assert!(!mail_name().is_empty());
    }
}
