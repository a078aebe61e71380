//! The configuration in the pages of docs/recipes. What the pages do is tried by
//! tests/deb/recipes.sh, in a machine with systemd.

use std::fs;
use std::path::Path;

use crate::world::World;

/// The most lines of configuration that a recipe may need.
const LINES_MAX: usize = 10;

/// What a page appends to the configuration.
fn configuration(page: &str) -> String {
    let begin = page.find("deploy-by-code.toml <<").unwrap();
    let block = page[begin..].split_once('\n').unwrap().1;
    let block = block.split_once("\nEOF\n").unwrap().0;
    block
        .replace("$(id -u git)", "999")
        .replace("$fpm", "php-fpm.service")
}

#[test]
fn configuration_of_each_recipe_is_short_and_has_no_mistake() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/recipes");
    let mut pages = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap() == "README.md" {
            continue;
        }
        pages += 1;
        let block = configuration(&fs::read_to_string(&path).unwrap());
        let lines = block.lines().filter(|line| !line.is_empty()).count();
        assert!(lines <= LINES_MAX, "{}: {lines} lines", path.display());

        let world = World::installed();
        let start = "[defaults]\nrepository = \"/srv/git/{application}.git\"\n\
                     checkout = \"/srv/apps/{environment}/{application}\"\n";
        world.config_file(&format!("{start}{block}\n"));
        let checked = world.cmd(&["check"]);
        checked.says_nothing_of("the configuration can't be used");
    }
    assert_eq!(pages, 5);
}
