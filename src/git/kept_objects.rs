//! Commits and trees that were read, kept for the next look.
//!
//! Each step of judging a push asks for the same few objects: the old and the new tip, and the
//! folders of both. To open and inflate one costs more than all else that is done with it.

use std::collections::HashMap;

use gix::hash::{ObjectId, oid};
use gix::objs::Kind;

/// The largest object that is kept, in bytes.
const SIZE_MAX: usize = 128 * 1024;

/// How many bytes are kept, with what it costs to keep an object.
const ROOM: usize = 1024 * 1024;

/// About what it costs to keep an object, in bytes.
const COST: usize = 128;

/// Some of the commits and trees that were read.
#[derive(Default)]
pub(super) struct KeptObjects {
    by_id: HashMap<ObjectId, (Kind, Box<[u8]>)>,
    used: usize,
}

impl KeptObjects {
    /// The kind of an object that is kept. Its bytes are written to the buffer.
    pub(super) fn copy(&self, id: &oid, buffer: &mut Vec<u8>) -> Option<Kind> {
        let (kind, data) = self.by_id.get(id)?;
        buffer.clear();
        buffer.extend_from_slice(data);
        Some(*kind)
    }

    /// The kind of an object that is kept.
    pub(super) fn kind(&self, id: &oid) -> Option<Kind> {
        self.by_id.get(id).map(|(kind, _)| *kind)
    }

    /// Keeps an object that is not kept yet. Where there is no room, all others are forgotten.
    pub(super) fn keep(&mut self, id: &oid, kind: Kind, data: &[u8]) {
        if !matches!(kind, Kind::Commit | Kind::Tree) || data.len() > SIZE_MAX {
            return;
        }
        let cost = data.len() + COST;
        if self.used + cost > ROOM {
            *self = Self::default();
        }
        self.used += cost;
        self.by_id.insert(id.to_owned(), (kind, data.into()));
    }
}
