//! Where the server listens.
//!
//! Protocol: systemd hands over a socket that is open already (sd_listen_fds(3)). A unix socket is
//! made anew: one that a process left behind is removed, if nobody listens on it. Whoever can
//! connect can read the page, so an address that other machines reach needs an option of its own.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream as Probe;
use std::path::Path;

use deploy_by_code::text::escape;
use listenfd::ListenFd;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::arguments::Arguments;
use crate::start_error::StartError;

/// Where it listens if nobody says.
const DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8008);

/// A socket on which clients connect.
pub(crate) enum Listener {
    /// By TCP.
    Tcp(TcpListener),
    /// In the file system.
    Unix(UnixListener),
}

/// A connection of a client.
pub(crate) enum Client {
    /// By TCP.
    Tcp(TcpStream),
    /// In the file system.
    Unix(UnixStream),
}

impl Listener {
    /// Listens where the command line or systemd says. It must be called in the runtime.
    pub(crate) fn open(arguments: &Arguments) -> Result<Self, StartError> {
        if let Some(path) = &arguments.unix {
            return make_unix(path);
        }
        let listener = match arguments.listen {
            Some(address) => bind(address)?,
            None => match of_systemd()? {
                Some(listener) => listener,
                None => bind(DEFAULT)?,
            },
        };

        if let Self::Tcp(tcp) = &listener {
            let address = tcp.local_addr().map_err(StartError::System)?;
            if !address.ip().to_canonical().is_loopback() && !arguments.allow_public {
                return Err(StartError::Public(address.to_string()));
            }
        }
        Ok(listener)
    }

    /// The next client.
    pub(crate) async fn accept(&self) -> io::Result<Client> {
        Ok(match self {
            Self::Tcp(listener) => {
                let client = listener.accept().await?.0;
                // An answer is written at once, and a follower waits for each line.
                let _ = client.set_nodelay(true);
                Client::Tcp(client)
            }
            Self::Unix(listener) => Client::Unix(listener.accept().await?.0),
        })
    }

    /// Whether a browser can be led to it by the name of another host. Only a process of this
    /// machine connects to a socket in the file system, and a browser never does.
    pub(crate) fn can_be_rebound(&self) -> bool {
        matches!(self, Self::Tcp(_))
    }

    /// Where it is, in words.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Tcp(listener) => match listener.local_addr() {
                Ok(address) => format!("http://{address}"),
                Err(_) => "a socket".to_owned(),
            },
            Self::Unix(listener) => {
                let address = listener.local_addr().ok();
                let path = address.as_ref().and_then(|address| address.as_pathname());
                path.map_or_else(|| "a unix socket".to_owned(), shown)
            }
        }
    }
}

fn shown(path: &Path) -> String {
    escape(path.as_os_str().as_encoded_bytes(), 200)
}

fn bind(address: SocketAddr) -> Result<Listener, StartError> {
    let bound = std::net::TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener)
    });
    let error = |error| StartError::Listen(address.to_string(), error);
    bound.map(Listener::Tcp).map_err(error)
}

/// The first socket of systemd; `None`: systemd has handed none over.
fn of_systemd() -> Result<Option<Listener>, StartError> {
    let error = |error| StartError::Listen("the socket of systemd".to_owned(), error);
    let mut handed_over = ListenFd::from_env();
    if handed_over.len() == 0 {
        return Ok(None);
    }
    // It is one of both.
    if let Ok(Some(unix)) = handed_over.take_unix_listener(0) {
        let ready = unix.set_nonblocking(true);
        let made = ready.and_then(|()| UnixListener::from_std(unix));
        return made.map(Listener::Unix).map(Some).map_err(error);
    }
    let taken = handed_over.take_tcp_listener(0).map_err(error)?;
    let Some(tcp) = taken else {
        return Ok(None);
    };
    let ready = tcp.set_nonblocking(true);
    let made = ready.and_then(|()| TcpListener::from_std(tcp));
    made.map(Listener::Tcp).map(Some).map_err(error)
}

fn make_unix(path: &Path) -> Result<Listener, StartError> {
    let error = |error| StartError::Listen(shown(path), error);
    let is_socket = |found: fs::Metadata| found.file_type().is_socket();
    // Only this says that nobody listens: one who listens can be too busy, or let nobody in.
    let is_refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    let is_left = || Probe::connect(path).is_err_and(is_refused);
    if path.symlink_metadata().is_ok_and(is_socket) && is_left() {
        fs::remove_file(path).map_err(error)?;
    }
    UnixListener::bind(path).map(Listener::Unix).map_err(error)
}
