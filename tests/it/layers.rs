//! Checks the layers of ARCHITECTURE.md in the source.
//!
//! Every file is parsed, and every path in it that leads to another file of the library is an
//! arrow. An arrow may only point to a module below, and the arrows between files form no circle. A
//! `mod.rs` holds no code: it only says where things are. So an arrow leads through it to the file
//! that it names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};
use syn::{Item, UseTree};

use crate::tidy::rust_files;

/// The modules of the top level, from the lowest to the highest. The tens are the layers of
/// ARCHITECTURE.md: those below 20 are pure. A module imports only from modules with a lower
/// number.
#[rustfmt::skip]
pub const LAYERS: &[(&str, u8)] = &[
    ("id", 0), ("time", 0),
    ("text", 10),
    ("refs", 11), ("status", 11), ("identity", 11), ("order", 11), ("phase", 11),
    ("deployfile", 11), ("unit_name", 11), ("trailer_slip", 11), ("event_kind", 11), ("review", 11),
    ("deploy_path", 12), ("change", 12), ("config", 12), ("near_miss", 12), ("message", 12),
    ("candidate", 13),
    ("policy", 14),
    ("plan", 15), ("event", 15), ("proposal", 15),
    ("sys", 20),
    ("git", 30), ("signers", 30), ("store", 30), ("hook_files", 30), ("timer_list", 30),
    ("deploy_repository", 31), ("checkout", 31), ("clone", 31),
    ("units", 32), ("wake", 32),
    ("judging", 40), ("publish", 40),
    ("planning", 41), ("runner", 41), ("report", 41),
    ("verbs", 50), ("hook", 50),
    ("cli", 60), ("main", 61),
];

/// A path of names from the library's root: `store::Reader`.
type Names = Vec<String>;

/// A source file.
struct Source {
    /// Its path below src.
    file: String,
    /// The module that it is.
    module: Names,
    syntax: syn::File,
}

impl Source {
    fn top(&self) -> &str {
        self.module.first().map_or("", String::as_str)
    }

    fn is_facade(&self) -> bool {
        self.file.ends_with("mod.rs")
    }
}

fn parse(folder: &Path, path: &Path) -> Source {
    let file = path.strip_prefix(folder).unwrap().to_str().unwrap();
    let module = file.trim_end_matches(".rs").trim_end_matches("/mod");
    let text = fs::read_to_string(path).unwrap();
    Source {
        file: file.to_owned(),
        module: module.split('/').map(str::to_owned).collect(),
        syntax: syn::parse_file(&text).unwrap_or_else(|error| panic!("{file}: {error}")),
    }
}

/// Every source file except `lib.rs` and the files that hold only tests.
fn sources() -> Vec<Source> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let is_code = |path: &&PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        !name.ends_with("tests.rs") && name != "testing.rs" && name != "lib.rs"
    };
    let sources: Vec<Source> = rust_files("src")
        .iter()
        .filter(is_code)
        .map(|path| parse(&folder, path))
        .collect();
    assert!(sources.len() > 80, "the source files are found");
    sources
}

/// What a file imports, and which names stand for what.
struct Imports<'s> {
    module: &'s [String],
    /// The modules that the file declares.
    children: BTreeSet<String>,
    /// The name in this file, and the path that it stands for.
    names: Vec<(String, Names)>,
    /// Every path that leads out of the file.
    paths: BTreeSet<Names>,
}

impl<'s> Imports<'s> {
    fn of(source: &'s Source) -> Self {
        let mut imports = Self {
            module: &source.module,
            children: BTreeSet::new(),
            names: Vec::new(),
            paths: BTreeSet::new(),
        };
        for item in &source.syntax.items {
            if let Item::Mod(item) = item {
                imports.children.insert(item.ident.to_string());
            }
        }
        for item in &source.syntax.items {
            if let Item::Use(item) = item
                && !is_for_tests(&item.attrs)
            {
                imports.flatten(&item.tree, Vec::new());
            }
        }
        // The names are known now, so that `judging::judge(…)` is seen too.
        imports.visit_file(&source.syntax);
        imports
    }

    fn flatten(&mut self, tree: &UseTree, mut before: Names) {
        match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.flatten(&path.tree, before);
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.flatten(tree, before.clone());
                }
            }
            UseTree::Name(name) => self.import(before, &name.ident.to_string(), None),
            UseTree::Rename(rename) => {
                let name = rename.rename.to_string();
                self.import(before, &rename.ident.to_string(), Some(name));
            }
            UseTree::Glob(_) => self.import(before, "*", None),
        }
    }

    fn import(&mut self, mut path: Names, last: &str, renamed: Option<String>) {
        let name = match (renamed, last) {
            (Some(name), _) => name,
            (None, "self") => path.last().cloned().unwrap_or_default(),
            (None, last) => last.to_owned(),
        };
        if last != "self" {
            path.push(last.to_owned());
        }
        if let Some(path) = self.absolute(&path) {
            self.paths.insert(path.clone());
            self.names.push((name, path));
        }
    }

    /// The path from the library's root; `None`: it leads into another crate or nowhere else.
    fn absolute(&self, path: &[String]) -> Option<Names> {
        let mut module = self.module.to_vec();
        let mut rest = path;
        loop {
            match rest.first().map(String::as_str)? {
                "crate" | "deploy_by_code" => {
                    module.clear();
                    rest = &rest[1..];
                }
                "self" => rest = &rest[1..],
                "super" => {
                    module.pop();
                    rest = &rest[1..];
                }
                _ if rest.len() == path.len() => return self.by_name(path),
                _ => {
                    module.extend_from_slice(rest);
                    return Some(module);
                }
            }
        }
    }

    /// A path that begins with an imported name, or with a module that the file declares.
    fn by_name(&self, path: &[String]) -> Option<Names> {
        if self.children.contains(&path[0]) {
            return Some([self.module, path].concat());
        }
        let (_, stands_for) = self.names.iter().find(|(name, _)| *name == path[0])?;
        let rest = path[1..].iter().cloned();
        Some(stands_for.iter().cloned().chain(rest).collect())
    }
}

impl<'ast> Visit<'ast> for Imports<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            Item::Mod(item) => &item.attrs,
            Item::Fn(item) => &item.attrs,
            Item::Use(_) => return,
            _ => return visit::visit_item(self, item),
        };
        if !is_for_tests(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Names = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string())
            .collect();
        if names.len() > 1 {
            self.paths.extend(self.absolute(&names));
        }
        visit::visit_path(self, path);
    }
}

fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<syn::Ident>()
                .is_ok_and(|argument| argument == "test")
    })
}

/// Finds the file that a path leads to.
struct Resolver<'s> {
    files: BTreeMap<&'s [String], &'s Source>,
    facades: BTreeMap<&'s [String], Imports<'s>>,
}

impl<'s> Resolver<'s> {
    fn new(sources: &'s [Source]) -> Self {
        let files = sources.iter().map(|source| (&*source.module, source));
        let facades = sources.iter().filter(|source| source.is_facade());
        Self {
            files: files.collect(),
            facades: facades
                .map(|source| (&*source.module, Imports::of(source)))
                .collect(),
        }
    }

    /// The file that defines what a path names.
    fn file(&self, path: &[String]) -> Option<&'s Source> {
        let mut path = path.to_vec();
        // Each step follows one `mod.rs`.
        for _ in 0..8 {
            let longest = (1..=path.len()).rev().find_map(|end| {
                let source = self.files.get(&path[..end])?;
                Some((end, *source))
            });
            let (end, source) = longest?;
            let Some(facade) = self.facades.get(&*source.module) else {
                return Some(source);
            };
            let name = path.get(end)?;
            let (_, named) = facade.names.iter().find(|(known, _)| known == name)?;
            let rest = path[end + 1..].to_vec();
            path = named.iter().cloned().chain(rest).collect();
        }
        panic!("{path:?} leads in a circle of facades");
    }
}

/// The arrows between files that hold code.
fn arrows(sources: &[Source]) -> BTreeMap<&str, BTreeSet<&str>> {
    let resolver = Resolver::new(sources);
    let mut arrows: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for source in sources.iter().filter(|source| !source.is_facade()) {
        let targets = arrows.entry(&source.file).or_default();
        for path in Imports::of(source).paths {
            let target = resolver.file(&path);
            targets.extend(target.map(|target| target.file.as_str()));
        }
        targets.remove(source.file.as_str());
    }
    arrows
}

/// A circle of arrows, its first file repeated at the end.
fn circle<'a>(arrows: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> Option<Vec<&'a str>> {
    // A file without arrows is not in a circle. Neither is a file whose arrows lead only to such
    // files.
    let mut left = arrows.clone();
    loop {
        let free: Vec<&str> = left
            .iter()
            .filter(|(_, targets)| targets.iter().all(|target| !left.contains_key(target)))
            .map(|(file, _)| *file)
            .collect();
        if free.is_empty() {
            break;
        }
        left.retain(|file, _| !free.contains(file));
    }

    let mut path = vec![*left.keys().next()?];
    loop {
        let targets = &left[path.last().unwrap()];
        let next = *targets
            .iter()
            .find(|target| left.contains_key(*target))
            .unwrap();
        if let Some(start) = path.iter().position(|file| *file == next) {
            path.push(next);
            return Some(path.split_off(start));
        }
        path.push(next);
    }
}

#[test]
fn arrows_point_to_modules_below_only() {
    let layers: BTreeMap<&str, u8> = LAYERS.iter().copied().collect();
    let sources = sources();
    let top_of = |file: &str| file.split(['/', '.']).next().unwrap().to_owned();
    let mut wrong = Vec::new();

    for source in &sources {
        let module = source.top();
        let known = layers.contains_key(module);
        assert!(known, "{} stands in no layer of this test", source.file);
    }
    for (file, targets) in arrows(&sources) {
        let layer = layers[top_of(file).as_str()];
        for target in targets {
            let (own, other) = (top_of(file), top_of(target));
            if own != other && layers[other.as_str()] >= layer {
                wrong.push(format!("{file} imports {target}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn arrows_between_files_form_no_circle() {
    let sources = sources();
    let arrows = arrows(&sources);
    let count: usize = arrows.values().map(BTreeSet::len).sum();
    assert!(count > 300, "the arrows are seen: {count}");
    assert_eq!(circle(&arrows), None);
}

#[test]
fn facades_hold_no_code() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| source.is_facade()) {
        let is_code = |item: &&Item| match item {
            Item::Use(_) => false,
            Item::Mod(item) => item.content.is_some(),
            _ => true,
        };
        if source.syntax.items.iter().any(|item| is_code(&item)) {
            wrong.push(source.file.clone());
        }
    }
    assert!(wrong.is_empty(), "a mod.rs holds code: {wrong:?}");
}

/// The names that more than one type of the program has. `Error` is left out: each module may have
/// one, and the others say whose it is.
fn shared_names(sources: &[Source]) -> Vec<String> {
    let mut files: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for source in sources {
        for item in &source.syntax.items {
            let name = match item {
                Item::Enum(item) => &item.ident,
                Item::Struct(item) => &item.ident,
                Item::Trait(item) => &item.ident,
                Item::Type(item) => &item.ident,
                _ => continue,
            };
            files
                .entry(name.to_string())
                .or_default()
                .push(&source.file);
        }
    }
    files
        .into_iter()
        .filter(|(name, files)| files.len() > 1 && name != "Error")
        .map(|(name, files)| format!("{name}: {}", files.join(", ")))
        .collect()
}

#[test]
fn types_have_names_of_their_own() {
    assert_eq!(shared_names(&sources()), Vec::<String>::new());

    let control = [
        source("a.rs", "struct Place; enum Error {}"),
        source("b.rs", "type Place = u8; enum Error {}"),
    ];
    assert_eq!(shared_names(&control), ["Place: a.rs, b.rs"]);
}

fn source(file: &str, text: &str) -> Source {
    let module = file.trim_end_matches(".rs").trim_end_matches("/mod");
    Source {
        file: file.to_owned(),
        module: module.split('/').map(str::to_owned).collect(),
        syntax: syn::parse_file(text).unwrap(),
    }
}

/// The control for the tests above: they find arrows and circles.
#[test]
fn arrows_and_circles_are_seen() {
    let sources = [
        source(
            "a.rs",
            "use crate::b::{self, Thing as Other}; fn f() { b::go(); }",
        ),
        source(
            "b/mod.rs",
            "mod inner; mod outer; pub use inner::{Thing, go}; use outer::Out;",
        ),
        source(
            "b/inner.rs",
            "use super::Out; pub struct Thing; pub fn go() {}",
        ),
        source(
            "b/outer.rs",
            "pub struct Out; fn f() { super::super::c::x(); }",
        ),
        source(
            "c.rs",
            "#[cfg(test)] mod tests { use crate::a::f; } fn x() { crate::a::f() }",
        ),
    ];
    let arrows = arrows(&sources);
    let shown = |file: &str| arrows[file].iter().copied().collect::<Vec<_>>().join(" ");

    assert_eq!(shown("a.rs"), "b/inner.rs");
    assert_eq!(shown("b/inner.rs"), "b/outer.rs");
    assert_eq!(shown("b/outer.rs"), "c.rs");
    assert_eq!(shown("c.rs"), "a.rs");
    let circle = circle(&arrows).unwrap();
    assert_eq!(circle.len(), 5, "{circle:?}");
}
