//! Which commits of a push change the deploy files that need approvals, and what they declare about
//! them.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use gix::hash::ObjectId;

use super::error::Error;
use super::range::RangeCommit;
use super::repository::Repository;
use super::trailers::DEPLOY_COMMITS_MAX;
use super::tree::TreeEntry;
use crate::deployfile::EXTENSION;
use crate::id::{Revision, Target};
use crate::message::{DeclaredTrailers, trailers};
use crate::policy::{TracedFile, VoidApproval, VoidReason};
use crate::review::{self, ReviewedCommit, ReviewedParent};

/// What a deploy file is at a commit: its entries in the tree of its folder. Only a tree that is
/// damaged has more than one.
type File = Vec<TreeEntry>;

/// The deploy files of one commit.
type Files = Rc<BTreeMap<Target, File>>;

/// A commit of the range, and what it declares.
struct Declared {
    commit: RangeCommit,
    trailers: DeclaredTrailers,
    /// Whether it has one parent, and the same files.
    is_empty: bool,
}

impl Repository {
    /// What the commits of a push do to some deploy files.
    ///
    /// # Errors
    /// A commit or a tree can't be read, or the push has too many commits to look at each.
    pub fn trace(
        &self,
        root: &str,
        old: Option<&Revision>,
        new: &Revision,
        targets: &BTreeSet<Target>,
    ) -> Result<BTreeMap<Target, TracedFile>, Error> {
        let range = self.range(old, new, DEPLOY_COMMITS_MAX)?;
        if range.is_cut {
            return Err(self.unacceptable(format!(
                "{new} brings more than {DEPLOY_COMMITS_MAX} commits, and approvals are looked for \
                 in no more; push them in several steps"
            )));
        }

        let mut trees = FileReader {
            repository: self,
            root,
            targets,
            by_commit: HashMap::new(),
            by_folder: HashMap::new(),
        };
        let mut declared = Vec::new();
        for commit in range.commits {
            declared.push(self.declared(commit)?);
        }

        let tip = self.own_id(new)?;
        let mut bases = HashMap::new();
        let traced = targets.iter().map(|target| {
            let traced = self.traced(target, &declared, &tip, &mut trees, &mut bases)?;
            Ok((target.clone(), traced))
        });
        traced.collect()
    }

    fn declared(&self, commit: RangeCommit) -> Result<Declared, Error> {
        let mut buffer = Vec::new();
        let object = self.commit(&commit.id, &mut buffer)?;
        let trailers = trailers(object.message, object.encoding);
        let is_empty = match commit.parents.as_slice() {
            [parent] => self.commit(parent, &mut Vec::new())?.tree == object.tree,
            _ => false,
        };
        Ok(Declared {
            commit,
            trailers,
            is_empty,
        })
    }

    /// What the commits do to one deploy file. `bases` are the merge bases that are known.
    fn traced(
        &self,
        target: &Target,
        declared: &[Declared],
        tip: &ObjectId,
        trees: &mut FileReader<'_>,
        bases: &mut HashMap<[ObjectId; 2], Vec<ObjectId>>,
    ) -> Result<TracedFile, Error> {
        let places = declared.iter().enumerate();
        let places: HashMap<ObjectId, usize> =
            places.map(|(place, one)| (one.commit.id, place)).collect();

        let mut commits = Vec::new();
        for one in declared {
            let mut parents = Vec::new();
            for parent in &one.commit.parents {
                parents.push(ReviewedParent {
                    place: places.get(parent).copied(),
                    file: trees.file(parent, target)?,
                });
            }
            let file = trees.file(&one.commit.id, target)?;
            commits.push(ReviewedCommit { file, parents });
        }

        let changing = review::changing(&commits, |place, one, other| {
            let parents = &declared[place].commit.parents;
            let common = match bases.entry([parents[one], parents[other]]) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => {
                    new.insert(self.merge_bases(parents[one], &[parents[other]])?)
                }
            };
            common.iter().map(|id| trees.file(id, target)).collect()
        })?;
        let tip = trees.file(tip, target)?;
        let tip = tip.as_ref();

        let mut traced = TracedFile::default();
        for place in &changing {
            let id = self.revision(&declared[*place].commit.id)?;
            traced.changes.push(id);
        }
        for (place, one) in declared.iter().enumerate() {
            let id = self.revision(&one.commit.id)?;
            // A commit says something once, however often it says it.
            let declares = |name: &str, counts: fn(&str, &Target) -> bool| {
                let mut trailers = one.trailers.counted.iter();
                trailers.find(|trailer| trailer.name == name && counts(&trailer.value, target))
            };
            if declares("approve", approves).is_some() {
                match review::check_approval(&commits, &changing, tip, place, one.is_empty) {
                    Ok(()) => traced.approvals.push(id.clone()),
                    Err(why) => traced.void.push(VoidApproval {
                        commit: id.clone(),
                        why: VoidReason::Commit(why),
                    }),
                }
            }
            if let Some(reason) = declares("override", |_, _| true)
                && commits[place].brings_the_file()
                && review::is_latest(&commits, &changing, tip, place)
            {
                traced.overrides.push((id.clone(), reason.value.clone()));
            }
            let missed = one.trailers.uncounted.iter();
            let missed = missed.filter(|missed| missed.name == "approve");
            traced.void.extend(missed.map(|missed| VoidApproval {
                commit: id.clone(),
                why: VoidReason::Line(missed.line, missed.why.clone()),
            }));
        }
        Ok(traced)
    }
}

/// Whether the value of a `Deploy-Approve` names a deploy file: `<environment>/<application>`, or
/// the environment.
fn approves(value: &str, target: &Target) -> bool {
    match value.split_once('/') {
        Some((environment, application)) => {
            environment == target.environment.as_str() && application == target.application.as_str()
        }
        None => value == target.environment.as_str(),
    }
}

/// Reads what some deploy files are at many commits. Each folder is read once.
struct FileReader<'r> {
    repository: &'r Repository,
    root: &'r str,
    targets: &'r BTreeSet<Target>,
    by_commit: HashMap<ObjectId, Files>,
    by_folder: HashMap<ObjectId, Files>,
}

impl FileReader<'_> {
    /// What a deploy file is at a commit; `None`: it is not there.
    fn file(&mut self, commit: &ObjectId, target: &Target) -> Result<Option<File>, Error> {
        if !self.by_commit.contains_key(commit) {
            let files = self.files(commit)?;
            self.by_commit.insert(*commit, files);
        }
        let files = self.by_commit.get(commit);
        Ok(files.and_then(|files| files.get(target)).cloned())
    }

    fn files(&mut self, commit: &ObjectId) -> Result<Files, Error> {
        let commit = self.repository.revision(commit)?;
        let Some(tree) = self.repository.root_tree(&commit, self.root)? else {
            return Ok(Files::default());
        };
        if let Some(known) = self.by_folder.get(&tree) {
            return Ok(Rc::clone(known));
        }

        let mut files: BTreeMap<Target, File> = BTreeMap::new();
        let mut buffer = Vec::new();
        for entry in self.repository.entries(Some(&tree), &mut buffer)? {
            let entry = entry.map_err(|error| Error::damaged(self.repository.path(), error))?;
            if entry.mode.is_tree() {
                self.add_folder(entry.filename, &entry.oid.to_owned(), &mut files)?;
            }
        }
        let files = Rc::new(files);
        self.by_folder.insert(tree, Rc::clone(&files));
        Ok(files)
    }

    /// Adds the files of the folder of one environment.
    fn add_folder(
        &self,
        name: &[u8],
        folder: &ObjectId,
        files: &mut BTreeMap<Target, File>,
    ) -> Result<(), Error> {
        let targets = self.targets.iter();
        let mut targets: Vec<&Target> = targets
            .filter(|target| target.environment.as_str().as_bytes() == name)
            .collect();
        if targets.is_empty() {
            return Ok(());
        }
        targets.sort_by_key(|target| target.application.as_str());

        let mut buffer = Vec::new();
        for entry in self.repository.entries(Some(folder), &mut buffer)? {
            let entry = entry.map_err(|error| Error::damaged(self.repository.path(), error))?;
            let Some(application) = entry.filename.strip_suffix(EXTENSION.as_bytes()) else {
                continue;
            };
            let found = targets.binary_search_by_key(&application, |target| {
                target.application.as_str().as_bytes()
            });
            if let Ok(found) = found {
                let file = files.entry(targets[found].clone()).or_default();
                file.push(TreeEntry::from(&entry));
            }
        }
        Ok(())
    }
}
