//! The setting `repository`: a folder, or a URL.

use std::path::PathBuf;

use super::compound::{folder, template};
use super::document::DocumentEntry;
use super::repository_url::{RepositoryUrl, UrlError};
use super::template::{FOLDER_NAMES, Template, Values};
use super::values::ValueError;
use crate::id::NAME_MAX;

/// Where the repository of an application is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApplicationRepository {
    /// A folder of this machine.
    Folder(PathBuf),
    /// On another host. This program keeps a mirror of it.
    Url(RepositoryUrl),
}

/// The setting `repository`, in which names of the deployment may stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositorySetting {
    template: Template,
    is_url: bool,
}

impl RepositorySetting {
    /// Whether it is a URL.
    #[must_use]
    pub fn is_url(&self) -> bool {
        self.is_url
    }

    /// Where the repository of an application is. `None`: with these values it is no valid URL,
    /// which names of environments and applications can't bring about.
    #[must_use]
    pub fn fill(&self, values: &Values<'_>) -> Option<ApplicationRepository> {
        let filled = self.template.fill(values);
        Some(if self.is_url {
            ApplicationRepository::Url(RepositoryUrl::parse(&filled).ok()?)
        } else {
            ApplicationRepository::Folder(PathBuf::from(filled))
        })
    }
}

/// Reads the setting.
pub(super) fn repository(value: &mut DocumentEntry<'_, '_>) -> Option<RepositorySetting> {
    let text = value.string()?;
    if !RepositoryUrl::is_meant(text) {
        return folder(value).map(|template| RepositorySetting {
            template,
            is_url: false,
        });
    }

    // What is wrong with the URL comes before what is wrong with a name in it.
    let template = template(value, value.value.span().start, text, FOLDER_NAMES)?;
    let url = value.read(|_| check(&template).map_err(ValueError::RepositoryUrl));
    url.map(|()| RepositorySetting {
        template,
        is_url: true,
    })
}

/// Checks that a template is a URL, whatever the names in it are. Names have no characters but
/// letters, digits, `.`, `_` and `-`, and the longest one makes the longest URL. One that is a
/// number would hide that a name stands where a port belongs.
fn check(template: &Template) -> Result<(), UrlError> {
    let longest = "a".repeat(NAME_MAX);
    let values = FOLDER_NAMES.iter().map(|name| (*name, longest.as_str()));
    let values: Vec<_> = values.collect();
    RepositoryUrl::parse(&template.fill(&values)).map(drop)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::config::Config;

    #[test]
    fn names_of_deployments_keep_a_url_valid() {
        let name = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}";
        let templates = [
            "https://{application}.example.org/{environment}/{application}.git",
            "ssh://{environment}@{application}:22/-{application}",
            "{application}@{environment}:{application}",
            "file:///srv/.{application}/{environment}.",
        ];
        let settings = templates.map(|template| {
            let text = format!("[defaults]\nrepository = \"{template}\"\n");
            let (config, mistakes) = Config::parse(&text, &|_| None);
            assert_eq!(mistakes, [], "{template}");
            config.settings_in(None, None).repository.unwrap()
        });
        proptest!(|(environment in name, application in name)| {
            let values = [("environment", &*environment), ("application", &*application)];
            for setting in &settings {
                prop_assert!(setting.fill(&values).is_some(), "{setting:?}");
            }
        });
    }
}
