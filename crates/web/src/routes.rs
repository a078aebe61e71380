//! Which path of a repository's page is what.
//!
//! All names in paths are those of environments, applications and deployments. A path with a name
//! that can't be is not found, as one that stands nowhere here.

use std::slice;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::get;
use deploy_by_code::id::{Application, Environment, Target};
use tokio::sync::Mutex;

use crate::fault::Fault;
use crate::follow::Topic;
use crate::reply::stream;
use crate::visit::{Asked, At, Named, Number, Part, Picture};
use crate::{api, feed, log_page, pages};

/// An answer, or the one that says why there is none.
type Answered = Result<Response, Response>;

/// How many slashes a path below that of a repository has at most.
pub(crate) const SLASHES_MAX: usize = 4;

/// The page of a repository. Each request has the [`crate::visit::Visit`] that it is.
pub(crate) fn of_repository() -> Router {
    // These ask the repositories of applications, which can take long. One of them does at a time,
    // so that a repository that gives no answer occupies one thread.
    let turn = Arc::new(Mutex::new(()));
    let asking = Router::new()
        .route("/application/{application}", get(application))
        .route("/deployment/{id}", get(deployment))
        .route_layer(middleware::from_fn_with_state(turn, in_turn));

    Router::new()
        .route("/", get(matrix))
        .route("/environment/{environment}", get(environment))
        .route("/search", get(search))
        .route("/deployment/{id}/log", get(log))
        .route("/deployment/{id}/events", get(log_events))
        .route("/events", get(changes))
        .route("/feed.atom", get(feed_of_all))
        .route(
            "/environment/{environment}/feed.atom",
            get(feed_of_environment),
        )
        .route(
            "/application/{application}/feed.atom",
            get(feed_of_application),
        )
        .route("/badge/{environment}/{picture}", get(badge))
        .route("/api/status", get(api_status))
        .route("/api/status/{environment}", get(api_status))
        .route("/api/status/{environment}/{application}", get(api_status))
        .route("/api/log", get(api_log))
        .route("/api/log/{environment}", get(api_log))
        .route("/api/log/{environment}/{application}", get(api_log))
        .route("/api/deployment/{id}", get(api_deployment))
        .route("/metrics", get(metrics))
        .route("/healthz", get(health))
        .merge(asking)
        .fallback(nothing)
}

/// Lets one request after the other be worked on.
async fn in_turn(State(turn): State<Arc<Mutex<()>>>, request: Request, next: Next) -> Response {
    let _turn = turn.lock().await;
    next.run(request).await
}

async fn nothing(at: At) -> Response {
    at.fault(&Fault::no_page())
}

async fn matrix(at: At, Query(asked): Query<Asked>) -> Answered {
    at.show(move |repository, links| pages::matrix(repository, links, &asked.word))
        .await
}

async fn environment(
    at: At,
    Named(name): Named<Environment>,
    Query(asked): Query<Asked>,
) -> Answered {
    at.show(move |repository, links| pages::environment(repository, links, &name, asked.before()?))
        .await
}

async fn application(
    at: At,
    Named(name): Named<Application>,
    Query(asked): Query<Asked>,
) -> Answered {
    at.show(move |repository, links| pages::application(repository, links, &name, asked.before()?))
        .await
}

async fn deployment(at: At, Named(Number(id)): Named<Number>) -> Answered {
    at.show(move |repository, links| pages::deployment(repository, links, id))
        .await
}

async fn search(at: At, Query(asked): Query<Asked>) -> Answered {
    at.show(move |repository, links| pages::search(repository, links, &asked.word))
        .await
}

/// The whole output of a deployment.
async fn log(at: At, Named(Number(id)): Named<Number>) -> Answered {
    let pieces = at.look(move |repository, _| log_page::download(repository, id));
    Ok(stream("text/plain; charset=utf-8", pieces.await?))
}

/// The output of a deployment, as it grows.
async fn log_events(
    at: At,
    Named(Number(id)): Named<Number>,
    Query(asked): Query<Asked>,
) -> Answered {
    // Where there is nothing to follow, this is said before the stream begins.
    at.look(move |repository, _| {
        repository.look(|view| Ok((view.deployment(id)?, view.log_file(id)?)))
    })
    .await?;
    Ok(at.follow(Topic::Log(id), asked.from))
}

/// That something has changed, each time.
async fn changes(at: At, Query(asked): Query<Asked>) -> Response {
    at.follow(Topic::Changes, asked.from)
}

async fn feed_of_all(at: At) -> Answered {
    at.show(|repository, links| feed::of_all(repository, links))
        .await
}

async fn feed_of_environment(at: At, Named(name): Named<Environment>) -> Answered {
    at.show(move |repository, links| feed::of_environment(repository, links, &name))
        .await
}

async fn feed_of_application(at: At, Named(name): Named<Application>) -> Answered {
    at.show(move |repository, links| feed::of_application(repository, links, &name))
        .await
}

async fn badge(at: At, Named(of): Named<(Environment, Picture)>) -> Answered {
    let (environment, Picture(application)) = of;
    let target = Target {
        environment,
        application,
    };
    at.show(move |repository, _| api::badge(repository, &target))
        .await
}

async fn api_status(at: At, Named(part): Named<Part>) -> Answered {
    at.show(move |repository, _| api::status(repository, &part.into()))
        .await
}

async fn api_log(at: At, Named(part): Named<Part>, Query(asked): Query<Asked>) -> Answered {
    at.show(move |repository, _| {
        api::log(
            repository,
            &part.into(),
            asked.number.as_deref(),
            asked.before()?,
        )
    })
    .await
}

async fn api_deployment(at: At, Named(Number(id)): Named<Number>) -> Answered {
    at.show(move |repository, _| api::deployment(repository, id))
        .await
}

async fn metrics(at: At) -> Answered {
    at.show(|repository, _| api::metrics(repository)).await
}

async fn health(at: At) -> Answered {
    at.show(|repository, _| Ok(api::health(slice::from_ref(repository))))
        .await
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::{HeaderMap, StatusCode};
    use tower::ServiceExt as _;

    use super::*;
    use crate::visit::Visit;

    /// The status of the answer where it is not known which repository a path is of.
    async fn status(path: &str) -> StatusCode {
        let visit = Visit {
            repository: Err(Arc::new(Fault::Crowded)),
            root: String::new(),
            rest: path.to_owned(),
            headers: HeaderMap::new(),
        };
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = path.parse().unwrap();
        request.extensions_mut().insert(Arc::new(visit));
        of_repository().oneshot(request).await.unwrap().status()
    }

    #[test]
    fn paths_mean_pages() {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.build().unwrap();
        let pages = [
            "/",
            "/environment/production",
            "/application/web.app",
            "/deployment/42",
            "/deployment/42/log",
            "/deployment/42/events",
            "/events",
            "/feed.atom",
            "/environment/production/feed.atom",
            "/application/web.app/feed.atom",
            "/badge/production/web.app.svg",
            "/api/status",
            "/api/status/production",
            "/api/status/production/web.app",
            "/api/log",
            "/api/log/production",
            "/api/log/production/web.app",
            "/api/deployment/42",
            "/metrics",
            "/healthz",
            "/search?q=a",
        ];
        for path in pages {
            let status = runtime.block_on(status(path));
            assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
            assert!(path.matches('/').count() <= SLASHES_MAX, "{path}");
        }
        let nothing = [
            "//",
            "/deployment/042",
            "/deployment/-1",
            "/deployment/99999999999999999999",
            "/environment/..",
            "/environment/a%20b",
            "/environment/production/",
            "/api/status/a/b/c",
            "/api/status/",
            "/badge/production/.svg",
            "/badge/production/web.app",
        ];
        for path in nothing {
            let status = runtime.block_on(status(path));
            assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        }
    }
}
