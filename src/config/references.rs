//! What one section of the configuration says about another: names that no section has, names that
//! differ in upper and lower case alone, patterns that are about the same environments, and cycles
//! of applications that go after one another.

use std::collections::{BTreeMap, BTreeSet};

use toml::de::DeTable;

use super::document::{DocumentReader, Value};
use super::mistake::MistakeKind;
use super::named::{applications_tables, named_references};
use super::sections::{Config, EnvironmentSection};
use crate::id::Application;
use crate::order;
use crate::refs::exclude_each_other;

/// How many patterns there may be. For each environment without a section, all are tried.
const PATTERNS_MAX: usize = 100;

/// Reports every reference that leads nowhere or in a circle.
pub(super) fn check(config: &Config, document: &DeTable<'_>, reader: &mut DocumentReader<'_>) {
    for (name, section) in config.environment_sections() {
        promotion(config, name, section, document, reader);
        approvals(config, name, section, document, reader);
    }
    publish(config, document, reader);
    marks(config, document, reader);
    patterns(config, document, reader);
    spellings(config, document, reader);
    cycles(config, document, reader);
}

/// Reports a ref for the status that is the deploy branch. Where the file does not name the branch,
/// this is checked once it is known.
fn publish(config: &Config, document: &DeTable<'_>, reader: &mut DocumentReader<'_>) {
    let (Some(publish), Some(branch)) = (&config.publish, &config.branch) else {
        return;
    };
    let branch = format!("refs/heads/{branch}");
    if exclude_each_other(publish.as_bytes(), branch.as_bytes()) {
        let publish = publish.clone();
        let at = find(document, &["publish"]).unwrap_or(0);
        reader.report(at, MistakeKind::PublishesAtBranch { publish, branch });
    }
}

/// Reports repositories on other hosts in which marks would be made.
fn marks(config: &Config, document: &DeTable<'_>, reader: &mut DocumentReader<'_>) {
    let own = config.environment_sections();
    let own = own.map(|(name, section)| (name, Some(section)));
    let mut places = BTreeSet::new();
    for (name, section) in [("", None)].into_iter().chain(own) {
        let named = config.named_applications(section).map(Some);
        for application in named.chain([None]) {
            let settings = config.settings_in(section, application);
            let is_url = settings.repository.is_some_and(|it| it.is_url());
            if settings.marks && is_url {
                let application = application.map_or("", Application::as_str);
                places.insert(setting(document, name, application, "repository"));
            }
        }
    }
    for at in places {
        reader.report(at, MistakeKind::MarksByUrl);
    }
}

/// Checks what an environment says about where its revisions come from. `name` is the name of its
/// section.
fn promotion(
    config: &Config,
    name: &str,
    section: &EnvironmentSection,
    document: &DeTable<'_>,
    reader: &mut DocumentReader<'_>,
) {
    let at = |key| find(document, &["environments", name, key]).unwrap_or(0);

    let Some(from) = &section.promotes_from else {
        if section.soak.is_some() {
            reader.report(at("soak"), MistakeKind::SoakAlone(name.to_owned()));
        }
        return;
    };
    if config
        .section(from)
        .is_some_and(|found| std::ptr::eq(found, section))
    {
        let kind = MistakeKind::PromotesFromItself(name.to_owned());
        reader.report(at("promotes_from"), kind);
        return;
    }

    // Nothing ever succeeds in an environment that is not known, so nothing can be deployed here.
    // Where this is the only section, that is not a misspelt name of another one.
    let others = config.environment_sections().map(|(other, _)| other);
    let known: Vec<_> = others
        .filter(|other| *other != name)
        .map(str::to_owned)
        .collect();
    if !known.is_empty() && config.check_environment(from).is_err() {
        let kind = MistakeKind::UnknownEnvironment {
            key: format!("environments.{name}.promotes_from"),
            name: from.clone(),
            known,
        };
        reader.report(at("promotes_from"), kind);
    }
}

/// Checks what an environment says about who must approve a change. `name` is the name of its
/// section.
fn approvals(
    config: &Config,
    name: &str,
    section: &EnvironmentSection,
    document: &DeTable<'_>,
    reader: &mut DocumentReader<'_>,
) {
    let at = |key| find(document, &["environments", name, key]).unwrap_or(0);
    if section.approvals > 0 && !config.people.has_keys() {
        let kind = MistakeKind::ApprovalsWithoutKeys(name.to_owned());
        reader.report(at("approvals"), kind);
    }
    let Some(approvers) = &section.approvers else {
        return;
    };

    let groups = &config.people.groups;
    let is_known = |person: &String| groups.contains_key(person) || person.contains('@');
    if let Some(unknown) = approvers.iter().find(|person| !is_known(person)) {
        let kind = MistakeKind::UnknownPerson {
            key: format!("environments.{name}.approvers"),
            name: unknown.clone(),
            known: groups.keys().cloned().collect(),
        };
        reader.report(at("approvers"), kind);
        return;
    }
    if section.approvals == 0 {
        let kind = MistakeKind::ApproversAlone(name.to_owned());
        reader.report(at("approvers"), kind);
    }
    let people = config.approvers(section).unwrap_or_default().len();
    if people < section.approvals {
        let kind = MistakeKind::FewApprovers {
            section: name.to_owned(),
            approvals: section.approvals,
            people,
        };
        reader.report(at("approvals"), kind);
    }
}

/// Reports patterns that are about the same environment, because only one of them can count.
fn patterns(config: &Config, document: &DeTable<'_>, reader: &mut DocumentReader<'_>) {
    let at = |name: &str| find(document, &["environments", name]).unwrap_or(0);
    if config.patterns.len() > PATTERNS_MAX {
        let at = find(document, &["environments"]).unwrap_or(0);
        reader.report(at, MistakeKind::ManyPatterns(PATTERNS_MAX));
        return;
    }

    for (index, (pattern, _)) in config.patterns.iter().enumerate() {
        let earlier = &config.patterns[..index];
        if let Some((other, _)) = earlier.iter().find(|(other, _)| other.overlaps(pattern)) {
            let kind = MistakeKind::PatternsOverlap {
                pattern: pattern.as_str().to_owned(),
                other: other.as_str().to_owned(),
            };
            reader.report(at(pattern.as_str()), kind);
        }
    }
}

/// Reports names that differ from the name of a section in upper and lower case alone.
fn spellings(config: &Config, document: &DeTable<'_>, reader: &mut DocumentReader<'_>) {
    let mut environments = Spellings::default();
    for (name, _) in config.environment_sections() {
        environments.check(&["environments", name], name, document, reader, true);
    }

    let mut applications = Spellings::default();
    let tables = applications_tables(config);
    for (path, table) in &tables {
        for name in table.keys().map(Application::as_str) {
            let path = [path, &[name][..]].concat();
            applications.check(&path, name, document, reader, true);
        }
    }

    // All sections are known now, so the names that they refer to can be compared.
    let references = named_references(config);
    for (path, names) in &references {
        for name in names {
            applications.check(path, name.as_str(), document, reader, false);
        }
    }
}

/// The first spelling of each name, by the name in lower case.
#[derive(Default)]
struct Spellings(BTreeMap<String, String>);

impl Spellings {
    /// Reports a name that was spelt in another way before. `is_section`: later names are compared
    /// with this one.
    fn check(
        &mut self,
        path: &[&str],
        name: &str,
        document: &DeTable<'_>,
        reader: &mut DocumentReader<'_>,
        is_section: bool,
    ) {
        match self.0.get(&name.to_ascii_lowercase()) {
            Some(other) if other != name => {
                let kind = MistakeKind::Spelling {
                    key: path.join("."),
                    name: name.to_owned(),
                    other: other.clone(),
                };
                reader.report(find(document, path).unwrap_or(0), kind);
            }
            None if is_section => {
                self.0.insert(name.to_ascii_lowercase(), name.to_owned());
            }
            _ => {}
        }
    }
}

/// How many cycles are reported. There can be more than anybody can read.
const CYCLES_MAX: usize = 20;

/// Reports each cycle in `after` once, even if several environments have it.
fn cycles(config: &Config, document: &DeTable<'_>, reader: &mut DocumentReader<'_>) {
    // An environment without an `after` of its own has that of the common sections.
    let own = config.environment_sections();
    let own = own.filter(|(_, section)| section.has_after());
    let own = own.map(|(name, section)| (name, Some(section)));
    let mut seen = BTreeSet::new();

    for (name, section) in [("", None)].into_iter().chain(own) {
        let mut after = config.after_in(section, config.named_applications(section));
        while let Some(cycle) = order::cycle(&after) {
            // The first step of the cycle is removed, so that the next search finds another cycle.
            if let [first, second, ..] = cycle.as_slice() {
                after.entry(first.clone()).or_default().remove(second);
            }
            if seen.contains(&cycle) {
                continue;
            }
            if seen.len() == CYCLES_MAX {
                return;
            }

            let at = setting(document, name, cycle[0].as_str(), "after");
            reader.report(at, MistakeKind::Cycle(cycle.clone()));
            seen.insert(cycle);
        }
    }
}

/// Where a setting of an application in an environment is, as a byte of the text. An empty name
/// stands for one that has no section.
fn setting(document: &DeTable<'_>, environment: &str, application: &str, key: &str) -> usize {
    let own = [
        "environments",
        environment,
        "applications",
        application,
        key,
    ];
    find(document, &own)
        .or_else(|| find(document, &["applications", application, key]))
        .or_else(|| find(document, &["environments", environment, key]))
        .or_else(|| find(document, &["defaults", key]))
        .unwrap_or(0)
}

/// Where the value with a path of keys is, as a byte of the text.
fn find(document: &DeTable<'_>, path: &[&str]) -> Option<usize> {
    let (first, rest) = path.split_first()?;
    let start: &Value<'_> = document.get(*first)?;

    rest.iter()
        .try_fold(start, |value, key| value.get_ref().get(*key))
        .map(|value| value.span().start)
}
