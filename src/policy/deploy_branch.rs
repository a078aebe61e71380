//! The deploy branch is the record of what was wanted: it is neither deleted nor rewound.

use super::{BranchMove, Objection};
use crate::config::Config;

pub(super) fn judge(config: &Config, moves: &BranchMove) -> Result<(), Objection> {
    if config.allow_rewind {
        return Ok(());
    }
    let lift = "allow_rewind = true in the server's configuration lifts this";
    match moves {
        BranchMove::Forward => Ok(()),
        BranchMove::Deleted => Err(Objection::new(
            "the deploy branch may not be deleted",
            format!("to retire applications, delete their deploy files; {lift}"),
        )),
        BranchMove::Rewound(lost) => {
            let lost = match lost {
                Some(1) => ": 1 commit would no longer be on it".to_owned(),
                Some(lost) => format!(": {lost} commits would no longer be on it"),
                None => String::new(),
            };
            Err(Objection::new(
                format!("the deploy branch may not be rewound{lost}"),
                format!(
                    "to go back, commit the earlier state on top (git revert), or merge; {lift}"
                ),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves() {
        let ask = |config: &str, moves| match judge(&Config::parse(config, &|_| None).0, &moves) {
            Ok(()) => String::new(),
            Err(objection) => objection.message,
        };
        assert_eq!(ask("", BranchMove::Forward), "");
        assert_eq!(
            ask("", BranchMove::Deleted),
            "the deploy branch may not be deleted"
        );
        assert_eq!(
            ask("", BranchMove::Rewound(Some(3))),
            "the deploy branch may not be rewound: 3 commits would no longer be on it"
        );
        assert_eq!(
            ask("", BranchMove::Rewound(None)),
            "the deploy branch may not be rewound"
        );
        for moves in [BranchMove::Deleted, BranchMove::Rewound(Some(3))] {
            assert_eq!(ask("allow_rewind = true\n", moves), "");
        }
    }
}
