//! One browser that follows something: what it is sent, one event after the other.
//!
//! Protocol: an event is made when the browser's connection has room for it. So a slow browser
//! makes nothing pile up, and one that is gone is dropped with its connection. A browser gets each
//! byte of a log once and in order: it gets a piece that begins where the browser is, and what it
//! lacks before that is read from the file. Who lacks too much loads the page again, which shows
//! the end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use deploy_by_code::id::DeploymentId;
use deploy_by_code::verbs::unreadable_log;
use futures_util::{Stream, stream};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;

use crate::fault::Fault;
use crate::follow::News;
use crate::limits::Place;
use crate::log_page::LogFile;
use crate::log_reader::{EVENT_BYTES, LogReader, Output, event};
use crate::site::Repository;

/// After this long without news, a browser is told that the server is still there.
const SILENCE: Duration = Duration::from_secs(15);

/// How much of a log a browser may lack, in bytes. Who lacks more loads the page again.
const LACK_MAX: u64 = 1024 * 1024;

/// See the head of the file.
pub(crate) struct Browser {
    repository: Arc<Repository>,
    news: Receiver<News>,
    /// The log that it follows.
    log: Option<(DeploymentId, PathBuf)>,
    /// Up to which byte it has the log.
    has: u64,
    lack: Option<Lack>,
    /// What it is told before anything else.
    greeting: Option<Bytes>,
    /// What it is told when it lacks nothing, and then it is told no more.
    last: Option<Bytes>,
    is_over: bool,
    _place: Place,
}

/// What a browser lacks of a log.
struct Lack {
    reader: LogReader,
    /// Up to which byte.
    end: u64,
}

impl Browser {
    /// One that follows the changes.
    pub(crate) fn of_changes(
        repository: &Arc<Repository>,
        news: Receiver<News>,
        place: Place,
    ) -> Self {
        Self {
            repository: Arc::clone(repository),
            news,
            log: None,
            has: 0,
            lack: None,
            greeting: Some(Bytes::from_static(b"retry: 3000\n\n")),
            last: None,
            is_over: false,
            _place: place,
        }
    }

    /// One that has a log up to the byte `from`, and gets news of what comes after `position`.
    pub(crate) fn of_log(
        repository: &Arc<Repository>,
        news: Receiver<News>,
        place: Place,
        log: &LogFile,
        from: u64,
        position: u64,
    ) -> Self {
        let mut browser = Self::of_changes(repository, news, place);
        browser.log = Some((log.id, log.file.clone()));
        browser.has = from;
        // It has seen another log than the one that is there now.
        match from > log.length.max(position) {
            true => browser.reload(),
            false => browser.get_up_to(position),
        }
        browser
    }

    /// The events.
    pub(crate) fn events(self) -> impl Stream<Item = Result<Bytes, Fault>> {
        stream::try_unfold(self, async |mut browser| {
            let next = browser.next().await?;
            Ok(next.map(|event| (event, browser)))
        })
    }

    /// Lets it load the page again.
    fn reload(&mut self) {
        self.lack = None;
        self.last = Some(event("reload", None, ""));
    }

    /// Lets it get what it lacks before a byte.
    fn get_up_to(&mut self, end: u64) {
        let Some((_, file)) = &self.log else {
            return;
        };
        if end.saturating_sub(self.has) > LACK_MAX {
            self.reload();
        } else if end > self.has {
            let reader = LogReader::after(file.clone(), self.has);
            self.lack = Some(Lack { reader, end });
        }
    }

    /// The next event; `None`: there are no more.
    async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        if let Some(greeting) = self.greeting.take() {
            return Ok(Some(greeting));
        }
        while !self.is_over {
            if let Some(lack) = self.lack.take() {
                if let Some(output) = self.catch_up(lack).await? {
                    self.has = output.end;
                    return Ok(Some(output.event));
                }
                continue;
            }
            if let Some(last) = self.last.take() {
                self.is_over = true;
                return Ok(Some(last));
            }
            match timeout(SILENCE, self.news.recv()).await {
                Ok(Ok(News::Changed)) => return Ok(Some(event("change", None, ""))),
                Ok(Ok(News::Output(output))) if output.start == self.has => {
                    self.has = output.end;
                    return Ok(Some(output.event.clone()));
                }
                Ok(Ok(News::Output(output))) => self.get_up_to(output.end),
                Ok(Ok(News::Ended(status, end))) => {
                    self.last = Some(event("end", None, status.as_str()));
                    self.get_up_to(end);
                }
                // What it has missed, it lacks before the next piece, or before the end.
                Ok(Err(RecvError::Lagged(_))) => {}
                Ok(Err(RecvError::Closed)) => self.is_over = true,
                Err(_) => return Ok(Some(Bytes::from_static(b": still here\n\n"))),
            }
        }
        Ok(None)
    }

    /// The next piece of what it lacks; `None`: there is none at the moment.
    async fn catch_up(&mut self, lack: Lack) -> Result<Option<Output>, Fault> {
        let Lack { mut reader, end } = lack;
        if let Some(output) = reader.next() {
            self.lack = Some(Lack { reader, end });
            return Ok(Some(output));
        }
        let left = end.saturating_sub(reader.offset());
        let Some((id, _)) = self.log.as_ref().filter(|_| left > 0) else {
            // What may be the beginning of a character is shown when nothing comes after it.
            return Ok(self.last.as_ref().and_then(|_| reader.rest()));
        };
        let id = *id;
        let read = self.repository.work(move |_| {
            let read = reader.read(left.min(EVENT_BYTES));
            let is_more = read.map_err(unreadable_log(id))?;
            Ok((reader, is_more))
        });
        let (reader, is_more) = read.await?;
        // The file became shorter, and so it is another one.
        match is_more {
            true => self.lack = Some(Lack { reader, end }),
            false => self.reload(),
        }
        Ok(None)
    }
}
