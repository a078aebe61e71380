//! The output of a deployment: the end of it for a page, and all of it as a download.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use axum::body::Bytes;
use deploy_by_code::id::DeploymentId;
use deploy_by_code::report::Tail;
use deploy_by_code::verbs::unreadable_log;
use futures_util::{Stream, stream};

use crate::fault::Fault;
use crate::limits::{self, PIECE_MAX, Place};
use crate::log_text::{LogText, Span};
use crate::site::Repository;

/// How much of the end of a log a page shows, in bytes.
const LOG_SHOWN: u64 = 1024 * 1024;

/// How much more text than bytes that may become: each byte that is no text becomes several
/// characters. Of a log with many of them, less is shown.
const GROWTH_MAX: usize = 2;

/// How much is shown of such a log, in bytes.
const LOG_SHOWN_THEN: u64 = 128 * 1024;

/// The end of a log.
pub(crate) enum LogEnd {
    /// There is none yet, or there never was one.
    Missing,
    /// It can't be read.
    Unreadable,
    /// The text.
    Text {
        spans: Vec<Span>,
        /// Up to which byte of the file it goes.
        end: u64,
        /// Whether it is only the end.
        is_cut: bool,
    },
}

impl LogEnd {
    /// Reads the end of the log in a file. `is_whole`: nothing comes after it. Otherwise, what may
    /// be the beginning of a character is left for what comes.
    pub(crate) fn read(file: PathBuf, is_whole: bool) -> Self {
        let shown = read_end(&file, LOG_SHOWN, is_whole).and_then(|read| {
            let length = |(spans, ..): &(Vec<Span>, u64, bool)| -> usize {
                spans.iter().map(|span| span.text.len()).sum()
            };
            let most = usize::try_from(LOG_SHOWN).unwrap_or(usize::MAX) * GROWTH_MAX;
            match read {
                Some(read) if length(&read) > most => read_end(&file, LOG_SHOWN_THEN, is_whole),
                read => Ok(read),
            }
        });
        match shown {
            Ok(Some((spans, end, is_cut))) => Self::Text { spans, end, is_cut },
            Ok(None) => Self::Missing,
            Err(_) => Self::Unreadable,
        }
    }

    /// Its text, in parts of one style.
    pub(crate) fn spans(&self) -> &[Span] {
        match self {
            Self::Text { spans, .. } => spans,
            Self::Missing | Self::Unreadable => &[],
        }
    }

    /// Up to which byte of the file it goes.
    pub(crate) fn end(&self) -> u64 {
        match self {
            Self::Text { end, .. } => *end,
            Self::Missing | Self::Unreadable => 0,
        }
    }

    /// Whether the log has more before it.
    pub(crate) fn is_cut(&self) -> bool {
        matches!(self, Self::Text { is_cut: true, .. })
    }
}

/// The last bytes of a log, at most `most` when it is looked at: as text, up to which byte of the
/// file it goes, and whether there are more before it. `None`: there is no log.
fn read_end(
    file: &std::path::Path,
    most: u64,
    is_whole: bool,
) -> io::Result<Option<(Vec<Span>, u64, bool)>> {
    let length = match file.symlink_metadata() {
        Ok(found) => found.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let start = length.saturating_sub(most);
    let mut tail = Tail::after(file.to_owned(), start);
    let (mut text, mut spans) = (LogText::default(), Vec::new());
    let mut is_first = start > 0;
    // What is written meanwhile comes as news.
    while tail.offset() < length {
        let bytes = tail.read()?;
        if bytes.is_empty() {
            break;
        }
        let mut shown = bytes.as_slice();
        if std::mem::take(&mut is_first) {
            // A line that begins before it is left out, unless it has no end.
            let line = shown.iter().position(|byte| *byte == b'\n');
            shown = &shown[line.map_or(0, |line| line + 1)..];
        }
        spans.extend(text.push(shown));
    }
    if is_whole {
        spans.extend(text.end());
    }
    Ok(Some((spans, tail.offset() - text.held(), start > 0)))
}

/// A log that somebody may see.
#[derive(Clone)]
pub(crate) struct LogFile {
    pub(crate) id: DeploymentId,
    pub(crate) file: PathBuf,
    /// How long it was, in bytes. One that is not there yet has none.
    pub(crate) length: u64,
}

impl LogFile {
    /// The log of a deployment.
    ///
    /// # Errors
    /// There is no such deployment, its log is not shown, or nobody can look at it.
    pub(crate) fn find(repository: &Repository, id: DeploymentId) -> Result<Self, Fault> {
        let file = repository.look(|view| {
            view.deployment(id)?;
            view.log_file(id)
        })?;
        let length = match file.symlink_metadata() {
            Ok(found) => found.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(unreadable_log(id)(error).into()),
        };
        Ok(Self { id, file, length })
    }
}

/// All of a log as it was when somebody asked for it.
pub(crate) struct Download {
    log: LogFile,
    tail: Tail,
    /// What was read and not sent.
    next: Bytes,
    _place: Place,
}

impl Download {
    /// Opens a log and reads its first piece, so that an error is the answer.
    ///
    /// # Errors
    /// There is no such deployment, it has no log that can be read, or too many are read already.
    pub(crate) fn open(repository: &Repository, id: DeploymentId) -> Result<Self, Fault> {
        let place = limits::stream()?;
        let log = LogFile::find(repository, id)?;
        if log.length == 0 && !log.file.exists() {
            let message = format!("deployment {id} has no output");
            return Err(Fault::NotFound(message));
        }
        let mut download = Self {
            tail: Tail::after(log.file.clone(), 0),
            log,
            next: Bytes::new(),
            _place: place,
        };
        download.read()?;
        Ok(download)
    }

    /// Reads the next piece, if there is one.
    fn read(&mut self) -> Result<(), Fault> {
        if self.tail.offset() >= self.log.length {
            return Ok(());
        }
        let read = self.tail.read_at_most(PIECE_MAX as u64);
        let read = read.and_then(|bytes| match bytes.is_empty() {
            true => Err(io::ErrorKind::UnexpectedEof.into()),
            false => Ok(bytes),
        });
        self.next = read.map_err(unreadable_log(self.log.id))?.into();
        Ok(())
    }

    /// Its pieces. One is read when the client has taken the one before.
    pub(crate) fn pieces(
        self,
        repository: Arc<Repository>,
    ) -> impl Stream<Item = Result<Bytes, Fault>> {
        stream::try_unfold((self, repository), async |(mut own, repository)| {
            if own.next.is_empty() {
                let read = repository.work(move |_| own.read().map(|()| own));
                own = read.await?;
            }
            let next = std::mem::take(&mut own.next);
            Ok((!next.is_empty()).then_some((next, (own, repository))))
        })
    }
}
