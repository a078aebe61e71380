//! The process that writes a release with shared paths is killed: what is shared is neither lost
//! nor doubled, and a release that has its name is whole.

use std::fs;
use std::path::Path;

use crate::checkout::{order, release, world};
use crate::faults::strace_or_skip;
use crate::processes::BINARY;
use crate::run::run;
use crate::shared::{checkout, files};

/// The system calls of the writer that change something, or wait for the disk. A kill at a call
/// that only looks is a kill before the next of these.
const CALLS: [&str; 9] = [
    "mkdirat",
    "openat",
    "write",
    "linkat",
    "unlinkat",
    "renameat",
    "symlinkat",
    "syncfs",
    "fsync",
];

/// Kills the process that writes at each of its system calls.
#[test]
fn kill_of_the_writer_at_any_call_loses_and_doubles_nothing() {
    if !strace_or_skip() {
        return;
    }
    let world = world("shared = [\"storage\", \".env\", \"public/uploads\", \"made\"]\n");
    let others = [
        (".env", "tree"),
        ("public/uploads/a", "tree"),
        ("storage/seed", "tree"),
    ];
    let revision = files(&world, "one", &others);
    let mut order = order(&world, &checkout(&world, ""), 1, &revision);
    order["shared"] = serde_json::json!([
        { "path": "storage", "is_folder": true },
        { "path": ".env", "is_folder": false },
        { "path": "public/uploads", "is_folder": true },
        { "path": "made", "is_folder": true },
    ]);
    let input = format!("{order}\n");
    let all_files = [
        "file",
        ".env",
        "public/uploads/a",
        "storage/seed",
        "REVISION",
    ];
    let is_whole = |release: &Path| {
        let mut files = all_files.iter().map(|file| release.join(file).is_file());
        files.all(|is_there| is_there)
            && ["storage", ".env", "public/uploads", "made"]
                .iter()
                .all(|path| {
                    fs::symlink_metadata(release.join(path)).is_ok_and(|found| found.is_symlink())
                })
            && release.join("made").is_dir()
    };

    let (mut kills, mut moved, mut whole) = (0, 0, 0);
    for call in CALLS {
        for n in 1.. {
            let _ = fs::remove_dir_all(checkout(&world, ""));
            let mut strace = world.command("strace", ".");
            strace.args([
                "-f",
                "-qq",
                "-o",
                "/dev/null",
                "-e",
                &format!("trace={call}"),
            ]);
            strace.args(["-e", &format!("inject={call}:signal=KILL:when={n}")]);
            let faulty = run(
                strace.args([BINARY, "checkout-step", "export"]),
                input.as_bytes(),
            );
            let place = format!("after a kill at {call} {n}: {faulty:?}");
            if faulty.code == Some(0) {
                break;
            }
            kills += 1;

            let release = release(&world, &revision);
            assert!(
                !release.exists() || is_whole(&release),
                "half a release {place}"
            );
            whole += u32::from(release.exists());
            for file in [".env", "public/uploads/a", "storage/seed"] {
                let shared = checkout(&world, "shared").join(file);
                if shared.exists() {
                    moved += 1;
                    assert_eq!(
                        fs::read_to_string(&shared).unwrap(),
                        "tree",
                        "{file} {place}"
                    );
                    // The application has used it since.
                    fs::write(&shared, "used").unwrap();
                }
            }

            let next = input.replacen("\"id\":1", "\"id\":2", 1);
            let mut again = world.command(BINARY, ".");
            run(again.args(["checkout-step", "export"]), next.as_bytes()).ok();
            assert!(is_whole(&release), "the next one is whole {place}");
            for file in [".env", "public/uploads/a", "storage/seed"] {
                let shared = fs::read_to_string(checkout(&world, "shared").join(file)).unwrap();
                assert!(shared == "tree" || shared == "used", "{file} {place}");
                assert_eq!(fs::read_to_string(release.join(file)).unwrap(), shared);
            }
        }
    }
    // The control: the kills hit before, between and after the moves.
    assert!(kills >= 40, "only {kills} kills");
    assert!(moved >= 20, "only {moved} files were moved before a kill");
    assert!(whole >= 1, "no kill hit after the release had its name");
}
