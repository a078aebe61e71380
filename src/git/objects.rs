//! The objects of a repository.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use gix::hash::{Kind, ObjectId, Prefix, oid};
use gix::objs::{Data, Find};
use gix::odb::find::Header;
use gix::odb::store::init::Options;
use gix::odb::{Handle, Header as _};

use super::error::Error;

/// How large an object may be that is read whole, in bytes.
const OBJECT_MAX: usize = 2 * 1024 * 1024 * 1024;

/// The object stores of a repository. They are asked one after the other.
#[derive(Clone)]
pub(super) struct Objects {
    /// The kind of hash that names the objects.
    pub(super) kind: Kind,
    stores: Vec<Handle>,
}

impl Objects {
    /// Opens the stores in some folders.
    ///
    /// # Errors
    /// One of them can't be read.
    pub(super) fn open<'f>(
        kind: Kind,
        folders: impl Iterator<Item = &'f PathBuf>,
    ) -> Result<Self, Error> {
        let open = |folder: &PathBuf| {
            let options = Options {
                alloc_limit_bytes: Some(OBJECT_MAX),
                ..Options::default()
            };
            gix::odb::at_opts(folder, kind, None, options)
                .map_err(|error| Error::new(folder, error))
        };
        Ok(Self {
            kind,
            stores: folders.map(open).collect::<Result<_, _>>()?,
        })
    }

    /// The kind and the size of an object, without reading the object itself. `None`: there is no
    /// such object.
    ///
    /// # Errors
    /// A store can't be read. `repository` is for the error.
    pub(super) fn header(&self, id: &oid, repository: &Path) -> Result<Option<Header>, Error> {
        for store in &self.stores {
            let header = store.try_header(id);
            if let Some(header) = header.map_err(|error| Error::new(repository, error))? {
                return Ok(Some(header));
            }
        }
        Ok(None)
    }

    /// The ids of all objects whose ids begin with some digits, in their order.
    pub(super) fn completions(&self, prefix: Prefix) -> BTreeSet<ObjectId> {
        let mut found = BTreeSet::new();
        for store in &self.stores {
            let mut candidates = HashSet::new();
            let _ = store.lookup_prefix(prefix, Some(&mut candidates));
            found.extend(candidates);
        }
        found
    }
}

impl Find for Objects {
    fn try_find<'a>(&self, id: &oid, buffer: &'a mut Vec<u8>) -> gix::Result<Option<Data<'a>>> {
        for store in &self.stores {
            // What is found is borrowed, and can't be returned from inside of the loop. So only its
            // kind is remembered. The data stays in the buffer.
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
