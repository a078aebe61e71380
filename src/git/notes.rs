//! Adding lines to the notes of commits (git-notes(1)).
//!
//! Protocol: a new commit of the notes is made on top of the present one, and the ref is moved to
//! it with the old value. If another process was faster, everything begins again on top of what it
//! made. So no line is lost, whoever writes notes at the same time. Each line ends with an id; a
//! line whose id is there already is not added again, so doing this twice changes nothing. `git
//! notes append` would not do: it moves the ref without looking whether it has moved meanwhile.
//!
//! A note is a file in the tree of the notes, named by the hash of its commit. git splits the hash
//! into folders of two digits where there are many notes, and reads any mixture of that. Here a
//! note stays where it is, and a new one goes into the folder of its first two digits: then no
//! folder gets large, and a new line makes two new trees, however many notes there are.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use gix::hash::ObjectId;
use gix::objs::Kind;
use gix::objs::tree::EntryKind;

use super::command::write;
use super::error::Error;
use super::repository::Repository;
use super::tree::TreeEntry;
use crate::id::Revision;
use crate::sys::clock;

/// How often it is tried to add lines.
const ROUNDS: u32 = 20;

/// How long to wait before the second round. Each further pause is longer by the same time.
const PAUSE: Duration = Duration::from_millis(10);

/// The largest note that gets another line, in bytes.
const NOTE_MAX: u64 = 1024 * 1024;

/// A line for the note of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteLine {
    /// The commit.
    pub commit: Revision,
    /// What the line says, without any end of a line.
    pub text: String,
    /// What the line ends with, after a space. No other line ends with it.
    pub id: String,
}

/// The entries of one tree, by name.
type Entries = BTreeMap<Vec<u8>, TreeEntry>;

/// Where the note of a commit is, or will be.
struct NotePlace {
    /// The trees on the way to it, from the root on, each with the name that leads on.
    way: Vec<(Entries, Vec<u8>)>,
    /// The note that is there.
    note: Option<ObjectId>,
}

impl Repository {
    /// Adds lines to notes of a ref. Commits that this repository does not have get none.
    ///
    /// # Errors
    /// The notes can't be read or written, or other processes changed them each time. No line was
    /// added then.
    pub fn add_to_notes(&self, notes_ref: &str, lines: &[NoteLine]) -> Result<(), Error> {
        let mut by_commit: BTreeMap<&Revision, Vec<&NoteLine>> = BTreeMap::new();
        for line in lines {
            by_commit.entry(&line.commit).or_default().push(line);
        }
        let mut here = Vec::new();
        for (commit, lines) in by_commit {
            if self.has_commit(commit)? {
                here.push((commit, lines));
            }
        }

        let mut round = 1;
        loop {
            let old = self.branch_tip(notes_ref)?;
            let before = old.as_ref().map(|old| self.commit_tree(old)).transpose()?;
            let mut tree = before;
            for (commit, lines) in &here {
                tree = self.with_lines(tree, commit, lines)?;
            }
            let Some(tree) = tree.filter(|_| tree != before) else {
                return Ok(());
            };

            let new = self.commit_notes(tree, old.as_ref())?;
            let Err(error) = self.move_ref(notes_ref, &new, old.as_ref()) else {
                return Ok(());
            };
            // Either another process was faster, or the ref can't be written.
            if round == ROUNDS {
                return Err(error);
            }
            clock::sleep(PAUSE * round);
            round += 1;
        }
    }

    /// The tree of notes in which the note of a commit has some lines; the same tree if it has them
    /// already.
    fn with_lines(
        &self,
        tree: Option<ObjectId>,
        commit: &Revision,
        lines: &[&NoteLine],
    ) -> Result<Option<ObjectId>, Error> {
        let place = self.note_place(tree, commit)?;
        let mut old = Vec::new();
        if let Some(note) = place.note {
            // Whoever may push notes can make one as large as a push may be. It gets no more lines,
            // and must not hold up the others.
            if self.size(&note)? > NOTE_MAX {
                return Ok(tree);
            }
            old = self.find(&note, Kind::Blob, &mut Vec::new())?.to_vec();
        }

        let mut text = old.clone();
        for NoteLine { text: said, id, .. } in lines {
            let end = format!(" {id}");
            let mut known = text.split(|byte| *byte == b'\n');
            if known.any(|line| line.ends_with(end.as_bytes())) {
                continue;
            }
            if !text.is_empty() && !text.ends_with(b"\n") {
                text.push(b'\n');
            }
            text.extend_from_slice(format!("{said}{end}\n").as_bytes());
        }
        if text == old {
            return Ok(tree);
        }
        self.write_note(place, &text).map(Some)
    }

    /// Where the note of a commit is. git names a note by what is left of the hash after the names
    /// of the folders.
    fn note_place(&self, tree: Option<ObjectId>, commit: &Revision) -> Result<NotePlace, Error> {
        let mut way = Vec::new();
        let mut rest = commit.as_str();
        let mut tree = tree;
        loop {
            let entries = self.tree_entries(tree)?;
            let of_kind = |name: &str, is_tree: bool| {
                let entry = entries.get(name.as_bytes());
                let entry = entry.filter(|entry| entry.mode.is_tree() == is_tree);
                entry.map(|entry| entry.id)
            };
            let (folder, below) = rest.split_at(2);

            let note = of_kind(rest, false);
            let next = of_kind(folder, true).filter(|_| note.is_none() && !below.is_empty());
            // A new note goes into a folder below the root.
            let is_new_folder = note.is_none() && next.is_none() && way.is_empty();
            if next.is_none() && !is_new_folder {
                way.push((entries, rest.as_bytes().to_vec()));
                return Ok(NotePlace { way, note });
            }
            way.push((entries, folder.as_bytes().to_vec()));
            (tree, rest) = (next, below);
        }
    }

    /// The entries of a tree by name; `None` stands for an empty one.
    fn tree_entries(&self, tree: Option<ObjectId>) -> Result<Entries, Error> {
        let mut entries = Entries::new();
        let mut buffer = Vec::new();
        for entry in self.entries(tree.as_deref(), &mut buffer)? {
            let entry = entry.map_err(|error| Error::damaged(self.path(), error))?;
            entries.insert(entry.filename.to_vec(), (&entry).into());
        }
        Ok(entries)
    }

    /// Writes a note and the trees on the way to it, and returns the tree of all notes.
    fn write_note(&self, place: NotePlace, text: &[u8]) -> Result<ObjectId, Error> {
        let mut id = self.written("hash-object", &["-w", "--stdin"], text)?;
        let mut mode = EntryKind::Blob.into();
        for (mut entries, name) in place.way.into_iter().rev() {
            entries.insert(name, TreeEntry { mode, id });
            id = self.written("mktree", &["-z", "--missing"], &mktree_input(&entries))?;
            mode = EntryKind::Tree.into();
        }
        Ok(id)
    }

    /// Makes a commit of notes.
    fn commit_notes(&self, tree: ObjectId, old: Option<&Revision>) -> Result<Revision, Error> {
        let tree = tree.to_string();
        let mut arguments = vec!["-m", "Notes added by deploy-by-code"];
        if let Some(old) = old {
            arguments.extend(["-p", old.as_str()]);
        }
        arguments.push(&tree);
        let id = self.written("commit-tree", &arguments, b"")?;
        Revision::new(id.to_string()).map_err(|error| self.error(error))
    }

    /// Moves a ref, if it still is what it was. `None`: it was not there.
    fn move_ref(&self, name: &str, new: &Revision, old: Option<&Revision>) -> Result<(), Error> {
        let missing = "0".repeat(new.as_str().len());
        let old = old.map_or(missing.as_str(), Revision::as_str);
        let arguments = ["update-ref", name, new.as_str(), old];
        write(self.path(), &arguments, b"").map(drop)
    }

    /// The id of the object that a command of git has written.
    fn written(&self, call: &str, options: &[&str], input: &[u8]) -> Result<ObjectId, Error> {
        let printed = write(self.path(), &[&[call], options].concat(), input)?;
        let id = ObjectId::from_hex(printed.as_bytes());
        id.map_err(|_| self.error(format!("git {call} printed no hash")))
    }
}

/// A tree in the form that `git mktree -z` reads.
fn mktree_input(entries: &Entries) -> Vec<u8> {
    let mut input = Vec::new();
    for (name, entry) in entries {
        let kind = match entry.mode.kind() {
            EntryKind::Tree => "tree",
            EntryKind::Commit => "commit",
            EntryKind::Blob | EntryKind::BlobExecutable | EntryKind::Link => "blob",
        };
        let mut head = String::new();
        let _ = write!(
            head,
            "{} {kind} {}\t",
            entry.mode.kind().as_octal_str(),
            entry.id
        );
        input.extend_from_slice(head.as_bytes());
        input.extend_from_slice(name);
        input.push(0);
    }
    input
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::thread;

    use super::*;
    use crate::git::scratch;

    const NOTES: &str = "refs/notes/deployments";

    fn git(folder: &Path, arguments: &[&str]) -> String {
        scratch(folder, arguments).unwrap().trim_end().to_owned()
    }

    fn line(commit: &str, text: &str, id: &str) -> NoteLine {
        NoteLine {
            commit: Revision::new(commit).unwrap(),
            text: text.to_owned(),
            id: id.to_owned(),
        }
    }

    /// A repository with a commit.
    fn repository() -> (tempfile::TempDir, String) {
        let folder = tempfile::tempdir().unwrap();
        git(folder.path(), &["init", "-q", "--bare"]);
        let tree = git(folder.path(), &["mktree"]);
        let commit = git(folder.path(), &["commit-tree", "-m", "c", &tree]);
        (folder, commit)
    }

    #[test]
    fn line_is_added_once_whatever_the_lines_before_it_say() {
        let (folder, commit) = repository();
        let repository = Repository::open(folder.path()).unwrap();
        let missing = "1".repeat(40);
        let lines = [
            line(&commit, "one", "[x #1]"),
            // It quotes the end of another line.
            line(&commit, "two says [x #3] of three;", "[x #2]"),
            line(&commit, "three", "[x #3]"),
            line(&missing, "four", "[x #4]"),
        ];
        for _ in 0..2 {
            for line in &lines {
                let line = std::slice::from_ref(line);
                repository.add_to_notes(NOTES, line).unwrap();
            }
            repository.add_to_notes(NOTES, &lines).unwrap();
        }

        let notes = "--ref=deployments";
        let shown = git(folder.path(), &["notes", notes, "show", &commit]);
        assert_eq!(
            shown,
            "one [x #1]\ntwo says [x #3] of three; [x #2]\nthree [x #3]"
        );
        assert_eq!(
            git(folder.path(), &["notes", notes, "list"])
                .lines()
                .count(),
            1
        );
        assert_eq!(git(folder.path(), &["rev-list", "--count", NOTES]), "3");
    }

    #[test]
    fn writers_at_the_same_time_lose_no_line() {
        let (folder, commit) = repository();
        let writer = |name: usize| {
            let (path, commit) = (folder.path().to_owned(), commit.clone());
            let work = move || {
                for n in 0..5 {
                    let repository = Repository::open(&path).unwrap();
                    let lines = [line(&commit, "said", &format!("[{name} #{n}]"))];
                    repository.add_to_notes(NOTES, &lines).unwrap();
                }
            };
            thread::Builder::new().spawn(work).unwrap()
        };
        for writer in [1, 2, 3].map(writer) {
            writer.join().unwrap();
        }
        let shown = git(
            folder.path(),
            &["notes", "--ref=deployments", "show", &commit],
        );
        assert_eq!(shown.lines().count(), 15, "{shown}");
    }

    #[test]
    fn other_entries_of_the_tree_stay() {
        let (folder, commit) = repository();
        let path = folder.path();
        let repository = Repository::open(path).unwrap();
        let note = git(path, &["hash-object", "-w", "--stdin"]);
        // A file, a folder that is none of git's, and a note at the root.
        let inner = repository.written(
            "mktree",
            &["-z"],
            format!("100755 blob {note}\tx\0").as_bytes(),
        );
        let input = format!(
            "100644 blob {note}\tREADME\040000 tree {}\tzz\0100644 blob {note}\t{commit}\0",
            inner.unwrap()
        );
        let tree = repository
            .written("mktree", &["-z"], input.as_bytes())
            .unwrap();
        let old = repository.commit_notes(tree, None).unwrap();
        repository.move_ref(NOTES, &old, None).unwrap();

        let lines = [line(&commit, "one", "[x #1]")];
        repository.add_to_notes(NOTES, &lines).unwrap();
        let listed = git(path, &["ls-tree", "-r", "--name-only", NOTES]);
        let listed: Vec<&str> = listed.lines().collect();
        let mut expected = ["README", "zz/x", &commit];
        expected.sort_unstable();
        assert_eq!(listed, expected);
        let shown = git(path, &["notes", "--ref=deployments", "show", &commit]);
        assert_eq!(shown, "one [x #1]");
    }
}
