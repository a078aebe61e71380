//! What one section of the configuration says about another: environments that have no section,
//! and cycles of applications that go after one another.

use std::collections::BTreeSet;

use toml::de::DeTable;

use super::document::{DocumentReader, Value};
use super::mistake::MistakeKind;
use super::sections::{Config, EnvironmentSection};
use crate::id::{Application, Environment};
use crate::order;

/// Reports every reference that leads nowhere or in a circle.
pub(super) fn check(config: &Config, document: &DeTable<'_>, reader: &mut DocumentReader<'_>) {
    for (name, section) in &config.environments {
        promotion(config, name, section, document, reader);
    }
    cycles(config, document, reader);
}

/// Checks what an environment says about where its revisions come from.
fn promotion(
    config: &Config,
    name: &Environment,
    section: &EnvironmentSection,
    document: &DeTable<'_>,
    reader: &mut DocumentReader<'_>,
) {
    let at = |key| find(document, &["environments", name.as_str(), key]).unwrap_or(0);

    let Some(from) = &section.promotes_from else {
        if section.soak.is_some() {
            reader.report(at("soak"), MistakeKind::SoakAlone(name.clone()));
        }
        return;
    };
    if from == name {
        reader.report(
            at("promotes_from"),
            MistakeKind::PromotesFromItself(name.clone()),
        );
        return;
    }

    // A folder of the deploy branch is an environment also without a section. So a name without a
    // section is only suspect where other environments have one.
    let others = config.environments.keys().filter(|other| *other != name);
    let known: Vec<_> = others.cloned().collect();
    if !known.is_empty() && !known.contains(from) {
        let kind = MistakeKind::UnknownEnvironment {
            key: format!("environments.{name}.promotes_from"),
            name: from.clone(),
            known,
        };
        reader.report(at("promotes_from"), kind);
    }
}

/// How many cycles are reported. There can be more than anybody can read.
const CYCLES_MAX: usize = 20;

/// Reports each cycle in `after` once, even if several environments have it.
fn cycles(config: &Config, document: &DeTable<'_>, reader: &mut DocumentReader<'_>) {
    // An environment without an `after` of its own has that of the common sections. One name that
    // is not in the file represents all such environments.
    let common = Environment::new("0").ok();
    let own = config.environments.iter();
    let own = own.filter(|(_, section)| section.has_after());
    let mut seen = BTreeSet::new();

    for environment in common.iter().chain(own.map(|(name, _)| name)) {
        let mut after = config.after(environment, config.named_applications(environment));
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

            let at = after_key(document, environment, &cycle[0]);
            reader.report(at, MistakeKind::Cycle(cycle.clone()));
            seen.insert(cycle);
        }
    }
}

/// Where the `after` of an application in an environment is, as a byte of the text.
fn after_key(
    document: &DeTable<'_>,
    environment: &Environment,
    application: &Application,
) -> usize {
    let (environment, application) = (environment.as_str(), application.as_str());
    let own = [
        "environments",
        environment,
        "applications",
        application,
        "after",
    ];

    find(document, &own)
        .or_else(|| find(document, &["applications", application, "after"]))
        .or_else(|| find(document, &["environments", environment, "after"]))
        .or_else(|| find(document, &["defaults", "after"]))
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
