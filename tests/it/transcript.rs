//! A transcript of commands and of what they print, in which everything is replaced that differs
//! from run to run or from machine to machine.

use std::fmt::Write as _;

use expect_test::ExpectFile;

use crate::applications::{forget_if_refused, short};
use crate::nobody::{NOBODY, user};
use crate::processes::BINARY;
use crate::run::{Run, run};
use crate::world::World;

/// Who types the commands in the transcript.
const PERSON: &str = "bob";

/// Who types them really: where the tests run as root, the user `nobody` behind sudo(8).
pub fn person() -> String {
    if nix::unistd::Uid::current().is_root() {
        "nobody".to_owned()
    } else {
        user()
    }
}

/// Who pushes.
const PUSHER: &str = "alice";

/// See the head of the file.
pub struct Transcript<'w> {
    world: &'w World,
    text: String,
    names: Vec<(String, String)>,
}

impl<'w> Transcript<'w> {
    /// A transcript without any command.
    pub fn new(world: &'w World) -> Self {
        Self {
            world,
            text: String::new(),
            names: Vec::new(),
        }
    }

    /// Gives a commit a name, which the transcript has instead of its hash. A name has five
    /// characters, so that `<name>` is as wide as an abbreviated hash.
    pub fn name(&mut self, commit: &str, name: &str) {
        assert_eq!(name.len(), 5, "{name}");
        self.names.push((commit.to_owned(), name.to_owned()));
    }

    /// Names commits `main1`, `main2` and so on.
    pub fn name_all(&mut self, commits: &[String]) {
        for (number, commit) in (1..).zip(commits) {
            self.name(commit, &format!("main{number}"));
        }
    }

    /// Adds a line that says what happens next.
    pub fn note(&mut self, text: &str) {
        let _ = writeln!(self.text, "# {text}");
    }

    /// Runs the binary under test, and adds what it prints.
    #[track_caller]
    pub fn command(&mut self, arguments: &[&str]) {
        let mut command = self.world.binary();
        command.args(arguments).env("SUDO_UID", NOBODY.to_string());
        let run = run(&mut command, b"");
        let quote = |word: &&str| match word.contains([' ', '<']) || word.is_empty() {
            true => format!("'{word}'"),
            false => (*word).to_owned(),
        };
        let words: Vec<_> = arguments.iter().map(quote).collect();
        let _ = writeln!(self.text, "$ deploy-by-code {}", words.join(" "));
        self.text.push_str(&run.stdout);
        self.end(&run, run.stderr.lines());
    }

    /// Runs the binary under test in the clone, and adds what it prints.
    #[track_caller]
    pub fn in_clone(&mut self, arguments: &[&str]) {
        let run = self.world.cmd_in("work", arguments);
        let quote = |word: &&str| match word.contains(' ') {
            true => format!("'{word}'"),
            false => (*word).to_owned(),
        };
        let words: Vec<_> = arguments.iter().map(quote).collect();
        let _ = writeln!(self.text, "$ deploy-by-code {}", words.join(" "));
        self.text.push_str(&run.stdout);
        // What git says depends on its version.
        let own = |line: &&str| line.starts_with("deploy-by-code: ") || line.starts_with("  ");
        self.end(&run, run.stderr.lines().filter(own));
    }

    /// Commits and pushes, and adds what the hooks print. A commit that is refused is removed from
    /// the clone.
    #[track_caller]
    pub fn push(&mut self) {
        self.push_saying("");
    }

    /// The same, with trailers in the message of the commit.
    #[track_caller]
    pub fn push_saying(&mut self, trailers: &str) {
        self.commit(trailers);
        let push = self.git_push(&["origin", "HEAD:refs/heads/main"]);
        forget_if_refused(self.world, &push);
    }

    /// Prepends a revision and pushes.
    #[track_caller]
    pub fn push_revision(&mut self, target: &str, revision: &str, trailers: &str) {
        self.world.deploy_rev(target, revision);
        self.push_saying(trailers);
    }

    /// Runs `git push`, and adds what the hooks print.
    #[track_caller]
    pub fn git_push(&mut self, arguments: &[&str]) -> Run {
        let mut push = self.world.push_command(arguments);
        let run = run(
            push.envs([("GL_USER", PUSHER), ("GL_REPO", "deploys")]),
            b"",
        );
        let _ = writeln!(self.text, "$ git push {}", arguments.join(" "));
        let remote = run.remote();
        self.end(&run, remote.iter().map(String::as_str));
        run
    }

    /// Pushes a commit to the deploy branch, and adds what the hooks print.
    #[track_caller]
    pub fn git_push_of(&mut self, commit: &str) {
        self.git_push(&["origin", &format!("{commit}:refs/heads/main")]);
    }

    /// Pushes while no hook is in its place, then calls post-receive by hand, and adds what it
    /// prints.
    #[track_caller]
    pub fn push_past_pre_receive(&mut self) {
        let line = self.world.push_unseen();
        let mut hook = self.world.command(BINARY, "deploy.git");
        hook.arg("post-receive")
            .env("GIT_DIR", ".")
            .env("GL_USER", PUSHER);
        let run = run(&mut hook, line.as_bytes());
        self.text.push_str("$ deploy-by-code post-receive\n");
        self.text.push_str(&run.stdout);
        self.end(&run, run.stderr.lines());
    }

    /// Prepends a revision, pushes and waits until it has been deployed. Nothing is added to the
    /// transcript.
    #[track_caller]
    pub fn deploy(&self, target: &str, revision: &str, trailers: &str) {
        self.world.deploy_rev(target, revision);
        self.commit(trailers);
        let mut push = self.world.push_command(&["origin", "HEAD:refs/heads/main"]);
        run(push.env("GL_USER", PUSHER), b"").ok();
        self.world.settled();
    }

    #[track_caller]
    fn commit(&self, trailers: &str) {
        if trailers.is_empty() {
            self.world.commit();
        } else {
            self.world.commit_saying(trailers);
        }
    }

    /// Runs `doctor`, and adds what does not depend on the machine.
    #[track_caller]
    pub fn doctor(&mut self) {
        const OF_THE_MACHINE: [&str; 4] = ["timer", "process tracking", "syslog", "time zones"];

        let run = self.world.cmd(&["doctor"]);
        self.text.push_str("$ deploy-by-code doctor\n");
        let mut is_left_out = false;

        // The summary counts what the machine has, too.
        let stdout = run.stdout.trim_end();
        let (checks, _summary) = stdout.rsplit_once("\n\n").unwrap();
        for line in checks.lines() {
            let is_fix = line.starts_with("         ");
            let (_, check) = line.split_at(line.len().min(9));
            let name = check.split(": ").next().unwrap();
            if !is_fix {
                is_left_out = OF_THE_MACHINE.contains(&name);
            }
            match (is_left_out, is_fix) {
                (false, _) => drop(writeln!(self.text, "{line}")),
                (true, false) => drop(writeln!(self.text, "?        {name}: <of the machine>")),
                (true, true) => {}
            }
        }

        self.end(&run, run.stderr.lines());
    }

    fn end<'a>(&mut self, run: &Run, stderr: impl Iterator<Item = &'a str>) {
        for line in stderr {
            let _ = writeln!(self.text, "! {line}");
        }
        if run.code != Some(0) {
            let _ = writeln!(self.text, "exit status {}", run.code.unwrap_or(-1));
        }
        self.text.push('\n');
    }

    /// Compares the transcript with a file.
    #[track_caller]
    pub fn is(self, expected: ExpectFile) {
        expected.assert_eq(&self.stable());
    }

    /// The transcript without anything that differs from run to run.
    fn stable(&self) -> String {
        let folder = self.world.path("");
        let folder = folder.to_str().unwrap().trim_end_matches('/');
        let mut text = self.text.replace(folder, "<world>");
        text = text.replace(BINARY, "<program>");
        for (commit, name) in &self.names {
            text = text.replace(commit, &format!("<{name}, whole>"));
            text = text.replace(short(commit), &format!("<{name}>"));
        }

        let text = text.replace(env!("CARGO_PKG_VERSION"), "<version>");
        let text = text.replace(&format!("as the user {}", user()), "as the user <user>");
        let text = text.replace(&format!("by {}", person()), &format!("by {PERSON}"));
        let text = name_other_hashes(&text);
        let text = without_column(&text, "SINCE", "BY", "<ago>");
        let text = without_column(&text, "TOOK", "SUMMARY", "<ms>");
        let text = without_ms(&text);
        let text = without_words_of_git(&text);
        let mut lines: Vec<_> = text.lines().map(replace_words).collect();
        lines.dedup_by(|line, before| line.is_empty() && before.is_empty());
        lines.join("\n").trim_end().to_owned() + "\n"
    }
}

/// Names the hashes that have no name yet in the order in which they appear. The revisions of
/// [`rev`](crate::world::rev) stay as they are.
fn name_other_hashes(text: &str) -> String {
    let is_hash = |word: &&str| {
        word.len() == 40
            && word.bytes().all(|b| b.is_ascii_hexdigit())
            && !word.ends_with("00000000")
    };
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    let mut named = text.to_owned();
    let mut number = 0;

    for hash in words.filter(is_hash) {
        if named.contains(hash) {
            number += 1;
            named = named.replace(hash, &format!("<hash{number}, whole>"));
            named = named.replace(short(hash), &format!("<hash{number}>"));
        }
    }

    named
}

/// Replaces the cells of a column of tables, whose width depends on the time that has passed.
/// `next` is the column behind it.
fn without_column(text: &str, name: &str, next: &str, stable: &str) -> String {
    let mut columns = None;
    let mut lines = Vec::new();

    for line in text.lines() {
        let start = |name: &str| line.find(&format!("  {name}")).map(|at| at + 2);
        if let (Some(begin), Some(end)) = (start(name), start(next)) {
            columns = Some((begin, end));
        }

        if line.is_empty() || line.starts_with(['$', '!']) {
            columns = None;
        }

        let is_row = |begin| line.len() > begin && line[..begin].ends_with("  ");
        lines.push(match columns {
            Some((begin, end)) if is_row(begin) => {
                let (cell, rest) = line[begin..].split_at((end - begin).min(line.len() - begin));
                let cell = cell.trim_end();
                let cell = if [name, "-"].contains(&cell) {
                    cell
                } else {
                    stable
                };
                let width = stable.len() + 2;
                let row = format!("{}{cell:<width$}{rest}", &line[..begin]);
                row.trim_end().to_owned()
            }
            _ => line.to_owned(),
        });
    }

    lines.join("\n")
}

/// Replaces the milliseconds in JSON.
fn without_ms(text: &str) -> String {
    let lines = text.lines().map(|line| match line.split_once("_ms\": ") {
        Some((key, value)) if value.starts_with(|c: char| c.is_ascii_digit()) => {
            let digits = value.trim_end_matches(',').len();
            format!("{key}_ms\": <ms>{}", &value[digits..])
        }
        _ => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Replaces what git says when it fails, which depends on its version.
fn without_words_of_git(text: &str) -> String {
    let mut lines = Vec::new();
    for line in text.lines() {
        let words = line.split_once(" failed (exit status: ");
        let words = words.and_then(|(_, rest)| rest.split_once("): "));
        lines.push(match words {
            Some((_, words)) => line.replace(words, "<words of git>"),
            None => line.to_owned(),
        });
    }
    lines.join("\n")
}

/// Replaces times and lengths of time. Where a column follows, the replacement is as wide as what
/// it replaces. A space at the end becomes visible.
fn replace_words(line: &str) -> String {
    let mut replaced = String::new();
    let mut rest = line.trim_end();

    while let Some(next) = rest.chars().next() {
        let is_length = ["took ", "waited "]
            .iter()
            .any(|name| replaced.starts_with(name))
            || replaced.ends_with(" in ");
        let lasts = |length: &usize| is_length || rest[*length..].starts_with(" more");
        let found = time(rest)
            .map(|length| (length, "<time>"))
            .or_else(|| Some((ago(rest)?, "<ago>")))
            .or_else(|| Some((duration(rest).filter(lasts)?, "<duration>")));
        let Some((length, name)) = found else {
            replaced.push(next);
            rest = &rest[next.len_utf8()..];
            continue;
        };

        rest = &rest[length..];
        let width = if rest.starts_with("  ") { length } else { 0 };
        let _ = write!(replaced, "{name:<width$}");
    }

    if line.ends_with(' ') && line.len() > 2 {
        replaced.push_str("<space>");
    }

    replaced
}

/// The length of a time at the start of a text: `2026-01-31 12:30`, `2026-01-31T12:30:15.123Z`.
/// Times that are the same in every run do not count.
fn time(text: &str) -> Option<usize> {
    const FIXED: [&str; 7] = [
        // The dates of commits.
        "2026-01-02 03:04",
        "2026-01-02T03:04:05",
        // The examples in messages.
        "2026-12-24 16:00",
        "2026-12-24T16:00:00",
        // What the tests give as arguments.
        "2001-01-01",
        "2999-12-31",
        "3000-01-01",
    ];
    if FIXED.iter().any(|fixed| text.starts_with(fixed)) {
        return None;
    }

    let matches = |pattern: &str, text: &str| {
        let mut bytes = text.bytes();
        pattern
            .bytes()
            .all(|expected| match (expected, bytes.next()) {
                (b'0', Some(found)) => found.is_ascii_digit(),
                (b'_', Some(found)) => found == b' ' || found == b'T',
                (expected, found) => found == Some(expected),
            })
    };
    let mut length = 0;

    for (pattern, is_optional) in [
        ("0000-00-00_00:00", false),
        (":00", true),
        (".000", true),
        ("Z", true),
    ] {
        if matches(pattern, &text[length..]) {
            length += pattern.len();
        } else if !is_optional {
            return None;
        }
    }

    Some(length)
}

/// The length of a length of time at the start of a text: `0.3 s`, `1 h 59 min`.
fn duration(text: &str) -> Option<usize> {
    let number = text.len()
        - text
            .trim_start_matches(|c: char| c.is_ascii_digit() || c == '.')
            .len();
    if number == 0 {
        return None;
    }

    let unit = [" ms", " min", " s", " h", " d"]
        .into_iter()
        .find(|unit| text[number..].starts_with(unit))?;
    let length = number + unit.len();
    let more = text[length..].strip_prefix(' ').and_then(duration);
    Some(length + more.map_or(0, |more| more + 1))
}

/// The length of how long ago something was, at the start of a text: `just now`, `5 min ago`.
fn ago(text: &str) -> Option<usize> {
    let now = "just now";
    if text.starts_with(now) {
        return Some(now.len());
    }
    let length = duration(text)?;
    text[length..].starts_with(" ago").then_some(length + 4)
}

#[test]
fn transcript_replaces_times_and_lengths_of_time() {
    for (line, expected) in [
        ("#1  2026-07-08 10:20  a", "#1  <time>            a"),
        ("at 2026-07-08 10:20 UTC: x", "at <time> UTC: x"),
        ("2026-07-08T10:20:30.123Z", "<time>"),
        ("2026-01-02 03:04 Ada", "2026-01-02 03:04 Ada"),
        ("it said: ", "it said:<space>"),
        ("succeeded in 0.3 s", "succeeded in <duration>"),
        (
            "succeeded just now, 59 min 3 s ago",
            "succeeded <ago>, <ago>",
        ),
        ("took           3 ms", "took           <duration>"),
        ("wait 1 h 59 min more", "wait <duration> more"),
        ("it has to soak for 1 h", "it has to soak for 1 h"),
    ] {
        assert_eq!(replace_words(line), expected);
    }
}
