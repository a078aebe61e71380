//! The programs behind `make bench` and `make bench-instructions`: what they say of a program that
//! became slower, and of tools that are not there.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::http_server::PYTHON;
use crate::processes::BINARY;
use crate::run::{Run, run};
use crate::world::World;

/// A program whose hooks only count. Where it is to vary, every second one counts further. For
/// everything else the real program takes its place.
const FAKE: &str = r#"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
  if (argc < 2 || strcmp(argv[1], "as-hook") != 0) {
    execv(REAL, argv);
    return 127;
  }
  long loops = LOOPS;
  if (VARIES) {
    if (unlink("odd") == 0)
      loops += loops / 100;
    else
      fclose(fopen("odd", "w"));
  }
  for (volatile long n = 0; n < loops; n++)
    ;
  return 0;
}
"#;

/// Runs a program of the folder `benches`, with only `path` to find others in.
fn bench(world: &World, program: &str, path: Option<&Path>, arguments: &[&str]) -> Run {
    let mut command = world.command(PYTHON, ".");
    if let Some(path) = path {
        command.env("PATH", path);
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches");
    command.env("TMPDIR", world.path("."));
    command.arg("-B").arg(folder.join(program)).args(arguments);
    run(&mut command, b"")
}

/// Counts the instructions of a program whose hooks count to `loops`, and compares them with the
/// baseline in the world, or makes that.
fn count(world: &World, loops: u32, varies: bool, more: &[&str]) -> Run {
    fs::write(world.path("fake.c"), FAKE).unwrap();
    let mut compile = world.command("cc", ".");
    compile.args(["-o", "fake", "fake.c"]);
    compile.arg(format!("-DREAL=\"{BINARY}\""));
    compile.arg(format!("-DLOOPS={loops}"));
    compile.arg(format!("-DVARIES={}", u8::from(varies)));
    run(&mut compile, b"").ok();

    let options = ["--binary", "fake", "--baseline", "baseline.json"];
    let arguments = [&["transaction_of_others"], &options[..], more].concat();
    bench(world, "instructions.py", None, &arguments)
}

/// A folder with git alone.
fn git_alone(world: &World) -> PathBuf {
    let folder = world.path("git-alone");
    fs::create_dir(&folder).unwrap();
    let git = world.shell_in(".", "command -v git").ok();
    symlink(git.line(), folder.join("git")).unwrap();
    folder
}

#[test]
fn program_with_too_many_instructions_fails_the_comparison() {
    let world = World::new();
    count(&world, 1_000_000, false, &["--new"]).ok();
    count(&world, 1_030_000, false, &[]).ok();

    let slower = count(&world, 1_100_000, false, &[]).exits(1);
    let baseline = fs::read_to_string(world.path("baseline.json")).unwrap();
    let baseline: serde_json::Value = serde_json::from_str(&baseline).unwrap();
    let known = &baseline[std::env::consts::ARCH]["instructions"];
    let before = known["reference-transaction, not ours"].as_u64().unwrap();
    let shown = slower.stderr.replace(',', "");
    assert!(
        shown.contains("reference-transaction not ours: ")
            && shown.contains(&format!("against the baseline of {before}")),
        "{shown}"
    );
    slower.says("make bench-instructions BASELINE=new");

    let faster = count(&world, 500_000, false, &[]).ok();
    faster.says("fewer: renew the baseline");
}

#[test]
fn page_about_speed_has_the_counts_of_the_baseline() {
    let baseline = fs::read_to_string("benches/instructions.json").unwrap();
    let baseline: serde_json::Value = serde_json::from_str(&baseline).unwrap();
    let page = fs::read_to_string("docs/performance.md")
        .unwrap()
        .replace(',', "");
    for (case, count) in baseline["x86_64"]["instructions"].as_object().unwrap() {
        let line = format!("| {case} | {count} |").replace(',', "");
        assert!(page.contains(&line), "docs/performance.md lacks: {line}");
    }
}

#[test]
fn count_that_does_not_repeat_is_no_baseline() {
    let world = World::new();
    let varying = count(&world, 5_000_000, true, &["--new"]).exits(1);
    varying.says("two counts of the same work differ by");
    assert!(!world.path("baseline.json").exists());
}

#[test]
fn case_without_a_baseline_is_no_success() {
    let world = World::new();
    let counted = count(&world, 1_000_000, false, &[]).exits(1);
    counted.says("has no baseline");
}

#[test]
fn tool_that_is_missing_is_named_and_no_goal_is_met() {
    let world = World::new();
    let path = Some(git_alone(&world));
    let arguments = ["flushes", "--quick", "--binary", BINARY, "--target", "t"];
    let measured = bench(&world, "bench.py", path.as_deref(), &arguments).ok();
    measured
        .says("left out: there is no strace (package strace)")
        .says("not measured: there is no strace")
        .says("0 met, 0 MISSED, 2 not measured");
    assert!(world.path("t/bench.json").exists());

    let arguments = ["other_branch", "--binary", BINARY];
    let counted = bench(&world, "instructions.py", path.as_deref(), &arguments).exits(1);
    counted.says("there is no setarch in PATH (package util-linux)");
}

#[test]
fn unknown_case_is_refused_with_the_known_ones() {
    let world = World::new();
    let measured = bench(&world, "bench.py", None, &["startups"]).exits(2);
    measured.says("there is no case startups; there are: startup, unchanged,");
}

#[test]
fn what_the_benchmarks_say_is_right() {
    bench(&World::new(), "tests.py", None, &[]).ok();
}
