//! The rule of the deploy branch: it may be neither deleted nor rewound, because it is the record
//! of what was wanted.

use super::{BranchMove, Facts, Objection, Stage};
use crate::config::Config;
use crate::text;

pub(super) fn judge(config: &Config, facts: &Facts) -> Result<(), Objection> {
    if config.allow_rewind {
        return Ok(());
    }

    match &facts.branch_move {
        BranchMove::Forward => Ok(()),
        // The branch has lost its tip already, and this push repairs it.
        BranchMove::FromRemoved if facts.stage == Stage::Before => Ok(()),
        BranchMove::Deleted => Err(Objection::new(
            "the deploy branch may not be deleted",
            "to retire applications, delete their deploy files",
        )),
        BranchMove::Unknown(why) => Err(Objection::fault(
            format!(
                "it can't be found out whether the deploy branch keeps its commits: {}",
                text::escape(why, 300)
            ),
            "git fsck shows what is wrong with a commit; write it anew, or ask the server's \
             administrator to fix the repository",
        )),
        BranchMove::FromRemoved => Err(rewound(None)),
        BranchMove::Rewound(lost) => Err(rewound(*lost)),
    }
}

/// The objection to a rewind by which some commits are lost, if their number is known.
fn rewound(lost: Option<u64>) -> Objection {
    let lost = match lost {
        Some(1) => ": 1 commit would no longer be on it".to_owned(),
        Some(lost) => format!(": {lost} commits would no longer be on it"),
        None => String::new(),
    };
    Objection::new(
        format!("the deploy branch may not be rewound{lost}"),
        "to go back, commit the earlier state on top (git revert), or merge",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(config: &str, branch_move: BranchMove) -> String {
        ask_at(Stage::Before, config, branch_move)
    }

    fn ask_at(stage: Stage, config: &str, branch_move: BranchMove) -> String {
        let (config, problems) = Config::parse(config, &|_| None);
        assert_eq!(problems, []);
        let facts = Facts {
            stage,
            branch_move,
            ..Facts::default()
        };
        match judge(&config, &facts) {
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
            (
                BranchMove::Unknown("object 1 is missing".into()),
                "it can't be found out whether the deploy branch keeps its commits: \
                 object 1 is missing",
            ),
        ];
        for (branch_move, message) in table {
            assert_eq!(ask("", branch_move), message);
        }
    }

    #[test]
    fn branch_whose_tip_is_gone_may_be_repaired_but_its_loss_is_reported() {
        let ask = |stage| ask_at(stage, "", BranchMove::FromRemoved);
        assert_eq!(ask(Stage::Before), "");
        assert_eq!(ask(Stage::After), "the deploy branch may not be rewound");
    }

    #[test]
    fn allow_rewind_allows_every_move() {
        for branch_move in [BranchMove::Deleted, BranchMove::Rewound(Some(3))] {
            assert_eq!(ask("allow_rewind = true\n", branch_move), "");
        }
    }
}
