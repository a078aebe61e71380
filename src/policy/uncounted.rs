//! Lines in the messages of commits that look like a reason and do not count, in words.

use super::exception::ExceptionKind;
use crate::id::Revision;
use crate::message::WhyUncounted;

/// A line in the message of a commit that looks like a reason and does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UncountedReason {
    /// Which reason it would be; `None`: a trailer that this program does not know.
    pub kind: Option<ExceptionKind>,
    /// The commit.
    pub commit: Revision,
    /// The line of its message, from 1.
    pub line: usize,
    /// Why it does not count.
    pub why: WhyUncounted,
}

impl UncountedReason {
    /// What is said about it where a rule refuses for want of a reason of a kind; `None`: it is
    /// about another kind.
    pub(super) fn in_refusal(&self, kind: ExceptionKind) -> Option<String> {
        if self.kind.is_some_and(|own| own != kind) {
            return None;
        }
        let (place, why) = (self.place(), &self.why);
        let Some(trailer) = self.kind.and_then(ExceptionKind::trailer) else {
            return self.unknown();
        };
        let spelling = match why {
            WhyUncounted::Misspelt(_) | WhyUncounted::Unknown(_) => {
                format!(" and not {trailer}: <reason>, in a paragraph of its own")
            }
            _ => String::new(),
        };
        Some(format!(
            "{place} has {trailer}, which does not count: {why}{spelling}"
        ))
    }

    /// What is said about it where nothing is refused; `None`: it is no trailer.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let meant = self.kind.and_then(ExceptionKind::trailer);
        let meant = meant.map_or_else(String::new, |name| format!(" (did you mean {name}?)"));
        let unknown = self.unknown()?;
        Some(format!("{unknown}; nothing was done with it{meant}"))
    }

    fn unknown(&self) -> Option<String> {
        let WhyUncounted::Unknown(written) = &self.why else {
            return None;
        };
        let place = self.place();
        Some(format!(
            "{place} has {written}, which is not a trailer that deploy-by-code knows"
        ))
    }

    fn place(&self) -> String {
        format!(
            "line {} of the message of {}",
            self.line,
            self.commit.short()
        )
    }
}
