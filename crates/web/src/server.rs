//! The server: connections, and what requests and answers may take.
//!
//! Protocol: a client has [`HEADERS_MAX`] of time for the head of a request, and an answer holds
//! memory until the client has read it or [`crate::socket`] gives it up. All answers together have
//! a limit ([`crate::limits`]); what would be more is answered by 503. So whatever clients do, the
//! process stays small, and others get answers.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::HttpBody as _;
use axum::http::header::CONTENT_LENGTH;
use axum::http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::{sleep, timeout};
use tower::ServiceExt as _;

use crate::arguments::{Arguments, print};
use crate::body::{Held, Hold};
use crate::connections::{Connections, Seat};
use crate::limits;
use crate::listener::Listener;
use crate::reply::Reply;
use crate::router::{router, with_headers};
use crate::site::Site;
use crate::socket::Socket;
use crate::start_error::StartError;

/// How long a client may take for the head of a request, and keep silent between two of them.
const HEADERS_MAX: Duration = Duration::from_secs(5);

/// The largest head of a request, in bytes.
pub(crate) const HEAD_MAX: usize = 16 * 1024;

/// What answers all requests.
struct Server {
    router: Router,
}

/// Serves until nobody has asked for long enough.
pub(crate) async fn serve(arguments: &Arguments, site: Site) -> Result<(), StartError> {
    let listener = Listener::open(arguments)?;
    print(&format!("listening on {}", listener.describe()));
    let hosts = listener.can_be_rebound().then(|| arguments.hosts.clone());
    let server = Arc::new(Server {
        router: router(site, hosts),
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
    async fn answer(&self, request: Request<Incoming>, seat: &Seat) -> Response<Held> {
        let work = seat.work();
        let asked = request.headers().clone();
        let Ok(mut answer) = self.router.clone().oneshot(request).await;
        if answer.status() == StatusCode::NOT_MODIFIED {
            // It would have to be that of the whole answer (RFC 9110, 8.6).
            answer.headers_mut().remove(CONTENT_LENGTH);
        }

        let memory = match limits::memory(answer.body().size_hint().exact()) {
            Ok(memory) => Some(memory),
            Err(fault) => {
                answer = with_headers(Reply::plain(&fault).answer(&asked)).await;
                None
            }
        };
        let hold = Arc::new(Hold {
            _work: work,
            _memory: memory,
        });
        answer.map(|body| Held { body, hold })
    }
}
