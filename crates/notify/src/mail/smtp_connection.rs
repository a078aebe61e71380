//! A connection to an SMTP server (RFC 5321).
//!
//! Protocol: everything, from the search for the host's address to the last answer, must be done
//! until one point in time. That is looked at before each system call that can wait, so a server
//! that sends a byte a second holds nobody up. What the server sends is bounded too. After STARTTLS
//! nothing counts that the server said before it (RFC 3207, 4.2).
//!
//! The library's resolver can't be interrupted: it gives up after the time in resolv.conf(5), which
//! is 10 seconds for each server by default.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use deploy_by_code::sys::clock::Deadline;
use deploy_by_code::text::escape;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

/// How long it may take to reach one address of the server.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// How long an answer can be, in bytes.
const ANSWER_MAX: usize = 64 * 1024;

/// How much of an answer is shown, in characters.
const SHOWN_MAX: usize = 200;

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    /// Its number (RFC 5321, 4.2.1).
    pub(super) code: u16,
    /// The texts of its lines. They are somebody else's.
    pub(super) lines: Vec<String>,
}

impl Answer {
    /// Whether the server did, or waits for the rest of, what it was asked for.
    pub(super) fn is_good(&self) -> bool {
        (200..400).contains(&self.code)
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = self.lines.join(" ");
        write!(f, "{} {}", self.code, escape(said.trim(), SHOWN_MAX))
    }
}

/// A socket that waits for nothing longer than until a point in time.
struct BoundedSocket {
    socket: TcpStream,
    end: Deadline,
}

impl BoundedSocket {
    fn left(&self) -> io::Result<Option<Duration>> {
        match self.end.left() {
            Duration::ZERO => Err(too_late()),
            left => Ok(Some(left)),
        }
    }
}

impl Read for BoundedSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(self.left()?)?;
        self.socket.read(buffer).map_err(in_words)
    }
}

impl Write for BoundedSocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(self.left()?)?;
        self.socket.write(bytes).map_err(in_words)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

/// The kernel calls it EAGAIN when a time limit is over.
fn in_words(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => too_late(),
        _ => error,
    }
}

fn too_late() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the server takes too long")
}

enum Stream {
    Plain(BoundedSocket),
    Encrypted(Box<StreamOwned<ClientConnection, BoundedSocket>>),
}

/// See the head of the file.
pub(super) struct SmtpConnection {
    /// `None` after encryption failed.
    stream: Option<Stream>,
    /// What was received and not yet read.
    received: Vec<u8>,
}

impl SmtpConnection {
    /// Connects to the first address of a host that answers.
    pub(super) fn open(host: &str, port: u16, end: Deadline) -> io::Result<Self> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in (host, port).to_socket_addrs()? {
            let limit = end.left().min(CONNECT_MAX);
            if limit.is_zero() {
                return Err(too_late());
            }
            match TcpStream::connect_timeout(&address, limit) {
                Ok(socket) => {
                    return Ok(Self {
                        stream: Some(Stream::Plain(BoundedSocket { socket, end })),
                        received: Vec::new(),
                    });
                }
                Err(error) => last = in_words(error),
            }
        }
        Err(last)
    }

    /// Encrypts what follows, and checks that the server's certificate names the host.
    pub(super) fn encrypt(&mut self, client: ClientConfig, host: &str) -> io::Result<()> {
        if !self.received.is_empty() {
            return Err(io::Error::other(
                "the server said something before TLS began",
            ));
        }
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let mut tls = ClientConnection::new(Arc::new(client), name).map_err(io::Error::other)?;
        let Some(Stream::Plain(mut socket)) = self.stream.take() else {
            return Err(io::Error::other("the connection is encrypted or broken"));
        };

        while tls.is_handshaking() {
            tls.complete_io(&mut socket)?;
        }
        let stream = StreamOwned::new(tls, socket);
        self.stream = Some(Stream::Encrypted(Box::new(stream)));
        Ok(())
    }

    /// Sends a command, which has no line break in it, and reads the answer.
    pub(super) fn command(&mut self, line: &str) -> io::Result<Answer> {
        self.say(line)?;
        self.answer()
    }

    /// Sends a command whose answer nobody reads.
    pub(super) fn say(&mut self, line: &str) -> io::Result<()> {
        self.write(format!("{line}\r\n").as_bytes())
    }

    /// Sends a message after the server was asked to take it, and reads the answer.
    pub(super) fn message(&mut self, message: &[u8]) -> io::Result<Answer> {
        self.write(&stuffed(message))?;
        self.answer()
    }

    /// Reads an answer.
    pub(super) fn answer(&mut self) -> io::Result<Answer> {
        let mut lines = Vec::new();
        let mut size = 0;
        loop {
            let line = self.line()?;
            size += line.len();
            if size > ANSWER_MAX {
                return Err(io::Error::other("the answer is too long"));
            }
            let (code, is_last, text) = parse(&line).ok_or_else(|| {
                let shown = escape(&line, SHOWN_MAX);
                io::Error::other(format!("this is not SMTP: {shown}"))
            })?;
            lines.push(text);
            if is_last {
                return Ok(Answer { code, lines });
            }
        }
    }

    /// The next line, without its end.
    fn line(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.received.drain(..=end).collect();
                line.truncate(line.trim_ascii_end().len());
                return Ok(line);
            }
            if self.received.len() > ANSWER_MAX {
                return Err(io::Error::other("the answer is too long"));
            }

            let mut chunk = [0; 4096];
            let count = match self.stream()?.read(&mut chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                count => count?,
            };
            if count == 0 {
                let kind = io::ErrorKind::UnexpectedEof;
                return Err(io::Error::new(kind, "the server closed the connection"));
            }
            self.received.extend_from_slice(&chunk[..count]);
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let stream = self.stream()?;
        stream.write_all(bytes)?;
        stream.flush()
    }

    fn stream(&mut self) -> io::Result<&mut dyn ReadWrite> {
        match &mut self.stream {
            Some(Stream::Plain(stream)) => Ok(stream),
            Some(Stream::Encrypted(stream)) => Ok(&mut **stream),
            None => Err(io::Error::other("the connection is broken")),
        }
    }
}

trait ReadWrite: Read + Write {}

impl<T: Read + Write> ReadWrite for T {}

/// A line's code, whether it is the last of its answer, and its text (RFC 5321, 4.2); `None`: it is
/// no line of an answer.
fn parse(line: &[u8]) -> Option<(u16, bool, String)> {
    let (digits, rest) = line.split_at_checked(3)?;
    let code: u16 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let is_last = match rest.first() {
        None | Some(b' ') => true,
        Some(b'-') => false,
        Some(_) => return None,
    };
    let text = String::from_utf8_lossy(rest.get(1..).unwrap_or_default());
    (200..600)
        .contains(&code)
        .then(|| (code, is_last, text.into_owned()))
}

/// A message as it is sent: a point at the beginning of a line is doubled, and a line with a point
/// alone ends it (RFC 5321, 4.5.2).
fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + 8);
    for line in message.split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(b".") {
            out.push(b'.');
        }
        out.extend_from_slice(line);
    }
    if !out.is_empty() && !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b".\r\n");
    out
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use deploy_by_code::sys::clock::sleep;
    use rustls::RootCertStore;

    use super::*;

    #[test]
    fn lines_of_answers() {
        let table: [(&[u8], &str); 10] = [
            (b"250 ok", "250 true ok"),
            (b"250-STARTTLS", "250 false STARTTLS"),
            (b"250", "250 true "),
            (b"550 5.1.1 \xff", "550 true 5.1.1 \u{fffd}"),
            (b"25", "none"),
            (b"", "none"),
            (b"+25 x", "none"),
            (b"199 x", "none"),
            (b"600 x", "none"),
            (b"HTTP/1.1 400", "none"),
        ];
        for (line, expect) in table {
            let found = parse(line).map(|(code, is_last, text)| format!("{code} {is_last} {text}"));
            let found = found.unwrap_or_else(|| "none".to_owned());
            assert_eq!(found, expect, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn no_line_of_a_message_ends_it() {
        let table: [(&[u8], &[u8]); 5] = [
            (b"", b".\r\n"),
            (b"a\r\n", b"a\r\n.\r\n"),
            (b"a", b"a\r\n.\r\n"),
            (b".\r\n..\r\na.\r\n", b"..\r\n...\r\na.\r\n.\r\n"),
            (
                b"a\r\n.\r\nMAIL FROM:<x>\r\n",
                b"a\r\n..\r\nMAIL FROM:<x>\r\n.\r\n",
            ),
        ];
        for (message, expect) in table {
            assert_eq!(stuffed(message), expect, "{}", message.escape_ascii());
        }
    }

    /// What comes of a conversation with a server that sends some text, and then the same bytes
    /// again and again, with a pause before each.
    fn talk(
        first: &'static [u8],
        again: &'static [u8],
        pause: Duration,
        client: impl FnOnce(SmtpConnection) -> io::Result<Answer>,
    ) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let serve = move || {
            let (mut socket, _) = listener.accept().unwrap();
            let _ = socket.write_all(first);
            while !again.is_empty() && socket.write_all(again).is_ok() {
                sleep(pause);
            }
        };
        let server = thread::Builder::new().spawn(serve).unwrap();

        let end = Deadline::after(Duration::from_millis(300));
        let connection = SmtpConnection::open("127.0.0.1", port, end).unwrap();
        let result = client(connection);
        server.join().unwrap();
        match result {
            Ok(answer) => answer.to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn server_that_never_comes_to_an_end_is_left() {
        let zero = Duration::ZERO;
        let slow = Duration::from_millis(20);
        let table: [(&[u8], &[u8], Duration, &str); 7] = [
            (b"220 a\r\n", b"", zero, "220 a"),
            (
                b"220-a\r\n220 \x1b[31mb\r\n",
                b"",
                zero,
                "220 a \\u{1b}[31mb",
            ),
            (b"", b"", zero, "the server closed the connection"),
            (b"SSH-2.0\r\n", b"", zero, "this is not SMTP: SSH-2.0"),
            (b"220", b" ", slow, "the server takes too long"),
            (b"", b"220-a\r\n", zero, "the answer is too long"),
            (b"", &[b'2'; 4096], zero, "the answer is too long"),
        ];
        for (first, again, pause, expect) in table {
            let found = talk(first, again, pause, |mut connection| connection.answer());
            assert_eq!(found, expect, "{}", first.escape_ascii());
        }
    }

    #[test]
    fn what_was_said_before_tls_does_not_count_afterwards() {
        let found = talk(
            b"220 go\r\n250 ok\r\n",
            b"",
            Duration::ZERO,
            |mut connection| {
                let answer = connection.answer()?;
                connection.encrypt(client(), "localhost")?;
                Ok(answer)
            },
        );
        assert_eq!(found, "the server said something before TLS began");
    }

    /// A client that trusts nobody.
    fn client() -> ClientConfig {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let client = ClientConfig::builder_with_provider(provider);
        let client = client.with_safe_default_protocol_versions().unwrap();
        let client = client.with_root_certificates(RootCertStore::empty());
        client.with_no_client_auth()
    }
}
