//! Which path of a repository's page is what.
//!
//! A path names an environment, an application or a deployment. A name that nothing can have leads
//! nowhere, and so does a path that is not in this table.

use std::slice;
use std::sync::Arc;

use axum::Router;
use axum::extract::Query;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::get;
use deploy_by_code::id::{Application, Environment, Target};

use crate::assets::{self, Asset};
use crate::fault::Fault;
use crate::follow::{follow_changes, follow_log};
use crate::log_page::{Download, LogFile};
use crate::reply::stream;
use crate::visit::{Asked, At, Named, Number, Part, Picture};
use crate::{api, feed, pages};

/// An answer, or the one that says why there is none.
type Answered = Result<Response, Response>;

/// How many slashes a path below that of a repository has at most.
pub(crate) const SLASHES_MAX: usize = 4;

/// The page of a repository. Each request has the [`crate::visit::Visit`] that it is.
pub(crate) fn of_repository() -> Router {
    Router::new()
        .route("/", get(matrix))
        .route("/environment/{environment}", get(environment))
        .route("/application/{application}", get(application))
        .route("/deployment/{id}", get(deployment))
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
        .merge(files())
        .fallback(nothing)
}

/// The files of the page itself, which are directly below the path of a repository or of the list.
pub(crate) fn files<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let file =
        |file: Asset| get(async move |headers: HeaderMap| assets::reply(file).answer(&headers));
    Router::new()
        .route("/style.css", file(Asset::Style))
        .route("/script.js", file(Asset::Script))
        .route("/icon.svg", file(Asset::Icon))
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
    let opened = at.look(move |repository, _| {
        let download = Download::open(repository, id)?;
        Ok(download.pieces(Arc::clone(repository)))
    });
    Ok(stream("text/plain; charset=utf-8", opened.await?))
}

/// The output of a deployment, as it grows.
async fn log_events(
    at: At,
    Named(Number(id)): Named<Number>,
    Query(asked): Query<Asked>,
) -> Answered {
    // Where there is nothing to follow, this is said before the stream begins.
    let log = at.look(move |repository, _| LogFile::find(repository, id));
    let log = log.await?;
    let from = at.last_event().or(asked.from).unwrap_or(0);
    Ok(at.follow(|repository| follow_log(repository, log, from)))
}

/// That something has changed, each time.
async fn changes(at: At) -> Response {
    at.follow(follow_changes)
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
    use axum::extract::Request;
    use axum::http::StatusCode;
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
