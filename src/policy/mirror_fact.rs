//! What is known of a mirror, from which a revision is judged.

use std::time::Duration;

/// The mirror of an application repository on another host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirrorFact {
    /// The URL of the repository.
    pub url: String,
    /// The mirror's folder, escaped.
    pub folder: String,
    /// How long ago it was fetched; `None`: never.
    pub fetched_ago: Option<Duration>,
    /// If it should have been fetched now and could not be: why not, escaped.
    pub failure: Option<String>,
}
