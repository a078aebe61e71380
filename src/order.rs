//! Which applications are deployed before which others. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::Application;

/// For each application: the applications that must be deployed before it.
pub type After = BTreeMap<Application, BTreeSet<Application>>;

/// How many names of a cycle are shown.
const SHOWN_MAX: usize = 10;

/// Finds a cycle: applications each of which waits for the next one. The first application is also
/// the last one. `None`: there is no cycle.
#[must_use]
pub fn cycle(after: &After) -> Option<Vec<Application>> {
    let mut finished = BTreeSet::new();
    after
        .keys()
        .find_map(|start| cycle_from(after, start, &mut finished))
}

/// Searches a cycle that can be reached from an application, depth first. From those in `finished`,
/// none can be reached. People write chains of any length, so this does not call itself.
fn cycle_from<'a>(
    after: &'a After,
    start: &'a Application,
    finished: &mut BTreeSet<&'a Application>,
) -> Option<Vec<Application>> {
    let before = |application| after.get(application).into_iter().flatten();
    if finished.contains(start) {
        return None;
    }

    // Each application of the path, with those before it that were not visited yet.
    let mut path = vec![(start, before(start))];
    let mut on_path = BTreeSet::from([start]);
    while let Some((application, unvisited)) = path.last_mut() {
        let Some(next) = unvisited.next() else {
            on_path.remove(application);
            finished.insert(application);
            path.pop();
            continue;
        };

        if on_path.contains(next) {
            let names = path.iter().map(|(name, _)| *name);
            let cycle = names.skip_while(|name| *name != next).chain([next]);
            return Some(cycle.cloned().collect());
        }
        if !finished.contains(next) {
            on_path.insert(next);
            path.push((next, before(next)));
        }
    }
    None
}

/// The names of a cycle for a message: all of them, or the first ones and the last one.
#[must_use]
pub fn shown(cycle: &[Application]) -> Vec<&str> {
    let names = cycle.iter().map(Application::as_str);
    match cycle.last() {
        Some(last) if cycle.len() > SHOWN_MAX => {
            let first = names.take(SHOWN_MAX - 2);
            first.chain(["…", last.as_str()]).collect()
        }
        _ => names.collect(),
    }
}

/// The applications among `members` that wait for one of `first`, directly or through others.
#[must_use]
pub fn dependants(
    after: &After,
    first: &BTreeSet<Application>,
    members: &BTreeSet<Application>,
) -> BTreeSet<Application> {
    let mut waiting: BTreeMap<&Application, Vec<&Application>> = BTreeMap::new();
    for member in members {
        for before in after.get(member).into_iter().flatten() {
            waiting.entry(before).or_default().push(member);
        }
    }

    let mut found = BTreeSet::new();
    let mut unvisited: Vec<&Application> = first.iter().collect();
    while let Some(before) = unvisited.pop() {
        for &member in waiting.get(before).into_iter().flatten() {
            if !first.contains(member) && found.insert(member.clone()) {
                unvisited.push(member);
            }
        }
    }
    found
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

    /// A chain or a cycle is as long as a configuration can make it.
    #[test]
    fn long_chains_need_no_stack() {
        let length = 200_000;
        let name = |n: usize| app(&format!("a{n}"));
        let mut after: After = (0..length)
            .map(|n| (name(n), BTreeSet::from([name(n + 1)])))
            .collect();
        assert_eq!(cycle(&after), None);

        let members: BTreeSet<_> = after.keys().cloned().collect();
        let last = BTreeSet::from([name(length)]);
        assert_eq!(dependants(&after, &last, &members).len(), length);

        after.insert(name(length), BTreeSet::from([name(0)]));
        let found = cycle(&after).unwrap();
        assert_eq!(found.len(), length + 2);
        let names = "a0 a1 a2 a3 a4 a5 a6 a7 … a0";
        assert_eq!(shown(&found).join(" "), names);
    }
}
