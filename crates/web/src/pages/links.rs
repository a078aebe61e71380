//! Where pages are. Names and numbers need no escaping in a URL.

use deploy_by_code::config::Template;
use deploy_by_code::id::{Application, DeploymentId, Environment, Revision};

use crate::site::Repository;

/// Where the pages of one repository are, and those of its commits.
pub(crate) struct Links {
    /// The path of the repository's pages, without a slash at its end.
    pub(crate) root: String,
    /// What the repository is called.
    pub(crate) name: String,
    commit_url: Option<Template>,
}

impl Links {
    pub(crate) fn new(repository: &Repository, root: String) -> Self {
        // Where it can't be looked at, the page says so, and has no links.
        let commit_url = repository.web().map(|web| web.commit_url);
        Self {
            root,
            name: repository.name.clone(),
            commit_url: commit_url.ok().flatten(),
        }
    }

    /// The links of a page that shows nothing of a repository. `name`: that of the repository, if
    /// it is known.
    pub(crate) fn without_commits(name: Option<&str>, root: String) -> Self {
        Self {
            root,
            name: name.unwrap_or("deploy-by-code").to_owned(),
            commit_url: None,
        }
    }

    /// A page below the repository's path.
    pub(crate) fn to(&self, path: &str) -> String {
        format!("{}/{path}", self.root)
    }

    pub(crate) fn environment(&self, name: &Environment) -> String {
        self.to(&format!("environment/{name}"))
    }

    pub(crate) fn application(&self, name: &Application) -> String {
        self.to(&format!("application/{name}"))
    }

    pub(crate) fn deployment(&self, id: DeploymentId) -> String {
        self.to(&format!("deployment/{}", id.0))
    }

    /// The page of a commit on the forge; `None`: none is configured.
    pub(crate) fn commit(&self, application: &Application, revision: &Revision) -> Option<String> {
        let values = [
            ("application", application.as_str()),
            ("revision", revision.as_str()),
        ];
        Some(self.commit_url.as_ref()?.fill(&values))
    }
}
