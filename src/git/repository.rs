//! A repository, opened for reading.

use std::cell::OnceCell;
use std::io;
use std::path::{Path, PathBuf};

use gix::config::file::Metadata;
use gix::config::file::init::Options;
use gix::config::{File, Source};
use gix::hash::{Kind, ObjectId, oid};
use gix::objs::Find;

use super::error::Error;
use super::objects::Objects;
use crate::id::Revision;
use crate::sys::open;

/// The largest git configuration that is read, in bytes.
const CONFIG_MAX: u64 = 1024 * 1024;

/// The largest file that is read which holds nothing but a path or the name of a ref, in bytes.
pub(super) const LINK_MAX: u64 = 64 * 1024;

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
    /// Opens the repository of a git folder. For the git folder of a linked work tree, that is the
    /// repository which the work tree belongs to.
    ///
    /// # Errors
    /// The folder is not a git folder, or can't be read.
    pub fn open(git_dir: &Path) -> Result<Self, Error> {
        Self::open_in_quarantine(git_dir, Quarantine::default())
    }

    /// Like [`Repository::open`], but looks for objects in a push's quarantine first.
    ///
    /// # Errors
    /// As for [`Repository::open`].
    pub fn open_in_quarantine(git_dir: &Path, quarantine: Quarantine) -> Result<Self, Error> {
        let git_dir = git_dir
            .canonicalize()
            .map_err(|error| Error::new(git_dir, error))?;

        let link = git_dir.join("commondir");
        let common_dir = match open::read_text(&link, LINK_MAX) {
            Ok(relative) => git_dir.join(relative.trim_end_matches('\n')),
            Err(error) if error.kind() == io::ErrorKind::NotFound => git_dir,
            Err(error) => return Err(Error::new(&link, error)),
        };
        let common_dir = common_dir
            .canonicalize()
            .map_err(|error| Error::new(&common_dir, error))?;
        if !is_git_dir(&common_dir) {
            return Err(Error::new(&common_dir, "is not a git repository"));
        }

        Ok(Self {
            common_dir,
            quarantine,
            objects: OnceCell::new(),
        })
    }

    /// The git folder, canonical. Where there are linked work trees, it is the common one.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.common_dir
    }

    /// An error of this repository, with its cause: the error of a library, or words.
    pub(super) fn error(
        &self,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Error {
        Error::new(&self.common_dir, cause)
    }

    /// The kind of hash that names the repository's objects (`extensions.objectFormat`).
    pub(super) fn object_format(&self) -> Result<Kind, Error> {
        let path = self.common_dir.join("config");
        let mut text = open::read(&path, CONFIG_MAX).map_err(|error| Error::new(&path, error))?;
        let metadata = Metadata::from(Source::Local).at(path);
        let file = File::from_bytes_owned(&mut text, metadata, Options::default());
        let file = file.map_err(|error| self.error(error))?;

        let Some(name) = file.string("extensions.objectFormat") else {
            return Ok(Kind::Sha1);
        };
        match name.to_ascii_lowercase().as_slice() {
            b"sha1" => Ok(Kind::Sha1),
            b"sha256" => Ok(Kind::Sha256),
            _ => Err(self.error(format!("unknown extensions.objectFormat {name}"))),
        }
    }

    /// The repository's objects, and those in quarantine.
    pub(super) fn objects(&self) -> Result<&Objects, Error> {
        if let Some(objects) = self.objects.get() {
            return Ok(objects);
        }

        let own = self.common_dir.join("objects");
        let folders = self.quarantine.object_folders.iter().chain([&own]);
        let objects = Objects::open(self.object_format()?, folders)?;
        Ok(self.objects.get_or_init(|| objects))
    }

    /// The id of a revision. `None`: its hash is of another kind than this repository's.
    pub(super) fn object_id(&self, revision: &Revision) -> Result<Option<ObjectId>, Error> {
        let id =
            ObjectId::from_hex(revision.as_str().as_bytes()).map_err(|error| self.error(error))?;
        Ok((id.kind() == self.objects()?.kind).then_some(id))
    }

    /// The id of a revision, whose hash must be of the same kind as this repository's.
    pub(super) fn own_id(&self, revision: &Revision) -> Result<ObjectId, Error> {
        let kind = self.objects()?.kind;
        let other = || {
            self.error(format!(
                "{revision} is not a {kind} hash, and the repository only has those"
            ))
        };
        self.object_id(revision)?.ok_or_else(other)
    }

    /// The bytes of an object, which must be of a certain kind.
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

    /// The size of a blob in bytes, without reading the blob.
    pub(super) fn size(&self, id: &oid) -> Result<u64, Error> {
        let header = self.objects()?.header(id, &self.common_dir)?;
        let header = header.ok_or_else(|| Error::missing(&self.common_dir, id))?;
        Ok(header.size())
    }

    /// The kind of an object; `None`: there is no such object.
    pub(super) fn kind_of(&self, id: &oid) -> Result<Option<gix::objs::Kind>, Error> {
        let header = self.objects()?.header(id, &self.common_dir)?;
        Ok(header.map(|header| header.kind()))
    }
}

/// Whether a folder looks like a git folder. git itself asks the same (`is_git_directory` in its
/// setup.c).
pub(super) fn is_git_dir(folder: &Path) -> bool {
    folder.join("HEAD").symlink_metadata().is_ok()
        && folder.join("objects").is_dir()
        && folder.join("refs").exists()
}
