//! What keeps somebody from being told, as far as it can be seen on this machine.

use std::io;
use std::path::Path;

use crate::config::{MailTransport, NotifyKind};
use crate::sys::access::may_execute;
use crate::sys::program::{Obstacle, find};
use crate::sys::{open, secret, surroundings};
use crate::text;

/// How large a file with certificates can be, in bytes.
const CERTIFICATES_MAX: u64 = 1024 * 1024;

/// Why somebody can't be told, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetFault {
    /// What was found. It has nothing of a secret in it.
    pub found: String,
    /// What to do about it.
    pub fix: String,
}

/// What is wrong with the files and programs that telling somebody needs, for the user of this
/// process. Nothing is sent or executed.
#[must_use]
pub fn target_faults(kind: &NotifyKind) -> Vec<TargetFault> {
    let files = kind.files().into_iter();
    let mut faults: Vec<TargetFault> = files
        .filter_map(|(key, file)| file_fault(key, file))
        .collect();
    match kind {
        NotifyKind::Command(command) => {
            let program = command.first().map_or("", String::as_str);
            faults.extend(program_fault(
                program,
                "correct command in the configuration",
            ));
        }
        NotifyKind::Mail(mail) if mail.transport == MailTransport::Sendmail => {
            let fix = "install a package that provides it, or set smtp";
            faults.extend(program_fault("sendmail", fix));
        }
        _ => {}
    }
    faults
}

fn file_fault(key: &str, file: &Path) -> Option<TargetFault> {
    let looked = match key {
        "ca_file" => open::read(file, CERTIFICATES_MAX).map(drop),
        _ => secret::read(file).map(drop),
    };
    let error = looked.err()?;
    let shown = text::escape(file.as_os_str().as_encoded_bytes(), 200);
    let fix = match error.kind() {
        io::ErrorKind::NotFound => format!("write the file, or correct {key}"),
        _ if key == "ca_file" => "let the repository's owner read it".to_owned(),
        _ => format!(
            "give it to the repository's owner or to root, and let nobody else read it: chmod 600 \
             {shown}"
        ),
    };
    Some(TargetFault {
        found: format!("{key} {shown}: {error}"),
        fix,
    })
}

fn program_fault(program: &str, fix: &str) -> Option<TargetFault> {
    let shown = text::escape(program, 200);
    let found = match find(program, Path::new("/"), surroundings::PATH) {
        None => format!(
            "{shown} is in no folder of PATH, which is {}",
            surroundings::PATH
        ),
        Some(file) => match Obstacle::of(&file) {
            Some(obstacle) => format!("{shown} {obstacle}"),
            None if may_execute(&file) => return None,
            None => format!("{shown} may not be executed by this user"),
        },
    };
    Some(TargetFault {
        found,
        fix: fix.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::config::{HttpAddress, HttpUrl};

    #[test]
    fn missing_and_open_files_are_faults() {
        let folder = tempfile::tempdir().unwrap();
        let secret_file = folder.path().join("secret");
        let webhook = NotifyKind::Webhook {
            address: HttpAddress {
                url: HttpUrl::Plain("https://example.org/".to_owned()),
                ca_file: None,
            },
            secret_file: secret_file.clone(),
        };
        let found = || {
            let faults = target_faults(&webhook).into_iter();
            faults.map(|fault| fault.found).collect::<String>()
        };
        let shown = |found: String| found.replace(&secret_file.display().to_string(), "FILE");

        assert!(shown(found()).starts_with("secret_file FILE: No such file"));
        fs::write(&secret_file, "hunter2").unwrap();
        fs::set_permissions(&secret_file, fs::Permissions::from_mode(0o644)).unwrap();
        let open = shown(found());
        assert!(
            open.contains("other users can read") && !open.contains("hunter2"),
            "{open}"
        );
        fs::set_permissions(&secret_file, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(found(), "");
    }

    #[test]
    fn program_that_is_not_there_is_a_fault() {
        let table = [
            ("/bin/true", true),
            ("true", true),
            ("/no/such/program", false),
            ("no-such-program", false),
            ("/etc/passwd", false),
        ];
        for (program, is_good) in table {
            let kind = NotifyKind::Command(vec![program.to_owned()]);
            assert_eq!(target_faults(&kind).is_empty(), is_good, "{program}");
        }
    }
}
