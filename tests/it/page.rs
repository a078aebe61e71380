//! The program that shows the page, and a client that says to it what a test wants.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::processes::{BINARY, kill_child};
use crate::run::DEADLINE;
use crate::world::World;

/// The program that shows the page.
pub fn page_program() -> PathBuf {
    PathBuf::from(BINARY).with_file_name("deploy-by-code-web")
}

/// The program, which listens on a free port of the loopback interface. It ends with this value.
pub struct Page {
    pub process: Child,
    pub address: SocketAddr,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Page {
    /// Shows the world's deploy repository.
    #[track_caller]
    pub fn of(world: &World) -> Self {
        Self::start(world, &["deploy.git"])
    }

    /// Starts the program with more arguments.
    #[track_caller]
    pub fn start(world: &World, arguments: &[&str]) -> Self {
        let mut command = world.command(page_program().to_str().unwrap(), ".");
        command.args(["--listen", "127.0.0.1:0"]).args(arguments);
        Self::say_where(&mut command)
    }

    /// Starts a command that becomes the program, which says where it listens.
    #[track_caller]
    pub fn say_where(command: &mut Command) -> Self {
        let mut process = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = process.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://");
        let address = address.unwrap_or_else(|| panic!("{command:?} printed {line:?}"));
        let address = address.parse().unwrap();
        Self { process, address }
    }

    /// A connection.
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        stream
    }

    /// Sends some bytes on a connection of its own, and returns all that comes back.
    #[track_caller]
    pub fn raw(&self, request: &[u8]) -> Answer {
        let mut stream = self.connect();
        stream.write_all(request).unwrap();
        Answer::read(&mut stream)
    }

    /// Asks for a path, with more headers, each with its line end.
    #[track_caller]
    pub fn ask(&self, method: &str, path: &str, headers: &str) -> Answer {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n"
        );
        self.raw(request.as_bytes())
    }

    /// The text at a path, which must be there.
    #[track_caller]
    pub fn get(&self, path: &str) -> String {
        let answer = self.ask("GET", path, "");
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.text()
    }

    /// The status of the answer at a path, and its text.
    #[track_caller]
    pub fn fails(&self, path: &str) -> (u16, String) {
        let answer = self.ask("GET", path, "");
        (answer.status, answer.text())
    }

    /// The JSON at a path.
    #[track_caller]
    pub fn json(&self, path: &str) -> Value {
        let text = self.get(path);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error} in {text}"))
    }

    /// Follows a stream of events.
    pub fn follow(&self, path: &str) -> Stream {
        let mut stream = self.connect();
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        Stream::of(stream)
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // It may have ended by itself.
        if self.process.try_wait().unwrap().is_none() {
            kill_child(&mut self.process);
        }
    }
}

impl Answer {
    /// Reads all that comes until the server closes the connection.
    #[track_caller]
    pub fn read(stream: &mut impl Read) -> Self {
        let mut bytes = Vec::new();
        // A connection that is broken off has what came before.
        let _ = stream.read_to_end(&mut bytes);
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| {
            panic!("no answer: {:?}", String::from_utf8_lossy(&bytes));
        });
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let body = bytes.split_off(end + 4);
        let body = match head.contains("transfer-encoding: chunked") {
            true => unchunked(&body),
            false => body,
        };
        Self { status, head, body }
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// A body without the lengths of its chunks (RFC 9112, 7.1).
fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let length = std::str::from_utf8(&rest[..end]).unwrap();
        let length = usize::from_str_radix(length, 16).unwrap();
        if length == 0 {
            break;
        }
        body.extend_from_slice(&rest[end + 2..end + 2 + length]);
        rest = &rest[end + 2 + length + 2..];
    }
    body
}

/// A stream of events.
pub struct Stream {
    stream: TcpStream,
    seen: Vec<u8>,
}

impl Stream {
    /// The events that come on a connection.
    pub fn of(stream: TcpStream) -> Self {
        let seen = Vec::new();
        Self { stream, seen }
    }

    /// What comes within some time, after what was seen before.
    pub fn for_a_while(&mut self, time: Duration) -> String {
        let end = Instant::now() + time;
        let (seen, mut buffer) = (self.seen.len(), [0; 64 * 1024]);
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            let wait = left.max(Duration::from_millis(1));
            self.stream.set_read_timeout(Some(wait)).unwrap();
            let count = self.stream.read(&mut buffer).unwrap_or(0);
            self.seen.extend_from_slice(&buffer[..count]);
        }
        String::from_utf8_lossy(&self.seen[seen..]).into_owned()
    }

    /// Reads until the text of the stream has some text in it, and returns all of it so far.
    #[track_caller]
    pub fn until(&mut self, text: &str) -> String {
        let mut buffer = [0; 64 * 1024];
        let end = Instant::now() + DEADLINE;
        loop {
            let seen = String::from_utf8_lossy(&self.seen).into_owned();
            assert!(Instant::now() < end, "no {text:?}: {seen}");
            if seen.contains(text) {
                return seen;
            }
            let count = self.stream.read(&mut buffer);
            let count = count.unwrap_or_else(|error| panic!("no {text:?}, {error}: {seen}"));
            assert_ne!(count, 0, "no {text:?}: {seen}");
            self.seen.extend_from_slice(&buffer[..count]);
        }
    }
}
