//! Names of files that somebody may have meant to be deploy files. Pure.

use crate::deployfile::EXTENSION;

/// How many letters of the extension can be wrong, missing, too many or swapped.
const SLIPS_MAX: usize = 2;

/// The name of the deploy file that somebody may have meant who wrote another name: a misspelt
/// extension (`web.deply`, `web.Deploy`), something behind it or around it (`web.deploy.txt`,
/// `web.deploy~`, `.web.deploy.swp`), or another sign for the dot (`web-deploy`). `None`: the name
/// resembles none, or is that of a deploy file.
#[must_use]
pub fn meant(name: &[u8]) -> Option<String> {
    if name.ends_with(EXTENSION.as_bytes()) {
        return None;
    }
    let name = String::from_utf8_lossy(name);
    // Only ASCII letters change, so positions stay the same.
    let lower = name.to_ascii_lowercase();
    let word = EXTENSION.trim_start_matches('.');

    let stem = match (lower.find(EXTENSION), lower.rsplit_once('.')) {
        (Some(at), _) => &name[..at],
        (None, Some((stem, extension))) if is_misspelt(extension, word) => &name[..stem.len()],
        (None, _) => &name[..lower.strip_suffix(word)?.len()],
    };
    deploy_file(stem)
}

/// The name of the deploy file that somebody may have meant whose file has a revision as its first
/// word, whatever its name is.
#[must_use]
pub fn meant_by_content(name: &[u8]) -> Option<String> {
    let name = String::from_utf8_lossy(name);
    let stem = name.split('.').find(|part| !part.is_empty())?;
    meant(name.as_bytes()).or_else(|| deploy_file(stem))
}

fn is_misspelt(extension: &str, word: &str) -> bool {
    // Of a short extension, two letters more would make anything.
    extension.chars().count() > word.len() / 2 && strsim::osa_distance(extension, word) <= SLIPS_MAX
}

/// The deploy file of an application, without what editors and people put around a name.
fn deploy_file(stem: &str) -> Option<String> {
    let stem = stem.trim_matches(|c: char| !c.is_alphanumeric());
    (!stem.is_empty()).then(|| format!("{stem}{EXTENSION}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slip_in_a_name_shows_what_was_meant() {
        for name in [
            "b.deply",
            "b.depoly",
            "b.deploi",
            "b.deploys",
            "b.depploy",
            "b.dploy",
            "b.Deploy",
            "b.DEPLOY",
            "b.deploy.txt",
            "b.Deploy.md",
            "b.deploy~",
            "b.deploy.bak",
            "b.deploy.orig",
            "b.deploy (1)",
            "b.deploy ",
            ".b.deploy.swp",
            "#b.deploy#",
            "b.d\u{435}ploy",
            "b-deploy",
            "b_deploy",
            "bdeploy",
            "b..deploy.",
        ] {
            assert_eq!(
                meant(name.as_bytes()).as_deref(),
                Some("b.deploy"),
                "{name}"
            );
        }
    }

    #[test]
    fn other_name_resembles_no_deploy_file() {
        for name in [
            "b.deploy",
            ".deploy",
            "README.md",
            "Makefile",
            "b",
            "b.txt",
            "b.d",
            "employ.rs",
            "deploy",
            "deploy.sh",
            "..",
            "",
        ] {
            assert_eq!(meant(name.as_bytes()), None, "{name}");
        }
        assert_eq!(meant(b"\xff.deply"), None);
        assert_eq!(meant(b"\xffb.deply").as_deref(), Some("b.deploy"));
    }

    #[test]
    fn file_with_a_revision_is_meant_for_the_first_part_of_its_name() {
        let table = [
            ("b", "b.deploy"),
            ("b.txt", "b.deploy"),
            (".b", "b.deploy"),
            ("b.deply", "b.deploy"),
        ];
        for (name, expect) in table {
            assert_eq!(meant_by_content(name.as_bytes()).as_deref(), Some(expect));
        }
        assert_eq!(meant_by_content(b"..."), None);
    }
}
