//! The page among many clients: what they may take of it together, and who gets an answer.
//!
//! The clients connect by a unix socket, where the kernel keeps little of what nobody reads.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::applications::{self, commit};
use crate::commands::with_history;
use crate::page::{Answer, Page, page_program};
use crate::processes::kill_child;
use crate::web_safety::peak;
use crate::world::{World, rev};

/// The program, which listens on a unix socket. It ends with this value.
struct UnixPage {
    process: Child,
    socket: PathBuf,
}

impl UnixPage {
    #[track_caller]
    fn start(world: &World, repositories: &[&str]) -> Self {
        let socket = world.path("page.sock");
        let mut command = world.command(page_program().to_str().unwrap(), ".");
        command.arg("--unix").arg(&socket).args(repositories);
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let page = Self {
            process: process.unwrap(),
            socket,
        };
        world.wait_until("it listens", || UnixStream::connect(&page.socket).is_ok());
        page
    }

    /// Sends a request, and reads nothing of the answer.
    fn send(&self, path: &str) -> UnixStream {
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let limit = Some(Duration::from_secs(30));
        stream.set_read_timeout(limit).unwrap();
        stream
    }

    #[track_caller]
    fn ask(&self, path: &str) -> Answer {
        Answer::read(&mut self.send(path))
    }
}

impl Drop for UnixPage {
    fn drop(&mut self) {
        // It may have ended, which the test has said.
        if self.process.try_wait().unwrap().is_none() {
            kill_child(&mut self.process);
        }
    }
}

/// The status of an answer, of which nothing more is read.
#[track_caller]
fn status(stream: &mut UnixStream) -> u16 {
    let mut line = [0; 12];
    stream.read_exact(&mut line).unwrap();
    let line = std::str::from_utf8(&line).unwrap();
    line.strip_prefix("HTTP/1.1 ").unwrap().parse().unwrap()
}

/// Waits until the program has nothing to do: it has used no time of a processor for a while.
fn settle(page: &UnixPage) {
    let used = || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", page.process.id())).unwrap();
        let fields: Vec<String> = stat.split(' ').map(str::to_owned).collect();
        fields[13..15].to_vec()
    };
    let end = Instant::now() + Duration::from_secs(60);
    let (mut before, mut quiet) = (used(), 0);
    while quiet < 5 && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(100));
        let now = used();
        quiet = if now == before { quiet + 1 } else { 0 };
        before = now;
    }
}

/// Asserts that clients which read nothing of their answers leave memory and room for others.
#[track_caller]
fn assert_bounded(
    world: &World,
    path: &str,
    clients: usize,
    served: std::ops::RangeInclusive<usize>,
) {
    let page = UnixPage::start(world, &["deploy.git"]);
    let mut streams: Vec<UnixStream> = (0..clients).map(|_| page.send(path)).collect();
    let statuses: Vec<u16> = streams.iter_mut().map(status).collect();
    let count = statuses.iter().filter(|status| **status == 200).count();
    let refused = statuses.iter().filter(|status| **status == 503).count();
    assert_eq!(count + refused, clients, "{statuses:?}");
    assert!(served.contains(&count), "{count} of {clients} are served");
    settle(&page);
    assert_eq!(page.ask("/healthz").text(), "ok\n");
    let peak = peak(page.process.id());
    assert!(peak < 64 * 1024, "{peak} KiB");

    drop(streams);
    world.wait_until("there is room again", || page.ask(path).status == 200);
}

#[test]
fn downloads_that_nobody_reads_are_bounded() {
    let world = with_history();
    fs::write(world.state().join("logs/1.log"), vec![b'x'; 16 << 20]).unwrap();
    assert_bounded(&world, "/deployment/1/log", 300, 256..=256);
}

#[test]
fn pages_that_nobody_reads_are_bounded() {
    let world = with_history();
    fs::write(world.state().join("logs/1.log"), vec![b'x'; 1 << 20]).unwrap();
    assert_bounded(&world, "/deployment/1", 100, 10..=30);
}

/// A world in which one deployment runs, and `count` more wait for it.
fn waiting(count: u32) -> World {
    let world = World::installed();
    world.job("hold 1");
    for n in 0..=count {
        world.deploy(&format!("production/a{n}"), 1);
    }
    world.push();
    world.wait_until("one runs", || world.show(1)["status"] == "running");
    world
}

#[test]
fn followers_that_read_nothing_are_bounded() {
    let world = waiting(1);
    // Each of these bytes is seven characters of an event.
    fs::write(world.state().join("logs/2.log"), vec![0x1b; 1 << 20]).unwrap();
    let page = UnixPage::start(&world, &["deploy.git"]);
    // One has all of it, so the others have to get it by themselves.
    let mut first = page.send("/deployment/2/events?from=1048576");
    assert_eq!(status(&mut first), 200);
    let path = "/deployment/2/events?from=0";
    let mut streams: Vec<UnixStream> = (0..250).map(|_| page.send(path)).collect();
    for stream in &mut streams {
        assert_eq!(status(stream), 200);
    }
    settle(&page);
    assert_eq!(page.ask("/healthz").text(), "ok\n");
    let peak = peak(page.process.id());
    assert!(peak < 64 * 1024, "{peak} KiB");
    world.open("1");
}

#[test]
fn followers_of_all_repositories_leave_room_for_those_who_ask() {
    let (world, other) = (with_history(), World::installed());
    let path = other.repository().display().to_string();
    let page = UnixPage::start(&world, &["deploy.git", &path]);
    let follow = |name: &str, count: usize| -> Vec<(u16, UnixStream)> {
        let path = format!("/r/{name}/events");
        let streams = (0..count).map(|_| page.send(&path));
        let streams: Vec<UnixStream> = streams.collect();
        let answered = streams.into_iter().map(|mut one| (status(&mut one), one));
        answered.collect()
    };
    let first = follow("deploy", 200);
    let second = follow("deploy-2", 100);
    let served = |streams: &[(u16, UnixStream)]| streams.iter().filter(|one| one.0 == 200).count();
    assert_eq!((served(&first), served(&second)), (200, 56));
    assert_eq!(page.ask("/r/deploy/").status, 200);
    assert_eq!(page.ask("/r/deploy/deployment/1/log").status, 503);
    drop((first, second));
    world.wait_until("there is room again", || {
        page.ask("/r/deploy/deployment/1/log").status == 200
    });
}

#[test]
fn many_logs_leave_room_for_those_who_follow_changes() {
    let world = waiting(16);
    let page = UnixPage::start(&world, &["deploy.git"]);
    let mut logs: Vec<UnixStream> = (1..=17)
        .map(|n| page.send(&format!("/deployment/{n}/events")))
        .collect();
    let statuses: Vec<u16> = logs.iter_mut().map(status).collect();
    assert_eq!(statuses.iter().filter(|one| **one == 200).count(), 16);
    assert_eq!(status(&mut page.send("/events")), 200);
    world.open("1");
}

/// Lets whoever reads the objects of a repository wait for the other end of a pipe.
fn hang(world: &World, repository: &str) {
    let script = "mkdir -p objects/info && mkfifo objects/info/alternates";
    world.shell_in(repository, script).ok();
}

#[test]
fn repository_that_hangs_holds_up_no_other_one() {
    let (world, other) = (with_history(), with_history());
    let path = other.repository().display().to_string();
    hang(&other, "deploy.git");
    let page = UnixPage::start(&world, &["deploy.git", &path]);
    let waiting: Vec<UnixStream> = (0..30).map(|_| page.send("/r/deploy-2/")).collect();
    let begin = Instant::now();
    assert_eq!(page.ask("/r/deploy/").status, 200);
    let health = page.ask("/healthz");
    assert_eq!(health.status, 503);
    let list = page.ask("/").text();
    for text in [health.text(), list] {
        assert!(text.contains("gives no answer at the moment"), "{text}");
    }
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(15), "{took:?}");
    drop(waiting);
}

#[test]
fn what_is_known_is_shown_while_another_repository_is_asked() {
    let world = applications::world(&["a", "b"], "");
    for name in ["a", "b"] {
        for subject in ["one", "two"] {
            let hash = commit(&world, name, "main", subject);
            applications::deploy(&world, &format!("production/{name}"), &hash);
        }
    }
    world.settled();
    world.wait_until_idle();
    let page = Page::of(&world);
    // The pages of b and of its deployment are known from here on.
    page.get("/deployment/4");
    hang(&world, "apps/a.git");
    let mut waits = page.connect();
    let request = b"GET /deployment/2 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    waits.write_all(request).unwrap();
    let begin = Instant::now();
    // The first of them may come before the other one.
    for _ in 0..3 {
        assert!(page.get("/deployment/4").contains("two"));
        std::thread::sleep(Duration::from_millis(200));
    }
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(3), "{took:?}");
    let html = Answer::read(&mut waits).text();
    assert!(html.contains("gave no answer within 10 s"), "{html}");
}

#[test]
fn long_log_without_line_ends_is_shown_at_its_end_by_little_memory() {
    let world = with_history();
    let log = world.state().join("logs/1.log");
    let mut content = vec![0x1b; 16 << 20];
    content.extend_from_slice(b"the end");
    fs::write(&log, &content).unwrap();
    let page = Page::of(&world);

    // Clients that read nothing of their answers.
    let stuck: Vec<TcpStream> = (0..40)
        .map(|_| {
            let mut stream = page.connect();
            let request = b"GET /deployment/1 HTTP/1.1\r\nHost: localhost\r\n\r\n";
            stream.write_all(request).unwrap();
            stream
        })
        .collect();
    let html = page.ask("GET", "/deployment/1", "");
    // Where all the memory for answers is taken, the client is told to come again.
    assert!([200, 503].contains(&html.status), "{}", html.status);
    drop(stuck);
    world.wait_until("there is room again", || {
        page.ask("GET", "/deployment/1", "").status == 200
    });
    let html = page.get("/deployment/1");
    assert!(
        html.contains("the end</pre>") && html.len() < 3 << 20,
        "{}",
        html.len()
    );
    assert!(html.contains("All of the output"));

    let whole = page.ask("GET", "/deployment/1/log", "");
    assert_eq!(whole.body, content);
    assert!(
        peak(page.process.id()) < 64 * 1024,
        "{} KiB",
        peak(page.process.id())
    );
}

#[test]
fn repository_that_gives_no_answer_holds_up_only_its_own_page() {
    let world = applications::world(&["a"], "");
    let one = commit(&world, "a", "main", "one");
    applications::deploy(&world, "production/a", &one);
    let two = commit(&world, "a", "main", "two");
    applications::deploy(&world, "production/a", &two);
    world.settled();
    world.wait_until_idle();
    // Whoever reads its objects waits for the other end of a pipe.
    world
        .shell_in(
            "apps/a.git",
            "mkdir -p objects/info && mkfifo objects/info/alternates",
        )
        .ok();

    let page = Page::of(&world);
    let mut waits = page.connect();
    let request = b"GET /deployment/2 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    waits.write_all(request).unwrap();
    let begin = Instant::now();
    for path in ["/", "/environment/production", "/api/deployment/2"] {
        page.get(path);
    }
    assert!(begin.elapsed() < Duration::from_secs(5));
    let html = Answer::read(&mut waits).text();
    assert!(html.contains("gave no answer within 10 s"), "{html}");
    // It is not asked again.
    let begin = Instant::now();
    page.get("/deployment/2");
    assert!(begin.elapsed() < Duration::from_secs(5));
    assert_eq!(world.show(2)["revision"], two);
    assert_ne!(rev(1), one);
}
