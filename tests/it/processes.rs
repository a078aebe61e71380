//! The processes that a world started. They are found in /proc by the path of the world's folder.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
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
///
/// A descriptor that is closed by execve(2) shows nothing. Until a process that any test starts
/// executes its program, it has all descriptors of this process, so also the file that another test
/// reads at this moment.
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
            .filter(|fd| stays_open(pid, &fd.file_name()))
    };

    text("cmdline")
        || text("environ")
        || link(format!("/proc/{pid}/cwd").into())
        || open().any(|fd| link(fd.path()))
}

/// Whether a descriptor of a process stays open when that executes a program (proc(5), fdinfo).
fn stays_open(pid: i32, descriptor: &OsStr) -> bool {
    let about = Path::new("/proc").join(pid.to_string()).join("fdinfo");
    let about = fs::read_to_string(about.join(descriptor)).unwrap_or_default();
    let flags = about.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|flags| i32::from_str_radix(flags.trim(), 8).ok());
    flags.is_some_and(|flags| !OFlag::from_bits_retain(flags).contains(OFlag::O_CLOEXEC))
}

/// The living processes that belong to `folder`, without this one.
pub fn of(folder: &Path) -> Vec<i32> {
    let own = std::process::id().cast_signed();
    all()
        .filter(|pid| *pid != own && program_of(*pid).is_some())
        .filter(|pid| alive(*pid) && belongs(*pid, folder))
        .collect()
}

/// The program that a process runs. A process of the kernel and a zombie run none, and most of the
/// processes of a machine are of the kernel.
fn program_of(pid: i32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/exe")).ok()
}

/// Those of the processes that belong to `folder` which run the binary under test.
pub fn ours(folder: &Path) -> Vec<i32> {
    of_program(folder, Path::new(BINARY))
}

/// Those that run a program.
pub fn of_program(folder: &Path, program: &Path) -> Vec<i32> {
    let binary = fs::canonicalize(program).unwrap();
    all()
        .filter(|pid| program_of(*pid).is_some_and(|program| program == binary))
        .filter(|pid| {
            while is_without_arguments(*pid) {
                std::thread::yield_now();
            }
            alive(*pid) && belongs(*pid, folder)
        })
        .collect()
}

/// Whether a process runs a program and does not have its arguments yet. Who made it with vfork(2)
/// goes on at this moment, and can end before the process has them.
fn is_without_arguments(pid: i32) -> bool {
    let arguments = fs::read(format!("/proc/{pid}/cmdline"));
    arguments.is_ok_and(|arguments| arguments.is_empty()) && program_of(pid).is_some() && alive(pid)
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

/// Otherwise the end of a test would kill what another test is just starting.
#[test]
fn process_belongs_to_a_folder_by_what_it_keeps_open_and_not_by_what_a_test_reads() {
    let folder = tempfile::tempdir().unwrap();
    let path = fs::canonicalize(folder.path()).unwrap();
    let file = fs::File::create(path.join("file")).unwrap();
    assert!(!belongs(std::process::id().cast_signed(), &path));

    let mut sleep = Command::new("sleep");
    sleep.arg("1000").stdin(file.try_clone().unwrap());
    let mut child = sleep.spawn().unwrap();
    assert!(belongs(child.id().cast_signed(), &path));
    kill_child(&mut child);
}
