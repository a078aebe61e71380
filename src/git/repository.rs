//! Where a repository's parts lie, and its objects.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use gix::hash::{Kind, ObjectId, oid};
use gix::objs::{Data, Find};

use super::error::Error;
use crate::id::Revision;

/// The object folders of a push that is not accepted yet, as git hands them to pre-receive
/// (git-receive-pack(1), "Quarantine environment").
#[derive(Debug, Clone, Default)]
pub struct Quarantine {
    /// `GIT_OBJECT_DIRECTORY`, then those of `GIT_ALTERNATE_OBJECT_DIRECTORIES`.
    pub object_folders: Vec<PathBuf>,
}

/// A repository, opened for reading.
pub struct Repository {
    common_dir: PathBuf,
    quarantine: Quarantine,
    objects: OnceCell<Objects>,
}

impl Repository {
    /// Opens the repository of a git folder; for one of a linked work tree, the repository that it
    /// belongs to.
    ///
    /// # Errors
    /// The folder is no git folder, or can't be read.
    pub fn open(git_dir: &Path) -> Result<Self, Error> {
        Self::open_in_quarantine(git_dir, Quarantine::default())
    }

    /// [`Repository::open`], and reads objects from a push's quarantine first.
    ///
    /// # Errors
    /// As for [`Repository::open`].
    pub fn open_in_quarantine(git_dir: &Path, quarantine: Quarantine) -> Result<Self, Error> {
        let git_dir = git_dir
            .canonicalize()
            .map_err(|error| Error::new(git_dir, error))?;
        let common_dir = match std::fs::read_to_string(git_dir.join("commondir")) {
            Ok(relative) => git_dir.join(relative.trim_end_matches('\n')),
            Err(_) => git_dir.clone(),
        };
        let common_dir = common_dir
            .canonicalize()
            .map_err(|error| Error::new(&common_dir, error))?;
        if !is_git_dir(&common_dir) {
            return Err(Error::new(&common_dir, "is no git repository"));
        }
        Ok(Self {
            common_dir,
            quarantine,
            objects: OnceCell::new(),
        })
    }

    /// The git folder, canonical; the common one where there are linked work trees.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.common_dir
    }

    /// The kind of hash that names the repository's objects (`extensions.objectFormat`).
    pub(super) fn object_format(&self) -> Result<Kind, Error> {
        let file = gix::config::File::from_path_no_includes(
            self.common_dir.join("config"),
            gix::config::Source::Local,
        )
        .map_err(|error| Error::new(&self.common_dir, error))?;
        match file.string("extensions.objectFormat") {
            None => Ok(Kind::Sha1),
            Some(name) => match name.to_ascii_lowercase().as_slice() {
                b"sha1" => Ok(Kind::Sha1),
                b"sha256" => Ok(Kind::Sha256),
                _ => Err(Error::new(
                    &self.common_dir,
                    format!("unknown extensions.objectFormat {name}"),
                )),
            },
        }
    }

    pub(super) fn objects(&self) -> Result<&Objects, Error> {
        if let Some(objects) = self.objects.get() {
            return Ok(objects);
        }
        let kind = self.object_format()?;
        let own = self.common_dir.join("objects");
        let folders = self.quarantine.object_folders.iter().chain([&own]);
        let store = |folder: &PathBuf| {
            let store = gix::odb::at_opts(
                folder,
                kind,
                None,
                gix::odb::store::init::Options::default(),
            );
            store.map_err(|error| Error::new(folder, error))
        };
        let stores = folders.map(store).collect::<Result<_, _>>()?;
        Ok(self.objects.get_or_init(|| Objects { kind, stores }))
    }

    /// An error of this repository: of some library, or words.
    pub(super) fn error(
        &self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Error {
        Error::new(&self.common_dir, source)
    }

    /// An object's bytes, of the kind that is expected.
    pub(super) fn find<'b>(
        &self,
        id: &oid,
        kind: gix::objs::Kind,
        buffer: &'b mut Vec<u8>,
    ) -> Result<&'b [u8], Error> {
        let found = self
            .objects()?
            .try_find(id, buffer)
            .map_err(|error| self.error(error))?;
        let object = found.ok_or_else(|| Error::missing(&self.common_dir, id))?;
        if object.kind != kind {
            return Err(self.error(format!("object {id} is a {}, not a {kind}", object.kind)));
        }
        Ok(object.data)
    }

    /// The size of a blob in bytes, without reading it.
    pub(super) fn size(&self, id: &oid) -> Result<u64, Error> {
        use gix::odb::Header as _;
        for store in &self.objects()?.stores {
            if let Some(header) = store.try_header(id).map_err(|error| self.error(error))? {
                return Ok(header.size());
            }
        }
        Err(Error::missing(&self.common_dir, id))
    }

    /// The kind of an object; `None`: there is none.
    pub(super) fn kind_of(&self, id: &oid) -> Result<Option<gix::objs::Kind>, Error> {
        use gix::odb::Header as _;
        for store in &self.objects()?.stores {
            if let Some(header) = store.try_header(id).map_err(|error| self.error(error))? {
                return Ok(Some(header.kind()));
            }
        }
        Ok(None)
    }

    /// The id of a revision; `None` when it is of another kind of hash than this repository's.
    pub(super) fn object_id(&self, revision: &Revision) -> Result<Option<ObjectId>, Error> {
        let id =
            ObjectId::from_hex(revision.as_str().as_bytes()).map_err(|error| self.error(error))?;
        Ok((id.kind() == self.objects()?.kind).then_some(id))
    }
}

impl Objects {
    /// The whole names of objects whose names begin like this.
    pub(super) fn completions(&self, prefix: gix::hash::Prefix) -> Vec<ObjectId> {
        let mut found = Vec::new();
        for store in &self.stores {
            let mut candidates = std::collections::HashSet::new();
            let _ = store.lookup_prefix(prefix, Some(&mut candidates));
            found.extend(candidates);
        }
        found.sort();
        found.dedup();
        found
    }
}

/// The object stores of a repository, asked one after the other.
#[derive(Clone)]
pub(super) struct Objects {
    pub(super) kind: Kind,
    stores: Vec<gix::odb::Handle>,
}

impl Find for Objects {
    fn try_find<'a>(&self, id: &oid, buffer: &'a mut Vec<u8>) -> gix::Result<Option<Data<'a>>> {
        for store in &self.stores {
            // The borrow of what is found can't be returned from inside the loop, so what is found
            // is remembered by its kind.
            let found = store
                .try_find(id, buffer)?
                .map(|object| (object.kind, object.object_hash));
            if let Some((kind, object_hash)) = found {
                return Ok(Some(Data {
                    kind,
                    object_hash,
                    data: buffer,
                }));
            }
        }
        Ok(None)
    }
}

/// Whether a folder looks like a git folder: what git itself asks for (`is_git_directory` in its
/// setup.c).
fn is_git_dir(folder: &Path) -> bool {
    folder.join("HEAD").symlink_metadata().is_ok()
        && folder.join("objects").is_dir()
        && folder.join("refs").exists()
}

/// The git folder at or above a folder: a bare repository, `.git`, or what a `.git` file names.
#[must_use]
pub fn find_repository(start: &Path) -> Option<PathBuf> {
    let start = start.canonicalize().ok()?;
    start.ancestors().find_map(|folder| {
        let dot_git = folder.join(".git");
        if is_git_dir(folder) || folder.join("commondir").exists() && folder.join("HEAD").exists() {
            return Some(folder.to_owned());
        }
        if dot_git.is_dir() {
            return is_git_dir(&dot_git).then_some(dot_git);
        }
        linked(&dot_git)
    })
}

/// The git folder that a `.git` file names (gitrepository-layout(5)).
fn linked(dot_git: &Path) -> Option<PathBuf> {
    let link = std::fs::read_to_string(dot_git).ok()?;
    let target = link.strip_prefix("gitdir:")?.trim();
    Some(dot_git.parent()?.join(target))
}

/// Opens an application repository by the path that the configuration names: a bare repository, or
/// a folder with `.git` in it.
///
/// # Errors
/// There is none, or it can't be read.
pub fn open_application(path: &Path) -> Result<Repository, Error> {
    let dot_git = path.join(".git");
    match linked(&dot_git) {
        Some(git_dir) => Repository::open(&git_dir),
        None if dot_git.is_dir() => Repository::open(&dot_git),
        None => Repository::open(path),
    }
}
