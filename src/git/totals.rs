//! What is in a folder and below it.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::policy::{ExportObstacle, ObstacleKind, Survey};

/// How much is below a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inside {
    /// How many files and folders. A symbolic link counts as a file.
    pub entries: u64,
    /// How many of them are files. A submodule counts as one.
    pub files: u64,
    /// How many of these have a content of their own: no symbolic link and no submodule has.
    pub contents: u64,
}

/// The way to something in a folder: the name of an entry, and the way from there.
struct Way {
    name: Vec<u8>,
    below: Option<Rc<Way>>,
}

impl Way {
    fn path(&self) -> Vec<u8> {
        let ways = std::iter::successors(Some(self), |way| way.below.as_deref());
        let names: Vec<&[u8]> = ways.map(|way| way.name.as_slice()).collect();
        names.join(&b'/')
    }
}

/// What is in a folder and below it.
#[derive(Clone, Default)]
pub(super) struct Totals {
    /// How many files and folders there are.
    pub(super) entries: u64,
    /// How many of them are folders.
    folders: u64,
    /// How many of them are files with a content of their own.
    pub(super) contents: u64,
    /// How deep its folders are; 0: there is none in it.
    pub(super) depth: usize,
    /// The length of the longest path from here.
    pub(super) path: usize,
    /// The first obstacle of each kind.
    obstacles: BTreeMap<ObstacleKind, Rc<Way>>,
}

impl Totals {
    /// Adds an entry.
    pub(super) fn add(&mut self, name: &[u8]) {
        self.entries = self.entries.saturating_add(1);
        self.path = self.path.max(name.len());
    }

    /// Adds a folder and what is in it.
    pub(super) fn add_folder(&mut self, name: &[u8], inside: &Self) {
        self.add(name);
        self.entries = self.entries.saturating_add(inside.entries);
        self.folders = self
            .folders
            .saturating_add(inside.folders)
            .saturating_add(1);
        self.contents = self.contents.saturating_add(inside.contents);
        self.depth = self.depth.max(inside.depth + 1);
        self.path = self.path.max(name.len() + 1 + inside.path);
        for (kind, way) in &inside.obstacles {
            self.add_way(kind.clone(), name, Some(way));
        }
    }

    /// How much there is.
    pub(super) fn inside(&self) -> Inside {
        Inside {
            entries: self.entries,
            files: self.entries.saturating_sub(self.folders),
            contents: self.contents,
        }
    }

    /// Adds what is wrong with an entry.
    pub(super) fn add_obstacle(&mut self, kind: ObstacleKind, name: &[u8]) {
        self.add_way(kind, name, None);
    }

    fn add_way(&mut self, kind: ObstacleKind, name: &[u8], below: Option<&Rc<Way>>) {
        self.obstacles.entry(kind).or_insert_with(|| {
            Rc::new(Way {
                name: name.to_vec(),
                below: below.cloned(),
            })
        });
    }

    /// What is known of a revision of which this is the whole tree.
    pub(super) fn survey(self, is_whole: bool) -> Survey {
        let Inside { entries, files, .. } = self.inside();
        let obstacles = self.obstacles.into_iter();
        Survey {
            entries,
            files,
            obstacles: obstacles
                .map(|(kind, way)| ExportObstacle {
                    path: way.path(),
                    kind,
                })
                .collect(),
            is_whole,
        }
    }
}
