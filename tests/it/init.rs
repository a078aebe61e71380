//! Repositories as `git init` makes them, without a process for each of them: what git made once is
//! written again.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::world::World;

/// What `git init` makes: folders, and files with their modes. A folder comes before what it has.
struct Made {
    folders: Vec<PathBuf>,
    files: Vec<(PathBuf, u32, Vec<u8>)>,
}

static BARE: OnceLock<Made> = OnceLock::new();
static CLONE: OnceLock<Made> = OnceLock::new();

/// The arguments of `git init` for such a repository.
pub fn arguments(is_bare: bool) -> Vec<&'static str> {
    let mut arguments = vec!["init", "-q", "-b", "main"];
    arguments.extend(is_bare.then_some("--bare"));
    arguments
}

/// Makes a repository in a folder of the world that is not there yet.
pub fn init(world: &World, folder: &str, is_bare: bool) {
    let of_this_kind = if is_bare { &BARE } else { &CLONE };
    let folder = world.path(folder);
    let mut is_first = false;
    let made = of_this_kind.get_or_init(|| {
        is_first = true;
        let mut git = arguments(is_bare);
        git.push(folder.to_str().unwrap());
        world.git_in(".", &git);
        read(&folder)
    });
    if !is_first {
        made.write(&folder);
    }
}

fn read(root: &Path) -> Made {
    let mut folders = vec![PathBuf::new()];
    let mut files = Vec::new();
    let mut next = 0;
    while let Some(folder) = folders.get(next).cloned() {
        for entry in fs::read_dir(root.join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let name = folder.join(entry.file_name());
            let about = entry.metadata().unwrap();
            if about.is_dir() {
                folders.push(name);
            } else {
                let mode = about.permissions().mode();
                files.push((name, mode, fs::read(entry.path()).unwrap()));
            }
        }
        next += 1;
    }
    Made { folders, files }
}

impl Made {
    fn write(&self, root: &Path) {
        for folder in &self.folders {
            fs::create_dir(root.join(folder)).unwrap();
        }
        for (name, mode, content) in &self.files {
            let mut file: File = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(*mode)
                .open(root.join(name))
                .unwrap();
            file.write_all(content).unwrap();
        }
    }
}
