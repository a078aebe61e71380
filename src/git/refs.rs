//! Which commits branches and other refs point to.

use gix::bstr::{BStr, BString};
use gix::glob::wildmatch;
use gix::glob::wildmatch::Mode;
use gix::hash::ObjectId;
use gix::objs::{Kind, TagRefIter};
use gix::path::RelativePath;
use gix::refs::file::Store;
use gix::refs::{FullName, Reference, Target, TargetRef};

use super::command::{LIST_MAX, answer_if_any, complaint, failed, git, list};
use super::error::Error;
use super::look::is_folder;
use super::repository::{LINK_MAX, Repository};
use crate::id::Revision;
use crate::sys::open;
use crate::text;

/// Where branches are.
const BRANCHES: &str = "refs/heads/";

/// How many tags of tags are followed.
const TAGS_MAX: usize = 8;

/// The name of a ref, and an object that it leads to.
pub(super) type NamedObject = (String, ObjectId);

/// Refs, each with the commit that it leads to.
#[derive(Default)]
pub(super) struct Tips {
    pub(super) found: Vec<NamedObject>,
    /// Why a ref could not be read.
    pub(super) unread: Option<Error>,
}

/// How often a branch is looked for that git's commands do not agree about.
const LOOKS: usize = 3;

impl Repository {
    /// Whether refs are kept in a reftable, which gix can't read.
    pub(super) fn has_reftable(&self) -> Result<bool, Error> {
        is_folder(&self.path().join("reftable"))
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
        let name = if self.has_reftable()? {
            answer_if_any(self.path(), &["symbolic-ref", "-q", "HEAD"])?.map(String::into_bytes)
        } else {
            let head = self.path().join("HEAD");
            let head = open::read(&head, LINK_MAX).map_err(|error| Error::new(&head, error))?;
            head.strip_prefix(b"ref:")
                .map(|name| name.trim_ascii().to_owned())
        };

        let name = name.and_then(|name| FullName::try_from(BString::from(name)).ok());
        let name = name.and_then(|name| String::from_utf8(name.as_bstr().to_vec()).ok());
        let is_branch = |name: &String| name.starts_with(BRANCHES);
        name.filter(is_branch).ok_or_else(|| {
            self.error(
                "HEAD names no branch; set branch in the configuration, \
                 or run: git symbolic-ref HEAD refs/heads/main",
            )
        })
    }

    /// The object that a ref of exactly this full name points to; `None`: there is no such ref. A
    /// ref of another name never counts, though git would guess it: for a `refs/heads/main` that
    /// does not exist, `git rev-parse` takes `refs/tags/refs/heads/main`, which anybody can push.
    ///
    /// # Errors
    /// It can't be found out. This is never mistaken for a branch that does not exist, because that
    /// would retire every application.
    pub fn branch_tip(&self, full_name: &str) -> Result<Option<Revision>, Error> {
        let name = FullName::try_from(full_name).map_err(|error| self.error(error))?;
        if !self.has_reftable()?
            && let Some(tip) = self.tip_from_files(&name)?
        {
            return Ok(Some(tip));
        }

        // git is also asked where refs are files: gix looks into packed-refs before it looks for
        // the loose file, and `git pack-refs` can move a ref from one to the other in between.
        self.tip_from_git(full_name)
    }

    /// The full names of all branches.
    ///
    /// # Errors
    /// They can't be read.
    pub fn branches(&self) -> Result<Vec<String>, Error> {
        let branches = self.refs_below("refs/heads/")?.into_iter();
        branches.map(|branch| Ok(branch?.0)).collect()
    }

    /// Whether a ref of this full name or pattern leads to a commit.
    ///
    /// # Errors
    /// The refs can't be read.
    pub fn has_ref(&self, pattern: &str) -> Result<bool, Error> {
        let Tips { found, unread } = self.commits_of_refs(pattern)?;
        match unread {
            Some(error) if found.is_empty() => Err(error),
            _ => Ok(!found.is_empty()),
        }
    }

    /// [`Repository::branch_tip`], as git has it.
    fn tip_from_git(&self, full_name: &str) -> Result<Option<Revision>, Error> {
        for _ in 0..LOOKS {
            if let Some(tip) = self.listed_tip(full_name)? {
                return Ok(Some(tip));
            }
            // An empty list is no answer yet: git exits with 0 even if it could not write it.
            if !self.yes_or_no(&["show-ref", "--verify", "--quiet", "--", full_name])? {
                return Ok(None);
            }
            // A push may have created it between the two looks.
        }
        Err(self.error(format!("{full_name} is there, but git does not list it")))
    }

    /// What git lists under exactly this full name; `None`: it lists nothing.
    fn listed_tip(&self, full_name: &str) -> Result<Option<Revision>, Error> {
        let form = "--format=%(refname)%00%(objectname)";
        let arguments = ["for-each-ref", form, "--", full_name];
        let output = git(self.path(), &arguments, LIST_MAX)?;
        let complaint = complaint(&output);
        // git leaves out a ref that it can't read, says so, and exits with 0.
        if output.status.code() != Some(0) || complaint.contains(full_name) {
            return Err(failed(self.path(), "for-each-ref", &output));
        }

        // Refs below the name are listed too, if it is not a ref itself.
        let text = String::from_utf8_lossy(&output.stdout);
        let own = text
            .lines()
            .filter_map(|line| line.split_once('\0'))
            .find(|(name, _)| *name == full_name);
        let tip = own.map(|(_, hash)| {
            Revision::new(hash).map_err(|_| {
                self.error(format!("{full_name} is {hash}, which is not a commit hash"))
            })
        });
        tip.transpose()
    }

    /// The commit that a person means by a name: a whole hash, the full name of a ref, a branch,
    /// the beginning of a hash, a tag, a remote branch, or what else git knows, each also with a
    /// suffix such as `~3`. Hashes and full names have no other meaning. A branch goes before all
    /// that anybody can push.
    ///
    /// # Errors
    /// git gave no answer.
    pub fn resolve(&self, name: &str) -> Result<Option<Revision>, Error> {
        let end = name.find(['~', '^', '@', ':']).unwrap_or(name.len());
        let (base, suffix) = name.split_at(end);

        if Revision::new(base).is_ok() {
            return self.rev_parse(name);
        }
        if base.starts_with("refs/") {
            return self.rev_parse_ref(base, suffix);
        }
        if let Some(commit) = self.rev_parse_ref(&format!("{BRANCHES}{base}"), suffix)? {
            return Ok(Some(commit));
        }
        if let Some(whole) = self.complete(base)? {
            return self.rev_parse(&format!("{whole}{suffix}"));
        }
        for folder in ["refs/tags/", "refs/remotes/"] {
            if let Some(commit) = self.rev_parse_ref(&format!("{folder}{base}"), suffix)? {
                return Ok(Some(commit));
            }
        }
        self.rev_parse(name)
    }

    /// The commit that a suffix leads to from a ref of exactly this name.
    fn rev_parse_ref(&self, full_name: &str, suffix: &str) -> Result<Option<Revision>, Error> {
        let is_name = FullName::try_from(full_name).is_ok();
        if !is_name || self.branch_tip(full_name)?.is_none() {
            return Ok(None);
        }
        // git guesses only where there is no ref of the name as it stands.
        self.rev_parse(&format!("{full_name}{suffix}"))
    }

    /// The commit that git finds by a name; `None`: it finds none.
    fn rev_parse(&self, name: &str) -> Result<Option<Revision>, Error> {
        let commit = format!("{name}^{{commit}}");
        let arguments = [
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &commit,
        ];
        let Some(hash) = answer_if_any(self.path(), &arguments)? else {
            return Ok(None);
        };
        let commit = Revision::new(&hash);
        commit
            .map(Some)
            .map_err(|_| self.error(format!("git rev-parse printed {hash}, which is no hash")))
    }

    /// The refs that a full name or pattern means, each with the commit that it leads to. Refs that
    /// lead to no commit are left out, and so are refs that can't be read, the first of which
    /// becomes [`Tips::unread`].
    ///
    /// # Errors
    /// The refs can't be listed.
    pub(super) fn commits_of_refs(&self, pattern: &str) -> Result<Tips, Error> {
        let Some(wild) = pattern.find(['*', '?', '[', '\\']) else {
            let commit = self.commit_of_ref(pattern)?;
            let named = commit.map(|commit| (pattern.to_owned(), commit));
            return Ok(Tips {
                found: named.into_iter().collect(),
                unread: None,
            });
        };

        let folder = pattern[..wild]
            .rfind('/')
            .map_or("refs/", |slash| &pattern[..=slash]);
        let mut tips = Tips::default();
        for reference in self.refs_below(folder)? {
            let peeled = reference.and_then(|(name, id)| {
                let is_named = is_named_by(&name, pattern);
                let commit = is_named.then(|| self.peel(id)).transpose()?;
                Ok(commit.flatten().map(|commit| (name, commit)))
            });
            match peeled {
                Ok(named) => tips.found.extend(named),
                Err(error) => {
                    tips.unread.get_or_insert(error);
                }
            }
        }
        Ok(tips)
    }

    /// The commit that one ref leads to.
    fn commit_of_ref(&self, full_name: &str) -> Result<Option<ObjectId>, Error> {
        let tip = self.branch_tip(full_name)?;
        let id = tip.map(|tip| self.object_id(&tip)).transpose()?.flatten();
        let commit = id.map(|id| self.peel(id)).transpose()?;
        Ok(commit.flatten())
    }

    /// The refs below a folder of names, with what they point to, or why they can't be read.
    /// Symbolic refs are left out.
    fn refs_below(&self, folder: &str) -> Result<Vec<Result<NamedObject, Error>>, Error> {
        if self.has_reftable()? {
            let refs = self.refs_by_git(folder)?;
            return Ok(refs.into_iter().map(Ok).collect());
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
        let read = |reference: Result<Reference, _>| {
            let reference = reference.map_err(|error| self.error(error));
            reference.map(read).transpose()
        };
        Ok(refs.filter_map(read).collect())
    }

    /// The refs below a folder of names and the objects that they lead to through tags, as git
    /// lists them: for kinds of ref storage that gix can't read.
    fn refs_by_git(&self, folder: &str) -> Result<Vec<NamedObject>, Error> {
        let form = "--format=%(refname)%00%(objectname)%00%(*objectname)";
        let text = list(self.path(), &["for-each-ref", form, "--", folder])?;

        let read = |line: &str| {
            let mut fields = line.split('\0');
            let (name, own, peeled) = (fields.next()?, fields.next()?, fields.next()?);
            let id = if peeled.is_empty() { own } else { peeled };
            let id = ObjectId::from_hex(id.as_bytes()).ok()?;
            Some((name.to_owned(), id))
        };
        let wrong = |line: &str| {
            let line = text::quote(line, 200);
            self.error(format!("git for-each-ref printed {line}, which is no ref"))
        };
        text.lines()
            .map(|line| read(line).ok_or_else(|| wrong(line)))
            .collect()
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
                        .map_err(|error| Error::damaged(self.path(), error))?;
                }
                _ => return Ok(None),
            }
        }
        Ok(None)
    }

    /// The commit that a branch points to, read from the files of the ref. `None`: it is not there,
    /// or git has to be asked.
    fn tip_from_files(&self, name: &FullName) -> Result<Option<Revision>, Error> {
        let found = self
            .ref_files()?
            .try_find(name.as_ref())
            .map_err(|error| self.error(error))?;
        // gix also looks for the name below other prefixes: refs/tags/refs/heads/main, for example.
        let Some(reference) = found.filter(|reference| reference.name == *name) else {
            return Ok(None);
        };

        match reference.target.to_ref() {
            TargetRef::Object(id) => {
                let tip = Revision::new(id.to_string());
                tip.map(Some).map_err(|error| {
                    self.error(format!("{} is {id}, which is {error}", name.as_bstr()))
                })
            }
            // A branch that is a symbolic ref is rare, and git can follow it.
            TargetRef::Symbolic(_) => Ok(None),
        }
    }
}

/// Whether a ref is one that a full name or pattern means. In a pattern, `*`, `?` and `[…]` stand
/// for anything but a slash, and `**` also for slashes.
pub(super) fn is_named_by(name: &str, pattern: &str) -> bool {
    wildmatch(pattern.into(), name.into(), Mode::NO_MATCH_SLASH_LITERAL)
}
