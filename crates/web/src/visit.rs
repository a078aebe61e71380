//! A request for something of one repository, and what its path and its query say.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{FromRequestParts, Path};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::Response;
use deploy_by_code::id::{Application, DeploymentId, Environment};
use deploy_by_code::store::Filter;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::browser::Browser;
use crate::fault::Fault;
use crate::pages::{self, Links};
use crate::reply::{Reply, events};
use crate::site::Repository;

/// See the head of the file.
pub(crate) struct Visit {
    /// The repository, or why it is not known which one it is.
    pub(crate) repository: Result<Arc<Repository>, Arc<Fault>>,
    /// The path below which its pages are, without a slash at its end.
    pub(crate) root: String,
    /// The path below that.
    pub(crate) rest: String,
    /// The headers of the request.
    pub(crate) headers: HeaderMap,
}

/// The request that a handler is for.
pub(crate) type At = Extension<Arc<Visit>>;

impl Visit {
    /// Lets a thread look at the repository.
    ///
    /// # Errors
    /// The answer that says why it can't be shown.
    pub(crate) async fn look<T: Send + 'static>(
        self: &Arc<Self>,
        look: impl FnOnce(&Arc<Repository>, &Links) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Response> {
        let repository = self
            .repository
            .clone()
            .map_err(|fault| self.fault(&fault))?;
        let root = self.root.clone();
        let looked = repository.work(|repository| {
            let links = Links::new(repository, root);
            look(repository, &links)
        });
        looked.await.map_err(|fault| self.fault(&fault))
    }

    /// Lets a thread make the answer.
    pub(crate) async fn show(
        self: &Arc<Self>,
        make: impl FnOnce(&Arc<Repository>, &Links) -> Result<Reply, Fault> + Send + 'static,
    ) -> Result<Response, Response> {
        let own = Arc::clone(self);
        let make = move |repository: &Arc<Repository>, links: &Links| {
            Ok(make(repository, links)?.answer(&own.headers))
        };
        self.look(make).await
    }

    /// Lets the browser follow something in the repository, or says why it can't.
    pub(crate) fn follow(
        &self,
        follow: impl FnOnce(&Arc<Repository>) -> Result<Browser, Fault>,
    ) -> Response {
        let repository = match &self.repository {
            Ok(repository) => repository,
            Err(fault) => return self.fault(fault),
        };
        match follow(repository) {
            Ok(browser) => events(browser.events()),
            Err(fault) => self.fault(&fault),
        }
    }

    /// The number of the last event that the browser got (HTML Standard, 9.2.4); `None`: it comes
    /// for the first time.
    pub(crate) fn last_event(&self) -> Option<u64> {
        let last = self.headers.get("last-event-id")?;
        last.to_str().ok()?.parse().ok()
    }

    /// The answer that says why nothing can be shown.
    pub(crate) fn fault(&self, fault: &Fault) -> Response {
        let reply = match self.is_for_people() {
            true => {
                let name = self
                    .repository
                    .as_ref()
                    .ok()
                    .map(|known| known.name.as_str());
                pages::fault(&Links::without_commits(name, self.root.clone()), fault)
            }
            false => Reply::plain(fault),
        };
        reply.answer(&self.headers)
    }

    /// Whether a person looks, and not a program.
    fn is_for_people(&self) -> bool {
        let parts: Vec<&str> = self.rest.split('/').skip(1).collect();
        !matches!(
            parts.as_slice(),
            ["api" | "badge", ..]
                | ["metrics" | "healthz" | "feed.atom" | "events"]
                | ["environment" | "application", _, "feed.atom"]
                | ["deployment", _, "log" | "events"]
        )
    }
}

/// What a path names. A path that names something which can't be is that of no page.
pub(crate) struct Named<T>(pub(crate) T);

impl<S, T> FromRequestParts<S> for Named<T>
where
    S: Send + Sync,
    T: DeserializeOwned + Send,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let named = Path::from_request_parts(parts, state).await;
        match (named, parts.extensions.get::<Arc<Visit>>()) {
            (Ok(Path(named)), _) => Ok(Self(named)),
            (Err(_), Some(visit)) => Err(visit.fault(&Fault::no_page())),
            (Err(_), None) => Err(Reply::plain(&Fault::no_page()).answer(&parts.headers)),
        }
    }
}

/// The number of a deployment: digits alone.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Number(pub(crate) DeploymentId);

impl TryFrom<String> for Number {
    type Error = Fault;

    fn try_from(text: String) -> Result<Self, Fault> {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
        let id = text.parse().ok().filter(|_| is_plain);
        id.map(Self).ok_or_else(Fault::no_page)
    }
}

/// The picture of an application: its name, and `.svg`.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Picture(pub(crate) Application);

impl TryFrom<String> for Picture {
    type Error = Fault;

    fn try_from(text: String) -> Result<Self, Fault> {
        let name = text.strip_suffix(".svg");
        let application = name.and_then(|name| Application::new(name).ok());
        application.map(Self).ok_or_else(Fault::no_page)
    }
}

/// Everything, an environment, or an application in one.
#[derive(Debug, Deserialize)]
pub(crate) struct Part {
    environment: Option<Environment>,
    application: Option<Application>,
}

impl From<Part> for Filter {
    fn from(part: Part) -> Self {
        let Part {
            environment,
            application,
        } = part;
        Self {
            environment,
            application,
        }
    }
}

/// What the query of a URL says. Of a key that occurs twice, the first one counts.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Vec<(String, String)>")]
pub(crate) struct Asked {
    /// Only deployments before this one (`before`); see [`Asked::before`].
    before: Option<String>,
    /// How many of them (`n`).
    pub(crate) number: Option<String>,
    /// A word that is searched (`q`); empty: none.
    pub(crate) word: String,
    /// Up to which byte the browser has a log (`from`).
    pub(crate) from: Option<u64>,
}

impl Asked {
    /// Only deployments before this one; `None`: the newest ones.
    ///
    /// # Errors
    /// It is no number of a deployment. To show the newest ones then would answer another question.
    pub(crate) fn before(&self) -> Result<Option<DeploymentId>, Fault> {
        let number = |text: &String| {
            let number = Number::try_from(text.clone()).map(|number| number.0);
            number.map_err(|_| Fault::Query("before has to be the number of a deployment".into()))
        };
        self.before.as_ref().map(number).transpose()
    }
}

impl From<Vec<(String, String)>> for Asked {
    fn from(pairs: Vec<(String, String)>) -> Self {
        let value = |key: &str| {
            let pair = pairs.iter().find(|(name, _)| name == key);
            pair.map(|(_, value)| value.as_str())
        };
        Self {
            before: value("before").map(str::to_owned),
            number: value("n").map(str::to_owned),
            word: value("q").unwrap_or_default().to_owned(),
            from: value("from").and_then(|from| from.parse().ok()),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::extract::Query;
    use axum::http::Uri;

    use super::*;

    #[test]
    fn numbers_are_digits_alone() {
        let table = [
            ("42", Some(42)),
            ("042", None),
            ("+42", None),
            ("#42", None),
            ("-1", None),
            ("0", None),
            ("", None),
            ("99999999999999999999", None),
        ];
        for (text, expect) in table {
            let number = Number::try_from(text.to_owned()).ok();
            assert_eq!(number.map(|number| number.0.0), expect, "{text}");
        }
    }

    #[test]
    fn values_of_a_query_lose_their_escapes() {
        let table = [
            ("q=a", "a"),
            ("x=1&q=a+b%26c&q=2", "a b&c"),
            ("q=", ""),
            ("q=%", "%"),
            ("q=%zz%4", "%zz%4"),
            ("q=%ff", "\u{fffd}"),
            ("q=%C3%A9", "é"),
            ("qq=1", ""),
            ("q", ""),
            ("", ""),
        ];
        for (query, expect) in table {
            let uri: Uri = format!("/?{query}").parse().unwrap();
            let Query(asked) = Query::<Asked>::try_from_uri(&uri).unwrap();
            assert_eq!(asked.word, expect, "{query}");
        }
    }
}
