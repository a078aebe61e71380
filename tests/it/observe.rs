//! Looks at what happened in a world (history, status, logs, processes), and waits until something
//! happens.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::processes;
use crate::run::DEADLINE;
use crate::world::World;

impl World {
    /// Every deployment, oldest first, each as a line like `#1 production/a failed: exit status 1`.
    #[track_caller]
    pub fn history(&self) -> Vec<String> {
        let log = self.json(&["log", "-n", "100000"]);
        let line = |row: &Value| {
            let text = |key: &str| row[key].as_str().map(str::to_owned);
            let reason = text("reason").map_or(String::new(), |reason| format!(": {reason}"));
            let [environment, application, status] =
                ["environment", "application", "status"].map(|key| text(key).unwrap());
            format!(
                "#{} {environment}/{application} {status}{reason}",
                row["id"]
            )
        };
        log.as_array().unwrap().iter().rev().map(line).collect()
    }

    /// Waits until no deployment is queued or running, and returns the history.
    #[track_caller]
    pub fn settled(&self) -> Vec<String> {
        let is_open = |line: &String| {
            let before_the_reason = line.split(": ").next().unwrap();
            before_the_reason.ends_with(" queued") || before_the_reason.ends_with(" running")
        };
        let mut history = Vec::new();
        self.wait_until("every deployment ended", || {
            history = self.history();
            !history.iter().any(is_open)
        });
        history
    }

    /// What `show` says about one deployment.
    #[track_caller]
    pub fn show(&self, id: u32) -> Value {
        self.json(&["show", &id.to_string()])
    }

    /// The row of `status` for `environment/application`.
    #[track_caller]
    pub fn status(&self, target: &str) -> Value {
        let rows = self.json(&["status", target]);
        assert_eq!(
            rows.as_array().map(Vec::len),
            Some(1),
            "status has one row for {target}: {rows:#}"
        );
        rows[0].clone()
    }

    /// The output of a deployment's command.
    #[track_caller]
    pub fn logs(&self, id: u32) -> String {
        self.cmd(&["logs", &id.to_string()]).ok().stdout
    }

    /// The lines that jobs have noted so far.
    pub fn ran(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("ran")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Waits until a job has noted a line.
    #[track_caller]
    pub fn wait_for(&self, line: &str) {
        self.wait_until(&format!("a job noted {line:?}"), || {
            self.ran().iter().any(|ran| ran == line)
        });
    }

    /// Waits until `status` says that an environment is held by what a deployment left running.
    #[track_caller]
    pub fn wait_until_held_by(&self, id: u32) {
        let held = format!("held by what #{id} left running");
        self.wait_until("status says why the environment is held", || {
            self.cmd(&["status"]).ok().stdout.contains(&held)
        });
    }

    /// Waits until no process of the binary under test works for this world any more.
    #[track_caller]
    pub fn wait_until_idle(&self) {
        self.wait_until("runners, hooks and followers have ended", || {
            self.ours().is_empty()
        });
    }

    /// Waits until a condition holds, and panics after the deadline.
    #[track_caller]
    pub fn wait_until(&self, what: &str, mut condition: impl FnMut() -> bool) {
        let end = Instant::now() + DEADLINE;
        while !condition() {
            if Instant::now() > end {
                panic!("this did not happen in time: {what}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The ids of the processes of the binary under test that work for this world.
    pub fn ours(&self) -> Vec<i32> {
        processes::ours(&self.path(""))
    }

    /// Waits until only the runner is left of what the last push started, so that nothing starts
    /// another runner after this one was killed.
    pub fn wait_until_only_the_runner_is_left(&self) {
        self.wait_until("hooks and `reconcile` have ended", || {
            self.ours().len() == 1
        });
    }

    /// Kills them with SIGKILL. There must be at least one.
    #[track_caller]
    pub fn kill_runner(&self) {
        let runners = self.ours();
        assert!(!runners.is_empty(), "there is no runner to kill");
        runners.into_iter().for_each(processes::kill_one);
        self.wait_until_idle();
    }

    /// Everything that helps to understand a failed test: files, status, log, output, processes.
    pub fn describe(&self) -> String {
        let mut text = String::new();
        let mut show = |title: &str, command: &mut Command| {
            let output = command.output();
            let (out, err) = output.map_or_else(
                |error| (Vec::new(), error.to_string().into()),
                |o| (o.stdout, o.stderr),
            );
            let both = [out, err].concat();
            let _ = writeln!(text, "--- {title}\n{}", String::from_utf8_lossy(&both));
        };

        show("status", self.binary().args(["status"]));
        show("log", self.binary().args(["log", "--json"]));

        for (title, script) in [
            (
                "files",
                r"find . -path '*/objects' -prune -o -path ./work/.git -prune -o \
                  -printf '%M %s %P -> %l\n'",
            ),
            ("configuration", "cat deploy.git/deploy-by-code.toml"),
            ("noted by jobs", "cat ran"),
            ("logs", "tail -c 2000 deploy.git/deploy-by-code/logs/*.log"),
        ] {
            show(title, self.command("sh", ".").args(["-c", script]));
        }

        text.push_str("--- processes\n");
        for pid in processes::of(&self.path("")) {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            let _ = writeln!(text, "{pid} {line}");
        }

        text
    }
}
