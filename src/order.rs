//! Which applications are deployed before which others. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::Application;

/// For each application: the applications that must be deployed before it.
pub type After = BTreeMap<Application, BTreeSet<Application>>;

/// Finds a cycle: applications each of which waits for the next one. The first application is also
/// the last one. `None`: there is no cycle.
#[must_use]
pub fn cycle(after: &After) -> Option<Vec<Application>> {
    let mut finished = BTreeSet::new();
    after
        .keys()
        .find_map(|start| visit(after, start, &mut Vec::new(), &mut finished))
}

/// Searches a cycle, depth first. `path` leads to the application; from those in `finished`, no
/// cycle can be reached.
fn visit<'a>(
    after: &'a After,
    application: &'a Application,
    path: &mut Vec<&'a Application>,
    finished: &mut BTreeSet<&'a Application>,
) -> Option<Vec<Application>> {
    if let Some(start) = path.iter().position(|seen| *seen == application) {
        let cycle = path[start..].iter().chain([&application]);
        return Some(cycle.map(|name| (*name).clone()).collect());
    }
    if finished.contains(application) {
        return None;
    }

    path.push(application);
    let found = after
        .get(application)
        .into_iter()
        .flatten()
        .find_map(|before| visit(after, before, path, finished));
    path.pop();

    finished.insert(application);
    found
}

/// The applications among `members` that wait for one of `first`, directly or through others.
#[must_use]
pub fn dependants(
    after: &After,
    first: &BTreeSet<Application>,
    members: &BTreeSet<Application>,
) -> BTreeSet<Application> {
    let mut found: BTreeSet<Application> = BTreeSet::new();
    loop {
        let is_waited_for = |before: &Application| first.contains(before) || found.contains(before);
        let is_new = |application: &&Application| {
            !is_waited_for(application)
                && after
                    .get(*application)
                    .is_some_and(|before| before.iter().any(is_waited_for))
        };

        let new: Vec<Application> = members.iter().filter(is_new).cloned().collect();
        if new.is_empty() {
            return found;
        }
        found.extend(new);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(name: &str) -> Application {
        Application::new(name).unwrap()
    }

    /// Each pair: the first application waits for the second one.
    fn after(pairs: &[(&str, &str)]) -> After {
        let mut after = After::new();
        for (later, earlier) in pairs {
            after.entry(app(later)).or_default().insert(app(earlier));
        }
        after
    }

    fn set(names: &str) -> BTreeSet<Application> {
        names.split_whitespace().map(app).collect()
    }

    #[test]
    fn cycle_is_found_and_begins_and_ends_with_the_same_name() {
        let found = |pairs| {
            let cycle = cycle(&after(pairs))?;
            let names: Vec<&str> = cycle.iter().map(Application::as_str).collect();
            Some(names.join(" "))
        };
        assert_eq!(found(&[("a", "b"), ("b", "c"), ("a", "c")]), None);
        assert_eq!(found(&[("a", "a")]).as_deref(), Some("a a"));
        assert_eq!(
            found(&[("a", "b"), ("b", "c"), ("c", "b")]).as_deref(),
            Some("b c b")
        );
    }

    #[test]
    fn dependants_wait_directly_or_through_others() {
        let after = after(&[("a", "b"), ("b", "c"), ("d", "e")]);
        assert_eq!(dependants(&after, &set("c"), &set("a b c d")), set("a b"));
        assert_eq!(dependants(&after, &set("c"), &set("a d")), set(""));
        assert_eq!(dependants(&after, &set("x"), &set("a b c")), set(""));
    }
}
