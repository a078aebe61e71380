//! Where in the file a key may stand.

/// Where in the file a key may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPlace {
    /// At the top.
    Top,
    /// In the section of an environment.
    Environment,
    /// In `defaults`, and in the section of an environment, of an application, and of an
    /// application in an environment.
    Settings,
    /// In the section `people`.
    People,
    /// In the section `web`.
    Web,
    /// In the section of somebody who is told of what happens.
    Notify,
}

impl KeyPlace {
    /// The place in words, as the end of a sentence.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Top => "at the top of the file, before the first section",
            Self::Environment => "under [environments.NAME]",
            Self::Notify => "under [notify.NAME]",
            Self::People => "under [people]",
            Self::Web => "under [web]",
            Self::Settings => "under [defaults] or in a more specific section",
        }
    }
}
