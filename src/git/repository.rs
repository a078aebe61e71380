//! A repository, opened for reading.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gix::config::file::Metadata;
use gix::config::file::init::Options;
use gix::config::{File, Source};
use gix::hash::{Kind, ObjectId, oid};
use gix::objs::Find;
use gix::odb::find::Header;

use super::command::yes_or_no;
use super::error::Error;
use super::kept_changes::KeptChanges;
use super::kept_objects::KeptObjects;
use super::known_commits::KnownCommits;
use super::look::{at, is_git_dir};
use super::objects::Objects;
use super::stream::stream;
use crate::id::Revision;
use crate::sys::open;

/// The largest git configuration that is read, in bytes.
const CONFIG_MAX: u64 = 1024 * 1024;

/// The largest file that is read which holds nothing but a path or the name of a ref, in bytes.
pub(super) const LINK_MAX: u64 = 64 * 1024;

/// The largest object that is read to judge something, in bytes.
const OBJECT_MAX: usize = 32 * 1024 * 1024;

/// The largest file of a release that is read at once, in bytes: git may have to put it together
/// from another one of its size.
const WHOLE_FILE_MAX: usize = 8 * 1024 * 1024;

/// How much is kept of what was read out of packs to judge something, in bytes: what a push changes
/// is often stored as what differs from the same few objects.
const SMALL_PACK_CACHE: usize = 1024 * 1024;

/// How much is kept of what was read out of packs to export a release, in bytes: what comes next is
/// often described by what differs from it.
const PACK_CACHE: usize = 8 * 1024 * 1024;

/// Settings with which git reads a large blob in pieces, and maps little of a pack at once.
const STREAM: &[&str] = &[
    "core.bigFileThreshold=1m",
    "core.packedGitWindowSize=1m",
    "core.packedGitLimit=16m",
];

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
    /// The largest object that is read, in bytes.
    object_max: usize,
    /// How much is kept of what was read out of packs, in bytes.
    pack_cache: usize,
    kept_objects: RefCell<KeptObjects>,
    pub(super) kept_changes: RefCell<KeptChanges>,
    /// The commits that were walked over; `None`: none yet.
    pub(super) known_commits: RefCell<Option<KnownCommits>>,
    /// The symbolic refs that git listed.
    pub(super) symbolic_refs: OnceCell<BTreeMap<Vec<u8>, Vec<u8>>>,
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
        let common_dir = match at(&link, |path| open::read_text(path, LINK_MAX))? {
            Some(relative) => git_dir.join(relative.trim_end_matches('\n')),
            None => git_dir,
        };
        let common_dir = common_dir
            .canonicalize()
            .map_err(|error| Error::new(&common_dir, error))?;
        if !is_git_dir(&common_dir)? {
            return Err(Error::new(&common_dir, "is not a git repository"));
        }

        Ok(Self {
            common_dir,
            quarantine,
            objects: OnceCell::new(),
            object_max: OBJECT_MAX,
            pack_cache: SMALL_PACK_CACHE,
            kept_objects: RefCell::default(),
            kept_changes: RefCell::default(),
            known_commits: RefCell::default(),
            symbolic_refs: OnceCell::new(),
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

    /// The repository's objects, and those in quarantine, up to [`OBJECT_MAX`].
    pub(super) fn objects(&self) -> Result<&Objects, Error> {
        if let Some(objects) = self.objects.get() {
            return Ok(objects);
        }
        let own = self.common_dir.join("objects");
        let folders = self.quarantine.object_folders.iter().chain([&own]);
        let mut objects = Objects::open(self.object_format()?, folders, self.object_max)?;
        objects.cache_packs(self.pack_cache);
        Ok(self.objects.get_or_init(|| objects))
    }

    /// The same repository, opened once more to read the files of a release, all of them one after
    /// the other. Those of more than 8 MiB are an error: see [`Repository::stream_blob`].
    pub(super) fn to_read_files(&self) -> Self {
        Self {
            common_dir: self.common_dir.clone(),
            quarantine: self.quarantine.clone(),
            objects: OnceCell::new(),
            object_max: WHOLE_FILE_MAX,
            pack_cache: PACK_CACHE,
            kept_objects: RefCell::default(),
            kept_changes: RefCell::default(),
            known_commits: RefCell::default(),
            symbolic_refs: OnceCell::new(),
        }
    }

    /// Whether a file of this size, in bytes, is too large to be read at once.
    pub(super) fn is_streamed(size: u64) -> bool {
        size > WHOLE_FILE_MAX as u64
    }

    /// Shows a blob of this size, piece by piece. git itself reads it, in a process of its own. It
    /// needs little memory for that, unless the blob is stored as what differs from another one.
    ///
    /// # Errors
    /// git can't read it or ends early, or `show` fails.
    pub(super) fn stream_blob<E: From<Error>>(
        &self,
        id: &oid,
        size: u64,
        mut show: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let id = id.to_string();
        let mut left = size;
        stream(
            &self.common_dir,
            STREAM,
            &["cat-file", "blob", &id],
            |piece| {
                left = (left.checked_sub(piece.len() as u64))
                    .ok_or_else(|| self.error(format!("git reads more of {id} than there is")))?;
                show(piece)
            },
        )?;
        match left {
            0 => Ok(()),
            left => Err(self.error(format!("git did not read the last {left} bytes of {id}")))?,
        }
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
            let message =
                format!("{revision} is not a {kind} hash, and the repository only has those");
            Error::damaged(&self.common_dir, message)
        };
        self.object_id(revision)?.ok_or_else(other)
    }

    /// The error of reading an object.
    fn object_error(&self, error: gix::Error) -> Error {
        let is_io = error
            .iter_errors()
            .any(<dyn std::error::Error>::is::<std::io::Error>);
        // An error of the file system may be over at the next look. What is read and can't be
        // understood stays so.
        if error.is_corrupted() && !is_io {
            Error::damaged(&self.common_dir, error)
        } else {
            self.error(error)
        }
    }

    /// Whether an object that gix does not find is certainly not there. gix has no error for places
    /// that it could not look at, so they are looked at again, by this program and by git.
    ///
    /// # Errors
    /// It can't be found out, or the object is there.
    pub(super) fn confirm_missing(&self, id: &oid) -> Result<(), Error> {
        self.objects()?.check_places(id)?;
        if self.yes_or_no(&["cat-file", "-e", &id.to_string()])? {
            return Err(self.error(format!("object {id} could not be read, though it is there")));
        }
        Ok(())
    }

    /// The answer of a command of git that answers with its exit code. git also sees the objects in
    /// quarantine.
    pub(super) fn yes_or_no(&self, arguments: &[&str]) -> Result<bool, Error> {
        yes_or_no(&self.common_dir, &self.quarantine.object_folders, arguments)
    }

    /// The bytes of an object, which must be of a certain kind. Commits and trees are kept, because
    /// they are asked for again.
    pub(super) fn find<'b>(
        &self,
        id: &oid,
        kind: gix::objs::Kind,
        buffer: &'b mut Vec<u8>,
    ) -> Result<&'b [u8], Error> {
        let kept = self.kept_objects.borrow().copy(id, buffer);
        match kept {
            Some(found) => self.check_kind(id, found, kind)?,
            None => {
                let data = self.find_once(id, kind, buffer)?;
                self.kept_objects.borrow_mut().keep(id, kind, data);
            }
        }
        Ok(buffer)
    }

    /// [`Repository::find`] of an object that is probably not asked for again.
    pub(super) fn find_once<'b>(
        &self,
        id: &oid,
        kind: gix::objs::Kind,
        buffer: &'b mut Vec<u8>,
    ) -> Result<&'b [u8], Error> {
        let found = self
            .objects()?
            .try_find(id, buffer)
            .map_err(|error| self.object_error(error))?;
        let Some(object) = found else {
            self.confirm_missing(id)?;
            return Err(Error::missing(&self.common_dir, id));
        };
        self.check_kind(id, object.kind, kind)?;
        Ok(object.data)
    }

    fn check_kind(
        &self,
        id: &oid,
        found: gix::objs::Kind,
        wanted: gix::objs::Kind,
    ) -> Result<(), Error> {
        if found == wanted {
            return Ok(());
        }
        let message = format!("object {id} is a {found}, not a {wanted}");
        Err(Error::damaged(&self.common_dir, message))
    }

    /// The size of a blob in bytes, without reading the blob.
    pub(super) fn size(&self, id: &oid) -> Result<u64, Error> {
        let header = self.header(id)?;
        let header = header.ok_or_else(|| Error::missing(&self.common_dir, id))?;
        Ok(header.size())
    }

    /// The kind of an object; `None`: there is no such object.
    pub(super) fn kind_of(&self, id: &oid) -> Result<Option<gix::objs::Kind>, Error> {
        let kept = self.kept_objects.borrow().kind(id);
        match kept {
            Some(kind) => Ok(Some(kind)),
            None => Ok(self.header(id)?.map(|header| header.kind())),
        }
    }

    /// The kind and the size of an object; `None`: there is no such object.
    fn header(&self, id: &oid) -> Result<Option<Header>, Error> {
        let header = self.objects()?.header(id);
        let header = header.map_err(|error| self.object_error(error))?;
        if header.is_none() {
            self.confirm_missing(id)?;
        }
        Ok(header)
    }
}
