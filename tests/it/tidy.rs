//! The rules of CONTRIBUTING.md that a machine can check.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::layers::LAYERS;
use crate::run::run;
use crate::world::World;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A source file: where it is, what it says, and what it says without comments and tests.
struct Source {
    path: String,
    text: String,
    code: String,
}

impl Source {
    fn read(path: PathBuf) -> Self {
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("\n#[cfg(test)]\nmod ").next().unwrap().lines();
        let code = code
            .filter(|line| !line.trim_start().starts_with("//"))
            .map(|line| line.split(" // ").next().unwrap());
        let code = code.collect::<Vec<_>>().join("\n");
        Self {
            path: path
                .strip_prefix(root())
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned(),
            text,
            code,
        }
    }
}

/// Every Rust file in a folder, in order.
pub fn rust_files(folder: &str) -> Vec<PathBuf> {
    let mut folders = vec![root().join(folder)];
    let mut files = Vec::new();
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    assert!(!files.is_empty(), "the files in {folder} are found");
    files
}

/// Every Rust file of the project.
fn all_files() -> impl Iterator<Item = Source> {
    let folders = ["src", "tests", "crates"].into_iter();
    folders.flat_map(rust_files).map(Source::read)
}

/// Every source file; files of tests alone (`*_tests.rs`, `tests.rs`) are left out.
fn sources() -> Vec<Source> {
    rust_files("src")
        .into_iter()
        .filter(|path| !path.to_str().unwrap().ends_with("tests.rs"))
        .map(Source::read)
        .collect()
}

/// Asserts that none of some texts is in the code of the files that a rule is about.
#[track_caller]
fn never(texts: &[&str], applies: impl Fn(&str) -> bool) {
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| applies(&source.path)) {
        let lines = source
            .code
            .lines()
            .filter(|line| texts.iter().any(|text| line.contains(text)));
        found.extend(lines.map(|line| format!("{}: {}", source.path, line.trim())));
    }
    assert!(
        found.is_empty(),
        "{texts:?} may not stand here:\n{}",
        found.join("\n")
    );
}

#[test]
fn unsafe_only_in_sys() {
    let outside = |path: &str| !path.starts_with("src/sys");
    never(
        &[
            "unsafe {",
            "unsafe fn",
            "unsafe impl",
            "unsafe extern",
            "allow(unsafe_code",
            "expect(unsafe_code",
        ],
        outside,
    );
    let library = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    assert!(
        library.contains("unsafe_code")
            && (library.contains("#![deny(") || library.contains("#![forbid("))
    );
}

#[test]
fn clock_only_in_its_file() {
    let clock = [
        "SystemTime::now",
        "Instant::now",
        "Timestamp::now",
        "Zoned::now",
        "UtcDateTime::now",
        ".elapsed()",
    ];
    never(&clock, |path| path != "src/sys/clock.rs");
}

#[test]
fn environment_variables_only_at_the_edge() {
    never(
        &[
            "env::var(",
            "env::var_os(",
            "env::vars(",
            "env::vars_os(",
            "env::temp_dir(",
            "env!(",
        ],
        |path| {
            !path.starts_with("src/cli")
                && !path.starts_with("src/hook")
                && !["src/main.rs", "src/sys/environment.rs"].contains(&path)
        },
    );
}

#[test]
fn no_globs_that_hide_layers() {
    never(&["use super::*", "use crate::*"], |_| true);
}

#[test]
fn nothing_prints_by_macro() {
    // These panic when the reader is gone, and then the code after them never runs.
    never(
        &["println!", "eprintln!", "print!", "eprint!", "dbg!"],
        |_| true,
    );
}

#[test]
fn printing_and_leaving_only_at_the_edge() {
    never(&["process::exit", "io::stdout()", "io::stderr()"], |path| {
        !path.starts_with("src/cli") && path != "src/main.rs"
    });
}

#[test]
fn one_outside_thing_each() {
    never(&["gix::", "use gix"], |path| !path.starts_with("src/git"));
    never(&["rusqlite::", "use rusqlite"], |path| {
        !path.starts_with("src/store")
    });
    // git with a person's settings and without limits is for commands that people type in a clone.
    never(&["clone::", "{clone,"], |path| {
        let in_a_clone = ["src/clone/", "src/cli/", "src/verbs/"];
        !in_a_clone.iter().any(|place| path.starts_with(place))
    });
    // Each name includes the character before it, because `nix::` alone is also the end of
    // `std::os::unix::`.
    let kernel = [
        " nix::", "(nix::", "[nix::", "<nix::", "&nix::", "!nix::", "libc::", "use libc",
    ];
    never(&kernel, |path| !path.starts_with("src/sys/"));
    let pure = |path: &str| {
        LAYERS.iter().any(|(module, layer)| {
            let is_here =
                path == format!("src/{module}.rs") || path.starts_with(&format!("src/{module}/"));
            *layer < 20 && is_here
        })
    };
    never(
        &[
            "std::fs",
            "std::process",
            "std::net",
            "std::env",
            "nix::",
            "std::thread",
        ],
        pure,
    );
}

/// The C library looks these up by libraries that it loads, which a program that is linked with it
/// statically can't rely on.
#[test]
fn names_of_the_machine_only_by_getent() {
    let lookups = [
        "User::from_",
        "Group::from_",
        "getpw",
        "getgr",
        "initgroups(",
        "home_dir(",
        "std::net",
        "ToSocketAddrs",
    ];
    never(&lookups, |_| true);
}

#[test]
fn plans_of_install_are_pure() {
    let outside = [
        "std::fs",
        "std::process",
        "sys::",
        "git::",
        "deploy_repository",
        "timer_list::",
        "look",
        "read_link",
        "metadata()",
        "exists()",
        "canonicalize()",
        "is_dir()",
        "is_symlink()",
    ];
    never(&outside, |path| {
        path.starts_with("src/verbs/install/plan") || path == "src/verbs/install/found.rs"
    });
}

#[test]
fn files_stay_readable() {
    let long: Vec<_> = all_files()
        .filter(|source| source.text.lines().count() > 500)
        .map(|source| source.path)
        .collect();
    assert!(long.is_empty(), "more than 500 lines: {long:?}");
}

/// rustfmt can't check this: it leaves comments and long strings as they are.
#[test]
fn lines_are_at_most_100_characters_wide() {
    let mut wide = Vec::new();
    for source in all_files() {
        let lines = source.text.lines().enumerate();
        let lines = lines.filter(|(_, line)| line.chars().count() > 100);
        wide.extend(lines.map(|(at, _)| format!("{}:{}", source.path, at + 1)));
    }
    assert!(wide.is_empty(), "more than 100 characters: {wide:#?}");
}

/// Errors have a type. It says what can go wrong, and keeps the cause.
#[test]
fn errors_are_no_strings() {
    let mut found = Vec::new();
    for source in sources() {
        let code = source.code.split_whitespace().collect::<String>();
        for (at, _) in code.match_indices("Result<") {
            let rest = &code[at + "Result<".len()..];
            if second_argument(rest) == Some("String") {
                found.push(source.path.clone());
            }
        }
    }
    assert!(found.is_empty(), "an error is a String: {found:?}");

    // The control.
    assert_eq!(second_argument("Vec<(A,B)>,String>{"), Some("String"));
    assert_eq!(second_argument("String,Error>"), Some("Error"));
    assert_eq!(second_argument("String>"), None);
}

/// The second type in a list of type arguments, whose first `<` was read already.
fn second_argument(list: &str) -> Option<&str> {
    let mut depth = 0;
    let mut comma = None;
    for (at, c) in list.char_indices() {
        match c {
            '<' | '(' | '[' => depth += 1,
            '>' if depth == 0 => return comma.map(|comma: usize| &list[comma + 1..at]),
            '>' | ')' | ']' => depth -= 1,
            ',' if depth == 0 => comma = comma.or(Some(at)),
            _ => {}
        }
    }
    None
}

#[test]
fn everything_public_is_documented() {
    let library = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let gate = library.lines().find(|line| line.contains("missing_docs"));
    assert!(
        gate.is_some_and(|line| line.starts_with("#![deny(") || line.starts_with("#![forbid(")),
        "{gate:?}"
    );
}

/// The commands that `help` lists.
fn commands() -> Vec<String> {
    let world = World::new();
    let help = run(
        world.command(crate::processes::BINARY, ".").arg("help"),
        b"",
    )
    .ok()
    .stdout;
    // The commands stand in groups, between the usage and the options.
    let lines = help
        .lines()
        .skip_while(|line| !line.starts_with("Usage:"))
        .take_while(|line| *line != "Options:");
    let is_command = |line: &&str| line.starts_with("  ") && !line.starts_with("   ");
    let indent_is_2 = lines.filter(is_command);
    indent_is_2
        .map(|line| line.split_whitespace().next().unwrap().to_owned())
        .collect()
}

#[test]
fn every_command_is_in_the_manual() {
    let page = fs::read_to_string(root().join("packaging/man/deploy-by-code.1")).unwrap();
    let commands = commands();
    assert!(
        commands.len() >= crate::commands::COMMANDS.len(),
        "{commands:?}"
    );
    // mdoc(7): the head of a list's item, `.It Cm status …`.
    let has = |command: &String| {
        page.lines().any(|line| {
            line.strip_prefix(".It Cm ")
                .is_some_and(|rest| rest.split(' ').any(|word| word == command))
        })
    };
    let missing: Vec<_> = commands
        .iter()
        .filter(|command| *command != "help" && !has(command))
        .collect();
    assert!(
        missing.is_empty(),
        "not in packaging/man/deploy-by-code.1: {missing:?}"
    );
}

/// Every key that the configuration knows.
fn keys() -> BTreeSet<&'static str> {
    let keys: BTreeSet<_> = deploy_by_code::config::keys().map(|(key, _)| key).collect();
    assert!(keys.len() > 15, "{keys:?}");
    keys
}

#[test]
fn every_key_is_in_the_manual_and_the_sample() {
    let page = fs::read_to_string(root().join("packaging/man/deploy-by-code.toml.5")).unwrap();
    let sample = fs::read_to_string(root().join("packaging/config.toml")).unwrap();
    let word = |text: &str, key: &str| {
        text.split(|c: char| !(c.is_alphanumeric() || c == '_'))
            .any(|word| word == key)
    };
    let keys = keys();
    let missing: Vec<_> = keys.iter().filter(|key| !word(&page, key)).collect();
    assert!(
        missing.is_empty(),
        "not in packaging/man/deploy-by-code.toml.5: {missing:?}"
    );
    let missing: Vec<_> = keys.iter().filter(|key| !word(&sample, key)).collect();
    assert!(
        missing.is_empty(),
        "not in packaging/config.toml: {missing:?}"
    );
}

/// Whether a comment shows a setting or the head of a section.
fn is_setting(comment: &&str) -> bool {
    let name = comment.split(" = ").next().unwrap();
    (name != *comment && !name.contains(' '))
        || (comment.starts_with('[') && comment.ends_with(']'))
}

#[test]
fn sample_configuration_is_right() {
    let world = World::installed();
    let sample = root().join("packaging/config.toml");
    let check = world.cmd(&["--config", sample.to_str().unwrap(), "check"]);
    assert!(matches!(check.code, Some(0 | 1)), "{check:#?}");
    // The settings that it only shows in comments are right as well.
    let text = fs::read_to_string(&sample).unwrap();
    let shown: Vec<_> = text
        .lines()
        .map(|line| line.strip_prefix("# ").filter(is_setting).unwrap_or(line))
        .collect();
    fs::write(world.path("shown.toml"), shown.join("\n")).unwrap();
    let check = world.cmd(&[
        "--config",
        world.path("shown.toml").to_str().unwrap(),
        "check",
    ]);
    assert!(
        matches!(check.code, Some(0 | 1)),
        "with `# key = …` taken for `key = …`: {check:#?}"
    );
}

#[test]
fn readme_commands_exist() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let mut seen = 0;
    for block in readme.split("```sh\n").skip(1) {
        for line in block.split("```").next().unwrap().lines() {
            let mut words = line
                .trim_start_matches("$ ")
                .trim_start_matches("sudo ")
                .split_whitespace();
            if words.next() != Some("make") {
                continue;
            }
            for target in words
                .take_while(|word| !word.starts_with('#'))
                .filter(|word| !word.contains('='))
            {
                seen += 1;
                let has = makefile.lines().any(|line| {
                    line.split(':')
                        .next()
                        .is_some_and(|names| names.split_whitespace().any(|name| name == target))
                });
                assert!(
                    has,
                    "README says `make {target}`, which the Makefile does not have"
                );
            }
        }
    }
    assert!(
        seen >= 2,
        "README's first commands are make demo and make test"
    );
    for target in [
        "all", "demo", "test", "lint", "fmt", "install", "clean", "help",
    ] {
        assert!(
            makefile
                .lines()
                .any(|line| line.starts_with(&format!("{target}:"))),
            "the Makefile has no {target}"
        );
    }
}
