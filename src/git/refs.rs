//! Which commits branches and other refs point to.

use gix::bstr::BStr;
use gix::glob::wildmatch;
use gix::glob::wildmatch::Mode;
use gix::hash::ObjectId;
use gix::objs::{Kind, TagRefIter};
use gix::path::RelativePath;
use gix::refs::file::Store;
use gix::refs::{FullName, Reference, Target, TargetRef};

use super::command::{LIST_MAX, SHORT_MAX, answer, failed, git};
use super::error::Error;
use super::repository::{LINK_MAX, Repository};
use crate::id::Revision;
use crate::sys::open;

/// How many tags of tags are followed.
const TAGS_MAX: usize = 8;

impl Repository {
    /// Whether refs are kept in a reftable, which gix can't read.
    fn has_reftable(&self) -> bool {
        self.path().join("reftable").is_dir()
    }

    /// The refs in gix's files backend.
    fn ref_files(&self) -> Result<Store, Error> {
        Ok(Store::at(self.path().to_owned(), self.object_format()?))
    }

    /// The full name of the branch that HEAD names. The branch need not exist.
    ///
    /// # Errors
    /// HEAD can't be read, or names no branch.
    pub fn head_branch(&self) -> Result<String, Error> {
        let name = if self.has_reftable() {
            answer(self.path(), &["symbolic-ref", "-q", "HEAD"], SHORT_MAX)?
        } else {
            let head = self.path().join("HEAD");
            let bytes = open::read(&head, LINK_MAX);
            let head = bytes.map_err(|error| Error::new(&head, error))?;
            let head = String::from_utf8_lossy(&head);
            head.strip_prefix("ref:").map(|name| name.trim().to_owned())
        };

        let is_branch = |name: &String| name.starts_with("refs/heads/");
        name.filter(is_branch).ok_or_else(|| {
            self.error(
                "HEAD names no branch; set branch in the configuration, \
                 or run: git symbolic-ref HEAD refs/heads/main",
            )
        })
    }

    /// The commit that a branch points to. The branch is given by its full name; `None`: there is
    /// no such branch.
    ///
    /// # Errors
    /// It can't be found out. This is never mistaken for a branch that does not exist, because that
    /// would retire every application.
    pub fn branch_tip(&self, full_name: &str) -> Result<Option<Revision>, Error> {
        if !self.has_reftable()
            && let Some(tip) = self.tip_from_files(full_name)?
        {
            return Ok(Some(tip));
        }

        // git is also asked where refs are files: gix looks into packed-refs before it looks for
        // the loose file, and `git pack-refs` can move a ref from one to the other in between.
        let Some(hash) = self.rev_parse(full_name)? else {
            return Ok(None);
        };
        let tip = Revision::new(&hash).map_err(|_| {
            self.error(format!("{full_name} is {hash}, which is not a commit hash"))
        })?;
        Ok(Some(tip))
    }

    /// The commit that a person means by a name: a branch, `main~3`, a hash, a full ref name. A
    /// branch goes before a tag of the same name, because anybody can push a tag.
    ///
    /// # Errors
    /// git gave no answer.
    pub fn resolve(&self, name: &str) -> Result<Option<Revision>, Error> {
        for name in [format!("refs/heads/{name}"), name.to_owned()] {
            let found = self.rev_parse(&format!("{name}^{{commit}}"))?;
            if let Some(commit) = found.and_then(|hash| Revision::new(hash).ok()) {
                return Ok(Some(commit));
            }
        }
        Ok(None)
    }

    /// The object that git finds by a name; `None`: it finds none.
    fn rev_parse(&self, name: &str) -> Result<Option<String>, Error> {
        let arguments = ["rev-parse", "--verify", "--quiet", "--end-of-options", name];
        answer(self.path(), &arguments, SHORT_MAX)
    }

    /// The refs that a full name or pattern means, each with the commit that it leads to. In a
    /// pattern, `*`, `?` and `[…]` stand for anything but a slash, and `**` also for slashes. Refs
    /// that lead to no commit are left out.
    pub(super) fn commits_of_refs(&self, pattern: &str) -> Result<Vec<(String, ObjectId)>, Error> {
        let Some(wild) = pattern.find(['*', '?', '[', '\\']) else {
            let commit = self.commit_of_ref(pattern)?;
            let named = commit.map(|commit| (pattern.to_owned(), commit));
            return Ok(named.into_iter().collect());
        };

        let folder = pattern[..wild]
            .rfind('/')
            .map_or("refs/", |slash| &pattern[..=slash]);
        let mode = Mode::NO_MATCH_SLASH_LITERAL;
        let mut found = Vec::new();
        for (name, id) in self.refs_below(folder)? {
            if wildmatch(pattern.into(), name.as_str().into(), mode)
                && let Some(commit) = self.peel(id)?
            {
                found.push((name, commit));
            }
        }
        Ok(found)
    }

    /// The commit that one ref leads to.
    fn commit_of_ref(&self, full_name: &str) -> Result<Option<ObjectId>, Error> {
        let tip = self.branch_tip(full_name)?;
        let id = tip.map(|tip| self.object_id(&tip)).transpose()?.flatten();
        let commit = id.map(|id| self.peel(id)).transpose()?;
        Ok(commit.flatten())
    }

    /// The refs below a folder of names, with what they point to. Symbolic refs and those that
    /// can't be read are left out.
    fn refs_below(&self, folder: &str) -> Result<Vec<(String, ObjectId)>, Error> {
        if self.has_reftable() {
            let mut found = Vec::new();
            for (name, revision) in self.refs_by_git(folder)? {
                found.extend(self.object_id(&revision)?.map(|id| (name, id)));
            }
            return Ok(found);
        }

        let store = self.ref_files()?;
        let platform = store.iter().map_err(|error| self.error(error))?;
        let folder =
            <&RelativePath>::try_from(BStr::new(folder)).map_err(|error| self.error(error))?;
        let refs = platform
            .prefixed(folder)
            .map_err(|error| self.error(error))?;

        let read = |reference: Reference| {
            let id = match (reference.peeled, reference.target) {
                (Some(peeled), _) => peeled,
                (None, Target::Object(id)) => id,
                (None, Target::Symbolic(_)) => return None,
            };
            Some((reference.name.as_bstr().to_string(), id))
        };
        Ok(refs.filter_map(Result::ok).filter_map(read).collect())
    }

    /// The refs below a folder of names and the objects that they lead to through tags, as git
    /// lists them: for kinds of ref storage that gix can't read.
    fn refs_by_git(&self, folder: &str) -> Result<Vec<(String, Revision)>, Error> {
        let form = "--format=%(refname)%00%(objectname)%00%(*objectname)";
        let output = git(self.path(), &["for-each-ref", form, "--", folder], LIST_MAX)?;
        if !output.status.success() {
            let call = format!("for-each-ref {folder}");
            return Err(failed(self.path(), &call, &output));
        }

        let text = String::from_utf8_lossy(&output.stdout);
        let read = |line: &str| {
            let mut fields = line.split('\0');
            let (name, own, peeled) = (fields.next()?, fields.next()?, fields.next()?);
            let id = if peeled.is_empty() { own } else { peeled };
            Some((name.to_owned(), Revision::new(id).ok()?))
        };
        Ok(text.lines().filter_map(read).collect())
    }

    /// The commit that an object leads to through tags; `None`: it leads to something else.
    fn peel(&self, mut id: ObjectId) -> Result<Option<ObjectId>, Error> {
        let mut buffer = Vec::new();
        for _ in 0..TAGS_MAX {
            match self.kind_of(&id)? {
                Some(Kind::Commit) => return Ok(Some(id)),
                Some(Kind::Tag) => {
                    let data = self.find(&id, Kind::Tag, &mut buffer)?;
                    id = TagRefIter::from_bytes(data, id.kind())
                        .target_id()
                        .map_err(|error| self.error(error))?;
                }
                _ => return Ok(None),
            }
        }
        Ok(None)
    }

    /// The commit that a branch points to, read from the files of the ref. `None`: it is not there,
    /// or git has to be asked.
    fn tip_from_files(&self, full_name: &str) -> Result<Option<Revision>, Error> {
        let name = FullName::try_from(full_name).map_err(|error| self.error(error))?;
        let found = self
            .ref_files()?
            .try_find(name.as_ref())
            .map_err(|error| self.error(error))?;
        // gix also looks for the name below other prefixes: refs/tags/refs/heads/main, for example.
        let Some(reference) = found.filter(|reference| reference.name == name) else {
            return Ok(None);
        };

        match reference.target.to_ref() {
            TargetRef::Object(id) => Ok(Revision::new(id.to_string()).ok()),
            // A branch that is a symbolic ref is rare, and git can follow it.
            TargetRef::Symbolic(_) => Ok(None),
        }
    }
}
