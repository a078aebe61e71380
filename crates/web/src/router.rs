//! From a request to the page that it is for. This refuses what is never answered here, and finds
//! the repository that a path belongs to.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ALLOW, CACHE_CONTROL, HOST, HeaderName, LOCATION};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, Version};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Extension, Router};
use tower::ServiceExt as _;

use crate::fault::Fault;
use crate::host::is_allowed;
use crate::limits::on_thread;
use crate::reply::{Reply, TextKind};
use crate::routes::{SLASHES_MAX, files, of_repository};
use crate::site::{Found, Repository, Site};
use crate::visit::Visit;
use crate::{api, pages};

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

/// What there is to be found.
struct Desk {
    site: Arc<Site>,
    /// The page of any repository.
    repository: Router,
    /// The page with the list of repositories.
    list: Router,
}

/// The path below which a list of repositories is.
#[derive(Clone)]
struct ListRoot(String);

/// Answers all requests. `hosts`: the names by which browsers may ask; `None`: any name.
pub(crate) fn router(site: Site, hosts: Option<Vec<String>>) -> Router {
    let site = Arc::new(site);
    let list = Router::new()
        .route("/", get(list))
        .route("/healthz", get(health))
        .merge(files())
        .fallback(nothing)
        .with_state(Arc::clone(&site));
    let desk = Arc::new(Desk {
        site,
        repository: of_repository(),
        list,
    });
    let is_known = middleware::from_fn_with_state(Arc::new(hosts), known_by_name);
    // Where a page is depends on the configuration. So this looks at all paths.
    let find = get(find).route_layer(is_known);
    Router::new()
        .route("/", find.clone())
        .route("/{*path}", find.clone())
        .method_not_allowed_fallback(only_shown)
        // What has no path, such as `OPTIONS *`.
        .fallback(find.fallback(only_shown))
        .with_state(desk)
        .layer(middleware::map_response(with_headers))
}

/// An answer with what every answer has.
pub(crate) async fn with_headers(mut answer: Response) -> Response {
    for (name, value) in HEADERS {
        let name = HeaderName::from_static(name);
        let value = HeaderValue::from_static(value);
        answer.headers_mut().insert(name, value);
    }
    answer
}

/// The answer to all methods but GET and HEAD.
async fn only_shown(headers: HeaderMap) -> Response {
    let text = "this page only shows something: ask by GET or HEAD\n";
    let reply = Reply::new(StatusCode::METHOD_NOT_ALLOWED, TextKind::Plain, text);
    let mut answer = reply.answer(&headers);
    let allowed = HeaderValue::from_static("GET, HEAD");
    answer.headers_mut().insert(ALLOW, allowed);
    answer
}

/// Refuses a browser that knows this server by the name of somebody else.
async fn known_by_name(
    State(names): State<Arc<Option<Vec<String>>>>,
    request: Request,
    next: Next,
) -> Response {
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => Some(host),
        // Each request has one (RFC 9112, 3.2), but those of version 1.0 need not.
        (None, _) if request.version() == Version::HTTP_10 => None,
        _ => {
            let text = "a request has exactly one header Host\n";
            return refuse(&request, StatusCode::BAD_REQUEST, text);
        }
    };
    let Some(names) = names.as_ref() else {
        return next.run(request).await;
    };
    let Some(host) = host else {
        let text =
            "the request has no header Host, which says by which name this server is known\n";
        return refuse(&request, StatusCode::MISDIRECTED_REQUEST, text);
    };
    // The URL of a request can have a host too (RFC 9112, 3.2.2).
    let of_url = request.uri().authority().map(Authority::as_str);
    let is_fine = |host: &str| is_allowed(host, names);
    if host.to_str().is_ok_and(is_fine) && of_url.is_none_or(is_fine) {
        return next.run(request).await;
    }
    let text = "this server is not known by this name; the administrator can allow it with --host \
                NAME\n";
    refuse(&request, StatusCode::MISDIRECTED_REQUEST, text)
}

/// The answer to a request that is for no page.
fn refuse(request: &Request, status: StatusCode, text: &str) -> Response {
    Reply::new(status, TextKind::Plain, text).answer(request.headers())
}

/// Finds what a path is of, and lets the page there answer.
async fn find(State(desk): State<Arc<Desk>>, request: Request) -> Response {
    let (request, _) = request.into_parts();
    let (site, path) = (Arc::clone(&desk.site), request.uri.path().to_owned());
    match on_thread(move || site.find_path(&path)).await {
        Ok(Found::Folder) => redirect(&request.uri),
        Ok(Found::Nothing) => nothing(request.headers.clone()).await,
        Ok(Found::List(root)) => {
            let at = root.len();
            hand_over(&desk.list, &request, at, ListRoot(root)).await
        }
        Ok(Found::Repository(repository, root)) => {
            let at = root.len();
            let visit = visit(&request, Ok(repository), at);
            hand_over(&desk.repository, &request, at, visit).await
        }
        Err(fault) => without_repository(&desk, &request, fault).await,
    }
}

/// The answer where nobody knows which repository a path is of: that of the first page which the
/// path could end with.
async fn without_repository(desk: &Desk, request: &Parts, fault: Fault) -> Response {
    let (path, fault) = (request.uri.path(), Arc::new(fault));
    let slashes = path.matches('/').count();
    let last = path
        .match_indices('/')
        .skip(slashes.saturating_sub(SLASHES_MAX));
    for (at, _) in last {
        let visit = visit(request, Err(Arc::clone(&fault)), at);
        let answer = hand_over(&desk.repository, request, at, visit).await;
        if answer.status() != StatusCode::NOT_FOUND {
            return answer;
        }
    }
    Reply::plain(&fault).answer(&request.headers)
}

/// A request for what stands in its path from a byte on.
fn visit(
    request: &Parts,
    repository: Result<Arc<Repository>, Arc<Fault>>,
    at: usize,
) -> Arc<Visit> {
    let (root, rest) = request.uri.path().split_at(at);
    Arc::new(Visit {
        repository,
        root: root.to_owned(),
        rest: rest.to_owned(),
        headers: request.headers.clone(),
    })
}

/// Lets a router answer a GET for the path from a byte on. `of`: what its handlers need to know.
async fn hand_over<T: Clone + Send + Sync + 'static>(
    router: &Router,
    request: &Parts,
    at: usize,
    of: T,
) -> Response {
    // The router takes escapes away. Nothing here needs one, and so a text with an escape stays
    // what it is: no name.
    let rest = request.uri.path()[at..].replace('%', "%25");
    let query = request.uri.query().unwrap_or_default();
    let Ok(uri) = format!("{rest}?{query}").parse() else {
        return nothing(request.headers.clone()).await;
    };
    let mut handed = Request::new(Body::empty());
    *handed.uri_mut() = uri;
    *handed.headers_mut() = request.headers.clone();
    handed.extensions_mut().insert(of);
    router.clone().oneshot(handed).await.into_response()
}

/// The page with the list of repositories.
async fn list(
    State(site): State<Arc<Site>>,
    Extension(ListRoot(root)): Extension<ListRoot>,
    headers: HeaderMap,
) -> Response {
    let list = move |all: &[Arc<Repository>]| pages::list(all, &root);
    of_all(site, headers, list).await
}

/// Whether all repositories can be looked at.
async fn health(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    of_all(site, headers, api::health).await
}

/// Lets a thread make an answer of all repositories.
async fn of_all(
    site: Arc<Site>,
    headers: HeaderMap,
    make: impl FnOnce(&[Arc<Repository>]) -> Reply + Send + 'static,
) -> Response {
    let made = on_thread(move || Ok(make(&site.repositories()?))).await;
    let reply = made.unwrap_or_else(|fault| Reply::plain(&fault));
    reply.answer(&headers)
}

async fn nothing(headers: HeaderMap) -> Response {
    Reply::plain(&Fault::no_page()).answer(&headers)
}

/// Leads to the same path with a slash at its end. The configuration can move the page, so this
/// holds only for now.
fn redirect(from: &Uri) -> Response {
    let query = from.query().map(|query| format!("?{query}"));
    let to = format!("{}/{}", from.path(), query.unwrap_or_default());
    let mut answer = StatusCode::TEMPORARY_REDIRECT.into_response();
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(to) = HeaderValue::from_str(&to) {
        headers.insert(LOCATION, to);
    }
    answer
}
