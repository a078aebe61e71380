//! What a release takes from the one before, and that it takes nothing that somebody has touched.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use crate::checkout::{commit, configure, deploy, order, release, roll_back, world};
use crate::release_users::Mounted;
use crate::run::{run, skip};
use crate::tree::{EXECUTABLE, FILE, Trees};
use crate::world::World;

/// The files of the applications. `changes` differs in each revision.
const FILES: [&str; 8] = [
    "changes",
    "content",
    "fifo",
    "gone",
    "link",
    "mode",
    "replaced",
    "untouched",
];

const LARGE: usize = 100_000;

fn files(trees: &Trees<'_>, changes: &str) -> String {
    let large = trees.blob("x".repeat(LARGE));
    let blobs = FILES.map(|name| match name {
        "changes" => (FILE, name.as_bytes(), trees.blob(changes)),
        "mode" => (EXECUTABLE, name.as_bytes(), large.clone()),
        _ => (FILE, name.as_bytes(), large.clone()),
    });
    trees.tree(
        &blobs
            .each_ref()
            .map(|(mode, name, id)| (*mode, *name, id.as_str())),
    )
}

fn application(world: &World, changes: &str) -> String {
    commit(world, |trees| files(trees, changes))
}

fn inode(file: &Path) -> u64 {
    file.symlink_metadata().unwrap().ino()
}

/// Asserts that a release is what its revision says.
#[track_caller]
fn assert_whole(release: &Path, changes: &str) {
    for name in FILES {
        let file = release.join(name);
        let status = file.symlink_metadata().unwrap();
        assert!(status.is_file(), "{name}");
        assert_eq!(
            status.permissions().mode() & 0o100 != 0,
            name == "mode",
            "{name}"
        );
        match name {
            "changes" => assert_eq!(fs::read_to_string(file).unwrap(), changes),
            _ => assert!(
                fs::read(file).unwrap() == "x".repeat(LARGE).as_bytes(),
                "{name}"
            ),
        }
    }
}

/// Whether the content of a file is shared with another file.
fn is_shared(world: &World, file: &Path) -> bool {
    let mut filefrag = world.command("filefrag", ".");
    run(filefrag.arg("-v").arg(file), b"")
        .ok()
        .all()
        .contains("shared")
}

/// A world whose folder `srv` has a file system of its own. `None`: it can't be mounted here.
pub fn world_on(kind: &str, size: &str) -> Option<(World, Mounted)> {
    let world = world("");
    let made = world.shell_in(
        ".",
        &format!(
            "mkdir srv && truncate -s {size} image && mkfs.{kind} -q image && \
             mount -o loop image srv && chmod 777 srv"
        ),
    );
    if made.code != Some(0) {
        skip(&format!(
            "no file system of the kind {kind} can be mounted: {made:?}"
        ));
        return None;
    }
    let mounted = Mounted(world.path("srv"));
    Some((world, mounted))
}

fn content_is_shared_on(kind: &str, size: &str) {
    let Some((world, _mounted)) = world_on(kind, size) else {
        return;
    };
    let [one, two] = ["one", "two"].map(|changes| application(&world, changes));
    deploy(&world, &one);
    let old = release(&world, &one);
    assert!(!is_shared(&world, &old.join("untouched")), "the control");
    fs::write(old.join("content"), "y".repeat(LARGE)).unwrap();

    assert_eq!(deploy(&world, &two), "#2 production/a succeeded");
    let new = release(&world, &two);
    assert_whole(&new, "two");
    assert!(is_shared(&world, &new.join("untouched")));
    assert!(is_shared(&world, &new.join("mode")));
    assert!(
        !is_shared(&world, &new.join("content")),
        "it was written to"
    );
    assert_ne!(inode(&new.join("untouched")), inode(&old.join("untouched")));

    // Nobody can write through it into another release.
    fs::write(new.join("untouched"), "z").unwrap();
    let untouched = fs::read(old.join("untouched")).unwrap();
    assert!(untouched == "x".repeat(LARGE).as_bytes());
    world.wait_until_idle();
}

#[test]
fn content_is_shared_on_xfs() {
    content_is_shared_on("xfs", "400M");
}

#[test]
fn content_is_shared_on_btrfs() {
    content_is_shared_on("btrfs", "200M");
}

#[test]
fn nothing_is_shared_where_the_file_system_cannot() {
    let Some((world, _mounted)) = world_on("ext4", "64M") else {
        return;
    };
    let [one, two] = ["one", "two"].map(|changes| application(&world, changes));
    for revision in [&one, &two] {
        deploy(&world, revision);
    }
    assert_whole(&release(&world, &two), "two");
    assert!(!is_shared(&world, &release(&world, &two).join("untouched")));
    assert!(
        !world.path("srv/production/a/.manifests").exists(),
        "no list is of use"
    );
    world.wait_until_idle();
}

#[test]
fn files_are_hard_links_by_choice_only() {
    let world = world("");
    let [one, two, three] = ["one", "two", "three"].map(|changes| application(&world, changes));
    let untouched = |revision| inode(&release(&world, revision).join("untouched"));
    deploy(&world, &one);
    deploy(&world, &two);
    assert_ne!(untouched(&one), untouched(&two));

    // The list of the files is written from now on.
    configure(&world, "link = \"hard\"\n");
    deploy(&world, &three);
    assert_ne!(untouched(&two), untouched(&three));
    let four = application(&world, "four");
    deploy(&world, &four);
    assert_eq!(untouched(&three), untouched(&four));
    for (revision, changes) in [
        (&one, "one"),
        (&two, "two"),
        (&three, "three"),
        (&four, "four"),
    ] {
        assert_whole(&release(&world, revision), changes);
    }
}

#[test]
fn release_that_others_are_linked_to_is_used_again() {
    let world = world("link = \"hard\"\n");
    let [one, two] = ["one", "two"].map(|changes| application(&world, changes));
    deploy(&world, &one);
    deploy(&world, &two);
    let folder = inode(&release(&world, &one));

    roll_back(&world, &one);
    assert_eq!(
        inode(&release(&world, &one)),
        folder,
        "links change nothing in it"
    );
    world.cmd(&["logs", "3"]).ok().says("reused ");
    assert_whole(&release(&world, &one), "one");
}

/// After old releases were removed, and after deployments that failed, links are still made: a file
/// that has fewer names than before is still what was written.
#[test]
fn links_go_on_when_other_releases_are_removed() {
    let world = world(
        "link = \"hard\"\nkeep_releases = 1\n\
         command = [\"/bin/sh\", \"-c\", \"! grep -q bad changes\"]\n",
    );
    let contents = ["one", "two", "bad", "four", "five", "bad again", "seven"];
    let mut inodes = Vec::new();
    for changes in contents {
        let revision = application(&world, changes);
        let last = deploy(&world, &revision);
        assert_eq!(
            last.ends_with("succeeded"),
            !changes.contains("bad"),
            "{last}"
        );
        world.wait_until_idle();
        let current = world.path("srv/production/a/current");
        inodes.push(inode(&current.join("untouched")));
    }
    assert_eq!(inodes, vec![inodes[0]; contents.len()]);

    let lists = fs::read_dir(world.path("srv/production/a/.manifests")).unwrap();
    let releases = fs::read_dir(release(&world, "")).unwrap();
    assert_eq!(lists.count(), releases.count());
}

#[test]
fn file_that_was_touched_is_written_anew() {
    let world = world("link = \"hard\"\n");
    let [one, two] = ["one", "two"].map(|changes| application(&world, changes));
    deploy(&world, &one);
    world.wait_until_idle();
    let old = release(&world, &one);
    let file = |name: &str| old.join(name);

    // The time of the last change can't be set back, so this is seen.
    let before = fs::metadata(file("content")).unwrap().modified().unwrap();
    fs::write(file("content"), "y".repeat(LARGE)).unwrap();
    let content = File::options().write(true).open(file("content")).unwrap();
    content.set_modified(before).unwrap();
    fs::set_permissions(file("mode"), Permissions::from_mode(0o600)).unwrap();
    for name in ["fifo", "gone", "link", "replaced"] {
        fs::remove_file(file(name)).unwrap();
    }
    run(world.command("mkfifo", ".").arg(file("fifo")), b"").ok();
    symlink("/etc/passwd", file("link")).unwrap();
    fs::write(file("replaced"), "x".repeat(LARGE)).unwrap();

    assert_eq!(deploy(&world, &two), "#2 production/a succeeded");
    let new = release(&world, &two);
    assert_whole(&new, "two");
    for name in FILES.iter().filter(|name| file(name).exists()) {
        let is_same = inode(&new.join(name)) == inode(&file(name));
        assert_eq!(is_same, *name == "untouched", "{name}");
    }
}

#[test]
fn list_that_is_damaged_only_costs_time() {
    let world = world("link = \"hard\"\n");
    let mut last = application(&world, "0");
    deploy(&world, &last);
    let lists = world.path("srv/production/a/.manifests");
    let damages: [fn(&Path); 5] = [
        |list| fs::remove_file(list).unwrap(),
        |list| fs::write(list, "").unwrap(),
        |list| fs::write(list, "d\u{0}\u{0}f\u{0}\u{0}".repeat(1000)).unwrap(),
        |list| {
            let text = fs::read(list).unwrap();
            fs::write(list, &text[..text.len() / 2]).unwrap();
        },
        |list| {
            fs::remove_file(list).unwrap();
            symlink("/dev/zero", list).unwrap();
        },
    ];
    for (number, damage) in damages.into_iter().enumerate() {
        world.wait_until_idle();
        damage(&lists.join(&last));
        let changes = format!("{}", number + 1);
        let next = application(&world, &changes);
        let said = deploy(&world, &next);
        assert!(said.ends_with(" succeeded"), "{said}");
        assert_whole(&release(&world, &next), &changes);
        let same = |revision| inode(&release(&world, revision).join("untouched"));
        if release(&world, &last).exists() {
            assert_ne!(same(&next), same(&last));
        }
        last = next;
    }
}

/// Carries out single steps of a checkout, without a runner.
struct Steps<'w> {
    world: &'w World,
    folder: PathBuf,
}

impl<'w> Steps<'w> {
    fn new(world: &'w World) -> Self {
        let folder = world.path("steps");
        Self { world, folder }
    }

    /// The same with a current release, and the revisions of this one and the next one.
    fn after_one(world: &'w World) -> (Self, [String; 2]) {
        let steps = Self::new(world);
        let [one, two] = ["one", "two"].map(|changes| application(world, changes));
        for step in ["export", "make-current"] {
            steps.step(&["env"], step, 1, &one).ok();
        }
        (steps, [one, two])
    }

    fn order(&self, id: u32, revision: &str) -> String {
        let mut order = order(self.world, &self.folder, id, revision);
        order["link"] = "Hard".into();
        order["release"] = revision.into();
        let made = fs::read_dir(self.release("")).into_iter().flatten();
        let made = made.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let made: Vec<_> = made.filter(|name| name.len() == 40).zip(1_u32..).collect();
        order["succeeded"] = serde_json::json!(made);
        format!("{order}\n")
    }

    /// Runs a step under a program with arguments.
    fn step(&self, under: &[&str], step: &str, id: u32, revision: &str) -> crate::run::Run {
        let mut command = self.world.command(under[0], ".");
        command.args(&under[1..]);
        command.args([crate::processes::BINARY, "checkout-step", step]);
        run(&mut command, self.order(id, revision).as_bytes())
    }

    /// Runs the step `export` with what strace injects into a system call.
    fn export_with(&self, call: &str, injected: &str, id: u32, revision: &str) -> crate::run::Run {
        let trace = format!("trace={call}");
        let inject = format!("inject={call}:{injected}");
        let strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", &trace];
        let strace = [&strace[..], &["-e", &inject]].concat();
        self.step(&strace, "export", id, revision)
    }

    fn release(&self, revision: &str) -> PathBuf {
        self.folder.join("releases").join(revision)
    }
}

#[test]
fn file_that_can_not_be_taken_after_all_is_written() {
    if !crate::faults::strace_or_skip() {
        return;
    }
    let world = world("");
    let (steps, [one, two]) = Steps::after_one(&world);
    // Each file can only have so many names.
    steps
        .export_with("linkat", "error=EMLINK:when=3", 2, &two)
        .ok()
        .says("exported ");
    assert_whole(&steps.release(&two), "two");
    let is_linked = |name: &&&str| {
        let inode = |revision| inode(&steps.release(revision).join(name));
        inode(&one) == inode(&two)
    };
    // One file has changed, and one could not be taken.
    assert_eq!(FILES.iter().filter(is_linked).count(), FILES.len() - 2);
    let left = fs::read_dir(steps.release("")).unwrap().count();
    assert_eq!(left, 2, "nothing else is left");
}

#[test]
fn writer_that_is_killed_leaves_no_part_of_a_release() {
    if !crate::faults::strace_or_skip() {
        return;
    }
    let world = world("");
    let (steps, [one, two]) = Steps::after_one(&world);
    let (mut unfinished, mut complete) = (0, 0);
    let points = [
        ("linkat", 6),
        ("mkdirat", 2),
        ("renameat", 4),
        ("syncfs", 1),
        ("ioctl", 0),
    ];
    for (call, most) in points {
        for when in 1..=most {
            let kill = format!("signal=KILL:when={when}");
            let said = steps.export_with(call, &kill, 10 + when, &two);
            match steps.release(&two).exists() {
                true => {
                    assert_whole(&steps.release(&two), "two");
                    complete += 1;
                }
                false => {
                    assert_ne!(said.code, Some(0), "{said:?}");
                    unfinished += 1;
                }
            }
            assert_whole(&steps.release(&one), "one");
            let _ = fs::remove_dir_all(steps.release(&two));
            for entry in fs::read_dir(steps.release("")).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                if name.starts_with(".unfinished-") {
                    fs::remove_dir_all(steps.release(&name)).unwrap();
                }
            }
        }
    }
    assert!(unfinished >= 5 && complete >= 1, "{unfinished} {complete}");
    steps.step(&["env"], "export", 30, &two).ok();
    assert_whole(&steps.release(&two), "two");
}

#[test]
fn export_whose_pipe_fails_comes_to_an_end() {
    if !crate::faults::strace_or_skip() {
        return;
    }
    let world = world("");
    let steps = Steps::new(&world);
    let one = application(&world, "one");
    let mut failed = 0;
    for when in 1..=4 {
        let fault = format!("error=EIO:when={when}");
        let said = steps.export_with("write", &fault, when, &one);
        failed += u32::from(said.code != Some(0));
        let _ = fs::remove_dir_all(steps.release(&one));
    }
    assert!(failed > 0, "no write of the export failed");
    steps.step(&["env"], "export", 10, &one).ok();
    assert_whole(&steps.release(&one), "one");
}

#[test]
fn large_file_needs_little_memory() {
    let world = world("");
    let steps = Steps::new(&world);
    let size = 80 * 1024 * 1024;
    let revision = commit(&world, |trees| {
        trees.path(FILE, b"large", &trees.blob(vec![b'x'; size]))
    });
    // So much memory may be written to (RLIMIT_DATA, in KiB).
    let under = ["sh", "-c", "ulimit -d 65536; exec \"$@\"", "sh"];
    for id in [1, 2] {
        steps.step(&under, "export", id, &revision).ok();
        let large = fs::read(steps.release(&revision).join("large")).unwrap();
        assert!(large.len() == size && large.iter().all(|byte| *byte == b'x'));
        fs::remove_dir_all(&steps.folder).unwrap();
        // The second time it is in a pack.
        world.git_in(
            "apps/a.git",
            &["-c", "core.bigFileThreshold=1m", "repack", "-adq"],
        );
    }
}

#[test]
fn what_releases_begin_to_share_is_no_file_of_an_older_release() {
    let world = world("link = \"hard\"\n");
    let one = application(&world, "one");
    assert_eq!(deploy(&world, &one), "#1 production/a succeeded");

    configure(&world, "link = \"hard\"\nshared = [\"content/\"]\n");
    let two = application(&world, "two");
    assert_eq!(deploy(&world, &two), "#2 production/a succeeded");

    let shared = world.path("srv/production/a/shared/content");
    let [old, new] = [&one, &two].map(|revision| release(&world, revision));
    assert_ne!(inode(&shared), inode(&old.join("content")));
    assert_eq!(inode(&new.join("untouched")), inode(&old.join("untouched")));
    fs::write(&shared, "of the application").unwrap();
    assert_whole(&old, "one");
}
