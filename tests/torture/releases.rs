//! A deployment with all phases. While it meets a fault, somebody reads what `current` leads to:
//! that is a whole release at every moment. Afterwards the record says where `current` leads.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::fault::Strace;
use crate::processes::BINARY;
use crate::run::run;
use crate::table::Findings;
use crate::target::{Program, Sabotage, Target};
use crate::world::World;

/// Commits of the application: more than one world has points.
const COMMITS: usize = 90;

/// How long a deployment may take to end, once somebody has cleaned up.
const PATIENCE: Duration = Duration::from_secs(45);

/// It runs in each phase. The check fails where that is asked for.
const JOB: &str = r#"
note "$DEPLOY_PHASE"
cmp -s first last && [ -e data/kept ] || note "half a release"
if [ "$DEPLOY_PHASE" = activate ]; then echo "$DEPLOY_ID" >>same/touched; fi
if [ "$DEPLOY_PHASE" = command ]; then echo "$DEPLOY_ID" >>data/log; fi
if [ "$DEPLOY_PHASE" = activate ] && [ -e "$W/unsafe" ]; then
    cd "$W/srv"
    release=$(readlink current)
    rm current
    sleep 0.05
    ln -s "$release" current
fi
if [ "$DEPLOY_PHASE" = verify ] && [ -e "$W/bad" ]; then exit 9; fi
"#;

pub struct Releases {
    world: World,
    /// The commits of the application, oldest first, that were not asked for yet.
    commits: std::vec::IntoIter<String>,
}

impl Releases {
    pub fn new() -> Self {
        let world = World::installed();
        world.git_in(".", &["init", "-q", "--bare", "-b", "main", "a.git"]);
        let (job, base) = (world.path("job"), world.path(""));
        let (job, base) = (job.display(), base.display());
        world.config(&format!(
            "repository = \"{base}/a.git\"\n\
             checkout = \"{base}/srv\"\n\
             activate = [\"/bin/sh\", \"{job}\"]\n\
             verify = [\"/bin/sh\", \"{job}\"]\n\
             verify_retries = 0\n\
             link = \"hard\"\n\
             shared = [\"data\"]\n"
        ));
        world.job(JOB);
        let commits = import(&world);
        let mut releases = Self {
            world,
            commits: commits.into_iter(),
        };
        releases.ask();
        releases.world.push();
        releases.world.settled();
        releases.world.wait_until_idle();
        releases
    }

    /// Commits the next revision to the deploy file.
    fn ask(&mut self) {
        let revision = self.commits.next().expect("the world has enough commits");
        self.world.deploy_rev("production/a", &revision);
        self.world.commit();
    }

    /// Lets a runner that carries out a deployment meet the fault, cleans up, and looks.
    pub fn go(&mut self, target: &Target, strace: &Strace<'_>) -> Findings {
        let bad = self.world.path("bad");
        let (before, shared) = (self.current(), self.shared());
        self.ask();
        self.world.push_unseen();
        if target.program == Program::GoBack {
            fs::write(&bad, "").unwrap();
        }
        if target.sabotage == Sabotage::CurrentIsRemoved {
            fs::write(self.world.path("unsafe"), "").unwrap();
        }

        let words = strace.words();
        let mut traced = self.world.command(&words[0], "deploy.git");
        traced
            .args(&words[1..])
            .arg(BINARY)
            .args(["run", "production"])
            .env("GIT_DIR", ".");
        let mut findings = Findings::default();
        let (run, broken) = std::thread::scope(|scope| {
            // A panic in here drops `end` too, so that the reader ends.
            let (end, is_over) = channel();
            let releases = &*self;
            let reader = scope.spawn(move || releases.read_until(&is_over));
            let run = run(&mut traced, b"");
            self.clean_up(&mut findings);
            drop(end);
            (run, reader.join().unwrap())
        });
        findings.wrong.extend(broken);
        if run.all().contains("panicked at") {
            findings.wrong.push(String::from("a panic"));
        }

        self.look(&before, &mut findings);
        let now = self.shared();
        if !now.starts_with(&shared) {
            let text = format!("what is shared was lost: {shared:?} is now {now:?}");
            findings.lost.push(text);
        }
        if !findings.is_empty() {
            findings.wrong.push(format!("after {run:?}"));
        }
        let _ = fs::remove_file(bad);
        findings
    }

    /// The release that `current` leads to.
    fn current(&self) -> PathBuf {
        fs::read_link(self.world.path("srv/current")).unwrap_or_default()
    }

    /// What all releases share: what the first one brought, and a line for each command.
    fn shared(&self) -> String {
        let folder = self.world.path("srv/shared/data");
        let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
        read("kept") + &read("log")
    }

    /// Reads what `current` leads to again and again until the channel is closed, and returns what
    /// was not a whole release.
    fn read_until(&self, is_over: &Receiver<()>) -> Option<String> {
        let folder = self.world.path("srv");
        while is_over.try_recv() == Err(TryRecvError::Empty) {
            let led_to = self.current();
            let read = |name: &str| fs::read(folder.join(&led_to).join(name));
            let (first, last) = (read("first"), read("last"));
            let same = ["same/deep/file", "same/deep/run", "same/touched"].map(read);
            let is_same = |text: &io::Result<Vec<u8>>| {
                text.as_ref().is_ok_and(|text| text.starts_with(b"same"))
            };
            let is_whole = matches!((&first, &last), (Ok(first), Ok(last)) if first == last)
                && same.iter().all(is_same);
            // A release that it does not lead to any more may be removed.
            if !is_whole && self.current() == led_to {
                let found = format!("{first:?}, {last:?}, {same:?}");
                return Some(format!("current led to {led_to:?}: {found}"));
            }
            std::thread::sleep(Duration::from_micros(500));
        }
        None
    }

    /// What the timer does.
    fn clean_up(&self, findings: &mut Findings) {
        let end = Instant::now() + PATIENCE;
        let is_open = |row: &Value| row["status"] == "queued" || row["status"] == "running";
        while self.rows().is_empty() || self.rows().iter().any(is_open) || !self.is_planned() {
            let reconcile = self.world.cmd(&["reconcile"]);
            if Instant::now() > end {
                let status = self.world.cmd(&["status"]);
                let text = format!("it never ended: {reconcile:?}, {status:?}");
                findings.lost.push(text);
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        self.world.wait_until_idle();
    }

    fn is_planned(&self) -> bool {
        let tip = self.world.tip();
        self.rows().iter().any(|row| row["deploy_commit"] == tip)
    }

    fn rows(&self) -> Vec<Value> {
        let rows = self.world.json(&["log", "-n", "1000"]);
        rows.as_array().unwrap().clone()
    }

    /// Compares the newest row of the record with what the job noted and where `current` leads.
    fn look(&self, before: &Path, findings: &mut Findings) {
        let row = self.rows().swap_remove(0);
        let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
        let (status, reason, revision) = (text("status"), text("reason"), text("revision"));
        let id = row["id"].as_i64().unwrap();

        let phases = row["phases"].as_array().unwrap();
        let phases: Vec<&str> = phases
            .iter()
            .map(|row| row["phase"].as_str().unwrap())
            .collect();
        let last = phases.last().copied().unwrap_or_default();
        let current = self.current();
        let (is_new, is_old) = (
            current.to_string_lossy().contains(&revision),
            current == before,
        );
        let has_gone_back = reason.contains("went back to ");
        let is_so = match (status.as_str(), last) {
            ("succeeded", _) => is_new,
            ("interrupted", "activate" | "go-back") => is_new || is_old,
            ("interrupted", "verify") => is_new,
            ("failed", "go-back") if has_gone_back || reason.contains("had not moved") => is_old,
            ("failed", "go-back") => reason.contains("could not go back"),
            ("failed" | "interrupted", "" | "export" | "command") => is_old,
            _ => false,
        };
        if !is_so {
            let found = format!("#{id} {status}: {reason}; in {phases:?}; current -> {current:?}");
            findings.wrong.push(found);
        }
        let open = phases_with(&row, "running");
        if !open.is_empty() {
            let text = format!("#{id} {status}, but its phases still run: {open:?}");
            findings.wrong.push(text);
        }

        let ran = self.world.ran();
        for phase in ["command", "activate", "verify"] {
            let line = format!("production/a #{id} {phase}");
            let times = ran.iter().filter(|ran| **ran == line).count();
            if times > 1 {
                let text = format!("#{id} {phase} ran {times} times");
                findings.doubled.push(text);
            }
        }
        if let Some(half) = ran.iter().find(|line| line.contains("half a release")) {
            findings.wrong.push(half.clone());
        }
    }
}

/// The phases of a row that have a status.
fn phases_with(row: &Value, status: &str) -> Vec<String> {
    let phases = row["phases"].as_array().unwrap().iter();
    let with = phases.filter(|phase| phase["status"] == status);
    with.map(|phase| phase["phase"].to_string()).collect()
}

/// Gives the application a history, each commit of which has two files that are the same, something
/// at the path that is shared, and a folder that never changes, so that each release takes it from
/// the one before.
fn import(world: &World) -> Vec<String> {
    let mut stream = String::new();
    for n in 1..=COMMITS {
        let _ = write!(
            stream,
            "commit refs/heads/main\n\
             committer Ada Lovelace <ada@example.org> {} +0000\ndata 3\nc{n:02}\n\
             M 644 inline first\ndata 3\nf{n:02}\nM 644 inline last\ndata 3\nf{n:02}\n\
             M 644 inline data/kept\ndata 3\nk{n:02}\n\
             M 644 inline same/deep/file\ndata 4\nsame\n\
             M 755 inline same/deep/run\ndata 4\nsame\n\
             M 120000 inline same/link\ndata 4\ndeep\n\
             M 644 inline same/touched\ndata 5\nsame\n\n",
            1_767_000_000 + n
        );
    }
    let mut import = world.command("git", "a.git");
    run(import.args(["fast-import", "--quiet"]), stream.as_bytes()).ok();
    let list = world.git_in("a.git", &["rev-list", "--reverse", "main"]);
    list.lines().map(str::to_owned).collect()
}
