//! A commit-graph: what git noted of commits, so that nobody needs to read them
//! (gitformat-commit-graph(5)).
//!
//! It is a cache that git writes without its checksum being looked at again, and after a power cut
//! a part of it can be zeros. So everything that is taken out of it is compared with what it
//! belongs to. Where something does not fit, the graph counts as damaged, and what was found with
//! it must be thrown away.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use gix::commitgraph::{File, Graph, Position};
use gix::hash::{Kind, oid};

use crate::sys::open;

/// The highest level that git writes. It stands for all higher ones too.
const LEVEL_MAX: u32 = 0x3fff_ffff;

/// The largest list of the files of a chain that is read, in bytes.
const CHAIN_MAX: u64 = 64 * 1024;

/// What an id begins or ends with of which a part is lost. Everything in the file begins at a
/// multiple of four bytes, and so do the blocks of a disk.
const ZEROS: &[u8] = &[0; 4];

/// The commit-graph of a repository: one file, or a chain of them.
pub(super) struct CommitGraph {
    graph: Graph,
    /// For each file, the place after that of its last commit.
    ends: Vec<u32>,
    is_damaged: Cell<bool>,
    /// What was looked at last. A walk asks for the parents of a commit, and then for each of them.
    last: Cell<Option<GraphEntry>>,
}

/// What the graph says of a commit.
#[derive(Clone, Copy)]
struct GraphEntry {
    place: u32,
    date: i64,
    level: u32,
}

impl CommitGraph {
    /// The commit-graph in a folder of objects. `None`: there is none that can be used.
    pub(super) fn in_folder(objects: &Path, kind: Kind) -> Option<Self> {
        let info = objects.join("info");
        let one = [info.join("commit-graph")];
        let files = files(&one, kind).or_else(|| {
            let folder = info.join("commit-graphs");
            let list = open::read_text(&folder.join("commit-graph-chain"), CHAIN_MAX).ok()?;
            let paths = list
                .lines()
                .map(|name| folder.join(format!("graph-{name}.graph")));
            files(&paths.collect::<Vec<PathBuf>>(), kind)
        })?;

        let mut ends = Vec::new();
        let mut end: u32 = 0;
        for file in &files {
            end = end.checked_add(file.num_commits())?;
            ends.push(end);
        }
        Some(Self {
            graph: Graph::new(files).ok()?,
            ends,
            is_damaged: Cell::new(false),
            last: Cell::new(None),
        })
    }

    /// How many commits it has. Their places are the numbers below that.
    pub(super) fn count(&self) -> u32 {
        self.ends.last().copied().unwrap_or_default()
    }

    /// Whether something was found that does not fit, so that no answer of this graph counts.
    pub(super) fn is_damaged(&self) -> bool {
        self.is_damaged.get()
    }

    /// The id of a commit.
    pub(super) fn id(&self, place: u32) -> &oid {
        self.graph.id_at(Position(place))
    }

    /// The place of a commit; `None`: the graph does not have it.
    pub(super) fn place(&self, id: &oid) -> Option<u32> {
        if let Some(found) = self.graph.lookup(id) {
            return Some(found.0);
        }
        self.check_absent(id);
        None
    }

    /// When a commit was committed, by its own word.
    pub(super) fn date(&self, place: u32) -> i64 {
        self.entry(place).date
    }

    /// The level of a commit, as the graph says; see [`CommitGraph::check_level`]. `None`: it is
    /// too high to be known.
    pub(super) fn level(&self, place: u32) -> Option<u32> {
        let level = self.entry(place).level;
        (level < LEVEL_MAX).then_some(level)
    }

    /// Adds the places of a commit's parents to a list. Compares the levels of all of them.
    pub(super) fn parents(&self, place: u32, into: &mut Vec<u32>) {
        self.look(place, |parent| into.push(parent));
    }

    /// Compares the level of a commit with those of its parents: it is one more than the highest.
    pub(super) fn check_level(&self, place: u32) {
        self.look(place, |_| {});
    }

    /// What a walk asks of a commit more than once.
    fn entry(&self, place: u32) -> GraphEntry {
        let last = self.last.get();
        if let Some(entry) = last.filter(|entry| entry.place == place) {
            return entry;
        }
        let commit = self.graph.commit_at(Position(place));
        let entry = GraphEntry {
            place,
            date: commit.committer_timestamp().try_into().unwrap_or(i64::MAX),
            level: commit.generation(),
        };
        self.last.set(Some(entry));
        entry
    }

    fn look(&self, place: u32, mut show: impl FnMut(u32)) {
        let commit = self.graph.commit_at(Position(place));
        let mut below = 0;
        let mut before = None;
        for parent in commit.iter_parents() {
            // Where zeros stand in place of parents, the first commit is a parent twice.
            let is_zeros = |parent: &Position| parent.0 == 0 && before == Some(*parent);
            let Some(parent) = parent.ok().filter(|parent| !is_zeros(parent)) else {
                self.is_damaged.set(true);
                continue;
            };
            before = Some(parent);
            below = below.max(self.entry(parent.0).level);
            show(parent.0);
        }
        if commit.generation() != below.saturating_add(1).min(LEVEL_MAX) {
            self.is_damaged.set(true);
        }
    }

    /// Checks that a commit which was not found is not there. It is not, if it stands neither
    /// where it belongs, nor beside a part of the list of ids that is lost.
    fn check_absent(&self, id: &oid) {
        let mut start = 0;
        for end in &self.ends {
            let (mut low, mut high) = (start, *end);
            while low < high {
                let middle = low + (high - low) / 2;
                match self.id(middle) < id {
                    true => low = middle + 1,
                    false => high = middle,
                }
            }

            let is_lost = |place: u32| {
                let found = self.id(place);
                let bytes = found.as_bytes();
                found == id || bytes.starts_with(ZEROS) || bytes.ends_with(ZEROS)
            };
            if (low > start && is_lost(low - 1)) || (low < *end && is_lost(low)) {
                self.is_damaged.set(true);
            }
            start = *end;
        }
    }
}

/// The files of a chain. `None`: one of them can't be read, or does not follow those before it. A
/// file numbers the parents of its commits as the chain does for which it was written.
fn files(chain: &[PathBuf], kind: Kind) -> Option<Vec<File>> {
    let mut files: Vec<File> = Vec::new();
    for path in chain {
        let file = File::at(path).ok()?;
        let before = files.iter().map(File::checksum);
        if file.object_hash() != kind || !file.iter_base_graph_ids().eq(before) {
            return None;
        }
        files.push(file);
    }
    Some(files)
}
