//! The push options `follow` and `wait`: showing the pusher what becomes of a push.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use super::error::Error;
use super::follow::{PAUSE, end_line};
use super::output_lines::OutputLines;
use super::push_options::WatchOption;
use super::pusher::Pusher;
use crate::deploy_repository::DeployRepository;
use crate::id::{DeploymentId, Target};
use crate::report::{outcome_summary, some_names};
use crate::status::Status;
use crate::store::Deployment;
use crate::sys::clock::{self, Deadline};
use crate::text;
use crate::time::{Timestamp, show_duration};
use crate::verbs::{Following, News, Starter};

/// How long a hook that follows something prints nothing: at first, and afterwards.
const FIRST_SILENCE: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_secs(30);

/// What the pusher of some deployments is shown.
pub(super) struct PushFollow {
    /// Where they are recorded.
    pub(super) deploy: DeployRepository,
    /// Their numbers.
    pub(super) ids: Vec<DeploymentId>,
    /// How many problems of the same push were reported before.
    pub(super) problems: usize,
    /// What is shown, and how long.
    pub(super) wanted: WatchOption,
}

impl PushFollow {
    /// Shows how the deployments proceed, and at the end what became of them. It ends when all of
    /// them have ended, when nothing of them can go on, when the time is over that the pusher has
    /// set, or when the pusher has gone away or reads nothing.
    ///
    /// # Errors
    /// The state can't be read, or nobody reads what is printed.
    pub(super) fn follow(self, pusher: &mut Pusher) -> Result<(), Error> {
        let store = self.deploy.open_store()?;
        let watch = self.wanted.watch;
        let following = Following::new(Starter::Push, self.deploy, store, &self.ids, watch);
        let mut show = Show {
            following,
            pusher,
            has_prefix: self.ids.len() > 1,
            lines: BTreeMap::new(),
            ended: Vec::new(),
        };
        if show.until_the_end(self.wanted.limit)? {
            show.summary(self.problems)?;
        }
        Ok(())
    }
}

/// What is shown, and to whom.
struct Show<'p> {
    following: Following,
    pusher: &'p mut Pusher,
    /// Whether each line of a log begins with the target.
    has_prefix: bool,
    /// The logs of which something was shown.
    lines: BTreeMap<DeploymentId, OutputLines>,
    ended: Vec<(DeploymentId, Target, Status)>,
}

impl Show<'_> {
    /// Shows everything up to the end. Returns whether the pusher still listens.
    fn until_the_end(&mut self, limit: Option<Duration>) -> Result<bool, Error> {
        let deadline = limit.map(|limit| (limit, Deadline::after(limit)));
        let mut silence = Deadline::after(FIRST_SILENCE);

        loop {
            let news = self.following.look()?;
            let is_quiet = news.is_empty();
            for news in news {
                self.show(news)?;
            }

            if self.following.is_over() {
                return Ok(true);
            }
            if self.following.is_blocked() {
                self.say("nothing can go on now, so this push does not wait any longer")?;
                return Ok(true);
            }
            if let Some((limit, deadline)) = deadline
                && deadline.is_over()
            {
                let limit = show_duration(limit);
                self.say(&format!(
                    "this push has waited for {limit}; what has not ended continues without it"
                ))?;
                return Ok(true);
            }

            if !is_quiet {
                silence = Deadline::after(FIRST_SILENCE);
                continue;
            }
            // A deployment that prints nothing must not keep the hook of a pusher who has left.
            // Only something that stays unread shows that.
            if !self.pusher.listens() {
                return Ok(false);
            }
            if silence.is_over() {
                let line = still(&self.following.open()?, clock::now());
                // All of it can have ended a moment ago.
                if !line.is_empty() {
                    self.say(&line)?;
                }
                silence = Deadline::after(SILENCE);
            }
            clock::sleep(PAUSE);
        }
    }

    fn show(&mut self, news: News) -> Result<(), Error> {
        match news {
            News::Output(deployment, bytes) => {
                let prefix = if self.has_prefix {
                    format!("{} | ", deployment.target)
                } else {
                    String::new()
                };
                self.lines
                    .entry(deployment.id)
                    .or_insert_with(|| OutputLines::escaped(prefix))
                    .write(self.pusher, &bytes)
            }
            News::Waits(deployment) => self.say(&end_line(&deployment)),
            News::NoRunner(why) => {
                self.pusher.complain(&text::with_causes(&why), why.hint());
                Ok(())
            }
            News::Ended(deployment) => {
                if let Some(mut lines) = self.lines.remove(&deployment.id) {
                    lines.end(self.pusher)?;
                }
                let line = end_line(&deployment);
                let Deployment {
                    id, target, status, ..
                } = deployment;
                self.ended.push((id, target, status));
                self.say_as(status == Status::Succeeded, &line)
            }
        }
    }

    /// Says in one line what became of all deployments. `problems`: how many files of the push
    /// can't be deployed.
    fn summary(&mut self, problems: usize) -> Result<(), Error> {
        for (_, mut lines) in std::mem::take(&mut self.lines) {
            lines.end(self.pusher)?;
        }

        let mut all = std::mem::take(&mut self.ended);
        let open = self.following.open()?.into_iter();
        all.extend(open.map(|open| (open.id, open.target, open.status)));
        all.sort_by_key(|(id, ..)| *id);

        let has_failed =
            |(_, _, status): &_| Status::has_ended(*status) && *status != Status::Succeeded;
        let is_good = problems == 0 && !all.iter().any(has_failed);
        let mut line = outcome_summary(&all);
        if problems > 0 {
            line.push_str(&format!("; problems: {problems}, see above"));
        }
        self.say_as(is_good, &line)
    }

    fn say(&mut self, line: &str) -> Result<(), Error> {
        self.say_as(true, line)
    }

    /// Says something. If it is not good, the line begins as git's own errors do: git gives such a
    /// line a colour, and programs find it.
    fn say_as(&mut self, is_good: bool, line: &str) -> Result<(), Error> {
        let error = if is_good { "" } else { "error: " };
        let line = format!("{error}deploy-by-code: {line}\n");
        self.pusher
            .write_all(line.as_bytes())
            .map_err(Error::Output)
    }
}

/// The line that says what has not ended yet: `still running: production/web #42 for 2 min; still
/// queued: production/api #43`.
fn still(open: &[Deployment], now: Timestamp) -> String {
    let name = |open: &Deployment| {
        let (id, target) = (open.id, &open.target);
        match open.started_at {
            Some(start) => format!("{target} {id} for {}", show_duration(now.since(start))),
            None => format!("{target} {id}"),
        }
    };
    let group = |status: Status| {
        let of_group = open.iter().filter(|open| open.status == status);
        let names: Vec<String> = of_group.map(name).collect();
        (!names.is_empty()).then(|| format!("still {status}: {}", some_names(names)))
    };

    let groups = [Status::Running, Status::Queued];
    let groups: Vec<String> = groups.into_iter().filter_map(group).collect();
    groups.join("; ")
}
