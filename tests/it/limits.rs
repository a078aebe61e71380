//! Everything that is read from a repository has a limit, and memory does not grow with the size of
//! the files that a push changes.

use std::fmt::Write as _;

use crate::processes::BINARY;
use crate::run::{Run, run};
use crate::tree::{FILE, FOLDER, Trees};
use crate::world::{NULL, World, rev};

/// Pushes a commit with a tree.
fn push_tree(world: &World, tree: &str) -> Run {
    let commit = Trees::new(world, "work").commit(tree, None);
    world.push_with(&["origin", &format!("{commit}:refs/heads/main")])
}

/// A tree with an entry for each number below a count.
fn wide(trees: &Trees<'_>, count: usize, mode: &str, end: &str, object: &str) -> String {
    let names: Vec<String> = (0..count)
        .map(|number| format!("{number:06}{end}"))
        .collect();
    let entries: Vec<_> = names
        .iter()
        .map(|name| (mode, name.as_bytes(), object))
        .collect();
    trees.tree(&entries)
}

#[test]
fn trees_beyond_a_limit_are_refused_with_the_limit() {
    let world = World::installed();
    let trees = Trees::new(&world, "work");
    let blob = trees.blob(rev(1));
    let file = trees.path(FILE, b"readme", &blob);

    let deep = vec!["x".repeat(200); 25].join("/");
    let deep = trees.path(FILE, format!("{deep}/a.txt").as_bytes(), &blob);
    let deploy_files = wide(&trees, 200_001, FILE, ".deploy", &blob);
    let table = [
        (deep, "a path has more than 4096 bytes: xxx"),
        (
            trees.path(FILE, &[&[b'y'; 5000][..], b"/a.deploy"].concat(), &blob),
            "a path has more than 4096 bytes: yyy",
        ),
        (
            wide(&trees, 300_002, FOLDER, "", &file),
            "a folder has more than 300000 changes",
        ),
        (
            trees.tree(&[(FOLDER, b"production", &deploy_files)]),
            "more than 200000 deploy files differ",
        ),
    ];

    for (tree, expect) in table {
        let run = push_tree(&world, &tree).exits(1);
        let said = run.remote().join("\n");
        assert!(said.contains(expect), "{expect:?} is missing: {said}");
        let advice = "; take it out of what is pushed, or push it in smaller parts";
        assert!(said.contains(advice), "{said}");
    }
    assert_eq!(world.tip(), NULL);
}

#[test]
fn damaged_tree_is_an_error_and_retires_nothing() {
    for root in ["deploys", ""] {
        let world = World::installed();
        world.config_top(&format!("root = \"{root}\""));
        let trees = Trees::new(&world, "deploy.git");
        let inner = trees.path(FILE, b"production/a.deploy", &trees.blob(rev(1)));
        let inner = match root {
            "" => inner,
            root => trees.tree(&[(FOLDER, root.as_bytes(), &inner)]),
        };
        let old = trees.commit(&inner, None);
        // An entry without an end.
        let new = trees.damaged_tree(b"40000 a");
        let new = trees.raw_commit(format!("tree {new}\nparent {old}\n\nDamaged\n"));

        let plan = world.cmd(&["plan", &old, &new]);

        assert_eq!(plan.code, Some(4), "{plan:?}");
        plan.says_nothing_of("retire");
    }
}

#[test]
fn folders_beyond_a_limit_are_refused_with_the_limit() {
    let world = World::installed();
    let mut stream = "commit refs/heads/wide\ncommitter A <a@x> 1 +0000\ndata 1\nx".to_owned();
    for number in 0..100_001 {
        let (folder, file) = (number / 300, format!("{number:06}"));
        let _ = write!(
            stream,
            "M 100644 inline e{folder}/{file}/f\ndata 6\n{file}\n"
        );
    }
    let mut import = world.command("git", "deploy.git");
    run(import.args(["fast-import", "--quiet"]), stream.as_bytes()).ok();
    let commit = world.server_git(&["rev-parse", "refs/heads/wide"]);

    let refused = world.hook("pre-receive", &format!("{NULL} {commit} refs/heads/main\n"));

    refused.exits(1).says("more than 100000 folders differ");
}

/// How many deploy files of 1 MiB the test of memory changes, and how many KiB a process may have.
const FILES: usize = 80;
const MEMORY_MAX: usize = 64_000;

/// Writes commits in which every deploy file has a content of 1 MiB of its own. Returns them.
fn large_files(world: &World, commits: usize) -> Vec<String> {
    let mut stream = String::new();
    let filling = "* Deploy\n".repeat(1024 * 1024 / 9 - 10);
    for commit in 1..=commits {
        let _ = write!(
            stream,
            "commit refs/heads/large\nmark :{commit}\ncommitter A <a@x> {commit} +0000\ndata 1\nx"
        );
        for file in 1..=FILES {
            let revision = rev(u32::try_from(commit * 1000 + file).unwrap());
            let content = format!("{revision}\n{filling}");
            let size = content.len();
            let path = format!("production/a{file}.deploy");
            let _ = write!(stream, "M 100644 inline {path}\ndata {size}\n{content}\n");
        }
    }
    let mut import = world.command("git", "deploy.git");
    import.args([
        "-c",
        "core.compression=1",
        "fast-import",
        "--quiet",
        "--export-marks=marks",
    ]);
    run(&mut import, stream.as_bytes()).ok();

    let marks = std::fs::read_to_string(world.path("deploy.git/marks")).unwrap();
    marks
        .lines()
        .map(|line| line.split(' ').nth(1).unwrap().to_owned())
        .collect()
}

/// Runs a command of the shell that may have little memory.
fn with_little_memory(world: &World, script: &str) -> Run {
    let mut shell = world.command("sh", "deploy.git");
    shell.args(["-c", &format!("ulimit -v {MEMORY_MAX}; {script}")]);
    run(shell.env("GIT_DIR", ".").env("MALLOC_ARENA_MAX", "1"), b"")
}

#[test]
fn memory_does_not_grow_with_the_size_of_deploy_files() {
    let world = World::installed();
    let mut commits = large_files(&world, 2);
    commits.sort_by_key(|commit| world.server_git(&["show", "-s", "--format=%ct", commit]));
    let (old, new) = (&commits[0], &commits[1]);

    // The control: what holds all of them needs more memory.
    let all = format!("head -c {FILES}M /dev/zero | tail -n 1 | wc -c");
    let held = with_little_memory(&world, &all);
    assert_ne!(held.stdout.trim(), (FILES << 20).to_string());

    for range in [format!("{NULL} {old}"), format!("{old} {new}")] {
        let line = format!("{range} refs/heads/main");
        let judge = format!("echo '{line}' | '{BINARY}' pre-receive");
        with_little_memory(&world, &judge).ok();
    }
    let plan = format!("'{BINARY}' -C . plan {old} {new}");
    with_little_memory(&world, &plan)
        .ok()
        .says("production/a80");

    world.without_hooks(|| world.server_git(&["update-ref", "refs/heads/main", old]));
    let record = format!("echo '{NULL} {old} refs/heads/main' | '{BINARY}' post-receive");
    with_little_memory(&world, &record).ok();
    let log = world.json(&["log", "-n", "1000"]);
    assert_eq!(log.as_array().unwrap().len(), FILES);
}
