//! Where the configuration names applications: in the headings of sections, and in settings.

use std::collections::BTreeMap;

use super::sections::Config;
use super::settings::PartialSettings;
use crate::id::Application;

/// The tables whose keys are applications, with their paths.
pub(super) fn applications_tables(
    config: &Config,
) -> Vec<(Vec<&str>, &BTreeMap<Application, PartialSettings>)> {
    let own = config.environment_sections();
    let own = own.map(|(name, section)| {
        (
            vec!["environments", name, "applications"],
            &section.applications,
        )
    });
    [(vec!["applications"], &config.applications)]
        .into_iter()
        .chain(own)
        .collect()
}

/// The applications that the settings `after` and `together` name, with the paths of the keys.
pub(super) fn named_references(config: &Config) -> Vec<(Vec<&str>, Vec<Application>)> {
    let mut references = vec![after_of(vec!["defaults"], &config.defaults)];
    for (path, table) in applications_tables(config) {
        references.extend(table.iter().map(|(name, settings)| {
            let section = [&path[..], &[name.as_str()]].concat();
            after_of(section, settings)
        }));
    }
    for (name, section) in config.environment_sections() {
        references.push(after_of(vec!["environments", name], &section.settings));
        let together = section.together.concat();
        references.push((vec!["environments", name, "together"], together));
    }
    references
}

/// The applications that one section names in `after`.
fn after_of<'p>(
    section: Vec<&'p str>,
    settings: &PartialSettings,
) -> (Vec<&'p str>, Vec<Application>) {
    let key = [section, vec!["after"]].concat();
    (key, settings.after.clone().unwrap_or_default())
}
