"""What the numbers were measured on."""

import datetime
import os
import platform
import subprocess


def file_system(folder):
    """The kind of file system that a folder is on, such as ext4 or tmpfs."""
    device = os.stat(folder).st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    kinds = {}
    with open("/proc/self/mountinfo") as file:
        for line in file:
            before, after = line.split(" - ", 1)
            kinds[before.split()[2]] = after.split()[0]
    # btrfs gives each subvolume a device number that stands nowhere.
    return kinds.get(number, "unknown")


def memory():
    """The memory of the machine, in MiB."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20


def processor():
    """What the processor calls itself."""
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def first_line(*argv):
    """The first line that a program prints, or None where there is no such program."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return (done.stdout.splitlines() or [""])[0]


def libc():
    """The C library of this machine and its version."""
    return first_line("getconf", "GNU_LIBC_VERSION") or "unknown"


def describe(binary, folder):
    """All of it, for the record of a run."""
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "version": first_line(str(binary), "--version"),
        "cores": os.cpu_count(),
        "processor": processor(),
        "memory_mib": memory(),
        "kernel": platform.release(),
        "libc": libc(),
        "git": first_line("git", "--version"),
        "file_system": file_system(folder),
    }
