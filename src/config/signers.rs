//! The people whose signatures the configuration asks for, against those who have keys.

use std::collections::BTreeSet;

use super::names::UnknownName;
use super::sections::Config;
use crate::text;

impl Config {
    /// The mail addresses in groups, `approvers` and `override_by` of which no key is known, each
    /// with the key of the configuration that names it: `knows` says of which one is. `known` are
    /// names that can have been meant.
    #[must_use]
    pub fn people_without_key(
        &self,
        known: &BTreeSet<&str>,
        knows: impl Fn(&str) -> bool,
    ) -> Vec<(String, UnknownName)> {
        let groups = self.people.groups.iter();
        let groups = groups.map(|(name, members)| {
            let name = text::escape(name, 100);
            (format!("people.groups.{name}"), members)
        });
        let sections = self.environment_sections().flat_map(|(name, section)| {
            let key = |key| format!("environments.{name}.{key}");
            let approvers = section.approvers.as_ref();
            let approvers = approvers.map(|names| (key("approvers"), names));
            let overriders = (key("override_by"), &section.override_by);
            approvers.into_iter().chain([overriders])
        });

        let mut unknown = Vec::new();
        for (key, names) in groups.chain(sections) {
            // The other names are those of groups, and of users who push.
            let people = names.iter().filter(|name| name.contains('@'));
            for person in people.filter(|person| !knows(person)) {
                let message = format!("no key is known of {}", text::quote(person, 100));
                let hint = hint(person, known);
                unknown.push((key.clone(), UnknownName { message, hint }));
            }
        }
        unknown
    }
}

/// What can have been meant by the name of a person who has no key.
fn hint(person: &str, known: &BTreeSet<&str>) -> String {
    let lower = person.to_lowercase();
    let twin = known.iter().find(|known| known.to_lowercase() == lower);
    if let Some(twin) = twin {
        let twin = text::quote(twin, 100);
        return format!("write {twin}: upper and lower case count");
    }
    match text::nearest(person, known.iter().copied()) {
        Some(near) => format!("did you mean {}?", text::quote(near, 100)),
        None => {
            "add the person's key to allowed_signers or gpg_keyring, or remove the name".to_owned()
        }
    }
}
