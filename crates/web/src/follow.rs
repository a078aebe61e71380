//! What browsers get without asking again: the output of a deployment as it grows, and that
//! something has changed. Server-sent events (HTML Standard, 9.2).
//!
//! Protocol: however many browsers follow the same thing, one task looks for news, and hands each
//! piece to all of them. It ends when nobody follows any more. It begins at the end of a log, and
//! what a browser says that it has does not matter for it: what a browser lacks, that one reads by
//! itself ([`crate::browser`]). How many browsers follow something, and how many logs, has a limit:
//! above it, the page still works without.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use deploy_by_code::id::DeploymentId;
use deploy_by_code::status::Status;
use deploy_by_code::verbs::unreadable_log;
use tokio::sync::broadcast;
use tokio::time::sleep;

use crate::browser::Browser;
use crate::fault::Fault;
use crate::limits::{self, Place};
use crate::log_page::LogFile;
use crate::log_reader::{LogReader, Output};
use crate::site::Repository;
use crate::view::View;

/// How often a task looks for news.
const PAUSE: Duration = Duration::from_millis(500);

/// How many pieces of news wait for a slow browser. What it misses, it reads from the file.
const NEWS_MAX: usize = 8;

/// How much of a log is read at once, in bytes.
const READ_MAX: u64 = 64 * 1024;

/// What is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Topic {
    /// That something has changed.
    Changes,
    /// The output of a deployment.
    Log(DeploymentId),
}

/// A piece of news.
#[derive(Clone)]
pub(crate) enum News {
    /// Something has changed.
    Changed,
    /// More of a log.
    Output(Arc<Output>),
    /// The deployment has ended, and its log goes up to this byte.
    Ended(Status, u64),
}

/// Those who follow something in one repository.
#[derive(Default)]
pub(crate) struct Followers(Mutex<HashMap<Topic, Followed>>);

/// Something that is followed.
struct Followed {
    news: broadcast::Sender<News>,
    /// Up to which byte of the log its news go.
    position: u64,
    /// The place of a log.
    _place: Option<Place>,
}

impl Followers {
    fn topics(&self) -> MutexGuard<'_, HashMap<Topic, Followed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands news to all who follow something. What nobody follows is forgotten.
    fn tell(&self, topic: Topic, news: News) {
        let mut topics = self.topics();
        let Some(followed) = topics.get_mut(&topic) else {
            return;
        };
        if let News::Output(output) = &news {
            followed.position = output.end;
        }
        let is_last = matches!(news, News::Ended(..));
        let is_heard = followed.news.send(news).is_ok();
        if is_last || !is_heard {
            topics.remove(&topic);
        }
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

    /// Those who follow something are told by the end of their connections, and try again.
    fn give_up(&self, topic: Topic) {
        self.topics().remove(&topic);
    }
}

/// The news for one browser that follows the changes.
///
/// # Errors
/// Too many follow something already.
pub(crate) fn follow_changes(repository: &Arc<Repository>) -> Result<Browser, Fault> {
    let place = limits::stream()?;
    let mut topics = repository.followers.topics();
    let followed = topics.entry(Topic::Changes).or_insert_with(|| {
        drop(tokio::spawn(look_for_changes(Arc::clone(repository))));
        Followed {
            news: broadcast::Sender::new(NEWS_MAX),
            position: 0,
            _place: None,
        }
    });
    Ok(Browser::of_changes(
        repository,
        followed.news.subscribe(),
        place,
    ))
}

/// The output of a deployment for one browser, which has it up to the byte `from`.
///
/// # Errors
/// Too many follow something already, or too many logs are followed.
pub(crate) fn follow_log(
    repository: &Arc<Repository>,
    log: LogFile,
    from: u64,
) -> Result<Browser, Fault> {
    let place = limits::stream()?;
    let topic = Topic::Log(log.id);
    let mut topics = repository.followers.topics();
    let followed = match topics.entry(topic) {
        Entry::Occupied(followed) => followed.into_mut(),
        Entry::Vacant(place) => {
            let followed = Followed {
                news: broadcast::Sender::new(NEWS_MAX),
                position: log.length,
                _place: Some(limits::log()?),
            };
            drop(tokio::spawn(read_log(Arc::clone(repository), log.clone())));
            place.insert(followed)
        }
    };
    let (news, position) = (followed.news.subscribe(), followed.position);
    Ok(Browser::of_log(
        repository, news, place, &log, from, position,
    ))
}

/// Tells those who follow the changes of each one, until nobody does.
async fn look_for_changes(repository: Arc<Repository>) {
    let mut known = None;
    while repository.followers.is_followed(Topic::Changes) {
        let mark = repository.work(|own| own.look(View::mark)).await;
        // That the state can't be read is news too.
        let mark = mark.ok();
        if known.is_some_and(|known| known != mark) {
            repository.followers.tell(Topic::Changes, News::Changed);
        }
        known = Some(mark);
        sleep(PAUSE).await;
    }
}

/// Reads the log of a deployment for those who follow it, until it has ended or nobody does.
async fn read_log(repository: Arc<Repository>, log: LogFile) {
    let (followers, topic) = (&repository.followers, Topic::Log(log.id));
    let mut reader = LogReader::after(log.file, log.length);
    while followers.is_followed(topic) {
        let read = repository.work(move |own| {
            // The status comes first: what is written before the end is read then.
            let status = own.look(|view| {
                view.log_file(log.id)?;
                Ok(view.deployment(log.id)?.status)
            })?;
            let is_more = reader.read(READ_MAX).map_err(unreadable_log(log.id))?;
            Ok((reader, is_more, status))
        });
        let Ok((read, is_more, status)) = read.await else {
            followers.give_up(topic);
            return;
        };
        reader = read;
        let is_over = !is_more && status.has_ended();
        while let Some(output) = reader.next() {
            followers.tell(topic, News::Output(Arc::new(output)));
            // Those who follow get a turn, so that they are not too slow for their own pieces.
            tokio::task::yield_now().await;
        }
        if is_over {
            if let Some(rest) = reader.rest() {
                followers.tell(topic, News::Output(Arc::new(rest)));
            }
            followers.tell(topic, News::Ended(status, reader.offset()));
            return;
        }
        if !is_more {
            sleep(PAUSE).await;
        }
    }
}
