//! The order that `after` asks for.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::Application;

/// For each application those that go before it.
pub type After = BTreeMap<Application, BTreeSet<Application>>;

/// A cycle in `after`, its first application repeated at the end; `None` where there is none.
#[must_use]
pub fn cycle(after: &After) -> Option<Vec<Application>> {
    let mut finished = BTreeSet::new();
    after
        .keys()
        .find_map(|start| visit(after, start, &mut Vec::new(), &mut finished))
}

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

/// Those of `members` that wait, directly or through one another, for one of `first`.
#[must_use]
pub fn dependants(
    after: &After,
    first: &BTreeSet<Application>,
    members: &BTreeSet<Application>,
) -> BTreeSet<Application> {
    let mut found: BTreeSet<Application> = BTreeSet::new();
    loop {
        let waits = |application: &&Application| {
            !found.contains(*application)
                && !first.contains(*application)
                && after.get(*application).is_some_and(|before| {
                    before
                        .iter()
                        .any(|b| first.contains(b) || found.contains(b))
                })
        };
        let next: Vec<_> = members.iter().filter(waits).cloned().collect();
        if next.is_empty() {
            return found;
        }
        found.extend(next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(name: &str) -> Application {
        Application::new(name).unwrap()
    }

    fn after(edges: &[(&str, &str)]) -> After {
        let mut after = After::new();
        for (later, earlier) in edges {
            after.entry(app(later)).or_default().insert(app(earlier));
        }
        after
    }

    fn set(names: &str) -> BTreeSet<Application> {
        names.split_whitespace().map(app).collect()
    }

    #[test]
    fn cycles() {
        let shown = |edges| {
            cycle(&after(edges)).map(|c| {
                c.iter()
                    .map(Application::as_str)
                    .collect::<Vec<_>>()
                    .join(" ")
            })
        };
        assert_eq!(shown(&[("a", "b"), ("b", "c"), ("a", "c")]), None);
        assert_eq!(shown(&[("a", "a")]).as_deref(), Some("a a"));
        assert_eq!(
            shown(&[("a", "b"), ("b", "c"), ("c", "b")]).as_deref(),
            Some("b c b")
        );
    }

    #[test]
    fn dependants_through_one_another() {
        let after = after(&[("a", "b"), ("b", "c"), ("d", "e")]);
        assert_eq!(dependants(&after, &set("c"), &set("a b c d")), set("a b"));
        assert_eq!(dependants(&after, &set("c"), &set("a d")), set(""));
        assert_eq!(dependants(&after, &set("x"), &set("a b c")), set(""));
    }
}
