//! The process that tells others what happened. It tells each event in its order, and at most once
//! more, whatever it met before.

use std::fs;
use std::path::Path;

use crate::fault::Strace;
use crate::processes::BINARY;
use crate::run::run;
use crate::table::Findings;
use crate::world::World;

/// The events that are told, by their reasons.
const EVENTS: [&str; 2] = ["one", "two"];

/// Lets the process meet a fault while it tells two events, then lets another one do what is left,
/// and looks.
pub fn go(strace: &Strace<'_>) -> Findings {
    let world = World::installed();
    let told = world.path("told");
    let script = format!(
        "event=$(grep -o '\"reason\": \"[a-z]*\"')\necho \"$event\" >>'{}'\n",
        told.display()
    );
    world.config_file(&format!(
        "runner = \"systemd\"\n[environments.production]\n[notify.program]\nkind = \"command\"\n\
         command = [\"/bin/sh\", \"-c\", {:?}]\nevents = [\"frozen\"]\n",
        script
    ));
    for reason in EVENTS {
        let freeze = ["freeze", "production", "--reason", reason];
        world.cmd(&freeze).ok();
    }

    // Its threads meet the fault, and the programs that it starts do not.
    // A fault of each process that it forks never passes, so that it would wait for a day.
    let mut words = strace.words();
    words.splice(1..1, ["-b", "execve"].map(String::from));
    words.splice(0..0, ["timeout", "-s", "KILL", "10"].map(String::from));
    let notifier = Path::new(BINARY).with_file_name("deploy-by-code-notify");
    let arguments = ["-C", "deploy.git", "--checked"];
    let mut traced = world.command(&words[0], ".");
    traced.args(&words[1..]).arg(&notifier).args(arguments);
    let first = run(&mut traced, b"");
    let mut again = world.command(notifier.to_str().unwrap(), ".");
    let again = run(again.args(arguments), b"");

    let mut findings = Findings::default();
    if first.all().contains("panicked at") {
        findings.wrong.push(format!("a panic: {first:?}"));
    }
    if again.code != Some(0) {
        findings.wrong.push(format!("it can't go on: {again:?}"));
    }
    let text = fs::read_to_string(&told).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let mut once = Vec::new();
    for event in EVENTS {
        let is_it = |line: &&&str| line.ends_with(&format!("\"{event}\""));
        let count = lines.iter().filter(is_it).count();
        match count {
            0 => findings.lost.push(format!("event {event}")),
            1 | 2 => {}
            count => findings
                .doubled
                .push(format!("event {event} was told {count} times")),
        }
        once.extend(lines.iter().find(is_it).copied());
    }
    let mut seen = lines.clone();
    seen.dedup();
    if seen != once {
        findings.wrong.push(format!("the order is {lines:?}"));
    }
    if !findings.is_empty() {
        findings.wrong.push(format!("after {first:?}"));
    }
    findings
}
