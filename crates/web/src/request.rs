//! From a request to its answer: what is asked for, in which repository, and who works on it.

use std::sync::Arc;

use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use hyper::{Response, StatusCode};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::spawn_blocking;

use crate::body::Answer;
use crate::fault::Fault;
use crate::follow::{Topic, follow};
use crate::log_page;
use crate::pages::{self, Links};
use crate::reply::{Reply, TextKind};
use crate::route::{Asset, Feed, Route, query_value};
use crate::site::{Found, Repository, Site};
use crate::{api, assets, feed};

/// A request.
pub(crate) struct Asked {
    /// The path, with its escapes.
    pub(crate) path: String,
    /// The query, with its escapes; empty: there is none.
    pub(crate) query: String,
    /// The number of the last event that the browser has.
    pub(crate) last_event: Option<u64>,
}

/// Where requests are answered.
pub(crate) struct Desk {
    site: Arc<Site>,
    /// Who asks the repositories of applications. There is one place, so that a repository that
    /// gives no answer occupies one thread.
    asking: Semaphore,
}

/// What a thread came to.
enum Done {
    Reply(Reply),
    /// The path needs a slash at its end.
    Slash,
    Follow(Arc<Repository>, Topic),
    Download(mpsc::Receiver<hyper::body::Bytes>),
}

impl Desk {
    pub(crate) fn new(site: Site) -> Self {
        Self {
            site: Arc::new(site),
            asking: Semaphore::new(1),
        }
    }

    /// Answers a request.
    pub(crate) async fn answer(&self, asked: Asked, headers: &HeaderMap) -> Response<Answer> {
        // What needs no repository needs no thread.
        if let Some(asset) = asked.path.rsplit('/').next().and_then(Asset::parse) {
            return assets::reply(asset).answer(headers);
        }
        let from = query_value(&asked.query, "from").and_then(|from| from.parse().ok());
        let from = asked.last_event.or(from).unwrap_or(0);
        let slash = format!("{}/", asked.path);

        let done = self.work(asked).await;
        match done {
            Ok(Done::Reply(reply)) => reply.answer(headers),
            Ok(Done::Slash) => redirect(&slash),
            Ok(Done::Follow(repository, topic)) => match follow(&repository, topic, from) {
                Ok(pieces) => stream("text/event-stream", pieces),
                Err(fault) => plain(&fault).answer(headers),
            },
            Ok(Done::Download(pieces)) => stream("text/plain; charset=utf-8", pieces),
            Err(fault) => plain(&fault).answer(headers),
        }
    }

    /// Lets a thread work on a request.
    async fn work(&self, asked: Asked) -> Result<Done, Fault> {
        // Where the path of a repository's page begins is only known when its configuration is.
        let mut ends = asked.path.match_indices('/');
        let route = ends.find_map(|(at, _)| Route::parse(&asked.path[at..]));
        let may_ask = route.is_some_and(|route| route.asks_repositories());
        let _asking = match may_ask {
            true => Some(self.asking.acquire().await.map_err(|_| Fault::Broken)?),
            false => None,
        };
        let site = Arc::clone(&self.site);
        let done = spawn_blocking(move || work(&site, &asked));
        done.await.unwrap_or(Err(Fault::Broken))
    }
}

/// Does what a request asks for. It may wait.
fn work(site: &Site, asked: &Asked) -> Result<Done, Fault> {
    let page = |reply| Ok(Done::Reply(reply));
    let found = match site.find_path(&asked.path) {
        Err(fault) => return page(without_repository(&asked.path, &fault)),
        Ok(found) => found,
    };
    match found {
        Found::Folder => Ok(Done::Slash),
        Found::Nothing => Err(Fault::NotFound("there is no such page".to_owned())),
        Found::List(root, "/") => page(pages::list(site, &root)),
        Found::List(_, "/healthz") => page(api::health(&site.repositories)),
        Found::List(..) => Err(Fault::NotFound("there is no such page".to_owned())),
        Found::Repository(repository, root, rest) => {
            let nothing = || Fault::NotFound("there is no such page".to_owned());
            let route = Route::parse(rest).ok_or_else(nothing);
            let links = Links::new(&repository, root);
            let done = route.and_then(|route| of_repository(&repository, &route, asked, &links));
            match done {
                Err(fault) if is_for_people(rest) => page(pages::fault(&links, &fault)),
                done => done,
            }
        }
    }
}

/// What says that nobody knows which repository a path is of.
fn without_repository(path: &str, fault: &Fault) -> Reply {
    let mut starts = path.match_indices('/').map(|(at, _)| at);
    // The page of a repository begins where something follows that such a page has.
    let root = starts.find(|at| Route::parse(&path[*at..]).is_some());
    match root.map(|at| path.split_at(at)) {
        Some((root, rest)) if is_for_people(rest) => pages::fault(&Links::guessed(root), fault),
        _ => plain(fault),
    }
}

/// Whether a person looks at a path, and not a program.
fn is_for_people(rest: &str) -> bool {
    !["/api/", "/badge/", "/metrics", "/healthz", "/feed.atom"]
        .iter()
        .any(|start| rest.starts_with(start))
}

/// Does what a request asks of one repository.
fn of_repository(
    repository: &Arc<Repository>,
    route: &Route,
    asked: &Asked,
    links: &Links,
) -> Result<Done, Fault> {
    let before = query_value(&asked.query, "before").and_then(|before| before.parse().ok());
    let word = query_value(&asked.query, "q").unwrap_or_default();
    let reply = match route {
        Route::Matrix => pages::matrix(repository, links, &word)?,
        Route::Environment(name) => pages::environment(repository, links, name, before)?,
        Route::Application(name) => pages::application(repository, links, name, before)?,
        Route::Deployment(id) => pages::deployment(repository, links, *id)?,
        Route::Search => pages::search(repository, links, &word)?,
        Route::Log(id) => return log_page::download(repository, *id).map(Done::Download),
        Route::LogEvents(id) => {
            // Where there is nothing to follow, this is said before the stream begins.
            repository.look(|view| Ok((view.deployment(*id)?, view.log_file(*id)?)))?;
            return Ok(Done::Follow(Arc::clone(repository), Topic::Log(*id)));
        }
        Route::Changes => return Ok(Done::Follow(Arc::clone(repository), Topic::Changes)),
        Route::Feed(Feed::All) => feed::of_all(repository, links)?,
        Route::Feed(Feed::Environment(name)) => feed::of_environment(repository, links, name)?,
        Route::Feed(Feed::Application(name)) => feed::of_application(repository, links, name)?,
        Route::Badge(target) => api::badge(repository, target)?,
        Route::ApiStatus(filter) => api::status(repository, filter)?,
        Route::ApiLog(filter) => {
            let number = query_value(&asked.query, "n");
            api::log(repository, filter, number.as_deref(), before)?
        }
        Route::ApiDeployment(id) => api::deployment(repository, *id)?,
        Route::Metrics => api::metrics(repository)?,
        Route::Health => api::health(std::slice::from_ref(repository)),
        Route::Asset(asset) => assets::reply(*asset),
    };
    Ok(Done::Reply(reply))
}

/// The answer where there is no page around it.
fn plain(fault: &Fault) -> Reply {
    let mut text = format!("{}\n", deploy_by_code::text::with_causes(fault));
    if let Some(hint) = fault.hint() {
        text.push_str(&format!("  hint: {hint}\n"));
    }
    Reply::new(fault.status(), TextKind::Plain, text)
}

fn redirect(to: &str) -> Response<Answer> {
    let mut answer = Response::new(Answer::whole("".into()));
    *answer.status_mut() = StatusCode::PERMANENT_REDIRECT;
    if let Ok(to) = HeaderValue::from_str(to) {
        answer.headers_mut().insert(LOCATION, to);
    }
    answer
}

fn stream(
    media_type: &'static str,
    pieces: mpsc::Receiver<hyper::body::Bytes>,
) -> Response<Answer> {
    let mut answer = Response::new(Answer::pieces(pieces));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx would keep the pieces until it has many.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    answer
}
