//! The files of the hooks: what becomes of them when the program moves, or when somebody changes
//! their modes, and what `install` and `doctor` say where git would not run them.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use deploy_by_code::hook_files::hook_file;

use crate::hosts::script;
use crate::processes::BINARY;
use crate::run::{Run, run};
use crate::timer;
use crate::world::World;

const HOOKS: [&str; 3] = ["pre-receive", "post-receive", "reference-transaction"];

/// A copy of the program. Another process makes it: while this one has a file open for writing,
/// what other tests start has it open too, and it can't be executed.
fn copy(world: &World, name: &str) -> PathBuf {
    let program = world.path(name);
    let call = format!("install -D -m 755 '{BINARY}' '{}'", program.display());
    world.shell_in(".", &call).ok();
    program
}

/// Runs a copy of the program on the deploy repository.
fn run_copy(world: &World, program: &Path, command: &str) -> Run {
    let mut copy = world.command(program.to_str().unwrap(), ".");
    run(copy.args(["-C", "deploy.git", command]), b"")
}

fn hook(world: &World, name: &str) -> PathBuf {
    world.path("deploy.git/hooks").join(name)
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Pushes a deploy file that no version accepts, without a change to the clone. The push must be
/// refused.
fn push_of_garbage_is_refused(world: &World) -> Run {
    let script = "file=$(echo garbage | git hash-object -w --stdin)
        folder=$(printf '100644 blob %s\\tgarbage.deploy\\n' $file | git mktree)
        tree=$(printf '040000 tree %s\\tproduction\\n' $folder | git mktree)
        commit=$(git commit-tree -m garbage $tree)
        git push -f origin $commit:refs/heads/main";
    let before = world.tip();
    let push = world.shell_in("work", script).exits(1);
    assert_eq!(world.tip(), before, "{push:?}");
    push
}

#[test]
fn hooks_outlive_an_upgrade_that_removes_the_old_folder() {
    let world = World::new();
    copy(&world, "v1/deploy-by-code");
    copy(&world, "v2/deploy-by-code");
    fs::create_dir(world.path("bin")).unwrap();
    let link = world.path("bin/deploy-by-code");
    symlink("../v1/deploy-by-code", &link).unwrap();
    run_copy(&world, &link, "install").ok();

    world.deploy("production/a", 1);
    world.push();
    world.settled();

    fs::remove_file(&link).unwrap();
    symlink("../v2/deploy-by-code", &link).unwrap();
    fs::remove_dir_all(world.path("v1")).unwrap();
    push_of_garbage_is_refused(&world).says("refused production/garbage.deploy");
    world.deploy("production/a", 2);
    world.push();
    assert_eq!(world.settled().len(), 2);
}

#[test]
fn push_is_refused_where_the_program_is_gone() {
    let world = World::new();
    let program = copy(&world, "v1/deploy-by-code");
    run_copy(&world, &program, "install").ok();
    world.deploy("production/a", 1);

    for is_gone in [false, true] {
        if is_gone {
            fs::remove_file(&program).unwrap();
        } else {
            set_mode(&program, 0o644);
        }
        push_of_garbage_is_refused(&world);
        world
            .cmd(&["doctor"])
            .exits(1)
            .says("v1/deploy-by-code, which is missing or not executable, so git refuses");
    }

    world.install();
    world.push();
    assert_eq!(world.settled().len(), 1);
}

#[test]
fn mode_of_a_hook_is_not_the_mode_of_the_program() {
    let world = World::new();
    let program = copy(&world, "bin/deploy-by-code");
    run_copy(&world, &program, "install").ok();
    let other = world.path("other.git");
    world.git_in(".", &["init", "-q", "--bare", "-b", "main", "other.git"]);
    fs::write(other.join("deploy-by-code.toml"), "").unwrap();
    run(
        world
            .command(program.to_str().unwrap(), ".")
            .args(["install", "other.git"]),
        b"",
    )
    .ok();

    for name in HOOKS {
        set_mode(&hook(&world, name), 0o644);
    }
    // The program still starts, and says what is wrong.
    run_copy(&world, &program, "doctor")
        .exits(1)
        .says("hooks/pre-receive is not executable, so git skips it")
        .says("fix: chmod +x ");

    // The hooks of the other repository still run.
    world.deploy_file("production/garbage", "garbage\n");
    world
        .push_with(&["../other.git", "HEAD:refs/heads/main"])
        .exits(1)
        .says("refused production/garbage.deploy");
}

#[test]
fn links_of_an_older_version_are_replaced_by_files() {
    for (link, what) in [
        (PathBuf::from(BINARY), "the program"),
        (
            "/nonexistent/deploy-by-code".into(),
            "a program that is gone",
        ),
        (
            "/nonexistent/share/deploy-by-code/hooks/pre-receive".into(),
            "a package that is gone",
        ),
    ] {
        let world = World::installed();
        for name in HOOKS {
            fs::remove_file(hook(&world, name)).unwrap();
            symlink(&link, hook(&world, name)).unwrap();
        }
        world.install();
        for name in HOOKS {
            let text = fs::read(hook(&world, name)).unwrap();
            assert_eq!(text, hook_file(Path::new(BINARY)).unwrap(), "{what}");
        }
        assert!(!hook(&world, "chained").exists(), "{what}");
        world.cmd(&["doctor"]).ok();
        push_of_garbage_is_refused(&world);
    }
}

#[test]
fn program_is_known_under_another_name_and_a_stranger_is_not_under_its_name() {
    let world = World::new();
    let program = copy(&world, "bin/dbc");
    for name in HOOKS {
        symlink(&program, hook(&world, name)).unwrap();
    }
    run_copy(&world, &program, "install").ok();
    assert!(!hook(&world, "chained").exists(), "our own hook was kept");
    push_of_garbage_is_refused(&world);
    run_copy(&world, &program, "uninstall").ok();
    assert!(!hook(&world, "pre-receive").exists());

    let stranger = world.path("theirs/deploy-by-code");
    script(&stranger, "#!/bin/sh\necho theirs\nexit 1\n");
    symlink(&stranger, hook(&world, "pre-receive")).unwrap();
    world.install();
    world.deploy("production/a", 1);
    world.try_push().exits(1).says("theirs");
    world.cmd(&["uninstall"]).ok();
    let link = fs::read_link(hook(&world, "pre-receive")).unwrap();
    assert_eq!(link, stranger);
}

#[test]
fn path_that_the_kernel_cannot_read_gets_links() {
    let world = World::new();
    let program = copy(&world, "a folder/deploy-by-code");
    run_copy(&world, &program, "install").ok();
    let link = fs::read_link(hook(&world, "pre-receive")).unwrap();
    assert_eq!(link, program.canonicalize().unwrap());
    run_copy(&world, &program, "install").says("everything is in place");
    push_of_garbage_is_refused(&world);
    run_copy(&world, &program, "uninstall").ok();
    assert!(!hook(&world, "pre-receive").is_symlink());
}

#[test]
fn files_that_the_package_has_are_those_that_install_writes() {
    let expected = hook_file(Path::new("/usr/bin/deploy-by-code")).unwrap();
    for name in HOOKS {
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("hooks")
            .join(name);
        assert_eq!(fs::read(&file).unwrap(), expected, "{name}");
        let mode = fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o111, 0o111, "{name}");
    }
}

#[test]
fn timer_and_status_report_hooks_that_git_does_not_run() {
    let world = World::new();
    let program = copy(&world, "v1/deploy-by-code");
    let list = timer::list(&world);
    let mut install = world.command(program.to_str().unwrap(), ".");
    run(
        install
            .args(["-C", "deploy.git"])
            .args(list.with(&["install"])),
        b"",
    )
    .ok();
    let hook = hook(&world, "pre-receive");
    let own = fs::read(&hook).unwrap();
    let timer = || world.cmd_in(".", &list.with(&["reconcile", "--registered"]));
    timer().ok();

    let check = |says: &str| {
        timer().exits(1).says("hooks/pre-receive ").says(says);
        world
            .cmd(&["status"])
            .ok()
            .says("hooks/pre-receive ")
            .says(says);
        world
            .cmd(&["doctor"])
            .exits(1)
            .says("hooks/pre-receive ")
            .says(says);
        // A person who only wants to plan is not kept from it.
        world.cmd(&["reconcile"]).ok();
    };
    set_mode(&hook, 0o644);
    check("is not executable");
    fs::remove_file(&hook).unwrap();
    check("is missing");
    symlink("/nonexistent/deploy-by-code", &hook).unwrap();
    check("is a broken link");
    fs::remove_file(&hook).unwrap();
    symlink("/nonexistent/share/pre-receive", &hook).unwrap();
    check("is a broken link");
    fs::remove_file(&hook).unwrap();
    script(&hook, "#!/bin/sh\n");
    check("is a hook of another program");
    script(&hook, &String::from_utf8(own).unwrap());
    timer().ok();
    world.cmd(&["status"]).ok().says_nothing_of("hooks/");

    fs::remove_file(&program).unwrap();
    check("which is missing or not executable, so git refuses every push");
    world.install();
    timer().ok();

    // git runs the hooks of another folder.
    fs::create_dir(world.path("elsewhere")).unwrap();
    world.server_git(&[
        "config",
        "core.hooksPath",
        world.path("elsewhere").to_str().unwrap(),
    ]);
    timer()
        .exits(1)
        .says("elsewhere/pre-receive is missing, so git skips it");
}

#[test]
fn advice_about_a_hooks_path_leads_out_of_it() {
    // Here it is set for all repositories, so unsetting it in this one changes nothing.
    let world = World::new();
    let shared = world.path("shared");
    fs::create_dir(&shared).unwrap();
    let everywhere = format!("[core]\n\thooksPath = {}\n", shared.display());
    fs::write(world.path("home/gitconfig"), everywhere).unwrap();
    let with_it = |arguments: &[&str]| {
        let mut command = world.binary();
        command
            .args(arguments)
            .env("GIT_CONFIG_GLOBAL", world.path("home/gitconfig"));
        run(&mut command, b"")
    };

    let refused = with_it(&["install"]).exits(1);
    let advice = "git -C ";
    let start = refused.stderr.find(advice).unwrap();
    let line = refused.stderr[start..].lines().next().unwrap();
    with_it(&["doctor"])
        .exits(1)
        .says(line)
        .says("core.hooksPath");
    world.shell_in(".", line).ok();

    with_it(&["install"]).ok();
    with_it(&["doctor"]).ok();
    world.deploy_file("production/garbage", "garbage\n");
    world.commit();
    let mut push = world.push_command(&["origin", "HEAD:refs/heads/main"]);
    push.env("GIT_CONFIG_GLOBAL", world.path("home/gitconfig"));
    run(&mut push, b"")
        .exits(1)
        .says("refused production/garbage");
}

#[test]
fn lock_that_git_left_behind_is_named() {
    let world = World::new();
    let lock = world.path("deploy.git/config.lock");
    fs::write(&lock, "").unwrap();
    world
        .cmd(&["install"])
        .exits(4)
        .says("git can't change receive.advertisePushOptions")
        .says("deploy.git/config.lock exists")
        .says("remove it");

    fs::remove_file(&lock).unwrap();
    world.install();
    world.install().says("everything is in place");
}

#[test]
fn repository_whose_work_tree_has_the_deploy_branch_is_refused() {
    let world = World::new();
    let install = |world: &World| world.cmd_in("work", &["install"]);
    world.write("production/a.deploy", "");
    world.commit();
    install(&world)
        .exits(1)
        .says("has a work tree with refs/heads/main checked out")
        .says("git clone --bare");
    assert!(!world.path("work/.git/deploy-by-code").exists());

    // With another deploy branch, or with a setting that is meant for this, git takes pushes.
    world.git(&["config", "receive.denyCurrentBranch", "updateInstead"]);
    install(&world).ok();
    world.git(&["config", "--unset", "receive.denyCurrentBranch"]);
    world
        .cmd_in("work", &["doctor"])
        .exits(1)
        .says("PROBLEM  work tree: ");
    world.git(&["checkout", "-q", "-b", "other"]);
    fs::write(
        world.path("work/.git/deploy-by-code.toml"),
        "branch = \"main\"\n",
    )
    .unwrap();
    install(&world).ok();
}
