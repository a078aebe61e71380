//! The files of keys and the programs that read signatures: where one of them can't be trusted,
//! nothing is deployed, and nothing is refused as if somebody had signed badly.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::stat::Mode;
use nix::unistd::{Uid, mkfifo};

use crate::cgroups::unshare_or_skip;
use crate::run::{Run, run};
use crate::signing::{
    ONE_APPROVAL, approve, commit_signed, configure_signers, programs_with, push_commits,
    push_with_programs, world_of_signers,
};
use crate::world::World;

const A: &str = "production/a";

/// A server to which somebody can push a change that is approved.
fn world() -> World {
    let world = world_of_signers(ONE_APPROVAL);
    world.deploy(A, 1);
    commit_signed(&world, "alice", &["Deploy"]);
    approve(&world, "bob", A);
    world
}

/// What a refusal says, in one line.
#[track_caller]
fn refused(pushed: &Run) -> String {
    let said = format!("{}{}", pushed.stdout, pushed.stderr).replace("remote: ", "");
    assert_ne!(pushed.code, Some(0), "{said}");
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

const CHANGEABLE: &str = "users other than root and the owner of the repository can change";

#[test]
fn file_of_signers_that_others_can_change_is_refused() {
    let world = world();
    let file = world.path("signers");
    let good = fs::read(&file).unwrap();
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    };
    let folder = |name: &str, bits| {
        let folder = world.path(name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("signers"), &good).unwrap();
        mode(&folder, bits);
        folder.join("signers")
    };
    let named = |path: &Path, section: &str| {
        world.config(&format!(
            "[people]\nallowed_signers = \"{}\"\n{section}{ONE_APPROVAL}",
            path.display()
        ));
        refused(&push_commits(&world))
    };

    for bits in [0o666, 0o664, 0o646, 0o620] {
        mode(&file, bits);
        let said = named(&file, "");
        assert!(said.contains(CHANGEABLE), "{bits:o}: {said}");
        assert!(
            said.contains("nobody knows who changed and approved this"),
            "{said}"
        );
    }
    mode(&file, 0o644);

    for path in [folder("shared", 0o775), folder("open", 0o777)] {
        let said = named(&path, "");
        assert!(said.contains(CHANGEABLE), "{path:?}: {said}");
    }
    let link = world.path("link");
    symlink(world.path("open/signers"), &link).unwrap();
    assert!(named(&link, "").contains(CHANGEABLE));
    if Uid::effective().is_root() {
        let theirs = folder("theirs", 0o755);
        chown(&theirs, Some(65534), None).unwrap();
        assert!(named(&theirs, "").contains(CHANGEABLE));
    }

    // What can't be read as a file.
    let pipe = world.path("pipe");
    mkfifo(&pipe, Mode::from_bits_truncate(0o600)).unwrap();
    let huge = world.path("huge");
    fs::File::create(&huge).unwrap().set_len(17 << 20).unwrap();
    for (path, expected) in [
        (world.path("missing"), "No such file or directory"),
        (world.path("work"), "it is not a regular file"),
        (pipe, "it is not a regular file"),
        (huge, "it is larger than 16 MiB"),
        (world.path("signers/below"), "Not a directory"),
    ] {
        let said = named(&path, "");
        assert!(said.contains(expected), "{path:?}: {said}");
        let missing = named(&file, &format!("revoked_keys = \"{}\"\n", path.display()));
        assert!(missing.contains(expected), "{path:?}: {missing}");
    }

    // A list of revoked keys that can't be understood is no empty list.
    for text in [
        "garbage\n",
        "SHA256:abcdef\n",
        "SSHKRL\n\0garbage",
        "ssh-ed25519 AAAAbroken\n",
    ] {
        fs::write(world.path("revoked"), text).unwrap();
        let key = format!("revoked_keys = \"{}\"\n", world.path("revoked").display());
        let said = named(&file, &key);
        assert!(
            said.contains("its signature does not count: "),
            "{text:?}: {said}"
        );
    }
    fs::write(world.path("revoked"), "# none\n\n").unwrap();

    // The control: an own link to it, and a list of no keys.
    let own = world.path("own");
    symlink("signers", &own).unwrap();
    world.config(&format!(
        "[people]\nallowed_signers = \"{}\"\nrevoked_keys = \"{}\"\n{ONE_APPROVAL}",
        own.display(),
        world.path("revoked").display()
    ));
    push_commits(&world).ok();
}

#[test]
fn ssh_keygen_that_gives_no_answer_is_a_fault() {
    let world = world();
    let path = programs_with(&world, None);
    let said = refused(&push_with_programs(&world, &path));
    assert!(
        said.contains("nobody knows who changed and approved this: ssh-keygen: "),
        "{said}"
    );

    for (script, expected) in [
        ("kill -9 $$", "ssh-keygen: signal: 9"),
        ("head -c 100000 /dev/zero", "ssh-keygen: "),
        // One that is too old, and one that can't load its libraries.
        (
            "echo usage >&2; exit 1",
            "ssh-keygen: exit status: 1: usage",
        ),
        ("exit 127", "ssh-keygen: exit status: 127"),
        (
            "[ \"$2\" = verify ] && exit 127; echo bob@example.org",
            "ssh-keygen: exit status: 127",
        ),
    ] {
        let path = programs_with(&world, Some(("ssh-keygen", script)));
        let said = refused(&push_with_programs(&world, &path));
        assert!(
            said.contains("nobody knows who changed and approved this: "),
            "{said}"
        );
        assert!(said.contains(expected), "{script}: {said}");
    }
    for script in ["exit 255", "exit 0", "echo bob@example.org; exit 255"] {
        let path = programs_with(&world, Some(("ssh-keygen", script)));
        let said = refused(&push_with_programs(&world, &path));
        assert!(
            said.contains("its signature does not count: "),
            "{script}: {said}"
        );
    }
}

#[test]
fn ssh_keygen_that_hangs_is_not_waited_for() {
    let world = world();
    let pid = world.path("pid");
    let script = format!("echo $$ >'{}'; exec sleep 1000", pid.display());
    let path = programs_with(&world, Some(("ssh-keygen", &script)));
    let start = Instant::now();
    let said = refused(&push_with_programs(&world, &path));
    assert!(
        start.elapsed() < Duration::from_secs(25),
        "{:?}",
        start.elapsed()
    );
    assert!(
        said.contains("nobody knows who changed and approved this: ssh-keygen: "),
        "{said}"
    );
    let process = format!("/proc/{}", fs::read_to_string(pid).unwrap().trim());
    assert!(!Path::new(&process).exists(), "{process} is still there");
}

/// The programs get the files of keys, and nothing else stays open for them or for deployments.
#[test]
fn files_in_memory_are_open_in_no_other_program() {
    let world = world();
    world.job("ls -l /proc/self/fd > \"$W/job.fds\"");
    let real = run(
        world
            .command("sh", ".")
            .args(["-c", "command -v ssh-keygen"]),
        b"",
    );
    let (list, real) = (world.path("keygen.fds"), real.ok().line().to_owned());
    let script = format!(
        "ls -l /proc/self/fd >> '{}'\nexec {real} \"$@\"",
        list.display()
    );
    let path = programs_with(&world, Some(("ssh-keygen", &script)));
    push_with_programs(&world, &path).ok();
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);

    let seen = fs::read_to_string(list).unwrap();
    let calls = seen.matches("total ").count();
    assert_eq!(
        calls, 8,
        "two hooks, two commits, two looks at each: {seen}"
    );
    assert_eq!(seen.matches("memfd:").count(), 3 * calls, "{seen}");
    let others = seen
        .lines()
        .filter(|line| line.contains(".db") || line.contains(".lock"));
    assert_eq!(others.count(), 0, "{seen}");
    let job = fs::read_to_string(world.path("job.fds")).unwrap();
    assert!(job.contains("total "), "{job}");
    assert_eq!(job.matches("memfd:").count(), 0, "{job}");
}

#[test]
fn place_without_proc_is_a_fault() {
    if !unshare_or_skip() {
        return;
    }
    let world = world();
    let tip = world.tip();
    let push = "umount -l /proc || mount -t tmpfs none /proc\n\
                exec git push origin HEAD:refs/heads/main";
    let mut command = world.command("unshare", "work");
    let pushed = run(command.args(["-m", "sh", "-c", push]), b"");
    let said = refused(&pushed);
    assert!(
        said.contains("nobody knows who changed and approved this: "),
        "{said}"
    );
    assert!(said.contains("mount /proc"), "{said}");
    assert_eq!(world.tip(), tip);
}

/// 20 signatures are checked for one file of a push, and for each of them ssh-keygen runs twice.
#[test]
fn twenty_signatures_are_checked_for_one_file() {
    let world = world_of_signers("");
    world.deploy(A, 1);
    world.push();
    configure_signers(&world, ONE_APPROVAL);
    let real = run(
        world
            .command("sh", ".")
            .args(["-c", "command -v ssh-keygen"]),
        b"",
    );
    let (list, real) = (world.path("calls"), real.ok().line().to_owned());
    let script = format!("echo >>'{}'\nexec {real} \"$@\"", list.display());
    let path = programs_with(&world, Some(("ssh-keygen", &script)));
    let calls = || {
        fs::read_to_string(&list)
            .unwrap_or_default()
            .lines()
            .count()
    };
    let change = |n| {
        world.deploy(A, n);
        commit_signed(&world, "alice", &["Deploy"]);
    };

    (2..21).for_each(change);
    approve(&world, "bob", A);
    push_with_programs(&world, &path).ok();
    assert_eq!(calls(), 2 * 2 * 20, "each of two hooks");

    fs::write(&list, "").unwrap();
    (22..43).for_each(change);
    approve(&world, "bob", A);
    let said = refused(&push_with_programs(&world, &path));
    assert!(said.contains("its signature was not checked"), "{said}");
    assert_eq!(calls(), 2 * 20);
}
