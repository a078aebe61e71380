//! How the programs of the package are compiled.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::run;

/// The features of each crate of which the program in a folder is made, or which compiles it.
fn features(folder: &Path) -> BTreeMap<String, String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(folder)
        .args(["tree", "--locked", "--offline"])
        .args([
            "--edges", "no-dev", "--prefix", "none", "--format", "{p}\t{f}",
        ]);
    if folder == Path::new(env!("CARGO_MANIFEST_DIR")) {
        // Otherwise these would be all programs together.
        cargo.args(["--package", "deploy-by-code"]);
    }
    let tree = run(&mut cargo, b"").ok().stdout.replace(" (*)", "");

    tree.lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(of, features)| (of.to_owned(), features.to_owned()))
        .collect()
}

/// Each program is linked on its own, with the features that it asks for. A crate that another
/// program needs with other features is compiled once more, and so is all that uses it.
#[test]
fn programs_share_what_is_compiled() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let others = root.join("crates").read_dir().unwrap();
    let others = others.map(|folder| folder.unwrap().path());

    let mut asked: BTreeMap<String, (PathBuf, String)> = BTreeMap::new();
    for folder in others.chain([root.to_owned()]) {
        for (of, features) in features(&folder) {
            let known = asked.entry(of.clone());
            let (first, expected) = known.or_insert_with(|| (folder.clone(), features.clone()));
            assert_eq!(
                *expected,
                features,
                "{} and {} ask for other features of {of}; Cargo.toml says how to give both the \
                 same ones",
                first.display(),
                folder.display()
            );
        }
    }
}
