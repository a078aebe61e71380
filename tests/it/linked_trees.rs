//! A release takes whole folders from the one before, and is the tree of its revision all the same.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use crate::checkout::{order, world};
use crate::links::world_on;
use crate::run::{Run, run};
use crate::tree::{EXECUTABLE, FILE, SUBMODULE, SYMLINK};
use crate::world::World;

/// What is in a release, or in a revision: for each path a letter for its kind, and its content.
/// The letters are `f` for a file, `x` for one that may be executed, `l` for a symbolic link, and
/// `d` for a folder, which is in a revision only if it is a submodule.
type Content = BTreeMap<String, (char, String)>;

fn content<'a>(entries: impl IntoIterator<Item = (&'a str, char, &'a str)>) -> Content {
    let entries = entries.into_iter();
    entries
        .map(|(path, kind, text)| (path.to_owned(), (kind, text.to_owned())))
        .collect()
}

/// Commits a content to the application repository, and returns the revision.
fn import(world: &World, content: &Content) -> String {
    let mut stream =
        "commit refs/heads/main\ncommitter A <a@example.org> 1500000000 +0000\ndata 0\n\
         from refs/heads/main^0\ndeleteall\n"
            .to_owned();
    let head = world.git_in("apps/a.git", &["for-each-ref", "refs/heads/main"]);
    if head.is_empty() {
        stream = stream.replace("from refs/heads/main^0\n", "");
    }
    for (path, (kind, text)) in content {
        let mode = match kind {
            'x' => EXECUTABLE,
            'l' => SYMLINK,
            'd' => SUBMODULE,
            _ => FILE,
        };
        stream += &match mode {
            SUBMODULE => format!("M {mode} {} {path}\n", "1".repeat(40)),
            _ => format!("M {mode} inline {path}\ndata {}\n{text}\n", text.len()),
        };
    }
    let mut git = world.command("git", "apps/a.git");
    run(git.args(["fast-import", "--quiet"]), stream.as_bytes()).ok();
    world.git_in("apps/a.git", &["rev-parse", "refs/heads/main"])
}

/// What is in a release, without the file that this program adds and without folders that are not
/// empty.
fn found(release: &Path) -> Content {
    let mut found = Content::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let entries: Vec<_> = fs::read_dir(release.join(&folder)).unwrap().collect();
        if entries.is_empty() && folder != Path::new("") {
            found.insert(folder.display().to_string(), ('d', String::new()));
        }
        for entry in entries {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            let status = entry.metadata().unwrap();
            if status.is_dir() {
                folders.push(path);
                continue;
            }
            let (kind, text) = if status.is_symlink() {
                let target = fs::read_link(entry.path()).unwrap();
                ('l', target.display().to_string())
            } else {
                let is_executable = status.permissions().mode() & 0o100 != 0;
                let text = fs::read_to_string(entry.path()).unwrap();
                (if is_executable { 'x' } else { 'f' }, text)
            };
            found.insert(path.display().to_string(), (kind, text));
        }
    }
    found.remove("REVISION");
    found
}

/// A checkout whose releases are made by single steps.
struct Releases<'w> {
    world: &'w World,
    folder: PathBuf,
    link: &'static str,
    shared: Vec<&'static str>,
    /// The revisions that have a release, the newest first.
    made: Vec<String>,
}

impl<'w> Releases<'w> {
    fn new(world: &'w World, folder: &str, link: &'static str) -> Self {
        Self {
            world,
            folder: world.path(folder),
            link,
            shared: Vec::new(),
            made: Vec::new(),
        }
    }

    /// Makes the release of a revision, so that the next one can take files from it.
    fn make(&mut self, revision: &str) -> Run {
        let id = u32::try_from(self.made.len()).unwrap() + 1;
        let mut order = order(self.world, &self.folder, id, revision);
        let ids = (1..id).rev();
        let succeeded: Vec<_> = self.made.iter().zip(ids).collect();
        let shared = self.shared.iter();
        let shared = shared.map(|path| serde_json::json!({ "path": path, "is_folder": false }));
        order["shared"] = shared.collect();
        order["succeeded"] = serde_json::json!(succeeded);
        order["link"] = self.link.into();
        order["release"] = revision.into();
        order["rules"]["empty_submodules"] = true.into();
        let step = |step| {
            let mut command = self.world.command(crate::processes::BINARY, ".");
            let line = format!("{order}\n");
            run(command.args(["checkout-step", step]), line.as_bytes())
        };
        let exported = step("export");
        if exported.code == Some(0) {
            step("make-current").ok();
            self.made.insert(0, revision.to_owned());
        }
        exported
    }

    fn release(&self, revision: &str) -> PathBuf {
        self.folder.join("releases").join(revision)
    }

    fn list(&self, revision: &str) -> PathBuf {
        self.folder.join(".manifests").join(revision)
    }

    fn inode(&self, revision: &str, path: &str) -> u64 {
        let file = self.release(revision).join(path);
        file.symlink_metadata().unwrap().ino()
    }
}

/// Numbers that look random, and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, most: u64) -> u64 {
        // The generator of Knuth's MMIX.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

/// Changes what is in a folder: every name gets something else, or nothing, or stays as it is. The
/// names are those that git orders in another way if one of them is a folder.
fn change(numbers: &mut Numbers, content: &mut Content, folder: &str, depth: u32) {
    for name in ["a", "a-b", "a.b", "a0", "b"] {
        let path = format!("{folder}{name}");
        let below = format!("{path}/");
        match numbers.below(8) {
            0 | 1 => {}
            2 | 3 if depth > 0 => {
                content.remove(&path);
                change(numbers, content, &below, depth - 1);
            }
            kind => {
                content.retain(|other, _| *other != path && !other.starts_with(&below));
                let text = numbers.below(2).to_string();
                let new = match kind {
                    4 => ('x', text),
                    5 => ('l', text),
                    6 => ('d', String::new()),
                    7 => continue,
                    _ => ('f', text),
                };
                content.insert(path, new);
            }
        }
    }
}

fn releases_follow_each_other(world: &World, folder: &str, link: &'static str, count: u32) {
    let mut releases = Releases::new(world, folder, link);
    let mut numbers = Numbers(1);
    let mut wanted = Content::new();
    let mut shared = 0;
    let mut last: Option<String> = None;
    for number in 0..count {
        change(&mut numbers, &mut wanted, "", 3);
        wanted.insert("number".to_owned(), ('f', number.to_string()));
        wanted.insert("z/always/there".to_owned(), ('f', "x".repeat(10_000)));
        let revision = import(world, &wanted);
        releases.make(&revision).ok().says("exported ");
        assert_eq!(found(&releases.release(&revision)), wanted, "{number}");

        if let Some(last) = last {
            let inode = |revision: &str| releases.inode(revision, "z/always/there");
            shared += u32::from(inode(&last) == inode(&revision));
        }
        last = Some(revision);
    }
    let expected = if link == "Hard" { count - 1 } else { 0 };
    assert_eq!(shared, expected, "the folder that never changes");
}

#[test]
fn release_is_the_tree_of_its_revision_whatever_was_there_before() {
    let world = world("");
    releases_follow_each_other(&world, "links", "Hard", 30);
}

#[test]
fn release_is_the_tree_of_its_revision_on_a_file_system_that_shares_content() {
    let Some((world, _mounted)) = world_on("xfs", "400M") else {
        return;
    };
    releases_follow_each_other(&world, "srv/links", "Reflink", 15);
}

/// Two contents with folders that are the same, and one file that differs.
fn two(world: &World) -> [(String, Content); 2] {
    ["one", "two"].map(|changes| {
        let content = content([
            ("changes", 'f', changes),
            ("same/a", 'f', "a"),
            ("same/deep/b", 'x', "content"),
            ("same/deep/c", 'f', "c"),
            ("same/deep/link", 'l', "b"),
            ("same/deep/module", 'd', ""),
            ("same/other/d", 'f', "d"),
        ]);
        (import(world, &content), content)
    })
}

#[test]
fn what_was_touched_in_a_folder_that_did_not_change_is_written_anew() {
    let world = world("");
    let [(one, _), (two, wanted)] = two(&world);
    let mut releases = Releases::new(&world, "links", "Hard");
    releases.make(&one).ok();
    let old = releases.release(&one);
    fs::write(old.join("same/deep/c"), "touched").unwrap();
    fs::write(old.join("same/deep/more"), "of a command").unwrap();
    fs::remove_file(old.join("same/deep/link")).unwrap();
    fs::rename(old.join("same/other"), old.join("other")).unwrap();
    symlink("../other", old.join("same/other")).unwrap();

    releases.make(&two).ok().says("exported ");
    assert_eq!(found(&releases.release(&two)), wanted);
    for (path, is_same) in [
        ("same/a", true),
        ("same/deep/b", true),
        ("same/deep/c", false),
    ] {
        let inode = |revision: &str| releases.inode(revision, path);
        assert_eq!(inode(&one) == inode(&two), is_same, "{path}");
    }
    // What was sent afterwards is on the list, too.
    let (three, wanted) = {
        let mut content = wanted;
        content.insert("changes".to_owned(), ('f', "three".to_owned()));
        (import(&world, &content), content)
    };
    releases.make(&three).ok();
    assert_eq!(found(&releases.release(&three)), wanted);
    let inode = |revision: &str| releases.inode(revision, "same/deep/c");
    assert_eq!(inode(&two), inode(&three));
}

#[test]
fn list_that_lacks_a_file_leaves_out_none() {
    let world = world("");
    let [(one, _), (two, wanted)] = two(&world);
    let mut releases = Releases::new(&world, "links", "Hard");
    releases.make(&one).ok();

    // One file less, and one number less. Everything else is as this program writes it.
    let list = releases.list(&one);
    let mut bytes = fs::read(&list).unwrap();
    let item = [b"k\x01\0".as_slice(), &[0; 8], b"c"].concat();
    let at = bytes.windows(item.len()).position(|bytes| *bytes == *item);
    let at = at.unwrap();
    bytes.drain(at..at + item.len());
    let (files, number) = (5, 3);
    let numbers = bytes.len() - 8 * (files + 2);
    bytes.drain(numbers + 8 * number..numbers + 8 * (number + 1));
    bytes.truncate(bytes.len() - 16);
    bytes.extend((files as u64 - 1).to_le_bytes());
    bytes.extend(u64::from(crc32fast::hash(&bytes)).to_le_bytes());
    fs::write(&list, bytes).unwrap();

    releases.make(&two).ok().says("exported ");
    assert_eq!(found(&releases.release(&two)), wanted);
    let inode = |revision: &str| releases.inode(revision, "same/a");
    assert_ne!(inode(&one), inode(&two), "nothing is taken by such a list");
}

#[test]
fn nothing_is_taken_from_a_revision_that_was_not_deployed() {
    let world = world("");
    let [(one, _), (two, wanted)] = two(&world);
    let mut releases = Releases::new(&world, "links", "Hard");
    releases.make(&one).ok();
    releases.made.clear();
    releases.make(&two).ok();
    assert_eq!(found(&releases.release(&two)), wanted);
    let inode = |revision: &str| releases.inode(revision, "same/a");
    assert_ne!(inode(&one), inode(&two));
}

/// Sending what was touched costs as much as sending everything, and no more: each folder is read
/// once, however many of its files are sent.
#[test]
fn release_in_which_everything_was_touched_is_sent() {
    let world = world("");
    let names: Vec<String> = (0..12_000)
        .map(|n| format!("folder/{}/{n}", n % 2))
        .collect();
    let files = |changes| {
        let names = names.iter().map(|name| (name.as_str(), 'f', "x"));
        content(names.chain([("changes", 'f', changes), ("other/a", 'f', "a")]))
    };
    let [one, two] = ["one", "two"].map(|changes| import(&world, &files(changes)));
    let mut releases = Releases::new(&world, "links", "Hard");
    releases.make(&one).ok();
    for name in &names {
        let file = releases.release(&one).join(name);
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    }

    releases.make(&two).ok().says("exported ");
    assert_eq!(found(&releases.release(&two)), files("two"));
    for (path, is_same) in [("folder/0/8", false), ("other/a", true)] {
        let inode = |revision: &str| releases.inode(revision, path);
        assert_eq!(inode(&one) == inode(&two), is_same, "{path}");
    }
}

#[test]
fn export_that_fails_leaves_the_release_that_it_took_files_from_as_good_as_before() {
    let world = world("");
    let [(one, _), (two, _)] = two(&world);
    let mut releases = Releases::new(&world, "links", "Hard");
    releases.make(&one).ok();
    let list = |releases: &Releases<'_>| fs::read(releases.list(&one)).unwrap();
    let claim =
        |releases: &Releases<'_>| fs::read(releases.folder.join(".deploy-by-code")).unwrap();
    let inode = |releases: &Releases<'_>| {
        let status = fs::metadata(releases.release(&one).join("same/a")).unwrap();
        (status.ino(), status.ctime(), status.ctime_nsec())
    };
    let before = (list(&releases), claim(&releases), inode(&releases));

    // The file that is shared is missing, which is found when the others are there.
    releases.shared = vec!["config"];
    let failed = releases.make(&two);
    failed.says("config is missing");
    let after = (list(&releases), claim(&releases), inode(&releases));
    assert_ne!(before.2, after.2, "the control: it was linked");
    assert_ne!(before.0, after.0);
    assert_ne!(before.1, after.1);

    releases.shared.clear();
    releases.make(&two).ok();
    let file = |revision: &str| releases.inode(revision, "same/a");
    assert_eq!(file(&one), file(&two), "its list is true");
}

#[test]
fn base_whose_tree_is_gone_from_the_repository_is_none() {
    let world = world("");
    let [(one, _), (two, wanted)] = two(&world);
    let mut releases = Releases::new(&world, "links", "Hard");
    releases.make(&one).ok();

    world.git_in("apps/a.git", &["init", "-q", "--bare", "../new.git"]);
    let two_alone =
        "git fetch -q --depth 1 ../a.git main && git update-ref refs/heads/main FETCH_HEAD";
    world.shell_in("apps/new.git", two_alone).ok();
    fs::remove_dir_all(world.path("apps/a.git")).unwrap();
    fs::rename(world.path("apps/new.git"), world.path("apps/a.git")).unwrap();
    releases.make(&two).ok().says("exported ");
    assert_eq!(found(&releases.release(&two)), wanted);
    let inode = |revision: &str| releases.inode(revision, "same/a");
    assert_ne!(inode(&one), inode(&two));
}

#[test]
fn small_file_is_copied_where_content_can_be_shared() {
    for kind in ["xfs", "btrfs"] {
        let Some((world, _mounted)) = world_on(kind, "400M") else {
            return;
        };
        let [(one, _), (two, wanted)] = two(&world);
        let mut releases = Releases::new(&world, "srv/links", "Reflink");
        releases.make(&one).ok();

        let small = releases.release(&one).join("same/a");
        let read_at = || {
            let status = fs::metadata(&small).unwrap();
            (status.atime(), status.atime_nsec())
        };
        let before = read_at();

        // It can't be read from the repository any more.
        for path in ["same/a", "same/deep/b"] {
            let object = world.git_in("apps/a.git", &["rev-parse", &format!("{two}:{path}")]);
            let (folder, file) = object.split_at(2);
            let loose = world.path(&format!("apps/a.git/objects/{folder}/{file}"));
            fs::remove_file(loose).unwrap();
        }
        releases.make(&two).ok().says("exported ");
        assert_eq!(
            read_at(),
            before,
            "{kind}: nothing is written to what is read"
        );
        assert_eq!(found(&releases.release(&two)), wanted, "{kind}");
        let inode = |revision: &str| releases.inode(revision, "same/a");
        assert_ne!(inode(&one), inode(&two), "{kind}");
    }
}
