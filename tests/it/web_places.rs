//! Which repositories the page shows, and where each of them is on it.

use std::thread::sleep;
use std::time::Duration;

use serde_json::json;

use crate::commands::with_history;
use crate::page::Page;
use crate::run::skip;
use crate::world::World;

#[test]
fn several_repositories_have_a_list_and_a_page_each() {
    let (world, other) = (with_history(), World::installed());
    let path = other.repository().display().to_string();
    let page = Page::start(&world, &["deploy.git", &path]);
    let list = page.get("/");
    assert!(
        list.contains("\"/r/deploy/\"") && list.contains("\"/r/deploy-2/\""),
        "{list}"
    );
    assert_eq!(page.json("/r/deploy/api/status"), world.json(&["status"]));
    assert_eq!(page.json("/r/deploy-2/api/status"), json!([]));
    assert!(
        page.get("/r/deploy/")
            .contains("href=\"/r/deploy/application/a\"")
    );
    assert_eq!(
        page.ask("GET", "/r/deploy", "").header("location"),
        Some("/r/deploy/")
    );
    assert_eq!(page.get("/healthz"), "ok\n");
}

#[test]
fn registered_repositories_of_this_user_are_shown() {
    let world = World::installed();
    let list = world.path("list");
    std::fs::create_dir(&list).unwrap();
    let registry = format!("--registry={}", list.display());
    let page = Page::start(&world, &["--registered", &registry]);
    for path in ["/", "/api/status", "/healthz"] {
        let (status, text) = page.fails(path);
        assert_eq!(status, 503, "{path}");
        let message = "no repository of this user is registered";
        assert!(text.contains(message), "{path}: {text}");
    }

    world.cmd(&["install", &registry]).ok();
    // What others have registered is left out.
    std::fs::write(list.join("x"), "/nowhere\n").unwrap();
    let entries = std::fs::read_dir(&list).unwrap().count();
    assert_eq!(entries, 2, "install has registered the repository");
    world.wait_until("it is shown", || page.fails("/api/status").0 == 200);
    assert_eq!(page.json("/api/status"), json!([]));

    // One more gets a list.
    let other = World::installed();
    other.cmd(&["install", &registry]).ok();
    world.wait_until("there is a list", || {
        page.fails("/").1.contains("\"/r/deploy-2/\"")
    });
    assert_eq!(page.get("/healthz"), "ok\n");
    assert_eq!(page.json("/r/deploy-2/api/status"), json!([]));
    other.cmd(&["uninstall", &registry]).ok();
    world.wait_until("it is alone again", || page.fails("/api/status").0 == 200);
}

#[test]
fn registered_repository_that_can_not_be_looked_at_stays_in_the_list() {
    let (world, other) = (World::installed(), World::installed());
    let list = world.path("list");
    std::fs::create_dir(&list).unwrap();
    let registry = format!("--registry={}", list.display());
    for one in [&world, &other] {
        one.cmd(&["install", &registry]).ok();
    }
    let page = Page::start(&world, &["--registered", &registry]);
    let before = page.get("/");
    assert!(before.contains("\"/r/deploy-2/\""), "{before}");
    let (here, away) = (other.repository(), other.path("away.git"));
    std::fs::rename(&here, &away).unwrap();
    world.wait_until("it is seen", || page.fails("/healthz").0 == 503);
    // Another look at the list does not change that.
    sleep(Duration::from_millis(2500));
    let after = page.get("/");
    let both = ["\"/r/deploy/\"", "\"/r/deploy-2/\""];
    assert!(both.iter().all(|path| after.contains(path)), "{after}");
    assert_eq!(
        after.matches("No such file or directory").count(),
        1,
        "{after}"
    );
    let broken = world.repository() > here;
    let (broken, works) = match broken {
        true => ("/r/deploy/", "/r/deploy-2/"),
        false => ("/r/deploy-2/", "/r/deploy/"),
    };
    assert_eq!(page.fails(broken).0, 503);
    page.get(works);
    std::fs::rename(&away, &here).unwrap();
    world.wait_until("both are there", || page.fails("/healthz").0 == 200);
}

#[test]
fn what_others_registered_is_not_even_looked_at() {
    if !nix::unistd::geteuid().is_root() {
        return skip("only root can make a file of somebody else");
    }
    let world = World::installed();
    let list = world.path("list");
    std::fs::create_dir(&list).unwrap();
    let registry = format!("--registry={}", list.display());
    world.cmd(&["install", &registry]).ok();
    let own = std::fs::read_dir(&list).unwrap().next().unwrap().unwrap();
    let foreign = list.join("x");
    std::fs::write(&foreign, "/nowhere\n").unwrap();
    std::os::unix::fs::chown(&foreign, Some(12345), None).unwrap();
    let read_at = |path: &std::path::Path| path.metadata().unwrap().accessed().unwrap();
    let before = (read_at(&own.path()), read_at(&foreign));
    // A time of the last access that is older than the last change is renewed by each access.
    let page = Page::start(&world, &["--registered", &registry]);
    page.get("/");
    if read_at(&own.path()) == before.0 {
        return skip("this file system does not record when a file was read");
    }
    assert_eq!(
        read_at(&foreign),
        before.1,
        "the entry of another user was read"
    );
}

#[test]
fn longest_path_counts_where_repositories_have_different_ones() {
    let (world, other) = (with_history(), World::installed());
    for (one, base_path) in [(&world, "/x"), (&other, "/x/y")] {
        let text = one.config_text();
        one.config_file(&format!("{text}\n[web]\nbase_path = \"{base_path}\"\n"));
    }
    let path = other.repository().display().to_string();
    let page = Page::start(&world, &["deploy.git", &path]);
    for (path, name) in [
        ("/x/", "\"/x/r/deploy/\""),
        ("/x/y/", "\"/x/y/r/deploy-2/\""),
    ] {
        let list = page.get(path);
        assert!(list.contains(name), "{path}: {list}");
    }
    assert_eq!(page.json("/x/y/r/deploy-2/api/status"), json!([]));
    page.get("/x/y/style.css");
}

#[test]
fn page_below_a_path_has_all_its_links_there() {
    let world = with_history();
    world.config_file(&format!(
        "{}\n[web]\nbase_path = \"/a/b\"\n",
        world.config_text()
    ));
    let page = Page::of(&world);
    let matrix = page.get("/a/b/");
    let links = ["href=\"", "src=\"", "action=\""];
    for part in links.iter().flat_map(|start| matrix.split(start).skip(1)) {
        assert!(
            part.starts_with("/a/b/") || part.starts_with("#main"),
            "{part}"
        );
    }
    let folder = page.ask("GET", "/a/b?q=x", "");
    assert_eq!(folder.header("location"), Some("/a/b/?q=x"));
    // The configuration can change it.
    assert_eq!(folder.status, 307);
    assert_eq!(folder.header("cache-control"), Some("no-cache"));
    for path in ["/", "/api/status", "/a/bc/"] {
        assert_eq!(page.fails(path).0, 404, "{path}");
    }
    page.get("/a/b/script.js");
    for path in [
        "/a/b/no/style.css",
        "/style.css",
        "/a/b/deployment/icon.svg",
    ] {
        assert_eq!(page.fails(path).0, 404, "{path}");
    }
    let badge = page.get("/a/b/badge/production/icon.svg");
    assert!(badge.contains("production/icon: unknown"), "{badge}");
}
