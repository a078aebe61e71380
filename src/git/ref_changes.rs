//! Making refs what they should be.
//!
//! Protocol: the refs are listed, what differs is changed by `git update-ref` with the old values,
//! and a change that was lost to another process is tried again, from a new list. So two processes
//! can do this at the same time, and doing it twice changes nothing. If git refuses the changes
//! together, each is tried alone: a ref that can't be written holds up no other.

use std::collections::BTreeMap;
use std::time::Duration;

use super::command::{list, write};
use super::error::Error;
use super::repository::Repository;
use crate::id::Revision;
use crate::sys::clock;

/// How often changes are tried.
const ROUNDS: u32 = 5;

/// How long to wait before the second round. Each further pause is twice as long.
const PAUSE: Duration = Duration::from_millis(50);

/// How many changes may fail in a round before the others are left for the next one.
const FAILURES_MAX: usize = 10;

/// One change of one ref.
struct RefChange {
    name: String,
    /// What it is; `None`: it is not there.
    old: Option<String>,
    /// What it should be; `None`: it should not be there.
    new: Option<Revision>,
}

impl RefChange {
    /// The change in the words of git-update-ref(1), `--stdin -z`.
    fn command(&self) -> String {
        let name = &self.name;
        match (&self.old, &self.new) {
            (Some(old), Some(new)) => format!("update {name}\0{new}\0{old}\0"),
            (None, Some(new)) => format!("create {name}\0{new}\0"),
            (Some(old), None) => format!("delete {name}\0{old}\0"),
            (None, None) => String::new(),
        }
    }
}

impl Repository {
    /// Makes some refs what they should be. Those below `folders` that `is_ours` are the ones that
    /// are looked at: each gets its revision of `wanted`, or is removed where that has none. A
    /// revision that is no commit of this repository counts as none.
    ///
    /// # Errors
    /// A ref can't be read or changed. The others are what they should be, unless very many can't.
    pub fn set_refs(
        &self,
        folders: &[&str],
        is_ours: impl Fn(&str) -> bool,
        wanted: &BTreeMap<String, Revision>,
    ) -> Result<(), Error> {
        let mut here = BTreeMap::new();
        for (name, revision) in wanted {
            if self.has_commit(revision)? {
                here.insert(name.as_str(), revision);
            }
        }

        let mut pause = PAUSE;
        let mut round = 1;
        loop {
            let changes = self.changes_to(folders, &is_ours, &here)?;
            let Err(error) = self.change_refs(&changes) else {
                return Ok(());
            };
            if round == ROUNDS {
                return Err(error);
            }
            round += 1;
            clock::sleep(pause);
            pause *= 2;
        }
    }

    /// What has to change.
    fn changes_to(
        &self,
        folders: &[&str],
        is_ours: impl Fn(&str) -> bool,
        wanted: &BTreeMap<&str, &Revision>,
    ) -> Result<Vec<RefChange>, Error> {
        let form = "--format=%(objectname) %(refname)";
        let listed = list(
            self.path(),
            &[&["for-each-ref", form, "--"], folders].concat(),
        )?;
        // A ref that git could not list is taken to be missing. To create it fails, then.
        let found: BTreeMap<&str, &str> = listed
            .lines()
            .filter_map(|line| line.split_once(' '))
            .filter(|(_, name)| is_ours(name))
            .map(|(id, name)| (name, id))
            .collect();

        let other = wanted.iter().filter_map(|(name, new)| {
            let old = found.get(name).copied();
            (old != Some(new.as_str())).then(|| RefChange {
                name: (*name).to_owned(),
                old: old.map(str::to_owned),
                new: Some((*new).clone()),
            })
        });
        let over = found.iter().filter(|(name, _)| !wanted.contains_key(*name));
        let over = over.map(|(name, old)| RefChange {
            name: (*name).to_owned(),
            old: Some((*old).to_owned()),
            new: None,
        });
        Ok(other.chain(over).collect())
    }

    /// Changes refs, all at once if git does that, and otherwise one after the other.
    fn change_refs(&self, changes: &[RefChange]) -> Result<(), Error> {
        if changes.is_empty() || self.change_at_once(changes).is_ok() {
            return Ok(());
        }

        let mut first = None;
        let mut failures = 0;
        for change in changes {
            if let Err(error) = self.change_at_once(std::slice::from_ref(change)) {
                first.get_or_insert(error);
                failures += 1;
            }
            if failures > FAILURES_MAX {
                break;
            }
        }
        first.map_or(Ok(()), Err)
    }

    fn change_at_once(&self, changes: &[RefChange]) -> Result<(), Error> {
        let commands: String = changes.iter().map(RefChange::command).collect();
        // A symbolic ref of one of these names is replaced. What it leads to is left alone.
        let arguments = ["update-ref", "--no-deref", "--stdin", "-z"];
        write(self.path(), &arguments, commands.as_bytes()).map(drop)
    }
}
