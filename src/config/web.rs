//! The section `[web]`: what deploy-by-code-web shows of this repository, and where.

use super::compound::template;
use super::document::DocumentEntry;
use super::environment_key::EnvironmentKey;
use super::key::{Key, find, key, names};
use super::mistake::MistakeKind;
use super::template::Template;
use super::values::{self, ValueError};
use super::web_error::WebError;
use crate::id::{Application, Environment, Target};

/// The names that may stand in the URL of a commit.
const COMMIT_NAMES: &[&str] = &["application", "revision"];

/// The longest `base_path`, in bytes.
const BASE_PATH_MAX: usize = 200;

/// What the page shows of a repository, and where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WebSection {
    /// The path below which the page is, as `/deploys`; empty: the top of the server.
    pub base_path: String,
    /// The URL of a commit of an application's repository on its forge.
    pub commit_url: Option<Template>,
    /// Whether the page shows no output of deployments.
    pub without_logs: bool,
    /// What the page does not show. Upper and lower case of the names do not count: a file that
    /// differs only in that from one that is hidden would name it.
    pub hidden: Vec<HiddenTargets>,
}

/// Applications that the page does not show. The names are in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HiddenTargets {
    /// In which environments.
    pub(super) environment: EnvironmentKey,
    /// Which one; `None`: each of them.
    pub(super) application: Option<Application>,
}

impl WebSection {
    /// Whether the page shows an application in an environment.
    #[must_use]
    pub fn shows(&self, target: &Target) -> bool {
        if self.hidden.is_empty() {
            return true;
        }
        let target = Target {
            environment: target.environment.to_lower_case(),
            application: target.application.to_lower_case(),
        };
        !self.hidden.iter().any(|hidden| hidden.is(&target))
    }

    /// Whether the page shows an environment: not each of its applications is hidden by one entry.
    #[must_use]
    pub fn shows_environment(&self, name: &Environment) -> bool {
        let name = name.to_lower_case();
        let is_whole = |hidden: &HiddenTargets| hidden.application.is_none();
        let mut whole = self.hidden.iter().filter(|hidden| is_whole(hidden));
        !whole.any(|hidden| hidden.environment.is(&name))
    }
}

impl HiddenTargets {
    /// Reads `ENVIRONMENT/APPLICATION`. In the environment, `*` stands for any characters, and an
    /// application `*` is each of them.
    fn parse(text: &str) -> Result<Self, ValueError> {
        let name_error = |error| ValueError::Name(text.to_owned(), error);
        let parts = text.split_once('/');
        let (environment, application) =
            parts.ok_or_else(|| ValueError::Web(WebError::HiddenTargets(text.to_owned())))?;
        let application = match application {
            "*" => None,
            name => Some(Application::new(name).map_err(name_error)?.to_lower_case()),
        };
        let environment = environment.to_ascii_lowercase().parse();
        let environment = environment.map_err(name_error)?;
        Ok(Self {
            environment,
            application,
        })
    }

    fn is(&self, target: &Target) -> bool {
        let application = self.application.as_ref();
        self.environment.is(&target.environment)
            && application.is_none_or(|name| *name == target.application)
    }
}

/// The keys of the section.
pub(super) const WEB: &[Key<WebSection>] = &[
    key("base_path", |to, value| {
        to.base_path = value.read(base_path).unwrap_or_default();
    }),
    key("commit_url", |to, value| to.commit_url = commit_url(value)),
    key("logs", |to, value| {
        to.without_logs = value.boolean() == Some(false);
    }),
    key("hide", |to, value| {
        to.hidden = value.read_each(HiddenTargets::parse).unwrap_or_default();
    }),
];

/// Reads the section. `unknown` makes the mistake of a key that the section does not have.
pub(super) fn web(
    section: &mut DocumentEntry<'_, '_>,
    unknown: fn(&str, &str, Vec<&'static str>) -> MistakeKind,
) -> WebSection {
    let mut read = WebSection::default();
    for (name, value) in section.table().into_iter().flatten() {
        let (at, name) = (name.span().start, name.get_ref().as_ref());
        match find(WEB, name) {
            Some(known) => (known.read)(&mut read, &mut section.inner(name, value)),
            None => {
                let kind = unknown(&section.key, name, names(WEB).collect());
                section.reader.report(at, kind);
            }
        }
    }
    read
}

/// A path on a web server, without a slash at its end; empty for the top.
fn base_path(text: &str) -> Result<String, ValueError> {
    let path = text.strip_suffix('/').unwrap_or(text);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._~-".contains(c);
    let is_part = |part: &str| {
        !part.is_empty() && part.chars().all(is_plain) && !part.trim_matches('.').is_empty()
    };
    let is_good = match path.strip_prefix('/') {
        Some(parts) => path.len() <= BASE_PATH_MAX && parts.split('/').all(is_part),
        None => text == "/",
    };
    match is_good {
        true => Ok(path.to_owned()),
        false => Err(ValueError::Web(WebError::BasePath(text.to_owned()))),
    }
}

/// The URL of a commit, in which `{revision}` stands for its hash.
fn commit_url(value: &mut DocumentEntry<'_, '_>) -> Option<Template> {
    let url = value.read(|text| {
        if !text.contains("{revision}") {
            return Err(ValueError::Web(WebError::CommitUrl(text.to_owned())));
        }
        values::http_url(text).map_err(|_| ValueError::HttpUrl)
    })?;
    template(value, value.value.span().start, &url, COMMIT_NAMES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn hidden_applications_are_those_that_a_pattern_names() {
        let table = [
            (
                "production/web",
                "production/web",
                "production/api staging/web",
            ),
            ("*/web", "production/web staging/web", "production/api"),
            ("review-*/*", "review-1/web review-2/api", "production/web"),
            (
                "Production/Web",
                "production/web PRODUCTION/wEB",
                "production/api",
            ),
        ];
        for (pattern, hidden, shown) in table {
            let section = WebSection {
                hidden: vec![HiddenTargets::parse(pattern).unwrap()],
                ..WebSection::default()
            };
            for (targets, expect) in [(hidden, false), (shown, true)] {
                for target in targets.split(' ') {
                    let (environment, application) = target.split_once('/').unwrap();
                    let target = Target {
                        environment: Environment::new(environment).unwrap(),
                        application: Application::new(application).unwrap(),
                    };
                    assert_eq!(section.shows(&target), expect, "{pattern} {target}");
                }
            }
        }
        for text in ["", "production", "production/", "/web", "a/b/c", "a/w*"] {
            assert!(HiddenTargets::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn hidden_environments_are_those_of_which_everything_is_hidden() {
        let table = [
            ("production/web", "production review-1", ""),
            ("*/web", "production review-1", ""),
            ("review-*/*", "production", "review-1 Review-2"),
        ];
        for (pattern, shown, hidden) in table {
            let section = WebSection {
                hidden: vec![HiddenTargets::parse(pattern).unwrap()],
                ..WebSection::default()
            };
            for (names, expect) in [(shown, true), (hidden, false)] {
                for name in names.split_whitespace() {
                    let name = Environment::new(name).unwrap();
                    assert_eq!(section.shows_environment(&name), expect, "{pattern} {name}");
                }
            }
        }
    }

    #[test]
    fn base_path_is_one_of_plain_names() {
        let table = [
            ("/", Some("")),
            ("/deploys", Some("/deploys")),
            ("/a/b-c/", Some("/a/b-c")),
            ("", None),
            ("deploys", None),
            ("//", None),
            ("/a//b", None),
            ("/..", None),
            ("/a b", None),
            ("/a?b", None),
        ];
        for (text, expect) in table {
            assert_eq!(base_path(text).ok().as_deref(), expect, "{text:?}");
        }
    }

    #[test]
    fn section_with_mistakes_says_what_to_write() {
        let text = "[web]\n\
            base_path = \"deploys\"\n\
            commit_url = \"https://git.example.org/{application}\"\n\
            hide = [\"production\", \"a b/c\"]\n\
            log = false\n";
        let (_, mistakes) = Config::parse(text, &|_| None);
        let lines = mistakes.iter().map(|mistake| {
            let hint = mistake.hint().unwrap_or_default();
            format!("{mistake} ({hint})")
        });
        let lines: Vec<String> = lines.collect();
        assert_eq!(
            lines,
            [
                "2:13: web.base_path: \"deploys\" is not a path like \"/deploys\" ()",
                "3:14: web.commit_url: \"https://git.example.org/{application}\" does not name \
                 {revision} ()",
                "4:9: web.hide: \"production\" is not like \"production/website\" ()",
                "4:23: web.hide: \"a b/c\": the name has a character outside A-Z a-z 0-9 . _ - ()",
                "5:1: unknown key \"log\" in web (did you mean \"logs\"?)",
            ]
        );
    }
}
