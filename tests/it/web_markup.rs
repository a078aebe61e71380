//! What the page sends is well formed, and HTML that a checker has nothing to say about.

use crate::page::Page;
use crate::run::run;
use crate::web_browser::{VIEWS, busy_world};

#[test]
fn markup_of_every_view_is_valid() {
    let world = busy_world();
    let page = Page::of(&world);
    for (name, path) in VIEWS {
        let (_, html) = page.fails(path);
        let mut tidy = world.command("tidy", ".");
        tidy.args(["-quiet", "-errors", "-utf8", "--show-info", "no"]);
        let tidy = run(&mut tidy, html.as_bytes());
        assert_eq!(tidy.code, Some(0), "{name}: {tidy:?}\n{html}");
    }
    for path in [
        "/feed.atom",
        "/environment/staging/feed.atom",
        "/application/mail/feed.atom",
        "/badge/production/api.svg",
        "/badge/production/nothing.svg",
        "/icon.svg",
    ] {
        let mut xmllint = world.command("xmllint", ".");
        let xmllint = run(xmllint.args(["--noout", "-"]), page.get(path).as_bytes());
        assert_eq!(
            (xmllint.code, xmllint.stderr.as_str()),
            (Some(0), ""),
            "{path}: {xmllint:?}"
        );
    }
    world.open("log");
    world.open("end");
}
