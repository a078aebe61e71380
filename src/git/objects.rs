//! The objects of a repository.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use gix::hash::{Kind, ObjectId, Prefix, oid};
use gix::objs::{Data, Find};
use gix::odb::find::Header;
use gix::odb::pack::cache::lru::MemoryCappedHashmap;
use gix::odb::store::init::Options;
use gix::odb::{Handle, Header as _};

use super::error::Error;
use super::look::at;
use crate::sys::open;

/// The object stores of a repository. They are asked one after the other.
#[derive(Clone)]
pub(super) struct Objects {
    /// The kind of hash that names the objects.
    pub(super) kind: Kind,
    stores: Vec<Handle>,
}

impl Objects {
    /// Opens the stores in some folders. To read an object of more than `largest` bytes is an
    /// error.
    ///
    /// # Errors
    /// One of them can't be read.
    pub(super) fn open<'f>(
        kind: Kind,
        folders: impl Iterator<Item = &'f PathBuf>,
        largest: usize,
    ) -> Result<Self, Error> {
        let options = Options {
            alloc_limit_bytes: Some(largest),
            ..Options::default()
        };
        let open = |folder: &PathBuf| {
            gix::odb::at_opts(folder, kind, None, options.clone())
                .map_err(|error| Error::new(folder, error))
        };
        Ok(Self {
            kind,
            stores: folders.map(open).collect::<Result<_, _>>()?,
        })
    }

    /// Keeps some of what is read out of packs, up to a number of bytes that is not 0.
    pub(super) fn cache_packs(&mut self, bytes: usize) {
        for store in &mut self.stores {
            store.set_pack_cache(move || Box::new(MemoryCappedHashmap::new(bytes)));
        }
    }

    /// The kind and the size of an object, without reading the object itself. `None`: it seems that
    /// there is no such object; see [`Objects::check_places`].
    ///
    /// # Errors
    /// A store can't be read.
    pub(super) fn header(&self, id: &oid) -> gix::Result<Option<Header>> {
        for store in &self.stores {
            if let Some(header) = store.try_header(id)? {
                return Ok(Some(header));
            }
        }
        Ok(None)
    }

    /// Checks that every place where an object can be was really looked at. gix treats a loose
    /// object that it can't look at, and the index of a pack that it can't open, as if they were
    /// not there.
    ///
    /// # Errors
    /// A place can't be looked at.
    pub(super) fn check_places(&self, id: &oid) -> Result<(), Error> {
        let hash = id.to_string();
        let (folder, file) = hash.split_at(2);

        for store in &self.stores {
            let own = store.store_ref().path().to_owned();
            for objects in std::iter::once(own).chain(alternates(store)?) {
                let loose = objects.join(folder).join(file);
                at(&loose, Path::symlink_metadata)?;
                check_packs(&objects.join("pack"))?;
            }
        }
        Ok(())
    }

    /// The folders of other repositories whose objects the repository itself uses
    /// (gitrepository-layout(5), objects/info/alternates).
    ///
    /// # Errors
    /// They can't be found out.
    pub(super) fn alternates(&self) -> Result<Vec<PathBuf>, Error> {
        self.stores.last().map_or(Ok(Vec::new()), alternates)
    }

    /// The ids of all objects whose ids begin with some digits, in their order.
    ///
    /// # Errors
    /// A store can't be read.
    pub(super) fn completions(&self, prefix: Prefix) -> gix::Result<BTreeSet<ObjectId>> {
        let mut found = BTreeSet::new();
        for store in &self.stores {
            let mut candidates = HashSet::new();
            store.lookup_prefix(prefix, Some(&mut candidates))?;
            found.extend(candidates);
        }
        Ok(found)
    }

    /// These objects, for a walk over a history from which nothing may be missing.
    pub(super) fn complete(&self) -> CompleteObjects<'_> {
        CompleteObjects(self)
    }
}

/// The folders of objects that a store uses besides its own.
fn alternates(store: &Handle) -> Result<Vec<PathBuf>, Error> {
    let store = store.store_ref();
    let found = store.alternate_db_paths();
    found.map_err(|error| Error::new(store.path(), error))
}

/// Checks that the index of every pack in a folder can be opened.
fn check_packs(folder: &Path) -> Result<(), Error> {
    let Some(entries) = at(folder, fs::read_dir)? else {
        return Ok(());
    };
    for entry in entries {
        let file = entry.map_err(|error| Error::new(folder, error))?.path();
        if file.extension().is_some_and(|ending| ending == "idx") {
            at(&file, open::without_waiting)?;
        }
    }
    Ok(())
}

/// The objects of a repository whose history is complete. For gix, a commit that is missing is the
/// end of its history. Here it is an error.
pub(super) struct CompleteObjects<'o>(&'o Objects);

impl Find for CompleteObjects<'_> {
    fn try_find<'a>(&self, id: &oid, buffer: &'a mut Vec<u8>) -> gix::Result<Option<Data<'a>>> {
        match self.0.try_find(id, buffer)? {
            Some(found) => Ok(Some(found)),
            None => Err(gix::error::message!("object {id} is missing").into()),
        }
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
