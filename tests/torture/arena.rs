//! A world in which deployments happen, and the look at what became of them.
//!
//! The job of each deployment notes its start and its end, and holds a lock of its own meanwhile.
//! So it is seen from outside what started, how often, and whether two ran at the same time.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::applications;
use crate::fault::{Strace, What};
use crate::processes::BINARY;
use crate::run::{Run, run};
use crate::table::Findings;
use crate::target::{Program, Sabotage, Target};
use crate::world::{NULL, World};

/// Commits of the application: more than one world has points.
const COMMITS: usize = 90;

/// How long a deployment may take to end, once somebody has cleaned up.
const PATIENCE: Duration = Duration::from_secs(45);

/// With the exit status 77 the lock is taken. Any other one is a fault of `flock` itself.
const JOB: &str = r#"
exec 9>>"$W/busy.$DEPLOY_ENVIRONMENT"
flock -n -E 77 9
[ $? -ne 77 ] || note overlap
note start
if [ -e "$W/hold.$DEPLOY_REVISION" ]; then hold "$DEPLOY_REVISION"; fi
if [ -e "$W/fail.$DEPLOY_REVISION" ]; then note failing; exit 3; fi
note end
"#;

pub struct Arena {
    world: World,
    /// The commits of the application, oldest first, that were not asked for yet.
    commits: std::vec::IntoIter<String>,
    /// What was accepted on the deploy branch so far.
    wanted: Vec<String>,
    /// Revisions whose first deployment may have ended other than well: its runner was killed on
    /// purpose, or its job fails on purpose.
    spoiled: BTreeSet<String>,
}

/// A row of the record.
struct Deployed {
    id: i64,
    revision: String,
    status: String,
    reason: String,
    is_retry: bool,
}

impl Arena {
    pub fn new() -> Self {
        let world = applications::world(&["a"], "queue = \"all\"");
        world.job(JOB);
        let commits = import(&world);
        Self {
            world,
            commits: commits.into_iter(),
            wanted: Vec::new(),
            spoiled: BTreeSet::new(),
        }
    }

    /// Runs the program of a target once, cleans up, and looks.
    pub fn go(&mut self, target: &Target, strace: &Strace<'_>) -> Findings {
        let old = self.world.tip();
        let (run, mut findings) = match target.program {
            Program::Push => self.push(strace),
            Program::PreReceive => self.pre_receive(strace),
            Program::PostReceive => self.hook(strace, "post-receive", &[]),
            Program::ReferenceTransaction => {
                self.hook(strace, "reference-transaction", &["committed"])
            }
            Program::Run => self.unseen(strace, &["run", "production"]),
            Program::Reconcile => self.unseen(strace, &["reconcile"]),
            Program::Recovery => self.recovery(strace, target.sabotage),
            Program::Retry => self.retry(strace),
            Program::Freeze => self.freeze(strace),
            Program::Install
            | Program::Uninstall
            | Program::Notifier
            | Program::Phases
            | Program::GoBack => {
                unreachable!("they have worlds of their own")
            }
        };
        if run.all().contains("panicked at") {
            findings.wrong.push(format!("a panic: {run:?}"));
        }

        match target.sabotage {
            Sabotage::NobodyPicksUp => {
                self.world.wait_until_idle();
                self.look(strace, &mut findings);
                return findings;
            }
            Sabotage::CursorIsNotUsed => self.set_cursor_back(&old),
            Sabotage::None | Sabotage::UnknownCountsAsEnded | Sabotage::CurrentIsRemoved => {}
        }
        self.clean_up(&mut findings);
        self.look(strace, &mut findings);
        if !findings.is_empty() {
            findings.wrong.push(format!("after {run:?}"));
        }
        findings
    }

    /// Commits the next revision to the deploy file, and returns the revision.
    fn ask(&mut self) -> String {
        let revision = self.commits.next().expect("the world has enough commits");
        self.world.deploy_rev("production/a", &revision);
        self.world.commit();
        revision
    }

    fn is_on_branch(&self) -> bool {
        self.world.tip() == self.world.git(&["rev-parse", "HEAD"])
    }

    // The programs.

    /// A whole push with a fault on the server. What is not accepted is pushed again.
    fn push(&mut self, strace: &Strace<'_>) -> (Run, Findings) {
        let revision = self.ask();
        let receive_pack = format!(
            "--receive-pack={} git-receive-pack",
            strace.words().join(" ")
        );
        let arguments = [&receive_pack, "origin", "HEAD:refs/heads/main"];
        let push = run(&mut self.world.push_command(&arguments), b"");
        let findings = self.accept(revision, &push);
        (push, findings)
    }

    /// A push whose pre-receive meets the fault.
    fn pre_receive(&mut self, strace: &Strace<'_>) -> (Run, Findings) {
        let revision = self.ask();
        let hook = self.world.path("deploy.git/hooks/pre-receive");
        let away = self.world.path("pre-receive.away");
        let words = strace.words().join(" ");
        let script = format!("#!/bin/sh\nexec {words} {BINARY} pre-receive\n");
        fs::rename(&hook, &away).unwrap();
        fs::write(&hook, script).unwrap();
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
        let push = run(&mut self.push_command(), b"");
        fs::rename(&away, &hook).unwrap();
        let findings = self.accept(revision, &push);
        (push, findings)
    }

    fn push_command(&self) -> Command {
        self.world.push_command(&["origin", "HEAD:refs/heads/main"])
    }

    /// What a push did. If the server could not take it, it has to take it the next time.
    fn accept(&mut self, revision: String, push: &Run) -> Findings {
        let mut findings = Findings::default();
        // git's own locks, which a killed git leaves behind.
        let remove = "rm -f HEAD.lock packed-refs.lock; find refs -name '*.lock' -delete";
        self.world.shell_in("deploy.git", remove);
        let has_moved = self.is_on_branch();
        if push.code == Some(0) && !has_moved {
            findings
                .lost
                .push(String::from("git said that it was pushed"));
        }
        for blame in ["is not on ", "is not in the repository", "Deploy-Rollback"] {
            if push.all().contains(blame) {
                findings
                    .wrong
                    .push(format!("the pusher is blamed: {blame}"));
            }
        }
        if !has_moved {
            let again = run(&mut self.push_command(), b"");
            if again.code != Some(0) {
                findings
                    .wrong
                    .push(format!("pushed again, it is refused: {again:?}"));
                return findings;
            }
        }
        self.wanted.push(revision);
        findings
    }

    /// A hook after the branch has moved, as git calls it.
    fn hook(&mut self, strace: &Strace<'_>, name: &str, more: &[&str]) -> (Run, Findings) {
        let revision = self.ask();
        let line = self.world.push_unseen();
        self.wanted.push(revision);
        let mut command = self.traced(strace, &[&[name], more].concat());
        let hook = run(&mut command, line.as_bytes());

        let mut findings = Findings::default();
        let said_number = hook.stdout.split('#').nth(1).map(|rest| {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            digits.parse::<i64>().unwrap_or(0)
        });
        if let Some(number) = said_number
            && !self.rows().iter().any(|row| row.id == number)
        {
            findings
                .wrong
                .push(format!("#{number} was said and is not recorded"));
        }
        (hook, findings)
    }

    /// A command that finds what no hook saw.
    fn unseen(&mut self, strace: &Strace<'_>, arguments: &[&str]) -> (Run, Findings) {
        let revision = self.ask();
        self.world.push_unseen();
        self.wanted.push(revision);
        let run = run(&mut self.traced(strace, arguments), b"");
        (run, Findings::default())
    }

    /// A runner that finds a living command of a dead runner, and something new to do.
    fn recovery(&mut self, strace: &Strace<'_>, sabotage: Sabotage) -> (Run, Findings) {
        let held = self.ask();
        fs::write(self.world.path(&format!("hold.{held}")), "").unwrap();
        self.spoiled.insert(held.clone());
        self.wanted.push(held.clone());
        let before = self.world.ran().len();
        self.world.push();
        self.world.wait_until("the job has started", || {
            self.world.ran()[before..]
                .iter()
                .any(|line| line.ends_with(" start"))
        });
        self.world.kill_runner();
        if sabotage == Sabotage::UnknownCountsAsEnded {
            self.sql("UPDATE deployments SET boot_id = 'another' WHERE status = 'running'");
        }

        let next = self.ask();
        self.world.push_unseen();
        self.wanted.push(next);
        let mut command = self.traced(strace, &["run", "production"]);
        let runner = std::thread::scope(|scope| {
            let runner = scope.spawn(|| run(&mut command, b""));
            // For as long as it waits for the command, the runner has nothing else to do.
            let begin = Instant::now();
            while !runner.is_finished() && begin.elapsed() < Duration::from_millis(400) {
                std::thread::sleep(Duration::from_millis(5));
            }
            if sabotage == Sabotage::UnknownCountsAsEnded {
                self.world.cmd(&["reconcile"]);
                std::thread::sleep(Duration::from_millis(300));
            }
            self.world.open(&held);
            runner.join().unwrap()
        });
        (runner, Findings::default())
    }

    /// A retry of what failed, once. Whoever says that it is queued must be right.
    fn retry(&mut self, strace: &Strace<'_>) -> (Run, Findings) {
        let revision = self.ask();
        let fail = self.world.path(&format!("fail.{revision}"));
        fs::write(&fail, "").unwrap();
        self.spoiled.insert(revision.clone());
        self.wanted.push(revision);
        self.world.push();
        self.world.settled();
        self.world.wait_until_idle();
        fs::remove_file(fail).unwrap();

        let before = self.rows();
        let last = before.last().unwrap().id.to_string();
        let retry = run(&mut self.traced(strace, &["retry", &last]), b"");

        let mut findings = Findings::default();
        let added = self.rows().len() - before.len();
        if added > 1 {
            findings
                .doubled
                .push(format!("the retry of #{last}, {added} times"));
        }
        if retry.code == Some(0) && added == 0 {
            findings.lost.push(format!("the retry of #{last}"));
        }
        (retry, findings)
    }

    /// A freeze and a thaw. What they say must be so.
    fn freeze(&mut self, strace: &Strace<'_>) -> (Run, Findings) {
        let mut findings = Findings::default();
        let frozen = run(
            &mut self.traced(strace, &["freeze", "production", "--reason", "a fault"]),
            b"",
        );
        let is_frozen = |arena: &Self| arena.world.cmd(&["status"]).all().contains("a fault");
        if frozen.code == Some(0) && !is_frozen(self) {
            findings.lost.push(String::from("the freeze"));
        }
        self.world
            .cmd(&["freeze", "production", "--reason", "a fault"]);

        let thawed = run(&mut self.traced(strace, &["thaw", "production"]), b"");
        if thawed.code == Some(0) && is_frozen(self) {
            findings.lost.push(String::from("the thaw"));
        }
        self.world.cmd(&["thaw", "production"]);
        if is_frozen(self) {
            findings.wrong.push(String::from("it can't be thawed"));
        }
        (thawed, findings)
    }

    /// The binary under strace, in the repository and as git calls a hook.
    fn traced(&self, strace: &Strace<'_>, arguments: &[&str]) -> Command {
        let words = strace.words();
        let mut command = self.world.command(&words[0], "deploy.git");
        command
            .args(&words[1..])
            .arg(BINARY)
            .args(arguments)
            .env("GIT_DIR", ".");
        command
    }

    // Cleaning up, and the look afterwards.

    /// What the timer does.
    fn clean_up(&self, findings: &mut Findings) {
        let reconcile = self.world.cmd(&["reconcile"]);
        if reconcile.code != Some(0) {
            findings
                .wrong
                .push(format!("nobody can clean up: {reconcile:?}"));
        }
        let end = Instant::now() + PATIENCE;
        let is_open = |row: &Deployed| row.status == "queued" || row.status == "running";
        while self.rows().iter().any(is_open) {
            if Instant::now() > end {
                let status = self.world.cmd(&["status"]);
                findings.lost.push(format!("it never ended: {status:?}"));
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        self.world.wait_until_idle();
    }

    /// Compares the record with what was accepted and with what the jobs noted.
    fn look(&self, strace: &Strace<'_>, findings: &mut Findings) {
        let rows = self.rows();
        let ran = self.world.ran();
        let noted = |id: i64, what: &str| {
            let line = format!("production/a #{id} {what}");
            ran.iter().filter(|ran| **ran == line).count()
        };
        let was_killed = match strace {
            Strace::Inject(fault) => fault.what == What::Kill,
            Strace::Record(..) => false,
        };

        for revision in &self.wanted {
            let short = &revision[..7];
            let own = rows
                .iter()
                .filter(|row| row.revision == *revision && !row.is_retry);
            match own.count() {
                0 => findings.lost.push(format!("{short} is not planned")),
                1 => {}
                count => findings
                    .doubled
                    .push(format!("{short} is planned {count} times")),
            }
        }

        for row in &rows {
            let Deployed {
                id, status, reason, ..
            } = row;
            let (starts, ends) = (noted(*id, "start"), noted(*id, "end"));
            if starts > 1 {
                findings
                    .doubled
                    .push(format!("#{id} started {starts} times"));
            }
            if noted(*id, "overlap") > 0 {
                findings.overlapped.push(format!("#{id}"));
            }
            let is_so = match status.as_str() {
                "succeeded" => starts == 1 && ends == 1,
                "interrupted" => was_killed || self.spoiled.contains(&row.revision),
                "failed" if noted(*id, "failing") > 0 => reason.contains("exit status 3"),
                // The kill hit the job itself, or a program that it called.
                "failed" => was_killed && reason.contains('9') | reason.contains("137"),
                "queued" | "running" => true,
                _ => false,
            };
            if !is_so {
                let noted = format!("started {starts} and ended {ends} times");
                findings
                    .wrong
                    .push(format!("#{id} {status}: {reason}; {noted}"));
            }
        }
    }

    /// The record. It is read without the program under test, which says nothing of retries.
    fn rows(&self) -> Vec<Deployed> {
        let state = self.state();
        let mut all = state
            .prepare("SELECT id, revision, status, reason, retry_of FROM deployments ORDER BY id")
            .unwrap();
        let rows = all.query_map([], |row| {
            Ok(Deployed {
                id: row.get(0)?,
                revision: row.get(1)?,
                status: row.get(2)?,
                reason: row.get::<_, Option<String>>(3)?.unwrap_or_default(),
                is_retry: row.get::<_, Option<i64>>(4)?.is_some(),
            })
        });
        rows.unwrap().map(Result::unwrap).collect()
    }

    fn state(&self) -> Connection {
        Connection::open(self.world.state().join("state.db")).unwrap()
    }

    fn set_cursor_back(&self, commit: &str) {
        self.world.wait_until_idle();
        let commit = match commit {
            NULL => String::from("NULL"),
            commit => format!("'{commit}'"),
        };
        self.sql(&format!("UPDATE cursor SET commit_id = {commit}"));
    }

    fn sql(&self, statement: &str) {
        self.state().execute(statement, []).unwrap();
    }
}

/// Gives the application a history, as loose objects.
fn import(world: &World) -> Vec<String> {
    let mut stream = String::new();
    for n in 1..=COMMITS {
        let _ = write!(
            stream,
            "commit refs/heads/main\nmark :{n}\n\
             committer Ada Lovelace <ada@example.org> {} +0000\ndata 3\nc{n:02}\n",
            1_767_000_000 + n
        );
    }
    let mut import = world.command("git", "apps/a.git");
    run(
        import.args([
            "-c",
            "fastimport.unpackLimit=1000",
            "fast-import",
            "--quiet",
        ]),
        stream.as_bytes(),
    )
    .ok();
    let list = world.git_in("apps/a.git", &["rev-list", "--reverse", "main"]);
    list.lines().map(str::to_owned).collect()
}
