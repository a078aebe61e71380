//! The scripts of docs/ci.md.

use std::fs;
use std::path::Path;

/// The script in a section of docs/ci.md, as it is written there.
#[track_caller]
pub fn ci_script(section: &str) -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ci.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, section) = page.split_once(&format!("\n## {section}\n")).unwrap();
    let (_, script) = section.split_once("```sh\n").unwrap();
    let (script, _) = script.split_once("```\n").unwrap();
    script.to_owned()
}
