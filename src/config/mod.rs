//! The configuration file: what the administrator of the server decided.
//!
//! Reading returns the configuration *and* everything that is wrong with it, so that one run shows
//! everything that has to be fixed. A configuration with mistakes is never used to deploy.
//!
//! The way through the files: `document` reads TOML and knows no key; `keys` is the table of the
//! keys; `values` and `compound` read the values of the keys; `parse` puts it all together, and
//! `references` checks what one section says about another.

mod application_repository;
mod calendar;
mod compound;
mod document;
mod environment_key;
mod key;
mod key_place;
mod keys;
mod mistake;
mod named;
mod names;
mod notify;
mod notify_keys;
mod parse;
mod people;
mod references;
mod release_path;
mod repository_url;
mod sections;
mod settings;
mod signers;
mod template;
mod values;
mod web;
mod web_error;

pub use application_repository::{ApplicationRepository, RepositorySetting};
pub use calendar::{OnFreeze, Window, Zones};
pub use key_place::KeyPlace;
pub use keys::keys;
pub use mistake::Mistake;
pub use names::{NearSection, UnknownName};
pub use notify::{
    HttpAddress, HttpUrl, MailRecipient, MailSettings, MailTransport, NotifyKind, NotifySection,
    SmtpServer,
};
pub use people::People;
pub use release_path::{REVISION_FILE, ReleasePathError, SharedPath, Subdirectory};
pub use repository_url::{RepositoryProtocol, RepositoryUrl, UrlError};
pub use sections::{Config, EnvironmentSection};
pub use settings::{Link, OnInterrupt, Queue, RunnerKind, Settings};
pub use template::{Template, Values};
pub use values::OWN_REFS;
pub use web::{HiddenTargets, WebSection};
