//! The rule of the deploy branch: it may be neither deleted nor rewound, because it is the record
//! of what was wanted.

use super::{BranchMove, Objection};
use crate::config::Config;

pub(super) fn judge(config: &Config, branch_move: &BranchMove) -> Result<(), Objection> {
    if config.allow_rewind {
        return Ok(());
    }

    match branch_move {
        BranchMove::Forward => Ok(()),
        BranchMove::Deleted => Err(Objection::new(
            "the deploy branch may not be deleted",
            "to retire applications, delete their deploy files",
        )),
        BranchMove::Rewound(lost) => {
            let lost = match lost {
                Some(1) => ": 1 commit would no longer be on it".to_owned(),
                Some(lost) => format!(": {lost} commits would no longer be on it"),
                None => String::new(),
            };
            Err(Objection::new(
                format!("the deploy branch may not be rewound{lost}"),
                "to go back, commit the earlier state on top (git revert), or merge",
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(config: &str, branch_move: BranchMove) -> String {
        let (config, problems) = Config::parse(config, &|_| None);
        assert_eq!(problems, []);
        match judge(&config, &branch_move) {
            Ok(()) => String::new(),
            Err(objection) => objection.message,
        }
    }

    #[test]
    fn branch_may_only_go_forward() {
        let table = [
            (BranchMove::Forward, ""),
            (BranchMove::Deleted, "the deploy branch may not be deleted"),
            (
                BranchMove::Rewound(Some(3)),
                "the deploy branch may not be rewound: 3 commits would no longer be on it",
            ),
            (
                BranchMove::Rewound(None),
                "the deploy branch may not be rewound",
            ),
        ];
        for (branch_move, message) in table {
            assert_eq!(ask("", branch_move), message);
        }
    }

    #[test]
    fn allow_rewind_allows_every_move() {
        for branch_move in [BranchMove::Deleted, BranchMove::Rewound(Some(3))] {
            assert_eq!(ask("allow_rewind = true\n", branch_move), "");
        }
    }
}
