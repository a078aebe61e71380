//! What commit messages declare in their trailers (git-interpret-trailers(1)): in the last
//! paragraph, `Name: value`.

use std::collections::{BTreeMap, BTreeSet};

use gix::hash::ObjectId;
use gix::objs::CommitRef;
use gix::traverse::commit::Simple;
use gix::traverse::commit::simple::{CommitTimeOrder, Sorting};

use super::error::Error;
use super::repository::Repository;
use super::tree::DeepScan;
use crate::id::{Application, Revision};
use crate::policy::Trailers;
use crate::text;

/// How many commits of one push are read for the reasons that they give.
const DEPLOY_COMMITS_MAX: usize = 1000;

/// How many commits that a deployment gains are read for what they need.
const GAINED_MAX: usize = 1000;

/// How many needs are collected for one deployment.
const NEEDS_MAX: usize = 200;

/// The longest reason that is kept, in characters.
const REASON_MAX: usize = 500;

/// `Deploy-After: <application> <commit>`, as a commit of an application declares it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeclaredNeed {
    /// The commit that says so.
    pub declared_by: Revision,
    /// The application that is needed.
    pub application: Application,
    /// A commit of it, as written: hexadecimal digits, 4 at least, in lower case.
    pub commit: String,
}

/// Where looking for what is needed ended before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// After so many commits, the newest.
    Commits(usize),
    /// After so many different needs, those of the newest commits.
    Needs(usize),
}

impl Repository {
    /// Reads the trailers called `Deploy-…` of the commits that `new` has and `old` has not, newest
    /// first, `most` commits at most. Says how many were looked at where there were more.
    fn each_trailer(
        &self,
        old: Option<&Revision>,
        new: &Revision,
        most: usize,
        mut each: impl FnMut(&Revision, &[ObjectId], &str, String) -> Result<(), Error>,
    ) -> Result<Option<usize>, Error> {
        let of_other_kind = |id: &Revision| self.error(format!("{id} is of another kind of hash"));
        let id = |revision: &Revision| {
            self.object_id(revision)?
                .ok_or_else(|| of_other_kind(revision))
        };
        let hidden = old.map(id).transpose()?;
        let error = |error| self.error(error);
        let walk = Simple::new([id(new)?], self.objects()?)
            .sorting(Sorting::ByCommitTime(CommitTimeOrder::NewestFirst));
        let walk = walk.map_err(error)?.hide(hidden).map_err(error)?;
        let mut buffer = Vec::new();
        for (count, info) in walk.enumerate() {
            if count == most {
                return Ok(Some(most));
            }
            let info = info.map_err(error)?;
            let data = self.find(&info.id, gix::objs::Kind::Commit, &mut buffer)?;
            // What no git wrote has no trailers; the object itself is judged elsewhere.
            let Ok(commit) = CommitRef::from_bytes(data, info.id.kind()) else {
                continue;
            };
            let Some(body) = commit.message().body() else {
                continue;
            };
            let Ok(id) = Revision::new(info.id.to_string()) else {
                continue;
            };
            for trailer in body.trailers() {
                let name = String::from_utf8_lossy(trailer.token).to_ascii_lowercase();
                let value = text::decode(&trailer.value, REASON_MAX);
                let says_something = value.chars().any(char::is_alphanumeric);
                if let Some(name) = name.strip_prefix("deploy-").filter(|_| says_something) {
                    each(&id, &info.parent_ids, name, value)?;
                }
            }
        }
        Ok(None)
    }

    /// The reasons that the commits of a push give, for each deploy file that they touch. A commit
    /// touches what differs from its first parent: of a merge that is what it brings to the branch,
    /// and not what the branch had before.
    ///
    /// # Errors
    /// A commit or tree can't be read.
    pub fn reasons(
        &self,
        root: &str,
        old: Option<&Revision>,
        new: &Revision,
    ) -> Result<BTreeMap<Vec<u8>, Trailers>, Error> {
        let mut reasons: BTreeMap<Vec<u8>, Trailers> = BTreeMap::new();
        let mut touched: (Option<Revision>, BTreeSet<Vec<u8>>) = (None, BTreeSet::new());
        self.each_trailer(
            old,
            new,
            DEPLOY_COMMITS_MAX,
            |commit, parents, name, value| {
                if !matches!(name, "rollback" | "release" | "override" | "alone") {
                    return Ok(());
                }
                if touched.0.as_ref() != Some(commit) {
                    touched = (Some(commit.clone()), self.touched(root, commit, parents)?);
                }
                for path in &touched.1 {
                    let reasons = reasons.entry(path.clone()).or_default();
                    let reason = match name {
                        "rollback" => &mut reasons.rollback,
                        "release" => &mut reasons.release,
                        "override" => &mut reasons.override_reason,
                        _ => &mut reasons.alone,
                    };
                    reason.get_or_insert_with(|| value.clone());
                }
                Ok(())
            },
        )?;
        Ok(reasons)
    }

    fn touched(
        &self,
        root: &str,
        commit: &Revision,
        parents: &[ObjectId],
    ) -> Result<BTreeSet<Vec<u8>>, Error> {
        let mut paths = BTreeSet::new();
        let parent = parents
            .first()
            .and_then(|parent| Revision::new(parent.to_string()).ok());
        let changes = self.changes(
            root,
            parent.as_ref(),
            Some(commit),
            DeepScan::EnvironmentFolders,
        )?;
        paths.extend(changes.into_iter().map(|change| change.path));
        Ok(paths)
    }

    /// What the commits declare to need that a deployment gains on the way from `old`, and how many
    /// of them were looked at where there are more. What is no application and hash is passed over:
    /// history can't be mended.
    ///
    /// # Errors
    /// A commit can't be read.
    pub fn declared_needs(
        &self,
        old: Option<&Revision>,
        new: &Revision,
    ) -> Result<(Vec<DeclaredNeed>, Option<Bound>), Error> {
        let mut needs: BTreeMap<(Application, String), Revision> = BTreeMap::new();
        let mut left_out = false;
        let bound = self.each_trailer(old, new, GAINED_MAX, |commit, _, name, value| {
            let mut words = value.split_whitespace();
            let (Some(application), Some(hash), "after") = (words.next(), words.next(), name)
            else {
                return Ok(());
            };
            let is_hash =
                (4..=64).contains(&hash.len()) && hash.bytes().all(|b| b.is_ascii_hexdigit());
            if let (Ok(application), true) = (Application::new(application), is_hash) {
                let need = (application, hash.to_ascii_lowercase());
                left_out |= needs.len() >= NEEDS_MAX && !needs.contains_key(&need);
                if !left_out {
                    needs.entry(need).or_insert_with(|| commit.clone());
                }
            }
            Ok(())
        })?;
        let need = |((application, commit), declared_by)| DeclaredNeed {
            declared_by,
            application,
            commit,
        };
        let count = needs.len();
        let needs = needs.into_iter().map(need).collect();
        let bound = if left_out {
            Some(Bound::Needs(count))
        } else {
            bound.map(Bound::Commits)
        };
        Ok((needs, bound))
    }
}
