//! The server: connections, requests, and what is the same for all answers.
//!
//! Protocol: a client has [`HEADERS_MAX`] of time for the head of a request, and an answer holds
//! memory until the client has read it or [`crate::socket`] gives it up. All answers together hold
//! [`MEMORY_MAX`] at most; what would be more is answered by 503. So whatever clients do, the
//! process stays small, and others get answers.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::{ALLOW, HeaderMap, HeaderName, HeaderValue};
use hyper::http::uri::Authority;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::arguments::{Arguments, print};
use crate::body::Answer;
use crate::connections::{Connections, Seat};
use crate::host::is_allowed;
use crate::listener::Listener;
use crate::reply::{Reply, TextKind};
use crate::request::{Asked, Desk};
use crate::site::Site;
use crate::socket::Socket;
use crate::start_error::StartError;

/// How many threads look at repositories.
pub(crate) const THREADS: usize = 4;

/// How long a client may take for the head of a request, and keep silent between two of them.
const HEADERS_MAX: Duration = Duration::from_secs(5);

/// The largest head of a request, in bytes.
const HEAD_MAX: usize = 16 * 1024;

/// How much memory answers hold that clients have not read yet, in bytes.
const MEMORY_MAX: usize = 16 * 1024 * 1024;

/// Headers that every answer has. Nothing is fetched from elsewhere, no script or style stands in a
/// page, and no page of others shows this one inside of it.
const HEADERS: [(&str, &str); 4] = [
    (
        "content-security-policy",
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
         connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
];

/// What all requests have in common.
struct Server {
    desk: Desk,
    /// The names by which browsers may ask; `None`: any name.
    hosts: Option<Vec<String>>,
    memory: Arc<Semaphore>,
}

/// Serves until nobody has asked for long enough.
pub(crate) async fn serve(arguments: &Arguments, site: Site) -> Result<(), StartError> {
    let listener = Listener::open(arguments)?;
    print(&format!("listening on {}", listener.describe()));
    let server = Arc::new(Server {
        desk: Desk::new(site),
        hosts: listener.can_be_rebound().then(|| arguments.hosts.clone()),
        memory: Arc::new(Semaphore::new(MEMORY_MAX)),
    });
    let connections = Arc::new(Connections::new());

    let idle = arguments.idle;
    let look = idle.map_or(Duration::from_secs(3600), |idle| {
        (idle / 4).clamp(Duration::from_millis(50), Duration::from_secs(5))
    });
    loop {
        match timeout(look, listener.accept()).await {
            // Where all connections are busy, the client is let go, and may come again.
            Ok(Ok(client)) => {
                if let Some(seat) = connections.seat() {
                    begin(&server, seat, Socket::new(client));
                }
            }
            // There are too many files open, for example.
            Ok(Err(_)) => sleep(Duration::from_millis(100)).await,
            Err(_) => {}
        }
        if idle.is_some_and(|idle| connections.idle_for() >= idle) {
            return Ok(());
        }
    }
}

/// Serves a client in a task of its own.
fn begin(server: &Arc<Server>, seat: Seat, socket: Socket) {
    let (server, own) = (Arc::clone(server), seat.clone());
    let task = tokio::spawn(async move {
        let service = service_fn(|request| {
            let (server, seat) = (Arc::clone(&server), own.clone());
            async move { Ok::<_, Infallible>(server.answer(request, &seat).await) }
        });
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(HEADERS_MAX)
            .max_buf_size(HEAD_MAX)
            .max_headers(64);
        // A client that breaks off is nobody's mistake here.
        let _ = builder
            .serve_connection(TokioIo::new(socket), service)
            .await;
        own.leave();
    });
    seat.take(task.abort_handle());
}

impl Server {
    /// Answers one request.
    async fn answer<B>(&self, request: Request<B>, seat: &Seat) -> Response<Answer> {
        let work = seat.work();
        let asked = request.headers();
        let is_head = request.method() == Method::HEAD;
        let mut answer = match self.refuse(&request) {
            Some(reply) => reply.answer(asked),
            None => {
                let request = Asked {
                    path: request.uri().path().to_owned(),
                    query: request.uri().query().unwrap_or_default().to_owned(),
                    last_event: last_event(asked),
                };
                self.desk.answer(request, asked).await
            }
        };

        let size = u32::try_from(answer.body().len()).unwrap_or(u32::MAX);
        let memory = Arc::clone(&self.memory).try_acquire_many_owned(size);
        let memory = match memory {
            Ok(memory) => Some(memory),
            Err(_) => {
                let text = "too many answers wait for their readers; ask again in a moment\n";
                let status = StatusCode::SERVICE_UNAVAILABLE;
                answer = Reply::new(status, TextKind::Plain, text).answer(asked);
                None
            }
        };
        for (name, value) in HEADERS {
            let name = HeaderName::from_static(name);
            answer
                .headers_mut()
                .insert(name, HeaderValue::from_static(value));
        }
        if answer.status() == StatusCode::METHOD_NOT_ALLOWED {
            let allowed = HeaderValue::from_static("GET, HEAD");
            answer.headers_mut().insert(ALLOW, allowed);
        }
        if is_head {
            // A stream would go on for nobody.
            answer = answer.map(Answer::without_pieces);
        }
        answer.map(|body| body.holding(work, memory))
    }

    /// The answer to what is never asked here; `None`: the request is a usual one.
    fn refuse<B>(&self, request: &Request<B>) -> Option<Reply> {
        let refuse = |status, text: &str| Some(Reply::new(status, TextKind::Plain, text));
        if ![Method::GET, Method::HEAD].contains(request.method()) {
            let text = "this page only shows something: ask by GET or HEAD\n";
            return refuse(StatusCode::METHOD_NOT_ALLOWED, text);
        }
        let names = self.hosts.as_ref()?;
        // The URL of a request can have a host too (RFC 9112, 3.2.2).
        let of_url = request.uri().authority().map(Authority::as_str);
        let mut hosts = request.headers().get_all(hyper::header::HOST).iter();
        let host = match (hosts.next(), hosts.next()) {
            (Some(host), None) => host.to_str().ok(),
            _ => None,
        };
        let is_fine = |host: &str| is_allowed(host, names);
        if host.is_some_and(is_fine) && of_url.is_none_or(is_fine) {
            return None;
        }
        let text = "this server is not known by this name; the administrator can allow it with \
                    --host NAME\n";
        refuse(StatusCode::MISDIRECTED_REQUEST, text)
    }
}

/// The number of the last event that a browser got before its connection broke (HTML Standard,
/// 9.2.4).
fn last_event(asked: &HeaderMap) -> Option<u64> {
    asked.get("last-event-id")?.to_str().ok()?.parse().ok()
}
