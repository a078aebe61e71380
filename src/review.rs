//! Which commits of a push change one file, and which of them can approve it. Pure.
//!
//! A commit changes a file if the file differs from that of each parent. A merge that takes the
//! file from one parent does not change it, as long as this is what a merge does by itself: where
//! the file differs in another parent, that parent must have it as the two had it in common before.
//! A merge that drops what another side made of the file changes it: somebody decided that. So does
//! a merge of more sides than anybody merges, unless they all have the file as the merge has it.
//!
//! A commit can approve what is the file's content at the tip, if it contains every commit that
//! changes the file. So each change makes the approvals void that were given before.

use std::collections::BTreeSet;

/// The most parents of a merge that are compared with each other.
const SIDES_MAX: usize = 16;

/// A commit of a push, and what one file is there. `None`: the commit does not have the file.
#[derive(Debug, Clone)]
pub struct ReviewedCommit<C> {
    /// The file.
    pub file: Option<C>,
    /// The parents, in their order.
    pub parents: Vec<ReviewedParent<C>>,
}

impl<C: PartialEq> ReviewedCommit<C> {
    /// Whether the file differs from that of the first parent.
    #[must_use]
    pub fn brings_the_file(&self) -> bool {
        let before = self.parents.first().and_then(|parent| parent.file.as_ref());
        before != self.file.as_ref()
    }
}

/// A parent of a commit, and what the file is there.
#[derive(Debug, Clone)]
pub struct ReviewedParent<C> {
    /// Its place among the commits of the push; `None`: it was there before the push.
    pub place: Option<usize>,
    /// The file.
    pub file: Option<C>,
}

/// The places of the commits that change the file. `in_common` finds what the file was in common:
/// in the best common commits of two parents of a merge, given its place and the places of the two
/// among its parents.
///
/// # Errors
/// What `in_common` returns.
pub fn changing<C: PartialEq, E>(
    commits: &[ReviewedCommit<C>],
    mut in_common: impl FnMut(usize, usize, usize) -> Result<Vec<Option<C>>, E>,
) -> Result<BTreeSet<usize>, E> {
    let mut changing = BTreeSet::new();
    for (place, commit) in commits.iter().enumerate() {
        let is_kept = match commit.parents.as_slice() {
            [] => commit.file.is_none(),
            [parent] => parent.file == commit.file,
            _ => is_merged(place, commit, &mut in_common)?,
        };
        if !is_kept {
            changing.insert(place);
        }
    }
    Ok(changing)
}

/// Whether a merge has the file as a merge makes it by itself.
fn is_merged<C: PartialEq, E>(
    place: usize,
    merge: &ReviewedCommit<C>,
    in_common: &mut impl FnMut(usize, usize, usize) -> Result<Vec<Option<C>>, E>,
) -> Result<bool, E> {
    if merge.parents.len() > SIDES_MAX {
        return Ok(merge.parents.iter().all(|parent| parent.file == merge.file));
    }
    'sources: for (source, parent) in merge.parents.iter().enumerate() {
        if parent.file != merge.file {
            continue;
        }
        for (other, dropped) in merge.parents.iter().enumerate() {
            if dropped.file == merge.file {
                continue;
            }
            let before = in_common(place, source, other)?;
            let is_as_before = match before.as_slice() {
                // The two have no history in common, so neither had the file before.
                [] => dropped.file.is_none(),
                before => before.iter().all(|before| *before == dropped.file),
            };
            if !is_as_before {
                continue 'sources;
            }
        }
        return Ok(true);
    }
    Ok(false)
}

/// For each commit of the push, whether the one at this place contains it. A commit contains
/// itself.
fn contained<C>(commits: &[ReviewedCommit<C>], place: usize) -> Vec<bool> {
    let mut contained = vec![false; commits.len()];
    let mut next = vec![place];
    while let Some(place) = next.pop() {
        if !contained[place] {
            contained[place] = true;
            let parents = commits[place].parents.iter();
            next.extend(parents.filter_map(|parent| parent.place));
        }
    }
    contained
}

/// Why a commit that says that it approves a file does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WhyVoid {
    /// It is no merge, and changes files itself.
    ChangesFiles,
    /// It is a merge that does not bring the file to the branch: its first parent has the same.
    BringsNothing,
    /// The file was changed by a commit that it does not contain.
    ChangedAfterwards,
}

/// Whether a commit can approve the file, with the content that it has at the tip. `changing` are
/// the places of the commits that change it. `is_empty` says whether the commit has the files of
/// its only parent.
///
/// # Errors
/// It can't, for this reason.
pub fn check_approval<C: PartialEq>(
    commits: &[ReviewedCommit<C>],
    changing: &BTreeSet<usize>,
    tip: Option<&C>,
    place: usize,
    is_empty: bool,
) -> Result<(), WhyVoid> {
    let commit = &commits[place];
    match commit.parents.as_slice() {
        [] | [_] if !is_empty => return Err(WhyVoid::ChangesFiles),
        [_, _, ..] if !commit.brings_the_file() => return Err(WhyVoid::BringsNothing),
        _ => {}
    }
    if is_latest(commits, changing, tip, place) {
        Ok(())
    } else {
        Err(WhyVoid::ChangedAfterwards)
    }
}

/// Whether a commit has the file as the tip has it, and contains every commit that changes it.
#[must_use]
pub fn is_latest<C: PartialEq>(
    commits: &[ReviewedCommit<C>],
    changing: &BTreeSet<usize>,
    tip: Option<&C>,
    place: usize,
) -> bool {
    if commits[place].file.as_ref() != tip {
        return false;
    }
    let contained = contained(commits, place);
    changing.iter().all(|change| contained[*change])
}

#[cfg(test)]
#[path = "review_tests.rs"]
mod tests;
