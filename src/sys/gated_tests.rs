use std::fs::{self, OpenOptions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;

use nix::errno::Errno;
use nix::libc;

use super::*;
use crate::sys::cgroup;
use crate::sys::surroundings::PATH;

const LONG: Duration = Duration::from_secs(20);

fn invocation(arguments: &[&str]) -> Invocation {
    let null = || {
        OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/null")
            .unwrap()
    };
    Invocation {
        arguments: arguments.iter().map(Into::into).collect(),
        environment: [("PATH".into(), PATH.into())].into(),
        folder: "/".into(),
        streams: [null(), null(), null()],
    }
}

fn shell(script: &str) -> Invocation {
    invocation(&["sh", "-c", script])
}

#[track_caller]
fn end_of(gated: Gated) -> ChildExit {
    let running = gated.open().unwrap();
    running.wait(None, LONG).unwrap()
}

#[test]
fn command_begins_without_a_cgroup_that_is_gone() {
    let Some((folder, procs)) = cgroup::create("gone") else {
        eprintln!("no cgroup can be made here");
        return;
    };
    fs::remove_dir(folder).unwrap();
    let gated = spawn_gated(shell("exit 7"), Some(procs), None).unwrap();
    assert!(!gated.is_in_cgroup);
    let exit = end_of(gated);
    assert!(matches!(exit, ChildExit::Ended(status) if status.code() == Some(7)));
}

#[test]
fn command_joins_its_cgroup_before_it_begins() {
    let Some((folder, procs)) = cgroup::create("joined") else {
        eprintln!("no cgroup can be made here");
        return;
    };
    let gated = spawn_gated(shell("exit 0"), Some(procs), None).unwrap();
    assert!(gated.is_in_cgroup);
    assert!(cgroup::is_populated(&folder).unwrap());
    cgroup::sweep();
    assert!(matches!(end_of(gated), ChildExit::Ended(status) if status.success()));
    cgroup::remove(&folder);
    assert!(!folder.exists());
}

#[test]
fn child_whose_gate_is_closed_executes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    let gated = spawn_gated(shell(&format!("touch {}", file.display())), None, None).unwrap();
    let Gated { gate, child, .. } = gated;
    drop(gate);
    let exit = child.wait(None, LONG).unwrap();
    assert!(matches!(exit, ChildExit::NotExecuted(_)), "{exit:?}");
    assert!(!file.exists());
}

#[test]
fn program_that_is_missing_is_not_executed() {
    for program in ["/nonexistent", "nonexistent", ""] {
        let gated = spawn_gated(invocation(&[program]), None, None).unwrap();
        let exit = end_of(gated);
        let ChildExit::NotExecuted(error) = exit else {
            panic!("{program:?}: {exit:?}");
        };
        assert_eq!(error.kind(), io::ErrorKind::NotFound, "{program:?}");
    }
}

#[test]
fn child_that_can_not_be_set_up_says_why() {
    let mut invocation = shell("exit 0");
    invocation.folder = "/nonexistent".into();
    let error = spawn_gated(invocation, None, None).err().unwrap();
    assert_eq!(error.raw_os_error(), Some(Errno::ENOENT as i32));
}

#[test]
fn file_that_names_no_interpreter_is_run_by_the_shell() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("script");
    fs::write(&script, "exit $1\n").unwrap();
    fs::set_permissions(&script, PermissionsExt::from_mode(0o700)).unwrap();

    // The first folder of the path has a file of this name that can't be executed.
    let closed = folder.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::write(closed.join("script"), "exit 1\n").unwrap();
    let path = format!("{}:{}", closed.display(), folder.path().display());
    for (program, path) in [(script.to_str().unwrap(), PATH), ("script", path.as_str())] {
        let mut invocation = invocation(&[program, "7"]);
        invocation.set("PATH", path);
        let exit = end_of(spawn_gated(invocation, None, None).unwrap());
        let code = match exit {
            ChildExit::Ended(status) => status.code(),
            other => panic!("{program}: {other:?}"),
        };
        assert_eq!(code, Some(7), "{program}");
    }
}

#[test]
fn child_has_its_own_session_and_no_descriptor_or_variable_of_its_parent() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    let script = "ls /proc/$$/fd; umask; grep SigBlk /proc/self/status; env; \
                  cut -d' ' -f1,6 /proc/$$/stat; pwd";
    let mut invocation = shell(script);
    invocation.streams[1] = File::create(&file).unwrap();

    let gated = spawn_gated(invocation, None, None).unwrap();
    let pid = gated.identity.pid;
    assert!(matches!(end_of(gated), ChildExit::Ended(status) if status.success()));
    let said = fs::read_to_string(&file).unwrap();
    let expect =
        format!("0\n1\n2\n0022\nSigBlk:\t0000000000000000\nPATH={PATH}\nPWD=/\n{pid} {pid}\n/\n");
    assert_eq!(said, expect);
}

#[test]
fn gate_of_one_child_is_not_held_open_by_another_one() {
    let first = spawn_gated(shell("exit 0"), None, None).unwrap();
    let second = spawn_gated(shell("exit 7"), None, None).unwrap();
    let Gated { gate, child, .. } = first;
    drop(gate);
    let exit = child.wait(None, LONG).unwrap();
    assert!(matches!(exit, ChildExit::NotExecuted(_)), "{exit:?}");
    let exit = end_of(second);
    assert!(matches!(exit, ChildExit::Ended(status) if status.code() == Some(7)));
}

#[test]
fn child_ends_by_a_signal_that_its_parent_ignores() {
    for signal in [libc::SIGPIPE, libc::SIGKILL] {
        let exit = end_of(spawn_gated(shell(&format!("kill -{signal} $$")), None, None).unwrap());
        let ended = matches!(exit, ChildExit::Ended(status) if status.signal() == Some(signal));
        assert!(ended, "{exit:?}");
    }
}
