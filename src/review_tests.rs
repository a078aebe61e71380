use std::convert::Infallible;

use super::*;

/// A commit: its file, and its parents. A parent is a place, or what the file is in a commit from
/// before the push.
fn commit(file: &str, parents: &[Result<usize, &'static str>]) -> (String, Vec<ParentOf>) {
    (file.to_owned(), parents.to_vec())
}

type ParentOf = Result<usize, &'static str>;

/// The commits, with the files of their parents. A text of nothing is a file that is missing.
fn commits(table: &[(String, Vec<ParentOf>)]) -> Vec<ReviewedCommit<char>> {
    let file = |text: &str| text.chars().next();
    let parent = |parent: &ParentOf| match parent {
        Ok(place) => ReviewedParent {
            place: Some(*place),
            file: file(&table[*place].0),
        },
        Err(text) => ReviewedParent {
            place: None,
            file: file(text),
        },
    };
    let commits = table.iter().map(|(text, parents)| ReviewedCommit {
        file: file(text),
        parents: parents.iter().map(parent).collect(),
    });
    commits.collect()
}

/// The places of the commits that change the file, where it was `common` in the commits that two
/// parents have in common.
fn changes(commits: &[ReviewedCommit<char>], common: &[&str]) -> Vec<usize> {
    let common: Vec<Option<char>> = common.iter().map(|text| text.chars().next()).collect();
    let changing = changing(commits, |_, _, _| Ok::<_, Infallible>(common.clone()));
    changing.unwrap().into_iter().collect()
}

#[test]
fn commit_changes_the_file_where_it_differs_from_its_parents() {
    // What the file is, in the parents, and in the commits that two of them have in common.
    let table: &[(&str, &[&'static str], &[&str], bool)] = &[
        // Without a merge.
        ("x", &[], &[], true),
        ("", &[], &[], false),
        ("x", &["x"], &[], false),
        ("y", &["x"], &[], true),
        ("", &["x"], &[], true),
        ("x", &[""], &[], true),
        // One side changed it, and the merge takes that.
        ("y", &["x", "y"], &["x"], false),
        ("y", &["y", "x"], &["x"], false),
        ("y", &["", "y"], &[""], false),
        ("", &["x", ""], &["x"], false),
        // Both sides made the same change, or none.
        ("y", &["y", "y"], &["x"], false),
        ("x", &["x", "x"], &["x"], false),
        // The merge drops what one side changed.
        ("x", &["x", "y"], &["x"], true),
        ("x", &["y", "x"], &["x"], true),
        ("x", &["x", ""], &["x"], true),
        // Both sides changed it, and the merge takes one.
        ("y", &["y", "z"], &["x"], true),
        ("z", &["y", "z"], &["x"], true),
        // The merge has what no side has.
        ("z", &["x", "y"], &["x"], true),
        ("", &["x", "x"], &["x"], true),
        ("x", &["", ""], &[""], true),
        ("x", &["y", "y"], &["x"], true),
        // The sides have several commits in common, or none.
        ("y", &["x", "y"], &["x", "x"], false),
        ("y", &["x", "y"], &["x", "y"], true),
        ("y", &["", "y"], &[], false),
        ("y", &["x", "y"], &[], true),
        // Many sides.
        ("y", &["x", "y", "x"], &["x"], false),
        ("y", &["x", "y", "z"], &["x"], true),
        ("y", &["x", "y", "y"], &["x"], false),
        ("z", &["x", "y", "z"], &["x"], true),
    ];
    for (file, parents, common, is_change) in table {
        let parents: Vec<ParentOf> = parents.iter().map(|text| Err(*text)).collect();
        let commits = commits(&[commit(file, &parents)]);
        let found = changes(&commits, common) == [0];
        assert_eq!(found, *is_change, "{file:?} {parents:?} {common:?}");
    }
}

#[test]
fn merge_of_more_sides_than_anybody_merges_is_a_change() {
    let sides = |count: usize, last: &'static str| {
        let mut parents = vec![Err("x"); count];
        parents.push(Err(last));
        changes(&commits(&[commit(last, &parents)]), &["x"])
    };
    assert_eq!(sides(15, "y"), [0; 0]);
    assert_eq!(sides(16, "y"), [0]);
    assert_eq!(sides(16, "x"), [0; 0]);
}

/// Newest first: an approval of `y` (0), on top of the change to it (1).
fn approved() -> Vec<(String, Vec<ParentOf>)> {
    vec![commit("y", &[Ok(1)]), commit("y", &[Err("x")])]
}

/// Whether the commit at a place approves the file of the first one.
fn check(table: &[(String, Vec<ParentOf>)], place: usize, is_empty: bool) -> Result<(), WhyVoid> {
    let commits = commits(table);
    let changing = changes(&commits, &["x"]).into_iter().collect();
    let tip = commits[0].file;
    check_approval(&commits, &changing, tip.as_ref(), place, is_empty)
}

#[test]
fn approval_changes_nothing_or_brings_the_file() {
    use WhyVoid::{BringsNothing, ChangesFiles};
    let merge = |parents: &[ParentOf]| [&[commit("y", parents)], &approved()[1..]].concat();

    assert_eq!(check(&approved(), 0, true), Ok(()));
    assert_eq!(check(&approved(), 0, false), Err(ChangesFiles));
    assert_eq!(check(&[commit("y", &[])], 0, false), Err(ChangesFiles));

    for (parents, expect) in [
        (vec![Err("x"), Ok(1)], Ok(())),
        (vec![Ok(1), Err("x")], Err(BringsNothing)),
        (vec![Ok(1), Ok(1)], Err(BringsNothing)),
        (vec![Err("x"), Err("x"), Ok(1)], Ok(())),
    ] {
        assert_eq!(check(&merge(&parents), 0, false), expect, "{parents:?}");
    }
}

#[test]
fn change_makes_the_approvals_void_that_do_not_contain_it() {
    use WhyVoid::ChangedAfterwards;
    let other = commit("z", &[Err("x")]);

    // On top, and back to what was approved.
    let table = [
        &[
            commit("y", &[Ok(1)]),
            commit("z", &[Ok(2)]),
            commit("y", &[Ok(3)]),
        ],
        &[commit("y", &[Err("x")])][..],
    ]
    .concat();
    assert_eq!(check(&table, 2, true), Err(ChangedAfterwards));

    // On another side.
    let table = [
        commit("y", &[Ok(1), Ok(3)]),
        commit("y", &[Ok(2)]),
        commit("y", &[Err("x")]),
        other,
    ];
    assert_eq!(check(&table, 1, true), Err(ChangedAfterwards));

    // Another content.
    let table = [
        commit("z", &[Err("y")]),
        commit("y", &[Ok(2)]),
        commit("y", &[Err("x")]),
    ];
    assert_eq!(check(&table, 1, true), Err(ChangedAfterwards));

    // A commit that does not change the file makes nothing void.
    let table = [&[commit("y", &[Ok(1)])], approved_from(1).as_slice()].concat();
    assert_eq!(check(&table, 1, true), Ok(()));
}

/// [`approved`], with other places.
fn approved_from(first: usize) -> Vec<(String, Vec<ParentOf>)> {
    let mut table = approved();
    for (_, parents) in &mut table {
        for place in parents.iter_mut().flatten() {
            *place += first;
        }
    }
    table
}

#[test]
fn commit_brings_the_file_that_its_first_parent_does_not_have() {
    for (file, parents, expect) in [
        ("y", vec![Err("x")], true),
        ("x", vec![Err("x"), Err("y")], false),
        ("x", vec![Err("y"), Err("x")], true),
        ("x", vec![], true),
        ("", vec![], false),
    ] {
        let commits = commits(&[commit(file, &parents)]);
        assert_eq!(commits[0].brings_the_file(), expect, "{file} {parents:?}");
    }
}
