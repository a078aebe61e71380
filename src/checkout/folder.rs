//! A checkout's folder that is held open: its claim, its releases, and `current`.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::claim::{Claim, GoodRelease, LedBefore};
use super::error::{CheckoutError, at};
use super::lock::take_lock;
use super::manifest::{self, Manifest, ManifestWriter, file_print};
use super::order::{CURRENT, CheckoutOrder, RELEASES};
use super::release_name::ReleaseName;
use super::shared;
use super::threads::threads;
use super::went_back::WentBack;
use crate::config::{Link, REVISION_FILE};
use crate::id::DeploymentId;
use crate::sys::file::share_content;
use crate::sys::file_status::FileKind;
use crate::sys::folder::OpenFolder;

/// How the names of files and folders begin that are being written or removed.
pub(super) const UNFINISHED: &str = ".unfinished-";

/// The folder with the lists of what was written into the releases.
pub(super) const MANIFESTS: &str = ".manifests";

/// A checkout's folder. It is locked while it is held open.
pub(super) struct Checkout<'o> {
    pub(super) order: &'o CheckoutOrder,
    pub(super) folder: OpenFolder,
    pub(super) releases: OpenFolder,
    pub(super) claim: Claim,
    /// It is held until this is dropped.
    _lock: File,
}

/// Which release a deployment gets.
pub(super) enum ReleaseChoice {
    /// One that is there.
    Reuse(ReleaseName),
    /// A new one of this name.
    Export(ReleaseName),
}

impl<'o> Checkout<'o> {
    /// Opens the folder of an order and claims it, and makes it where it is missing. `say` gets
    /// told if another process has to be waited for.
    ///
    /// # Errors
    /// It can't be made, or belongs to somebody else.
    pub(super) fn open(
        order: &'o CheckoutOrder,
        say: &mut dyn FnMut(&str),
    ) -> Result<Self, CheckoutError> {
        let path = &order.folder;
        let folder = OpenFolder::create_all(path).map_err(at(path))?;
        let lock = take_lock(order, &folder, say)?;

        let claim_path = path.join(super::claim::FILE);
        let mut claim = Claim::read(&folder).map_err(at(&claim_path))?;
        if !claim.allows(&order.owner) {
            return Err(CheckoutError::Taken {
                folder: path.clone(),
                found: crate::text::escape(&claim.owner, 300),
                wanted: order.owner.to_string(),
            });
        }

        let releases = path.join(RELEASES);
        let releases = folder
            .folder_or_new(OsStr::new(RELEASES))
            .map_err(at(releases))?;
        if claim.is_of_earlier_version(&order.owner) {
            claim.owner = order.owner.to_string().into_bytes();
            claim.releases = of_earlier_version(&releases).map_err(at(path.join(RELEASES)))?;
            claim.write(&folder).map_err(at(claim_path))?;
        }
        Ok(Self {
            order,
            folder,
            releases,
            claim,
            _lock: lock,
        })
    }

    /// The path of something in the folder, for errors.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.order.folder.join(name)
    }

    /// The path of a release, for errors.
    pub(super) fn release_path(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.order.release_path(name)
    }

    /// The name of the folder that `current` leads to; `None`: there is no such link yet.
    ///
    /// # Errors
    /// Something else than a link is in its place, or it can't be read.
    pub(super) fn current(&self) -> Result<Option<OsString>, CheckoutError> {
        let path = self.path(CURRENT);
        let name = OsStr::new(CURRENT);
        match self.folder.status(name).map_err(at(&path))? {
            None => Ok(None),
            Some(status) if status.kind == FileKind::Link => {
                let target = self.folder.target(name).map_err(at(path))?;
                Ok(target.file_name().map(OsStr::to_owned))
            }
            Some(_) => Err(CheckoutError::CurrentIsNoLink(path)),
        }
    }

    /// Decides which release the deployment gets. One that is there is used again if the record
    /// says that its last deployment succeeded, and if nothing changed it since then: neither its
    /// files, nor what it is to consist of, nor what it shares with others. A command is never run
    /// in the folder that `current` leads to: if it failed there, it would have changed what is
    /// deployed.
    ///
    /// # Errors
    /// The folder can't be read or written, or a folder is in the place of `current`.
    pub(super) fn choose(&mut self) -> Result<ReleaseChoice, CheckoutError> {
        let current = self.current()?;
        let order = self.order;
        let is_current = |name: &ReleaseName| current.as_deref() == Some(name.as_ref());

        let good = order.reusable.and_then(|id| self.good(&order.revision, id));
        let good = good.filter(|good| !(order.has_command && is_current(&good.name)));
        if let Some(GoodRelease {
            name, fingerprint, ..
        }) = good.cloned()
            && fingerprint.is_some()
            && self.fingerprint(&name).ok() == fingerprint
            && shared::is_all_there(&self.folder, &order.shared)
        {
            // Until the deployment has succeeded, nobody knows whether it is good.
            self.claim.releases.retain(|release| release.name != name);
            self.write_claim()?;
            return Ok(ReleaseChoice::Reuse(name));
        }

        let usual = ReleaseName::usual(&order.revision);
        let is_there = self.exists(&usual)?;
        Ok(ReleaseChoice::Export(if is_there && is_current(&usual) {
            ReleaseName::own(&order.revision, order.id)
        } else {
            usual
        }))
    }

    /// The release that a deployment of a revision made the current one.
    pub(super) fn good(
        &self,
        revision: &crate::id::Revision,
        id: DeploymentId,
    ) -> Option<&GoodRelease> {
        let mut releases = self.claim.releases.iter();
        releases.find(|release| release.deployment == id && release.name.revision() == revision)
    }

    fn exists(&self, name: &ReleaseName) -> Result<bool, CheckoutError> {
        let status = self.releases.status(name.as_ref());
        Ok(status.map_err(at(self.release_path(name)))?.is_some())
    }

    /// A number that changes when anything in a release changes, or when a release is to consist of
    /// something else. It is made of what the kernel says about each file, and no file is read. It
    /// may differ after an upgrade of this program; then the release is exported anew.
    ///
    /// # Errors
    /// There is no such release, or not everything in it can be looked at.
    fn fingerprint(&self, name: &ReleaseName) -> io::Result<u64> {
        let CheckoutOrder {
            subdirectory,
            shared,
            rules,
            ..
        } = self.order;
        let mut layout = DefaultHasher::new();
        (subdirectory, shared, rules).hash(&mut layout);

        let release = self.releases.folder(name.as_ref())?;
        let (names, next) = (release.names()?, AtomicUsize::new(0));
        // A sum, because names come in any order.
        let print = || -> io::Result<u64> {
            let mut sum = 0_u64;
            while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
                release.walk(name, |path, status| {
                    sum = sum.wrapping_add(file_print(path, status));
                })?;
            }
            Ok(sum)
        };

        thread::scope(|scope| {
            let others = (1..threads()).filter_map(|_| {
                let thread = thread::Builder::new().spawn_scoped(scope, print);
                // Without it, the other threads have more to do.
                thread.ok()
            });
            let others: Vec<_> = others.collect();
            let mut sum = layout.finish().wrapping_add(print()?);
            for other in others {
                let print = other
                    .join()
                    .map_err(|_| io::Error::other("a thread failed"))?;
                sum = sum.wrapping_add(print?);
            }
            Ok(sum)
        })
    }

    /// The name of a release that is being written or removed. It is this deployment's alone: what
    /// an earlier one could not remove is in nobody's way.
    pub(super) fn unfinished(&self, name: &ReleaseName) -> OsString {
        OsString::from(format!("{UNFINISHED}{name}.{}", self.order.id.0))
    }

    /// The names of the releases that are good, the current one first.
    pub(super) fn good_releases(&self) -> Vec<ReleaseName> {
        let current = self.current().ok().flatten();
        let releases = self.claim.releases.iter();
        let mut names: Vec<ReleaseName> = releases.map(|release| release.name.clone()).collect();
        names.sort_by_key(|name| current.as_deref() != Some(name.as_ref()));
        names
    }

    /// Opens a release.
    pub(super) fn release(&self, name: &ReleaseName) -> io::Result<OpenFolder> {
        self.releases.folder(name.as_ref())
    }

    /// Opens the list of what was written into a release, and returns the number of the status of
    /// each file, too.
    pub(super) fn manifest(&self, name: &ReleaseName) -> io::Result<(Manifest, Vec<u64>)> {
        let manifests = self.folder.folder(OsStr::new(MANIFESTS))?;
        Manifest::open(manifests.file(name.as_ref())?, self.order)
    }

    /// Begins to write such a list.
    pub(super) fn begin_manifest(&self, name: &ReleaseName) -> io::Result<ManifestWriter> {
        ManifestWriter::begin(self.new_manifest(name)?, self.order)
    }

    fn new_manifest(&self, name: &ReleaseName) -> io::Result<File> {
        let manifests = self.folder.folder_or_new(OsStr::new(MANIFESTS))?;
        let unfinished = self.unfinished(name);
        manifests.remove(&unfinished)?;
        manifests.new_file(&unfinished, false)
    }

    /// Changes the numbers in such a list.
    pub(super) fn renew_manifest(&self, name: &ReleaseName, statuses: &[u64]) -> io::Result<()> {
        let manifests = self.folder.folder(OsStr::new(MANIFESTS))?;
        let old = manifests.file(name.as_ref())?;
        manifest::renew(old, self.new_manifest(name)?, statuses)?;
        self.complete_manifest(name)
    }

    /// Puts a list that is completely written in its place.
    fn complete_manifest(&self, name: &ReleaseName) -> io::Result<()> {
        let manifests = self.folder.folder(OsStr::new(MANIFESTS))?;
        manifests.rename(&self.unfinished(name), name.as_ref())
    }

    /// How releases share files; `None`: the file system can't do it.
    pub(super) fn link(&self) -> Option<Link> {
        let try_once = || -> io::Result<()> {
            let mut one = self.releases.unnamed_file()?;
            one.write_all(b"content")?;
            share_content(&one, &self.releases.unnamed_file()?)
        };
        let link = self.order.link;
        (link == Link::Hard || try_once().is_ok()).then_some(link)
    }

    /// Adds to the fingerprint of a release what this program itself has changed there.
    pub(super) fn change_fingerprint(&mut self, name: &ReleaseName, change: u64) -> io::Result<()> {
        let release = self.claim.releases.iter_mut();
        for release in release.filter(|release| release.name == *name) {
            release.fingerprint = release.fingerprint.map(|print| print.wrapping_add(change));
        }
        self.claim.write(&self.folder)
    }

    pub(super) fn write_claim(&self) -> Result<(), CheckoutError> {
        let path = self.path(super::claim::FILE);
        self.claim.write(&self.folder).map_err(at(path))
    }

    /// Makes an empty folder into which a release can be written.
    ///
    /// # Errors
    /// It can't be made.
    pub(super) fn begin(&self, name: &ReleaseName) -> Result<OpenFolder, CheckoutError> {
        let unfinished = self.unfinished(name);
        let path = self.release_path(&unfinished);
        self.releases.new_folder(&unfinished).map_err(at(path))
    }

    /// Adds to the files of the revision what this program itself puts into a release: the links to
    /// what is shared, and the file with the revision, unless the tree has something of its name.
    ///
    /// # Errors
    /// It can't be written, or something is in its way.
    pub(super) fn add_own_files(
        &self,
        name: &ReleaseName,
        written: &OpenFolder,
    ) -> Result<(), CheckoutError> {
        let place = self.release_path(name);
        shared::link_shared(self.order, &self.folder, written, &place)?;

        let add = || -> io::Result<()> {
            let file = OsStr::new(REVISION_FILE);
            if written.status(file)?.is_none() {
                let mut file = written.new_file(file, false)?;
                writeln!(file, "{}", self.order.revision)?;
            }
            Ok(())
        };
        add().map_err(at(place.join(REVISION_FILE)))
    }

    /// Gives a release that is completely written its name. What has the name already gets another
    /// one, and is removed with the next releases that do not stay.
    ///
    /// # Errors
    /// It can't be made durable or renamed.
    pub(super) fn complete(
        &self,
        name: &ReleaseName,
        written: &OpenFolder,
    ) -> Result<(), CheckoutError> {
        let complete = || -> io::Result<()> {
            written.sync_file_system()?;
            // Without its list, the release is as good as with it.
            let _ = self.complete_manifest(name);
            if self.releases.status(name.as_ref())?.is_some() {
                let old = OsString::from(format!("{UNFINISHED}old-{name}.{}", self.order.id.0));
                self.releases.rename(name.as_ref(), &old)?;
            }
            self.releases
                .rename(&self.unfinished(name), name.as_ref())?;
            self.releases.sync()
        };
        complete().map_err(at(self.release_path(name)))
    }

    /// Removes a release that could not be written.
    pub(super) fn give_up(&self, name: &ReleaseName) {
        // What can't be removed now is removed by the next prune.
        let _ = self.releases.remove(&self.unfinished(name));
        self.drop_manifest(name);
    }

    /// Removes a list that could not be written.
    pub(super) fn drop_manifest(&self, name: &ReleaseName) {
        if let Ok(manifests) = self.folder.folder(OsStr::new(MANIFESTS)) {
            let _ = manifests.remove(&self.unfinished(name));
        }
    }

    /// Makes `current` lead to a release. Before that the release is noted as a good one, and it is
    /// noted where `current` leads now.
    ///
    /// # Errors
    /// There is no such release, or the link can't be written.
    pub(super) fn make_current(&mut self, name: &ReleaseName) -> Result<(), CheckoutError> {
        let before = self.current()?;
        let release = self.releases.folder(name.as_ref());
        release.map_err(at(self.release_path(name)))?;
        // A command may have made files that only another user can look at. Such a release is good,
        // but it is not used again.
        let fingerprint = self.fingerprint(name).ok();

        self.claim.releases.retain(|release| release.name != *name);
        let good = GoodRelease {
            name: name.clone(),
            deployment: self.order.id,
            fingerprint,
        };
        self.claim.releases.insert(0, good);
        self.claim.before = Some(LedBefore {
            deployment: self.order.id,
            release: before.as_deref().and_then(ReleaseName::parse),
        });
        self.write_claim()?;
        self.switch(name).map_err(at(self.path(CURRENT)))
    }

    /// Makes `current` lead to a release, in one step.
    fn switch(&self, name: &ReleaseName) -> io::Result<()> {
        let new = OsString::from(format!("{UNFINISHED}{CURRENT}"));
        self.folder.remove(&new)?;
        let target = format!("releases/{name}");
        self.folder.new_link(&new, OsStr::new(&target))?;
        self.folder.rename(&new, OsStr::new(CURRENT))?;
        self.folder.sync()
    }

    /// Makes `current` lead again to where it led before this deployment moved it. It is no
    /// difference if it does so already.
    ///
    /// # Errors
    /// The link can't be read or written.
    pub(super) fn go_back(&mut self) -> Result<WentBack, CheckoutError> {
        let id = self.order.id;
        let mut releases = self.claim.releases.iter();
        let failed = releases.find(|release| release.deployment == id);
        let failed = failed.map(|release| release.name.clone());
        let current = self.current()?;

        let before = self.claim.before.clone();
        let Some(before) = before.filter(|before| before.deployment == id) else {
            return Ok(WentBack::NotMoved);
        };
        let Some(before) = before.release else {
            return Ok(WentBack::NothingBefore);
        };
        if failed.as_ref() == Some(&before) {
            return Ok(WentBack::Same);
        }
        if !self.exists(&before)? {
            return Ok(WentBack::NothingBefore);
        }

        let leads_to = |name: &ReleaseName| current.as_deref() == Some(name.as_ref());
        if failed.as_ref().is_some_and(leads_to) {
            self.switch(&before).map_err(at(self.path(CURRENT)))?;
        } else if !leads_to(&before) {
            return Ok(WentBack::Elsewhere);
        }
        self.claim
            .releases
            .retain(|release| Some(&release.name) != failed.as_ref());
        // The disk may be full, perhaps of what has failed. What was there before is to be
        // activated again all the same, and the record knows that the release is no good one.
        let _ = self.write_claim();
        Ok(WentBack::To(before))
    }
}

/// The releases that version 0.1.0 left. It did not record which of them are good, so none of them
/// is used again; but those that the record knows are kept.
fn of_earlier_version(releases: &OpenFolder) -> io::Result<Vec<GoodRelease>> {
    let names = releases.names()?.into_iter();
    let names = names.filter_map(|name| ReleaseName::parse(&name));
    Ok(names
        .map(|name| GoodRelease {
            name,
            deployment: DeploymentId(0),
            fingerprint: None,
        })
        .collect())
}
