//! What commit messages declare in their trailers (git-interpret-trailers(1)): the lines `Name:
//! value` of the last paragraph.

use std::collections::{BTreeMap, BTreeSet};

use gix::hash::ObjectId;
use gix::objs::{CommitRef, Kind};
use gix::traverse::commit::Simple;
use gix::traverse::commit::simple::{CommitTimeOrder, Sorting};

use super::changes::DeepScan;
use super::error::Error;
use super::repository::Repository;
use crate::id::{Application, Revision};
use crate::policy::Trailers;
use crate::text;

/// How many commits of one push are read for the reasons that they give.
const DEPLOY_COMMITS_MAX: usize = 1000;

/// How many of the commits that a deployment gains are read for what they need.
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
    /// A commit of that application, as written: hexadecimal digits in lower case, at least 4.
    pub commit: String,
}

/// The limit at which reading the needs ended before all commits were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// So many commits were read, the newest.
    Commits(usize),
    /// So many different needs were found, those of the newest commits.
    Needs(usize),
}

/// A trailer whose name begins with `Deploy-`.
struct Trailer<'c> {
    commit: &'c Revision,
    parents: &'c [ObjectId],
    /// In lower case, without `deploy-`.
    name: &'c str,
    value: String,
}

impl Repository {
    /// Reads the trailers `Deploy-…` of the commits that `new` has and `old` does not have, newest
    /// first, at most `most` commits. Returns how many commits were read where there are more.
    fn each_trailer(
        &self,
        old: Option<&Revision>,
        new: &Revision,
        most: usize,
        mut each: impl FnMut(Trailer<'_>) -> Result<(), Error>,
    ) -> Result<Option<usize>, Error> {
        let hidden = old.map(|old| self.own_id(old)).transpose()?;
        let error = |error| self.error(error);
        let walk = Simple::new([self.own_id(new)?], self.objects()?)
            .sorting(Sorting::ByCommitTime(CommitTimeOrder::NewestFirst));
        let walk = walk.map_err(error)?.hide(hidden).map_err(error)?;

        let mut buffer = Vec::new();
        for (count, info) in walk.enumerate() {
            if count == most {
                return Ok(Some(most));
            }

            let info = info.map_err(error)?;
            let data = self.find(&info.id, Kind::Commit, &mut buffer)?;
            // A commit that can't be parsed counts as a commit without trailers. Other code reports
            // it.
            let Ok(commit) = CommitRef::from_bytes(data, info.id.kind()) else {
                continue;
            };
            let Ok(id) = Revision::new(info.id.to_string()) else {
                continue;
            };
            let Some(body) = commit.message().body() else {
                continue;
            };

            for trailer in body.trailers() {
                let name = String::from_utf8_lossy(trailer.token).to_ascii_lowercase();
                let value = text::decode(&trailer.value, REASON_MAX);
                let has_words = value.chars().any(char::is_alphanumeric);
                if let Some(name) = name.strip_prefix("deploy-").filter(|_| has_words) {
                    each(Trailer {
                        commit: &id,
                        parents: &info.parent_ids,
                        name,
                        value,
                    })?;
                }
            }
        }
        Ok(None)
    }

    /// The reasons that the commits of a push give, for each deploy file that they touch. A commit
    /// touches what differs from its first parent. So a merge touches what it brings to the branch,
    /// and not what was on the branch before.
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

        self.each_trailer(old, new, DEPLOY_COMMITS_MAX, |trailer| {
            if !matches!(trailer.name, "rollback" | "release" | "override" | "alone") {
                return Ok(());
            }

            // A commit can have several trailers; its trees are read once.
            if touched.0.as_ref() != Some(trailer.commit) {
                let paths = self.touched(root, trailer.commit, trailer.parents)?;
                touched = (Some(trailer.commit.clone()), paths);
            }
            for path in &touched.1 {
                let reasons = reasons.entry(path.clone()).or_default();
                let reason = match trailer.name {
                    "rollback" => &mut reasons.rollback,
                    "release" => &mut reasons.release,
                    "override" => &mut reasons.override_reason,
                    _ => &mut reasons.alone,
                };
                reason.get_or_insert_with(|| trailer.value.clone());
            }
            Ok(())
        })?;
        Ok(reasons)
    }

    /// The paths of the deploy files in which a commit differs from its first parent.
    fn touched(
        &self,
        root: &str,
        commit: &Revision,
        parents: &[ObjectId],
    ) -> Result<BTreeSet<Vec<u8>>, Error> {
        let parent = parents
            .first()
            .and_then(|parent| Revision::new(parent.to_string()).ok());
        let changes = self.changes(
            root,
            parent.as_ref(),
            Some(commit),
            DeepScan::EnvironmentFolders,
        )?;
        Ok(changes.into_iter().map(|change| change.path).collect())
    }

    /// What is needed by the commits that a deployment gains on the way from `old` to `new`, as
    /// they declare it. Where not all commits were read, the limit at which reading ended.
    ///
    /// A value that is not an application and a hash is ignored: history can't be fixed.
    ///
    /// # Errors
    /// A commit can't be read.
    pub fn declared_needs(
        &self,
        old: Option<&Revision>,
        new: &Revision,
    ) -> Result<(Vec<DeclaredNeed>, Option<Bound>), Error> {
        let mut needs: BTreeMap<(Application, String), Revision> = BTreeMap::new();
        let mut are_too_many = false;
        let commits_read = self.each_trailer(old, new, GAINED_MAX, |trailer| {
            let Some(need) = need(&trailer) else {
                return Ok(());
            };
            are_too_many |= needs.len() >= NEEDS_MAX && !needs.contains_key(&need);
            if !are_too_many {
                needs.entry(need).or_insert_with(|| trailer.commit.clone());
            }
            Ok(())
        })?;

        let bound = if are_too_many {
            Some(Bound::Needs(needs.len()))
        } else {
            commits_read.map(Bound::Commits)
        };
        let declared = |((application, commit), declared_by)| DeclaredNeed {
            declared_by,
            application,
            commit,
        };
        Ok((needs.into_iter().map(declared).collect(), bound))
    }
}

/// The application and the commit of a trailer `Deploy-After`; `None`: it is none, or has no such
/// value.
fn need(trailer: &Trailer<'_>) -> Option<(Application, String)> {
    if trailer.name != "after" {
        return None;
    }
    let mut words = trailer.value.split_whitespace();
    let (application, hash) = (words.next()?, words.next()?);

    let has_length = (4..=64).contains(&hash.len());
    let is_hash = has_length && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    let application = Application::new(application).ok()?;
    is_hash.then(|| (application, hash.to_ascii_lowercase()))
}
