//! Which page a path means. Pure.
//!
//! All names in paths are those of environments, applications and deployments, which need no
//! escaping in a URL. So a path with an escape in it means nothing here.

use deploy_by_code::id::{Application, DeploymentId, Environment, Target};
use deploy_by_code::store::Filter;

/// Something that can be asked for, in one repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    /// Everything: environments and applications.
    Matrix,
    /// One environment.
    Environment(Environment),
    /// One application in all environments.
    Application(Application),
    /// One deployment.
    Deployment(DeploymentId),
    /// The whole output of a deployment.
    Log(DeploymentId),
    /// The output of a deployment, as it grows.
    LogEvents(DeploymentId),
    /// That something has changed, each time.
    Changes,
    /// What happened, for programs that tell people about news.
    Feed(Feed),
    /// A small picture of what is deployed.
    Badge(Target),
    /// What `status --json` prints.
    ApiStatus(Filter),
    /// What `log --json` prints.
    ApiLog(Filter),
    /// What `show --json` prints.
    ApiDeployment(DeploymentId),
    /// What `metrics` prints.
    Metrics,
    /// Whether the state can be read.
    Health,
    /// Deployments by a word.
    Search,
    /// A file of the page itself.
    Asset(Asset),
}

/// What a feed is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Feed {
    /// Everything.
    All,
    /// One environment.
    Environment(Environment),
    /// One application in all environments.
    Application(Application),
}

/// A file of the page itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asset {
    /// How it looks.
    Style,
    /// What it does in the browser.
    Script,
    /// Its picture.
    Icon,
}

impl Route {
    /// What a path below that of the repository means; `None`: nothing.
    pub(crate) fn parse(path: &str) -> Option<Self> {
        let path = path.strip_prefix('/')?;
        let parts: Vec<&str> = path.split('/').collect();
        let environment = |name: &str| Environment::new(name).ok();
        let application = |name: &str| Application::new(name).ok();

        Some(match parts.as_slice() {
            [""] => Self::Matrix,
            ["environment", name] => Self::Environment(environment(name)?),
            ["application", name] => Self::Application(application(name)?),
            ["deployment", id] => Self::Deployment(number(id)?),
            ["deployment", id, "log"] => Self::Log(number(id)?),
            ["deployment", id, "events"] => Self::LogEvents(number(id)?),
            ["events"] => Self::Changes,
            ["feed.atom"] => Self::Feed(Feed::All),
            ["environment", name, "feed.atom"] => Self::Feed(Feed::Environment(environment(name)?)),
            ["application", name, "feed.atom"] => Self::Feed(Feed::Application(application(name)?)),
            ["badge", of, file] => Self::Badge(Target {
                environment: environment(of)?,
                application: application(file.strip_suffix(".svg")?)?,
            }),
            ["api", "status", filter @ ..] => Self::ApiStatus(filter_of(filter)?),
            ["api", "log", filter @ ..] => Self::ApiLog(filter_of(filter)?),
            ["api", "deployment", id] => Self::ApiDeployment(number(id)?),
            ["metrics"] => Self::Metrics,
            ["healthz"] => Self::Health,
            ["search"] => Self::Search,
            [file] => Self::Asset(Asset::parse(file)?),
            _ => return None,
        })
    }

    /// Whether the repositories of applications are asked for it, which can take long.
    pub(crate) fn asks_repositories(&self) -> bool {
        matches!(self, Self::Application(_) | Self::Deployment(_))
    }
}

impl Asset {
    /// The file with this name; `None`: there is none.
    pub(crate) fn parse(file: &str) -> Option<Self> {
        Some(match file {
            "style.css" => Self::Style,
            "script.js" => Self::Script,
            "icon.svg" => Self::Icon,
            _ => return None,
        })
    }
}

/// A number as it stands in a path: digits alone.
fn number(text: &str) -> Option<DeploymentId> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|_| is_plain)
}

fn filter_of(parts: &[&str]) -> Option<Filter> {
    Some(match parts {
        [] => Filter::default(),
        [environment] => Filter {
            environment: Some(Environment::new(environment).ok()?),
            application: None,
        },
        [environment, application] => Filter {
            environment: Some(Environment::new(environment).ok()?),
            application: Some(Application::new(application).ok()?),
        },
        _ => return None,
    })
}

/// The value of a key in the query of a URL, without its escapes (URL Standard,
/// application/x-www-form-urlencoded); `None`: it has no such key. Bytes that are not UTF-8 become
/// U+FFFD.
pub(crate) fn query_value(query: &str, key: &str) -> Option<String> {
    let mut pairs = query.split('&');
    let value = pairs.find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='))?;
    let mut bytes = Vec::new();
    let mut rest = value.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = || {
            let digits = after.get(..2).filter(|_| *first == b'%')?;
            u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
        };
        match (first, escaped()) {
            (_, Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
                continue;
            }
            (b'+', None) => bytes.push(b' '),
            (byte, None) => bytes.push(*byte),
        }
        rest = after;
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_mean_pages() {
        let environment = || Environment::new("production").unwrap();
        let application = || Application::new("web.app").unwrap();
        let filter = |application| Filter {
            environment: Some(environment()),
            application,
        };
        let table = [
            ("/", Some(Route::Matrix)),
            (
                "/environment/production",
                Some(Route::Environment(environment())),
            ),
            (
                "/application/web.app",
                Some(Route::Application(application())),
            ),
            ("/deployment/42", Some(Route::Deployment(DeploymentId(42)))),
            ("/deployment/42/log", Some(Route::Log(DeploymentId(42)))),
            (
                "/deployment/42/events",
                Some(Route::LogEvents(DeploymentId(42))),
            ),
            (
                "/badge/production/web.app.svg",
                Some(Route::Badge(Target {
                    environment: environment(),
                    application: application(),
                })),
            ),
            ("/api/status", Some(Route::ApiStatus(Filter::default()))),
            ("/api/log/production", Some(Route::ApiLog(filter(None)))),
            (
                "/api/status/production/web.app",
                Some(Route::ApiStatus(filter(Some(application())))),
            ),
            ("/style.css", Some(Route::Asset(Asset::Style))),
            ("", None),
            ("//", None),
            ("/deployment/042", None),
            ("/deployment/+42", None),
            ("/deployment/#42", None),
            ("/deployment/-1", None),
            ("/deployment/99999999999999999999", None),
            ("/environment/..", None),
            ("/environment/a%20b", None),
            ("/environment/production/", None),
            ("/api/status/a/b/c", None),
            ("/badge/production/.svg", None),
        ];
        for (path, expect) in table {
            assert_eq!(Route::parse(path), expect, "{path}");
        }
    }

    #[test]
    fn values_of_a_query_lose_their_escapes() {
        let table = [
            ("q=a", Some("a")),
            ("x=1&q=a+b%26c&q=2", Some("a b&c")),
            ("q=", Some("")),
            ("q=%", Some("%")),
            ("q=%zz%4", Some("%zz%4")),
            ("q=%ff", Some("\u{fffd}")),
            ("q=%C3%A9", Some("é")),
            ("qq=1", None),
            ("q", None),
            ("", None),
        ];
        for (query, expect) in table {
            assert_eq!(query_value(query, "q").as_deref(), expect, "{query}");
        }
    }
}
