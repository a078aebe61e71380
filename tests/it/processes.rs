//! The processes that a world started. They are found in /proc by the path of the world's folder.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_deploy-by-code");

/// The ids of all processes.
fn all() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").unwrap();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// Whether a process exists and is not a zombie.
pub fn alive(pid: i32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    let state = stat
        .rsplit(')')
        .next()
        .and_then(|rest| rest.trim_start().chars().next());
    !matches!(state, None | Some('Z' | 'X'))
}

/// Whether the command line, the environment, the working folder or an open file of a process names
/// `folder`.
fn belongs(pid: i32, folder: &Path) -> bool {
    let needle = folder
        .as_os_str()
        .to_str()
        .unwrap()
        .trim_end_matches('/')
        .as_bytes();

    let names = |bytes: Vec<u8>| bytes.windows(needle.len()).any(|window| window == needle);
    let text = |name: &str| fs::read(format!("/proc/{pid}/{name}")).is_ok_and(names);
    let link = |path: PathBuf| fs::read_link(path).is_ok_and(|target| target.starts_with(folder));
    let open = || {
        fs::read_dir(format!("/proc/{pid}/fd"))
            .into_iter()
            .flatten()
            .flatten()
    };

    text("cmdline")
        || text("environ")
        || link(format!("/proc/{pid}/cwd").into())
        || open().any(|fd| link(fd.path()))
}

/// The living processes that belong to `folder`, without this one.
pub fn of(folder: &Path) -> Vec<i32> {
    let own = std::process::id().cast_signed();
    all()
        .filter(|pid| *pid != own && alive(*pid) && belongs(*pid, folder))
        .collect()
}

/// Those of the processes that belong to `folder` which run the binary under test.
pub fn ours(folder: &Path) -> Vec<i32> {
    of_program(folder, Path::new(BINARY))
}

/// Those that run a program.
pub fn of_program(folder: &Path, program: &Path) -> Vec<i32> {
    let binary = fs::canonicalize(program).unwrap();
    let exe = |pid: &i32| fs::read_link(format!("/proc/{pid}/exe"));
    of(folder)
        .into_iter()
        .filter(|pid| exe(pid).is_ok_and(|exe| exe == binary))
        .collect()
}

/// Starts a process whose standard streams are /dev/null.
pub fn in_background(command: &mut Command) -> Child {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Copies a program. Another process does that: a process that another test starts at the same
/// moment would inherit the file that is written to, and then it can't be executed (ETXTBSY,
/// execve(2)).
pub fn copy_program(from: &Path, to: &Path) {
    let status = Command::new("cp").args([from, to]).status();
    assert!(
        status.unwrap().success(),
        "{} can't be copied",
        from.display()
    );
}

/// Kills a process that a test started, with SIGKILL.
pub fn kill_one(pid: i32) {
    let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
}

/// Kills a child, which must not have ended before, and waits for it.
#[track_caller]
pub fn kill_child(child: &mut Child) {
    assert!(child.try_wait().unwrap().is_none(), "it has ended already");
    kill_one(child.id().cast_signed());
    assert_eq!(child.wait().unwrap().signal(), Some(9));
}

/// Kills every process that belongs to `folder`, and removes the control groups that were made for
/// them.
pub fn kill_all(folder: &Path) {
    let own_groups = groups("self");
    let mut made = Vec::new();
    let end = Instant::now() + Duration::from_secs(5);

    loop {
        let pids = of(folder);
        if pids.is_empty() || Instant::now() > end {
            break;
        }

        for pid in pids {
            made.extend(
                groups(&pid.to_string())
                    .into_iter()
                    .filter(|group| !own_groups.contains(group)),
            );
            kill_one(pid);
        }

        std::thread::sleep(Duration::from_millis(5));
    }

    for group in made {
        for root in ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"] {
            let _ = fs::remove_dir(format!("{root}{group}"));
        }
    }
}

/// The version 2 control group that a process is in; a list of at most one.
fn groups(pid: &str) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    text.lines()
        .filter_map(|line| line.strip_prefix("0::"))
        .map(str::to_owned)
        .collect()
}
