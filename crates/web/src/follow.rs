//! What browsers get without asking again: the output of a deployment as it grows, and that
//! something has changed. Server-sent events (HTML Standard, 9.2).
//!
//! Protocol: however many browsers follow the same thing, one task looks for news, and hands each
//! piece to all of them. It ends when nobody follows any more. A browser says up to which byte it
//! has a log; what was read before it came, its own task reads once from the file. A
//! browser that is too slow for the news is told to load the page again. How many browsers follow,
//! and how many logs, has a limit: above it, the page still works without.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use deploy_by_code::id::DeploymentId;
use deploy_by_code::report::{Tail, to_json_line};
use deploy_by_code::status::Status;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use crate::fault::Fault;
use crate::log_text::LogText;
use crate::site::Repository;
use crate::view::View;

/// How often a task looks for news.
const PAUSE: Duration = Duration::from_millis(500);

/// After this long without news, a browser is told that the server is still there.
const SILENCE: Duration = Duration::from_secs(15);

/// How many browsers follow something at once.
const FOLLOWERS_MAX: usize = 256;

/// How many things are followed at once.
const FOLLOWED_MAX: usize = 16;

/// How many pieces of news wait for a slow browser.
const PIECES_MAX: usize = 8;

/// How much of a log is in one piece, in bytes.
const PIECE: usize = 32 * 1024;

/// How much of a log a browser may lack, in bytes. Who lacks more loads the page again.
const LACK_MAX: u64 = 1024 * 1024;

/// What is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Topic {
    /// That something has changed.
    Changes,
    /// The output of a deployment.
    Log(DeploymentId),
}

/// A piece of news.
#[derive(Clone)]
enum News {
    /// Something has changed.
    Changed,
    /// More of a log.
    Output(Arc<Output>),
    /// The deployment has ended, and this was all.
    Ended(Status),
}

/// A piece of a log.
struct Output {
    /// Its first byte in the file, and the one after its last.
    start: u64,
    end: u64,
    bytes: Vec<u8>,
    /// The event that has it.
    event: Bytes,
}

/// Those who follow something in one repository.
pub(crate) struct Followers {
    count: Arc<AtomicUsize>,
    topics: Mutex<HashMap<Topic, Followed>>,
}

/// Something that is followed.
struct Followed {
    news: broadcast::Sender<News>,
    /// Up to which byte of the log its news go.
    position: u64,
}

/// While it lives, one more browser follows something.
struct Follower(Arc<AtomicUsize>);

impl Drop for Follower {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Followers {
    pub(crate) fn new() -> Self {
        Self {
            count: Arc::default(),
            topics: Mutex::default(),
        }
    }

    fn topics(&self) -> MutexGuard<'_, HashMap<Topic, Followed>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more browser; `None`: there are too many.
    fn join(&self) -> Option<Follower> {
        let before = self.count.fetch_add(1, Ordering::Relaxed);
        let follower = Follower(Arc::clone(&self.count));
        (before < FOLLOWERS_MAX).then_some(follower)
    }

    /// Hands news to all who follow something. Returns whether anybody does.
    fn tell(&self, topic: Topic, news: News) -> bool {
        let mut topics = self.topics();
        let Some(followed) = topics.get_mut(&topic) else {
            return false;
        };
        if let News::Output(output) = &news {
            followed.position = output.end;
        }
        let is_last = matches!(news, News::Ended(_));
        let is_heard = followed.news.send(news).is_ok();
        if is_last || !is_heard {
            topics.remove(&topic);
        }
        is_heard && !is_last
    }

    /// Whether anybody follows something. If nobody does, it is forgotten.
    fn is_followed(&self, topic: Topic) -> bool {
        let mut topics = self.topics();
        let is_followed = |followed: &Followed| followed.news.receiver_count() > 0;
        let is_followed = topics.get(&topic).is_some_and(is_followed);
        if !is_followed {
            topics.remove(&topic);
        }
        is_followed
    }
}

/// The news for one browser, which has the log up to the byte `from`.
///
/// # Errors
/// Too many follow already.
pub(crate) fn follow(
    repository: &Arc<Repository>,
    topic: Topic,
    from: u64,
) -> Result<mpsc::Receiver<Bytes>, Fault> {
    let followers = &repository.followers;
    let follower = followers.join().ok_or(Fault::Crowded)?;

    let mut topics = followers.topics();
    let is_new = !topics.contains_key(&topic);
    if is_new && topics.len() >= FOLLOWED_MAX {
        return Err(Fault::Crowded);
    }
    let followed = topics.entry(topic).or_insert_with(|| Followed {
        news: broadcast::Sender::new(PIECES_MAX),
        position: from,
    });
    let (news, position) = (followed.news.subscribe(), followed.position);
    drop(topics);
    if is_new {
        let repository = Arc::clone(repository);
        match topic {
            Topic::Changes => drop(tokio::spawn(look_for_changes(repository))),
            Topic::Log(id) => drop(tokio::spawn(read_log(repository, id, from))),
        }
    }

    let (to, pieces) = mpsc::channel(1);
    let repository = Arc::clone(repository);
    tokio::spawn(async move {
        let mut browser = Browser { to, has: from };
        // Where nothing can be sent, the browser is gone.
        let _ = browser.serve(&repository, topic, position, news).await;
        drop(follower);
    });
    Ok(pieces)
}

/// A browser that follows something.
struct Browser {
    to: mpsc::Sender<Bytes>,
    /// Up to which byte it has the log.
    has: u64,
}

/// The browser is gone.
struct Gone;

impl Browser {
    async fn send(&self, bytes: Bytes) -> Result<(), Gone> {
        self.to.send(bytes).await.map_err(|_| Gone)
    }

    /// Sends the news, after what the browser lacks of the log up to the byte `position`.
    async fn serve(
        &mut self,
        repository: &Arc<Repository>,
        topic: Topic,
        position: u64,
        mut news: broadcast::Receiver<News>,
    ) -> Result<(), Gone> {
        self.send(Bytes::from_static(b"retry: 3000\n\n")).await?;
        if let Topic::Log(id) = topic
            && !self.catch_up(repository, id, position).await?
        {
            return self.send(event("reload", None, "")).await;
        }

        loop {
            match timeout(SILENCE, news.recv()).await {
                Ok(Ok(News::Changed)) => self.send(event("change", None, "")).await?,
                Ok(Ok(News::Output(output))) => self.send_output(&output).await?,
                Ok(Ok(News::Ended(status))) => {
                    return self.send(event("end", None, status.as_str())).await;
                }
                Ok(Err(RecvError::Closed)) => return Ok(()),
                Ok(Err(RecvError::Lagged(_))) => {
                    return self.send(event("reload", None, "")).await;
                }
                Err(_) => self.send(Bytes::from_static(b": still here\n\n")).await?,
            }
        }
    }

    /// Reads and sends the log up to a byte at least. `false`: it can't be read, or is too long.
    async fn catch_up(
        &mut self,
        repository: &Arc<Repository>,
        id: DeploymentId,
        position: u64,
    ) -> Result<bool, Gone> {
        if position.saturating_sub(self.has) > LACK_MAX {
            return Ok(false);
        }
        let mut reader = None;
        while self.has < position {
            let reader =
                reader.get_or_insert_with(|| LogReader::new(Arc::clone(repository), id, self.has));
            let Some((pieces, _)) = reader.read().await else {
                return Ok(false);
            };
            if pieces.is_empty() {
                break;
            }
            for output in pieces {
                self.send_output(&output).await?;
            }
        }
        Ok(true)
    }

    /// Sends what the browser does not have yet of a piece.
    async fn send_output(&mut self, output: &Output) -> Result<(), Gone> {
        if output.end <= self.has {
            return Ok(());
        }
        let lacks = output.end - self.has;
        let known = usize::try_from(lacks)
            .ok()
            .and_then(|lacks| output.bytes.len().checked_sub(lacks));
        let is_gapless = output.bytes.len() as u64 == output.end - output.start;
        let sent = match known {
            Some(known) if known > 0 && is_gapless => {
                let mut text = LogText::default();
                let mut spans = text.push(&output.bytes[known..]);
                spans.extend(text.end());
                event("output", Some(output.end), to_json_line(&spans).as_str())
            }
            _ => output.event.clone(),
        };
        self.has = output.end;
        self.send(sent).await
    }
}

/// One event: its name, its number, and its data, which has no line ends.
fn event(name: &str, id: Option<u64>, data: &str) -> Bytes {
    let id = id.map_or_else(String::new, |id| format!("id: {id}\n"));
    format!("event: {name}\n{id}data: {data}\n\n").into()
}

/// Tells those who follow the changes of each one, until nobody does.
async fn look_for_changes(repository: Arc<Repository>) {
    let mut known = None;
    while repository.followers.is_followed(Topic::Changes) {
        let own = Arc::clone(&repository);
        let mark = spawn_blocking(move || own.look(View::mark));
        // That the state can't be read is news too.
        let mark = mark.await.ok().and_then(Result::ok);
        if known.is_some_and(|known| known != mark) {
            repository.followers.tell(Topic::Changes, News::Changed);
        }
        known = Some(mark);
        sleep(PAUSE).await;
    }
}

/// Reads the log of a deployment for those who follow it, until it has ended or nobody does.
async fn read_log(repository: Arc<Repository>, id: DeploymentId, from: u64) {
    let topic = Topic::Log(id);
    let mut reader = LogReader::new(Arc::clone(&repository), id, from);
    while repository.followers.is_followed(topic) {
        let Some((pieces, status)) = reader.read().await else {
            // Those who follow are told by the end of their connections, and try again.
            repository.followers.topics().remove(&topic);
            return;
        };
        let is_idle = pieces.is_empty();
        for output in pieces {
            repository
                .followers
                .tell(topic, News::Output(Arc::new(output)));
            // Those who follow get a turn, so that they are not too slow for their own pieces.
            tokio::task::yield_now().await;
        }
        if is_idle && status.has_ended() {
            repository.followers.tell(topic, News::Ended(status));
            return;
        }
        if is_idle {
            sleep(PAUSE).await;
        }
    }
}

/// A log that is read from some byte on.
struct LogReader {
    repository: Arc<Repository>,
    id: DeploymentId,
    from: u64,
    /// `None`: it is not opened yet, or another thread has it.
    open: Option<(Tail, LogText)>,
}

impl LogReader {
    fn new(repository: Arc<Repository>, id: DeploymentId, from: u64) -> Self {
        Self {
            repository,
            id,
            from,
            open: None,
        }
    }

    /// The next pieces, none if there is nothing new, and the status of the deployment from before
    /// the look. `None`: the log can't be read.
    async fn read(&mut self) -> Option<(Vec<Output>, Status)> {
        let (repository, id, from) = (Arc::clone(&self.repository), self.id, self.from);
        let open = self.open.take();
        let looked = spawn_blocking(move || {
            let looked = repository.look(|view| Ok((view.deployment(id)?, view.log_file(id)?)));
            let (deployment, file) = looked.ok()?;
            let fresh = || (Tail::after(file, from), LogText::default());
            let (mut tail, mut text) = open.unwrap_or_else(fresh);
            let start = tail.offset();
            let bytes = tail.read().ok()?;
            let pieces = pieces(&bytes, start, tail.offset(), &mut text);
            Some((pieces, deployment.status, (tail, text)))
        });
        let (pieces, status, open) = looked.await.ok()??;
        self.open = Some(open);
        Some((pieces, status))
    }
}

/// What was read of a log, in pieces. Where a part of the file was left out, the first piece has
/// the words for it, and so more bytes than the file.
fn pieces(bytes: &[u8], start: u64, end: u64, text: &mut LogText) -> Vec<Output> {
    let mut pieces: Vec<Output> = Vec::new();
    let mut left = bytes.len() as u64;
    for piece in bytes.chunks(PIECE) {
        left -= piece.len() as u64;
        let start = pieces.last().map_or(start, |last| last.end);
        let end = end - left;
        let spans = text.push(piece);
        pieces.push(Output {
            start,
            end,
            bytes: piece.to_vec(),
            event: event("output", Some(end), to_json_line(&spans).as_str()),
        });
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browser_gets_what_it_lacks_of_each_piece() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(each_lack_is_sent());
    }

    async fn each_lack_is_sent() {
        let mut text = LogText::default();
        let pieces = pieces(b"abcdef", 10, 16, &mut text);
        let table = [
            (10, Some("[[\"abcdef\",\"\"]]")),
            (13, Some("[[\"def\",\"\"]]")),
            (16, None),
            (20, None),
        ];
        for (has, expect) in table {
            let (to, mut sent) = mpsc::channel(4);
            let mut browser = Browser { to, has };
            for piece in &pieces {
                assert!(browser.send_output(piece).await.is_ok());
            }
            let sent = sent.try_recv().ok();
            let expect = expect.map(|data| format!("event: output\nid: 16\ndata: {data}\n\n"));
            assert_eq!(
                sent.as_deref(),
                expect.as_deref().map(str::as_bytes),
                "{has}"
            );
            assert_eq!(browser.has, has.max(16));
        }
    }

    #[test]
    fn pieces_name_the_bytes_of_the_file() {
        let mut text = LogText::default();
        let bytes = vec![b'x'; PIECE * 2 + 5];
        let found = pieces(&bytes, 100, 100 + bytes.len() as u64, &mut text);
        let ranges: Vec<(u64, u64)> = found.iter().map(|one| (one.start, one.end)).collect();
        let piece = PIECE as u64;
        assert_eq!(
            ranges,
            [
                (100, 100 + piece),
                (100 + piece, 100 + 2 * piece),
                (100 + 2 * piece, 105 + 2 * piece)
            ]
        );
    }
}
