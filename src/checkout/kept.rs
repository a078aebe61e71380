//! Which releases of a checkout stay, and the removal of the others.

use std::ffi::{OsStr, OsString};
use std::io;

use super::claim::GoodRelease;
use super::error::{CheckoutError, at};
use super::folder::{Checkout, MANIFESTS, UNFINISHED};
use super::order::RELEASES;
use super::release_name::ReleaseName;
use crate::id::DeploymentId;

impl Checkout<'_> {
    /// The names of the releases that stay: the newest good ones, according to the record, and
    /// those that `current` leads to and led to before. A process may still work in the latter.
    ///
    /// # Errors
    /// `current` can't be read.
    pub(super) fn kept(&self) -> Result<Vec<OsString>, CheckoutError> {
        let order = self.order;
        let recorded = |(revision, id)| {
            self.good(revision, id)
                .or_else(|| self.good(revision, DeploymentId(0)))
        };
        let succeeded = order.succeeded.iter().map(|(revision, id)| (revision, *id));
        let newest = succeeded.filter_map(recorded).take(order.keep);
        let before = self.claim.releases.get(1).filter(|_| order.keep > 1);
        let mut kept: Vec<OsString> = newest
            .chain(before)
            .map(|release| release.name.as_ref().to_owned())
            .collect();
        kept.extend(self.current()?);
        Ok(kept)
    }

    /// The names of what is in the folder of the releases and does not stay.
    ///
    /// # Errors
    /// The folder can't be read.
    pub(super) fn others(&self, kept: &[OsString]) -> Result<Vec<OsString>, CheckoutError> {
        let names = self.releases.names().map_err(at(self.path(RELEASES)))?;
        Ok(names
            .into_iter()
            .filter(|name| !kept.contains(name))
            .collect())
    }

    /// Removes the releases that do not stay, and their lists.
    ///
    /// # Errors
    /// Something can't be removed; it stays until the next time.
    pub(super) fn prune(
        &mut self,
        kept: &[OsString],
        others: &[OsString],
    ) -> Result<(), CheckoutError> {
        let mut result = self.prune_manifests(kept).map_err(at(self.path(MANIFESTS)));
        for name in others {
            let removed = self.remove(name).map_err(at(self.release_path(name)));
            result = result.and(removed);
        }

        let is_kept =
            |release: &GoodRelease| kept.iter().any(|name| *name == release.name.as_ref());
        if !self.claim.releases.iter().all(is_kept) {
            self.claim.releases.retain(is_kept);
            self.write_claim()?;
        }
        result
    }

    /// Removes a release, or something unfinished. What somebody else put there stays.
    fn remove(&self, name: &OsStr) -> io::Result<()> {
        if name.as_encoded_bytes().starts_with(UNFINISHED.as_bytes()) {
            return self.releases.remove(name);
        }
        let Some(release) = ReleaseName::parse(name) else {
            return Ok(());
        };
        // It is renamed before it is removed: half a release must not have a release's name.
        let unfinished = self.unfinished(&release);
        self.releases.rename(name, &unfinished)?;
        self.releases.remove(&unfinished)
    }

    /// Removes the lists of releases that are not kept.
    fn prune_manifests(&self, kept: &[OsString]) -> io::Result<()> {
        let manifests = match self.folder.folder(OsStr::new(MANIFESTS)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            manifests => manifests?,
        };
        let names = manifests.names()?.into_iter();
        let mut gone = names.filter(|name| !kept.contains(name));
        gone.try_for_each(|name| manifests.remove(&name))
    }
}
