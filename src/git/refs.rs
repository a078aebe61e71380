//! Where branches point.

use gix::hash::ObjectId;
use gix::refs::{FullName, TargetRef};

use super::command::{answer, list_refs};
use super::error::Error;
use super::repository::Repository;
use crate::id::Revision;

/// How many tags of tags are followed.
const TAGS_MAX: usize = 8;

impl Repository {
    /// Whether refs are kept in a reftable, which gix can't read.
    fn has_reftable(&self) -> bool {
        self.path().join("reftable").is_dir()
    }

    /// The full name of the branch that HEAD names; the branch need not exist.
    ///
    /// # Errors
    /// HEAD can't be read, or names no branch.
    pub fn head_branch(&self) -> Result<String, Error> {
        let name = if self.has_reftable() {
            answer(self.path(), &["symbolic-ref", "-q", "HEAD"], 1)?
        } else {
            let head =
                std::fs::read(self.path().join("HEAD")).map_err(|error| self.error(error))?;
            let head = String::from_utf8_lossy(&head);
            head.strip_prefix("ref:").map(|name| name.trim().to_owned())
        };
        name.filter(|name| name.starts_with("refs/heads/")).ok_or_else(|| {
            self.error(
                "HEAD names no branch; set branch in the configuration, or git symbolic-ref HEAD refs/heads/main",
            )
        })
    }

    /// The commit that a branch points to, by its full name; `None`: there is no such branch.
    ///
    /// # Errors
    /// It can't be told. This is never mistaken for a branch that does not exist: that would retire
    /// every application.
    pub fn branch_tip(&self, full_name: &str) -> Result<Option<Revision>, Error> {
        if !self.has_reftable()
            && let Some(tip) = self.tip_from_files(full_name)?
        {
            return Ok(Some(tip));
        }
        // Also for the files backend: gix looks into packed-refs before it looks for the loose
        // file, and `git pack-refs` can move a ref from the one to the other in between.
        let found = answer(
            self.path(),
            &[
                "rev-parse",
                "--verify",
                "--quiet",
                "--end-of-options",
                full_name,
            ],
            1,
        )?;
        found
            .map(|hash| {
                Revision::new(&hash)
                    .map_err(|_| self.error(format!("{full_name} is {hash}, no commit hash")))
            })
            .transpose()
    }

    /// The commit that a person means by a name: a branch, `main~3`, a hash, a full ref name. A
    /// branch goes before a tag of the same name, which anybody can push.
    ///
    /// # Errors
    /// git could not be asked.
    pub fn resolve(&self, name: &str) -> Result<Option<Revision>, Error> {
        for commit in [
            format!("refs/heads/{name}^{{commit}}"),
            format!("{name}^{{commit}}"),
        ] {
            let found = answer(
                self.path(),
                &[
                    "rev-parse",
                    "--verify",
                    "--quiet",
                    "--end-of-options",
                    &commit,
                ],
                1,
            )?;
            if let Some(commit) = found.and_then(|hash| Revision::new(hash).ok()) {
                return Ok(Some(commit));
            }
        }
        Ok(None)
    }

    /// The refs that a full name or pattern means, each with the commit that it leads to. In a
    /// pattern `*`, `?` and `[…]` stand for anything but a slash, `**` also for slashes. What leads
    /// to no commit is left out.
    pub(super) fn commits_of_refs(&self, pattern: &str) -> Result<Vec<(String, ObjectId)>, Error> {
        let Some(wild) = pattern.find(['*', '?', '[', '\\']) else {
            let tip = self.branch_tip(pattern)?;
            let id = tip.map(|tip| self.object_id(&tip)).transpose()?.flatten();
            let commit = id.map(|id| self.peel(id)).transpose()?.flatten();
            return Ok(commit
                .map(|commit| (pattern.to_owned(), commit))
                .into_iter()
                .collect());
        };
        let folder = pattern[..wild]
            .rfind('/')
            .map_or("refs/", |slash| &pattern[..=slash]);
        let is_meant = |name: &str| {
            gix::glob::wildmatch(
                pattern.into(),
                name.into(),
                gix::glob::wildmatch::Mode::NO_MATCH_SLASH_LITERAL,
            )
        };
        let mut found = Vec::new();
        for (name, id) in self.refs_below(folder)? {
            if is_meant(&name)
                && let Some(commit) = self.peel(id)?
            {
                found.push((name, commit));
            }
        }
        Ok(found)
    }

    /// The refs below a folder of names, as they point; symbolic ones and those that can't be read
    /// are left out.
    fn refs_below(&self, folder: &str) -> Result<Vec<(String, ObjectId)>, Error> {
        if self.has_reftable() {
            let listed = list_refs(self.path(), folder)?;
            let id = |(name, revision): (String, Revision)| {
                Ok(self.object_id(&revision)?.map(|id| (name, id)))
            };
            return listed
                .into_iter()
                .map(id)
                .filter_map(Result::transpose)
                .collect();
        }
        let store = gix::refs::file::Store::at(self.path().to_owned(), self.object_format()?);
        let platform = store.iter().map_err(|error| self.error(error))?;
        let path = <&gix::path::RelativePath>::try_from(gix::bstr::BStr::new(folder))
            .map_err(|error| self.error(error))?;
        let refs = platform.prefixed(path).map_err(|error| self.error(error))?;
        let read = |reference: gix::refs::Reference| match (reference.peeled, reference.target) {
            (Some(peeled), _) => Some((reference.name.as_bstr().to_string(), peeled)),
            (None, gix::refs::Target::Object(id)) => {
                Some((reference.name.as_bstr().to_string(), id))
            }
            (None, gix::refs::Target::Symbolic(_)) => None,
        };
        Ok(refs.filter_map(Result::ok).filter_map(read).collect())
    }

    /// The commit that an object leads to through tags.
    fn peel(&self, mut id: ObjectId) -> Result<Option<ObjectId>, Error> {
        let mut buffer = Vec::new();
        for _ in 0..TAGS_MAX {
            match self.kind_of(&id)? {
                Some(gix::objs::Kind::Commit) => return Ok(Some(id)),
                Some(gix::objs::Kind::Tag) => {
                    let data = self.find(&id, gix::objs::Kind::Tag, &mut buffer)?;
                    id = gix::objs::TagRefIter::from_bytes(data, id.kind())
                        .target_id()
                        .map_err(|error| self.error(error))?;
                }
                _ => return Ok(None),
            }
        }
        Ok(None)
    }

    fn tip_from_files(&self, full_name: &str) -> Result<Option<Revision>, Error> {
        let name = FullName::try_from(full_name).map_err(|error| self.error(error))?;
        let store = gix::refs::file::Store::at(self.path().to_owned(), self.object_format()?);
        let found = store
            .try_find(name.as_ref())
            .map_err(|error| self.error(error))?;
        let Some(reference) = found.filter(|reference| reference.name == name) else {
            return Ok(None);
        };
        match reference.target.to_ref() {
            TargetRef::Object(id) => Ok(Revision::new(id.to_string()).ok()),
            // A branch that is a symbolic ref: rare, and git knows how.
            TargetRef::Symbolic(_) => Ok(None),
        }
    }
}
