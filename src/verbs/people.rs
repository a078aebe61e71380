//! Whether those who must sign and approve can do so.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;

use crate::deploy_repository::DeployRepository;
use crate::signers::{self, KeyFault, KnownPeople};

/// What there is to say about the people whose signatures count.
#[derive(Debug, Clone, Default)]
pub struct ExaminedPeople {
    /// What is as it should be.
    pub good: Vec<String>,
    /// What is not.
    pub faults: Vec<KeyFault>,
}

/// Looks at the files of keys, and compares the people that they name with those that the
/// configuration names. This user should be the one who runs the hooks: what others can read says
/// nothing about them.
#[must_use]
pub fn examine_people(deploy: &DeployRepository) -> ExaminedPeople {
    let people = &deploy.config.people;
    if !people.has_keys() {
        return ExaminedPeople::default();
    }
    let owner = match deploy.repository.path().metadata() {
        Ok(repository) => repository.uid(),
        Err(error) => {
            let fault = KeyFault {
                is_error: true,
                key: "people".to_owned(),
                found: format!("the owner of the repository is unknown: {error}"),
                fix: "let this user look at the repository".to_owned(),
            };
            return ExaminedPeople {
                good: Vec::new(),
                faults: vec![fault],
            };
        }
    };

    let examined = signers::examine(people, owner);
    let mut faults = examined.faults;
    let is_unreadable = faults.iter().any(|fault| fault.is_error);
    let mut sections = deploy.config.environment_sections();
    if !sections.any(|(_, section)| section.approvals > 0) {
        // Then signatures only override something.
        faults.iter_mut().for_each(|fault| fault.is_error = false);
    }
    let mut good = examined.good;
    // Where a file can't be read, nobody knows who is missing in it.
    if !is_unreadable {
        faults.extend(without_key(deploy, &examined.people));
        faults.extend(too_few(deploy, &examined.people));
        let people = &examined.people;
        good.push(match (people.count(), people.has_authority()) {
            (1, false) => "1 person can sign".to_owned(),
            (count, false) => format!("{count} people can sign"),
            (count, true) => format!("{count} people can sign, and all who have a certificate"),
        });
    }
    ExaminedPeople { good, faults }
}

/// The people that the configuration names and who have no key.
fn without_key(deploy: &DeployRepository, people: &KnownPeople) -> Vec<KeyFault> {
    let known: BTreeSet<&str> = people.names().collect();
    let unknown = deploy
        .config
        .people_without_key(&known, |name| people.knows(name));
    let faults = unknown.into_iter().map(|(key, unknown)| KeyFault {
        is_error: false,
        key,
        found: unknown.message,
        fix: unknown.hint,
    });
    faults.collect()
}

/// The environments where nobody can deploy, because too few people have a key.
fn too_few(deploy: &DeployRepository, people: &KnownPeople) -> Vec<KeyFault> {
    let mut faults = Vec::new();
    for (name, section) in deploy.config.environment_sections() {
        let needed = section.approvals;
        let approvers = deploy.config.approvers(section);
        let approvers = approvers.map(|approvers| people.count_of(&approvers));

        let found = match approvers {
            _ if needed == 0 => continue,
            Some(count) if count < needed => {
                let found = if count == 0 { "none" } else { "fewer" };
                format!("it is {needed}, and of its approvers {found} can have a key")
            }
            // Somebody else must have made the change.
            _ if people.count() <= needed && !people.has_authority() => format!(
                "it is {needed}, which takes {} people who sign, and {} can",
                needed + 1,
                people.count()
            ),
            _ => continue,
        };
        faults.push(KeyFault {
            is_error: true,
            key: format!("environments.{name}.approvals"),
            found: format!("{found}, so nobody can deploy to {name}"),
            fix: "add keys of people to allowed_signers or gpg_keyring".to_owned(),
        });
    }
    faults
}
