//! The output of a deployment: the end of it for a page, and all of it as a download.

use std::io;
use std::path::PathBuf;

use axum::body::Bytes;
use deploy_by_code::id::DeploymentId;
use deploy_by_code::report::Tail;
use deploy_by_code::verbs::unreadable_log;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::fault::Fault;
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
    /// Reads the end of the log in a file.
    pub(crate) fn read(file: PathBuf) -> Self {
        let shown = read_end(&file, LOG_SHOWN).and_then(|read| {
            let length = |(spans, ..): &(Vec<Span>, u64, bool)| -> usize {
                spans.iter().map(|span| span.text.len()).sum()
            };
            let most = usize::try_from(LOG_SHOWN).unwrap_or(usize::MAX) * GROWTH_MAX;
            match read {
                Some(read) if length(&read) > most => read_end(&file, LOG_SHOWN_THEN),
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
fn read_end(file: &std::path::Path, most: u64) -> io::Result<Option<(Vec<Span>, u64, bool)>> {
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
    spans.extend(text.end());
    Ok(Some((spans, tail.offset(), start > 0)))
}

/// The whole log as it is now, in pieces. The next piece is read when the client has taken the last
/// one.
///
/// # Errors
/// There is no such deployment, or it has no log that can be read.
pub(crate) fn download(
    repository: &Repository,
    id: DeploymentId,
) -> Result<mpsc::Receiver<Bytes>, Fault> {
    let file = repository.look(|view| {
        view.deployment(id)?;
        view.log_file(id)
    })?;
    let length = match file.symlink_metadata() {
        Ok(found) => found.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let message = format!("deployment {id} has no output");
            return Err(Fault::NotFound(message));
        }
        Err(error) => return Err(unreadable_log(id)(error).into()),
    };

    let (to, pieces) = mpsc::channel(1);
    let mut tail = Tail::after(file, 0);
    Handle::current().spawn(async move {
        while tail.offset() < length {
            let read = spawn_blocking(move || {
                let bytes = tail.read();
                (tail, bytes)
            });
            let Ok((next, Ok(bytes))) = read.await else {
                break;
            };
            tail = next;
            if bytes.is_empty() || to.send(bytes.into()).await.is_err() {
                break;
            }
        }
    });
    Ok(pieces)
}
