//! Making the files of a release, on all processors.
//!
//! One thread takes the items as they arrive, makes the folders and the links, and collects files.
//! Some others make the files. So they may be made in any order, but each one in its folder, which
//! is held open until then.

use std::ffi::OsString;
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::base::BaseRelease;
use super::error::{CheckoutError, at, explain};
use super::manifest;
use crate::sys::file_status::FileStatus;
use crate::sys::folder::OpenFolder;

/// How many collected batches wait at most.
const WAITING: usize = 2;

/// How many files, bytes and folders a batch has at most. The folders are open.
const BATCH_FILES: usize = 256;
const BATCH_BYTES: usize = 512 * 1024;
const BATCH_FOLDERS: usize = 16;

/// How many files a batch has at least that ends with its folder. Two threads in one folder would
/// wait for each other.
const FOLDER_FILES: usize = 32;

/// A folder of a release.
pub(super) struct ReleaseFolder {
    pub(super) folder: OpenFolder,
    /// The same folder in the release from which files are taken; `None`: there is none.
    pub(super) base: Option<OpenFolder>,
    /// Its path in the release.
    pub(super) path: PathBuf,
}

/// A file that is to be made.
pub(super) struct NewFile {
    pub(super) place: Arc<ReleaseFolder>,
    pub(super) name: OsString,
    pub(super) is_executable: bool,
    /// Which file of the release it is; the first one is 0.
    pub(super) number: usize,
    pub(super) source: FileSource,
}

/// Where the content of a file comes from.
pub(super) enum FileSource {
    /// It is in the batch.
    Here(Range<usize>),
    /// It is that of the file with this number in the list of the base.
    Base(usize),
}

/// Files that are made one after the other.
#[derive(Default)]
pub(super) struct Batch {
    files: Vec<NewFile>,
    folders: usize,
    /// What is in the files.
    pub(super) content: Vec<u8>,
}

impl Batch {
    pub(super) fn push(&mut self, file: NewFile) {
        let last = self.files.last();
        let is_same = last.is_some_and(|last| Arc::ptr_eq(&last.place, &file.place));
        self.folders += usize::from(!is_same);
        self.files.push(file);
    }

    /// Whether it is large enough to end where a folder ends.
    pub(super) fn is_worth_it(&self) -> bool {
        self.files.len() >= FOLDER_FILES
    }

    pub(super) fn is_full(&self) -> bool {
        self.files.len() >= BATCH_FILES
            || self.content.len() >= BATCH_BYTES
            || self.folders >= BATCH_FOLDERS
    }
}

/// What a release is made with.
pub(super) struct Maker<'w> {
    /// Where the release will be, for errors.
    pub(super) path: &'w Path,
    pub(super) base: Option<&'w BaseRelease<'w>>,
    /// The number of the status of each file; `None`: nobody needs them.
    statuses: Option<Mutex<Vec<u64>>>,
    /// The numbers of the files that could not be taken from the base.
    needed: Mutex<Vec<usize>>,
}

impl<'w> Maker<'w> {
    pub(super) fn new(path: &'w Path, base: Option<&'w BaseRelease<'w>>, is_listed: bool) -> Self {
        Self {
            path,
            base,
            statuses: is_listed.then(Mutex::default),
            needed: Mutex::default(),
        }
    }

    /// Makes the files of a batch.
    fn make(&self, batch: &Batch) -> Result<(), CheckoutError> {
        let mut made = Vec::with_capacity(batch.files.len());
        for file in &batch.files {
            let status = match &file.source {
                FileSource::Here(content) => {
                    let content = batch.content.get(content.clone()).ok_or_else(|| {
                        let path = self.path.join(&file.place.path).join(&file.name);
                        at(path)(io::ErrorKind::InvalidData.into())
                    })?;
                    self.write(file, |new| new.write_all(content))?
                }
                FileSource::Base(known) => self.take(file, *known)?,
            };
            made.push(status);
        }
        self.note(batch.files.iter().zip(made));
        Ok(())
    }

    /// Makes a file, and returns its status if it is needed.
    fn write(
        &self,
        file: &NewFile,
        fill: impl FnOnce(&mut std::fs::File) -> std::io::Result<()>,
    ) -> Result<Option<FileStatus>, CheckoutError> {
        let make = || {
            let mut new = file.place.folder.new_file(&file.name, file.is_executable)?;
            fill(&mut new)?;
            let is_listed = self.statuses.is_some();
            is_listed.then(|| FileStatus::of(&new)).transpose()
        };
        make().map_err(|error| self.error(file, error))
    }

    /// Makes one file with what `fill` writes.
    ///
    /// # Errors
    /// It can't be made.
    pub(super) fn make_one(
        &self,
        file: &NewFile,
        fill: impl FnOnce(&mut std::fs::File) -> std::io::Result<()>,
    ) -> Result<(), CheckoutError> {
        let status = self.write(file, fill)?;
        self.note(std::iter::once((file, status)));
        Ok(())
    }

    /// Takes a file from the base. What can't be taken is noted.
    fn take(&self, file: &NewFile, known: usize) -> Result<Option<FileStatus>, CheckoutError> {
        let NewFile { place, name, .. } = file;
        if let (Some(base), Some(from)) = (self.base, &place.base) {
            let folders = (from, &place.folder);
            let taken = base.take(folders, &place.path, name, (known, file.is_executable));
            if let Some(status) = taken.map_err(|error| self.error(file, error))? {
                return Ok(Some(status));
            }
        }

        let mut needed = self.needed.lock().unwrap_or_else(PoisonError::into_inner);
        needed.push(file.number);
        Ok(None)
    }

    /// Notes the statuses of files.
    fn note<'f>(&self, files: impl Iterator<Item = (&'f NewFile, Option<FileStatus>)>) {
        let Some(statuses) = &self.statuses else {
            return;
        };
        let mut statuses = statuses.lock().unwrap_or_else(PoisonError::into_inner);
        for (file, status) in files {
            let Some(status) = status else { continue };
            if statuses.len() <= file.number {
                statuses.resize(file.number + 1, 0);
            }
            statuses[file.number] = manifest::number(&status);
        }
    }

    /// The numbers of the files that have to be sent, because they could not be taken from the
    /// base. They are in order.
    pub(super) fn needed(&self) -> Vec<usize> {
        let mut needed = self.needed.lock().unwrap_or_else(PoisonError::into_inner);
        let mut needed = std::mem::take(&mut *needed);
        needed.sort_unstable();
        needed
    }

    /// The number of the status of each file, for the list of the release.
    pub(super) fn statuses(self) -> Vec<u64> {
        let statuses = self.statuses.map(Mutex::into_inner);
        statuses.map_or_else(Vec::new, |all| all.unwrap_or_else(PoisonError::into_inner))
    }

    /// The error of a file.
    fn error(&self, file: &NewFile, error: std::io::Error) -> CheckoutError {
        at(self.path.join(&file.place.path).join(&file.name))(explain(error))
    }
}

/// Gives batches to the threads that make them.
pub(super) struct Feeder<'w> {
    maker: &'w Maker<'w>,
    /// `None`: there are no threads.
    batches: Option<SyncSender<Batch>>,
    has_failed: &'w AtomicBool,
}

impl Feeder<'_> {
    /// Lets a batch be made.
    ///
    /// # Errors
    /// It can't be, or one before could not be.
    pub(super) fn feed(&self, batch: Batch) -> Result<(), CheckoutError> {
        match &self.batches {
            None => self.maker.make(&batch),
            Some(_) if self.has_failed.load(Ordering::Relaxed) => Err(stopped()),
            Some(batches) => batches.send(batch).map_err(|_| stopped()),
        }
    }
}

/// The error of a batch that comes after one which could not be made; that one's error counts.
fn stopped() -> CheckoutError {
    CheckoutError::Gone("writer", "a file could not be made".to_owned())
}

/// Starts threads that make files, lets `work` feed them, and waits until everything is made.
///
/// # Errors
/// A file can't be made, or `work` fails.
pub(super) fn with_workers(
    workers: usize,
    maker: &Maker<'_>,
    work: impl FnOnce(&Feeder<'_>) -> Result<(), CheckoutError>,
) -> Result<(), CheckoutError> {
    let (sender, receiver) = sync_channel(WAITING);
    let receiver = Mutex::new(receiver);
    let has_failed = AtomicBool::new(false);
    let failure = Mutex::new(None);

    let worked = thread::scope(|scope| {
        let mut started = 0;
        for _ in 0..workers {
            let make = || make_all(maker, &receiver, &has_failed, &failure);
            let thread = thread::Builder::new().spawn_scoped(scope, make);
            started += usize::from(thread.is_ok());
        }
        // The threads end when the feeder has dropped the only sender.
        let feeder = Feeder {
            maker,
            batches: (started > 0).then_some(sender),
            has_failed: &has_failed,
        };
        work(&feeder)
    });
    match failure.into_inner() {
        Ok(Some(error)) => Err(error),
        _ => worked,
    }
}

/// Makes batches until there are no more. After a failure of any thread they are dropped.
fn make_all(
    maker: &Maker<'_>,
    batches: &Mutex<Receiver<Batch>>,
    has_failed: &AtomicBool,
    failure: &Mutex<Option<CheckoutError>>,
) {
    loop {
        let batch = batches.lock().map(|batches| batches.recv());
        let Ok(Ok(batch)) = batch else { return };
        if has_failed.load(Ordering::Relaxed) {
            continue;
        }
        if let Err(error) = maker.make(&batch) {
            has_failed.store(true, Ordering::Relaxed);
            let mut failure = failure.lock().unwrap_or_else(PoisonError::into_inner);
            failure.get_or_insert(error);
        }
    }
}
