//! What the commits of a range declare in their trailers.

use std::collections::{BTreeMap, BTreeSet};

use super::commit::CommitObject;
use super::error::Error;
use super::kept_changes::DeepScan;
use super::range::RangeCommit;
use super::repository::Repository;
use crate::id::{Application, Revision};
use crate::message::{Trailer, subject, trailers};
use crate::policy::{ExceptionKind, Trailers, UncountedReason};

/// How many commits of one push are read for the reasons that they give.
pub(super) const DEPLOY_COMMITS_MAX: usize = 1000;

/// How many of the commits that a deployment gains are read for what they need.
const GAINED_MAX: usize = 1000;

/// How many needs are collected for one deployment.
const NEEDS_MAX: usize = 200;

/// How many reasons of one kind that do not count are named for one deploy file.
const UNCOUNTED_MAX: usize = 3;

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

/// What the commits that a deployment gains say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gained {
    /// What they declare to need.
    pub needs: Vec<DeclaredNeed>,
    /// The limit at which reading ended, where not all commits were read.
    pub bound: Option<Bound>,
    /// The title of the deployed commit; `None`: it has none, or is not gained.
    pub subject: Option<String>,
}

impl Repository {
    /// Reads the messages of the commits that `new` has and `old` does not have, newest first, at
    /// most `most` commits. Returns how many commits were read where there are more.
    fn each_message(
        &self,
        old: Option<&Revision>,
        new: &Revision,
        most: usize,
        mut each: impl FnMut(&RangeCommit, &CommitObject<'_>) -> Result<(), Error>,
    ) -> Result<Option<usize>, Error> {
        let range = self.range(old, new, most)?;
        let mut buffer = Vec::new();
        for info in &range.commits {
            each(info, &self.commit(&info.id, &mut buffer)?)?;
        }
        Ok(range.is_cut.then_some(most))
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
        self.each_message(old, new, DEPLOY_COMMITS_MAX, |commit, object| {
            let declared = trailers(object.message, object.encoding);
            let kind = ExceptionKind::of_trailer;
            let given = declared.counted.into_iter();
            let given = given.filter_map(|given| Some((kind(&given.name)?, given.value)));
            let given: Vec<_> = given.collect();
            let uncounted = declared.uncounted.into_iter();
            let uncounted = uncounted.map(|miss| (kind(&miss.name), miss));
            let uncounted: Vec<_> = uncounted.collect();
            if given.is_empty() && uncounted.is_empty() {
                return Ok(());
            }

            let id = self.revision(&commit.id)?;
            for path in self.touched(root, &id, commit)? {
                let reasons = reasons.entry(path).or_default();
                for (kind, reason) in &given {
                    reasons.give(*kind, reason);
                }
                for (kind, miss) in &uncounted {
                    let same = reasons.uncounted.iter().filter(|other| other.kind == *kind);
                    if same.count() < UNCOUNTED_MAX {
                        reasons.uncounted.push(UncountedReason {
                            kind: *kind,
                            commit: id.clone(),
                            line: miss.line,
                            why: miss.why.clone(),
                        });
                    }
                }
            }
            Ok(())
        })?;
        Ok(reasons)
    }

    /// The paths of the deploy files in which a commit differs from its first parent.
    fn touched(
        &self,
        root: &str,
        id: &Revision,
        commit: &RangeCommit,
    ) -> Result<BTreeSet<Vec<u8>>, Error> {
        let parent = commit.parents.first();
        let parent = parent.map(|parent| self.revision(parent)).transpose()?;
        self.changed_paths(
            root,
            parent.as_ref(),
            Some(id),
            DeepScan::EnvironmentFolders,
        )
    }

    /// What the commits say that a deployment gains on the way from `old` to `new`.
    ///
    /// A need whose value is not an application and a hash is ignored: history can't be fixed.
    ///
    /// # Errors
    /// A commit can't be read.
    pub fn gained(&self, old: Option<&Revision>, new: &Revision) -> Result<Gained, Error> {
        let mut needs: BTreeMap<(Application, String), Revision> = BTreeMap::new();
        let mut are_too_many = false;
        let mut title = None;
        let own = self.own_id(new)?;
        let commits_read = self.each_message(old, new, GAINED_MAX, |commit, object| {
            if commit.id == own {
                title = subject(object.message);
            }
            let declared = trailers(object.message, object.encoding);
            for need in declared.counted.iter().filter_map(need) {
                are_too_many |= needs.len() >= NEEDS_MAX && !needs.contains_key(&need);
                if !are_too_many && !needs.contains_key(&need) {
                    needs.insert(need, self.revision(&commit.id)?);
                }
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
        Ok(Gained {
            needs: needs.into_iter().map(declared).collect(),
            bound,
            subject: title,
        })
    }
}

/// The application and the commit of a trailer `Deploy-After`; `None`: it is none, or has no such
/// value.
fn need(trailer: &Trailer) -> Option<(Application, String)> {
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
