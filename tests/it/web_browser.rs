//! The page as people have it: in a real browser, with and without JavaScript, with the keyboard
//! alone, in both colour schemes, on a telephone and on a wall.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::applications::{self, commit, commits, deploy, try_deploy, try_deploy_saying};
use crate::browser::{Tab, axe};
use crate::page::Page;
use crate::world::World;

/// The widths and heights of a telephone, a laptop and a screen on the wall, in pixels.
const SIZES: [(u32, u32); 3] = [(320, 640), (1280, 800), (3840, 2160)];

const SCHEMES: [&str; 2] = ["light", "dark"];

/// The pages of [`busy_world`], each with what it is called here.
pub const VIEWS: [(&str, &str); 11] = [
    ("matrix", "/"),
    ("environment", "/environment/production"),
    ("environment-frozen", "/environment/staging"),
    ("application", "/application/website"),
    ("application-rolled-back", "/application/mail"),
    ("deployment", "/deployment/2"),
    ("deployment-failed", "/deployment/11"),
    ("deployment-rollback", "/deployment/12"),
    ("deployment-running", "/deployment/13"),
    ("search", "/search?q=website"),
    ("not-found", "/application/nothing"),
];

/// A world in which there is everything that a page can show: #11 has failed, #12 has rolled back,
/// #13 runs, and #14 waits for it.
pub fn busy_world() -> World {
    let names = ["api", "handbook", "mail", "search", "website"];
    let world = applications::world(&names, "");
    let subjects = [
        "Begin {name}",
        "Show prices in the reader's currency",
        "Fix <alarms> & mails",
    ];
    let all = names.map(|name| {
        subjects.map(|subject| commit(&world, name, "main", &subject.replace("{name}", name)))
    });
    world.job(&format!(
        "printf 'unpacking\\n\\033[32mready\\033[0m <b>\\n'\n\
         case $DEPLOY_ENVIRONMENT/$DEPLOY_REVISION in\n\
         production/{}) echo 'no answer on port 8080' >&2; exit 7;;\n\
         production/{}) hold log; printf '\\033[1;33mmigrated\\033[0m\\n'; hold end;;\n\
         esac",
        all[0][2], all[4][2]
    ));
    for (name, hashes) in names.iter().zip(&all) {
        world.deploy_rev(&format!("production/{name}"), &hashes[1]);
        world.deploy_rev(&format!("staging/{name}"), &hashes[2]);
    }
    world.push();
    world.settled();

    deploy(&world, "production/api", &all[0][2]);
    let why = "Deploy-Rollback: mails were sent twice";
    try_deploy_saying(&world, "production/mail", &all[2][0], why).ok();
    world.settled();
    try_deploy(&world, "production/website", &all[4][2]).ok();
    world.wait_until("it has written", || world.logs(13).contains("ready"));
    try_deploy(&world, "production/handbook", &all[1][2]).ok();
    let why = ["--reason", "incident 7, see the channel"];
    world.cmd(&["freeze", "staging", why[0], why[1]]).ok();
    world
}

/// Lets the deployments of that world end.
fn calm(world: &World) {
    world.open("log");
    world.open("end");
}

/// Asserts that the page is not wider than the window.
#[track_caller]
fn assert_fits(tab: &mut Tab, what: &str) {
    let wide = tab.value(
        "[...document.querySelectorAll('body *')].filter(one => !one.closest('.scroll, .skip') \
         && one.getBoundingClientRect().right > innerWidth + 1).map(one => one.outerHTML)",
    );
    assert_eq!(wide, json!([]), "{what}");
    let width = "document.documentElement.scrollWidth <= innerWidth";
    assert_eq!(tab.value(width), true, "{what}");
}

/// What axe-core, which the page has got, finds in it: the rules that it violates, and where.
fn violations(tab: &mut Tab) -> Value {
    tab.value(
        "axe.run(document, {resultTypes: ['violations']}).then(found => found.violations \
         .map(one => [one.id, one.nodes.map(node => node.failureSummary + node.html)]))",
    )
}

#[test]
fn every_view_is_for_everybody_at_every_size_in_both_schemes() {
    let Some(axe) = axe() else { return };
    let world = busy_world();
    let page = Page::of(&world);
    let other = World::installed();
    let path = other.repository().display().to_string();
    let several = Page::start(&world, &["deploy.git", &path]);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("screenshots");
    fs::create_dir_all(&folder).unwrap();
    let Some(mut tab) = Tab::open() else { return };

    let urls = VIEWS.map(|(name, path)| (name, format!("http://{}{path}", page.address)));
    let list = ("list", format!("http://{}/", several.address));
    for (name, url) in urls.into_iter().chain([list]) {
        tab.resize(SIZES[1].0, SIZES[1].1);
        tab.go(&url);
        tab.value(axe);
        for scheme in SCHEMES {
            tab.prefer(&[("prefers-color-scheme", scheme)]);
            assert_eq!(violations(&mut tab), json!([]), "{name}, {scheme}");
            for (width, height) in SIZES {
                tab.resize(width, height);
                let what = format!("{name}-{scheme}-{width}");
                assert_fits(&mut tab, &what);
                tab.screenshot(&folder.join(format!("{what}.png")));
            }
        }
        // The browser itself says that a page was not found.
        tab.complaints
            .retain(|text| !(name == "not-found" && text.contains("status of 404")));
        assert!(tab.complaints.is_empty(), "{name}: {:?}", tab.complaints);
    }
    calm(&world);
}

#[test]
fn what_is_in_the_way_is_found() {
    let (Some(axe), Some(mut tab)) = (axe(), Tab::open()) else {
        return;
    };
    let world = World::installed();
    let page = Page::of(&world);
    tab.go(&format!("http://{}/", page.address));
    assert!(tab.complaints.is_empty(), "{:?}", tab.complaints);

    // The policy of the page keeps out what got into it, and this is seen here.
    tab.value("document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">x</p>')");
    tab.until("new Promise(done => setTimeout(() => done(true)))");
    let report = "Content Security Policy";
    assert!(
        tab.complaints.iter().any(|text| text.contains(report)),
        "{:?}",
        tab.complaints
    );
    let more = "<img src=/icon.svg><p class=small>low</p>";
    tab.value(&format!(
        "document.body.insertAdjacentHTML('beforeend', '{more}')"
    ));
    tab.value(axe);
    let found = violations(&mut tab).to_string();
    assert!(found.contains("image-alt"), "{found}");
}

#[test]
fn push_appears_without_reload_and_moves_only_what_may_move() {
    let Some(mut tab) = Tab::open() else { return };
    let world = World::installed();
    world.deploy("production/a", 1);
    world.push();
    world.settled();
    let page = Page::of(&world);
    tab.go(&format!("http://{}/", page.address));
    tab.value("window.isSamePage = true");
    tab.value("document.querySelector('th a[href$=\"/application/a\"]').focus()");
    let shown = |n: u32| {
        format!(
            "document.querySelector('#matrix td').innerText.includes('000000{n}') \
             && document.querySelector('#matrix td').innerText.includes('succeeded')"
        )
    };
    let moves = "document.getElementById('matrix').getAnimations().length";

    // Where only time has passed, nothing moves, and nothing is replaced.
    tab.value("window.cell = document.querySelector('#matrix td')");
    tab.value("window.cell.querySelector('time').textContent = 'long ago'");
    tab.value("document.dispatchEvent(new Event('visibilitychange'))");
    tab.until("window.cell.querySelector('time').textContent !== 'long ago'");
    assert_eq!(tab.value("window.cell.isConnected"), true);
    assert_eq!(tab.value(moves), 0);

    world.deploy("production/a", 2);
    world.push();
    tab.until(&shown(2));
    assert_eq!(tab.value(moves), 1);
    tab.prefer(&[("prefers-reduced-motion", "reduce")]);
    world.deploy("production/a", 3);
    world.push();
    tab.until(&shown(3));
    assert_eq!(tab.value(moves), 0);

    assert_eq!(tab.value("window.isSamePage"), true);
    assert_eq!(tab.value("document.activeElement.textContent"), "a");
    assert!(tab.complaints.is_empty(), "{:?}", tab.complaints);
}

#[test]
fn first_deployment_appears_in_a_page_that_was_empty() {
    let Some(mut tab) = Tab::open() else { return };
    let world = World::installed();
    let page = Page::of(&world);
    tab.go(&format!("http://{}/", page.address));
    tab.value("window.isSamePage = true");
    let matrix = "document.getElementById('matrix').innerText";
    tab.until(&format!(
        "{matrix}.includes('Nothing is wanted or deployed yet')"
    ));
    world.deploy("production/a", 1);
    world.push();
    tab.until(&format!("{matrix}.includes('0000001')"));
    assert_eq!(tab.value("window.isSamePage"), true);
    assert!(tab.complaints.is_empty(), "{:?}", tab.complaints);
}

#[test]
fn page_goes_on_after_a_time_in_which_nothing_could_be_shown() {
    let Some(mut tab) = Tab::open() else { return };
    let world = World::installed();
    world.deploy("production/a", 1);
    world.push();
    world.settled();
    let page = Page::of(&world);
    let url = format!("http://{}/", page.address);
    tab.go(&url);
    tab.value("window.isSamePage = true");
    let config = world.config_text();
    world.config_file("xyzzy = 1\n");
    world.wait_until("it is seen", || {
        page.ask("HEAD", "/events", "").status == 503
    });
    // As if somebody had looked at another tab meanwhile.
    tab.value("document.dispatchEvent(new Event('visibilitychange'))");
    tab.until("document.getElementById('live').textContent === 'no connection'");

    // A page that is opened now says why there is nothing, and shows it later by itself.
    world.config_file(&config);
    world.deploy("production/a", 2);
    world.push();
    tab.until("document.getElementById('matrix').innerText.includes('0000002')");
    tab.until("document.getElementById('live').textContent === ''");
    assert_eq!(tab.value("window.isSamePage"), true);

    world.config_file("xyzzy = 1\n");
    world.wait_until("it is seen", || page.fails("/").0 == 503);
    tab.go(&url);
    let title = "document.querySelector('h1').textContent";
    assert_eq!(tab.value(title), "Not available at the moment");
    world.config_file(&config);
    tab.until(&format!("{title} === 'What is where'"));
}

#[test]
fn list_of_repositories_follows_what_happens() {
    let Some(mut tab) = Tab::open() else { return };
    let (world, other) = (World::installed(), World::installed());
    let path = other.repository().display().to_string();
    let page = Page::start(&world, &["deploy.git", &path]);
    tab.go(&format!("http://{}/", page.address));
    let list = "document.getElementById('list').innerText";
    let shown = tab.value(list);
    let empty = shown.as_str().unwrap().matches("Nothing is wanted");
    assert_eq!(empty.count(), 2);
    world.deploy("production/a", 1);
    world.push();
    tab.until(&format!("{list}.includes('1 application, ')"));
    assert!(tab.complaints.is_empty(), "{:?}", tab.complaints);
}

#[test]
fn part_that_is_open_stays_open_when_others_come_before_it() {
    let Some(mut tab) = Tab::open() else { return };
    let world = applications::world(&["a"], "");
    let hashes = commits(&world, "a", 4);
    for hash in &hashes[..3] {
        deploy(&world, "production/a", hash);
    }
    world.settled();
    let page = Page::of(&world);
    tab.go(&format!("http://{}/application/a", page.address));
    let open = "[...document.querySelectorAll('#history details[open] summary')]\
        .map(one => one.textContent.trim().split(' ')[0]).join()";
    tab.value("document.querySelector('#history summary').click()");
    assert_eq!(tab.value(open), "#3");
    deploy(&world, "production/a", &hashes[3]);
    let first = "document.querySelector('#history summary').textContent.trim()";
    tab.until(&format!("{first}.startsWith('#4')"));
    assert_eq!(tab.value(open), "#3");
}

#[test]
fn log_grows_in_its_page_until_the_deployment_has_ended() {
    let world = busy_world();
    let page = Page::of(&world);
    let Some(mut tab) = Tab::open() else { return };
    tab.go(&format!("http://{}/deployment/13", page.address));
    tab.value("window.isSamePage = true");
    let log = "document.getElementById('log').textContent";
    assert_eq!(tab.value(log), "unpacking\nready <b>\n");

    world.open("log");
    tab.until(&format!("{log} === 'unpacking\\nready <b>\\nmigrated\\n'"));
    let last = "document.querySelector('#log :last-child').className";
    assert_eq!(tab.value(last), "b f3");
    assert_eq!(
        tab.value("document.querySelector('#facts .chip').textContent"),
        "▶running"
    );
    world.open("end");
    tab.until("document.querySelector('#facts .chip').textContent === '●succeeded'");
    assert_eq!(tab.value("window.isSamePage"), true);
    assert!(tab.complaints.is_empty(), "{:?}", tab.complaints);
}

#[test]
fn page_that_is_left_gives_its_connections_back() {
    let world = busy_world();
    let page = Page::of(&world);
    let Some(mut tab) = Tab::open() else { return };
    // A browser keeps pages for the way back, and waits when it has six connections.
    let begin = Instant::now();
    for (_, path) in VIEWS {
        tab.go(&format!("http://{}{path}", page.address));
    }
    assert!(
        begin.elapsed() < Duration::from_secs(30),
        "{:?}",
        begin.elapsed()
    );

    // A page that comes back goes on where it was.
    tab.go(&format!("http://{}/deployment/13", page.address));
    tab.go(&format!("http://{}/", page.address));
    world.open("log");
    world.wait_until("it has written", || world.logs(13).contains("migrated"));
    tab.value("history.back()");
    let log = "document.getElementById('log').textContent";
    tab.until(&format!("{log} === 'unpacking\\nready <b>\\nmigrated\\n'"));
    world.open("end");
    tab.until("document.querySelector('#facts .chip').textContent === '●succeeded'");
}

#[test]
fn filter_shows_the_applications_with_a_name() {
    let Some(mut tab) = Tab::open() else { return };
    let world = World::installed();
    for name in ["mail", "web", "website"] {
        world.deploy(&format!("production/{name}"), 1);
    }
    world.push();
    world.settled();
    let page = Page::of(&world);
    tab.go(&format!("http://{}/", page.address));
    let rows = "[...document.querySelectorAll('#matrix tbody tr')]\
        .filter(row => row.getClientRects().length).map(row => row.dataset.name)";
    assert_eq!(tab.value(rows), json!(["mail", "web", "website"]));
    tab.value("document.getElementById('filter').focus()");
    tab.type_text("WEB");
    assert_eq!(tab.value(rows), json!(["web", "website"]));
    assert_eq!(
        tab.value("document.getElementById('count').textContent"),
        "2 shown"
    );

    // What comes afterwards is filtered as well.
    world.deploy("staging/webmail", 2);
    world.deploy("staging/other", 2);
    world.push();
    tab.until(&format!("{rows}.join() === 'web,webmail,website'"));
}

/// What the keyboard reaches in a page.
const REACHABLE: &str = "(window.reachable = [...document.querySelectorAll( \
    'a[href], button, input, summary, [tabindex=\"0\"]')] \
    .filter(one => one.checkVisibility({visibilityProperty: true})))";

/// What has the focus: the place in what can be reached, and whether it is seen that it has it.
const FOCUSED: &str = "(() => { \
    const one = document.activeElement, style = getComputedStyle(one); \
    const box = one.getBoundingClientRect(); \
    const isSeen = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2 \
        && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth; \
    return [window.reachable.indexOf(one), isSeen]; })()";

#[test]
fn keyboard_alone_reaches_everything_and_is_never_caught() {
    let world = busy_world();
    let page = Page::of(&world);
    let Some(mut tab) = Tab::open() else { return };
    tab.resize(SIZES[1].0, SIZES[1].1);
    for (name, path) in VIEWS {
        tab.go(&format!("http://{}{path}", page.address));
        let count = tab.value(&format!("{REACHABLE}.length")).as_i64().unwrap();
        for at in 0..count {
            tab.press("Tab");
            assert_eq!(tab.value(FOCUSED), json!([at, true]), "{name}");
        }
        // After the last one the focus leaves the page.
        tab.press("Tab");
        let left = tab.value(FOCUSED);
        assert!(left[0] == -1 || left[0] == 0, "{name}: {left}");
    }
    calm(&world);
}

#[test]
fn keyboard_alone_leads_from_view_to_view() {
    let world = busy_world();
    let page = Page::of(&world);
    let Some(mut tab) = Tab::open() else { return };
    tab.go(&format!("http://{}/", page.address));

    tab.press("Tab");
    assert_eq!(tab.value("document.activeElement.className"), "skip");
    tab.press("Enter");
    tab.until("document.activeElement.id === 'main'");
    for path in [
        "/environment/production",
        "/deployment/13",
        "/application/website",
        "/",
    ] {
        let link = format!("document.activeElement.getAttribute('href') === '{path}'");
        let mut presses = 0;
        while tab.value(&link) != true {
            tab.press("Tab");
            presses += 1;
            assert!(presses < 200, "nothing leads to {path}");
        }
        tab.press("Enter");
        tab.until(&format!(
            "location.pathname === '{path}' && document.readyState === 'complete'"
        ));
    }
    while tab.value("document.activeElement.id") != "q" {
        tab.press("Tab");
    }
    tab.type_text("rollback");
    tab.press("Enter");
    tab.until("location.pathname === '/search' && document.readyState === 'complete'");
    calm(&world);
}

#[test]
fn everything_is_there_without_javascript() {
    let world = busy_world();
    let page = Page::of(&world);
    let Some(mut tab) = Tab::open() else { return };
    tab.call(
        "Emulation.setScriptExecutionDisabled",
        json!({"value": true}),
    );
    let at = |path: &str| format!("http://{}{path}", page.address);
    let text = "document.body.innerText";
    for (path, expect) in [
        ("/", "incident 7"),
        ("/?q=SEARCH", "1 shown"),
        ("/environment/production", "handbook"),
        ("/application/website", "staging has, production lacks"),
        ("/deployment/13", "ready <b>"),
        ("/search?q=website", "#13"),
    ] {
        tab.go(&at(path));
        let text = tab.value(text);
        assert!(text.as_str().unwrap().contains(expect), "{path}: {text}");
    }

    // The script would have kept the browser from sending this form.
    tab.go(&at("/"));
    tab.value("document.getElementById('filter').focus()");
    tab.type_text("mail");
    tab.press("Enter");
    tab.until("location.search === '?q=mail' && document.readyState === 'complete'");
    assert_eq!(
        tab.value("document.querySelectorAll('#matrix tbody tr').length"),
        1
    );
    calm(&world);
}
