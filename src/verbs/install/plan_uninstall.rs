//! What an uninstall has to do in a repository: a pure function from what was found to steps.
//!
//! Protocol: first, each hook is put back or removed, one after another. Then the folders of kept
//! hooks are removed, then the record of the install, and last the entry in the timer's list. The
//! state stays. So an uninstall that is stopped anywhere leaves hooks that work, and the next one
//! completes it.

use std::path::{Path, PathBuf};

use super::found::{HookPlace, Installed, Kept};
use super::step::{MachineStep, Step};

/// What has to be done so that the hooks are as they were. The state stays. `entry`: the timer's
/// list and the repository, if the repository is to be removed from it.
#[must_use]
pub fn plan_uninstall(found: &Installed, entry: Option<(&Path, &Path)>) -> Vec<Step> {
    // An install makes the state first. If there is no state, no install was begun here, and a
    // folder of kept hooks belongs to another program.
    let was_installed = found.has_state
        || found.record_file.is_some()
        || found.places.iter().any(|place| place.is_own);
    let mut steps: Vec<Step> = found
        .places
        .iter()
        .flat_map(|place| plan_place(place, was_installed))
        .collect();

    let put_back: Vec<PathBuf> = steps
        .iter()
        .filter_map(|step| match step {
            Step::PutBack { kept, .. } => Some(kept.clone()),
            _ => None,
        })
        .collect();
    for folder in &found.kept_folders {
        let is_put_back = put_back.iter().any(|kept| kept.starts_with(&folder.path));
        if is_put_back || folder.has_links || was_installed && folder.is_empty {
            steps.push(Step::RemoveKeptFolder(folder.path.clone()));
        }
    }

    let record_file = found.record_file.clone();
    steps.extend(record_file.map(|file| Step::RemoveRecord { file }));
    steps.extend(entry.map(|(list, repository)| {
        Step::OnMachine(MachineStep::RemoveFromTimerList {
            list: list.to_owned(),
            repository: repository.to_owned(),
        })
    }));
    steps
}

/// What has to be done about one place.
fn plan_place(place: &HookPlace, was_installed: bool) -> Vec<Step> {
    let is_kept = was_installed && place.kept != Kept::Nothing;
    // An install or uninstall that was stopped left nothing in the hook's place.
    if is_kept && (place.is_own || !place.is_taken) {
        return vec![Step::PutBack {
            kept: place.kept_path.clone(),
            hook: place.path.clone(),
        }];
    }
    if !is_kept && place.is_own {
        return vec![Step::Unlink(place.path.clone())];
    }

    // An uninstall that was stopped had put the hook back, or an install had not replaced it yet.
    let is_twice = is_kept && place.kept == Kept::ThisHook;
    let kept = is_twice.then(|| place.kept_path.clone());
    let left = kept.into_iter().chain(place.left_aside.clone());
    left.map(Step::Unlink).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verbs::install::found::KeptFolder;

    fn words(steps: &[Step]) -> Vec<String> {
        steps.iter().map(Step::to_string).collect()
    }

    /// A place where this program's link is and nothing is kept.
    fn own_place(name: &str) -> HookPlace {
        HookPlace {
            path: Path::new("/r/hooks").join(name),
            is_taken: true,
            is_own: true,
            kept_path: Path::new("/r/hooks/chained").join(name),
            kept: Kept::Nothing,
            left_aside: None,
        }
    }

    #[track_caller]
    fn check_uninstall(places: Vec<HookPlace>, kept_folder: Option<KeptFolder>, expect: &[&str]) {
        let found = Installed {
            has_state: true,
            record_file: None,
            places,
            kept_folders: kept_folder.into_iter().collect(),
        };
        assert_eq!(words(&plan_uninstall(&found, None)), expect);
    }

    fn kept_folder(has_links: bool, is_empty: bool) -> Option<KeptFolder> {
        Some(KeptFolder {
            path: "/r/hooks/chained".into(),
            has_links,
            is_empty,
        })
    }

    #[test]
    fn uninstall_removes_links_and_puts_back_what_was_kept() {
        let kept = HookPlace {
            kept: Kept::Other,
            ..own_place("post-receive")
        };
        let entry = (Path::new("/list"), Path::new("/r"));
        let found = Installed {
            has_state: true,
            record_file: Some("/r/record".into()),
            places: vec![own_place("pre-receive"), kept],
            kept_folders: kept_folder(false, false).into_iter().collect(),
        };
        let expect = [
            "remove /r/hooks/pre-receive",
            "move /r/hooks/chained/post-receive back to /r/hooks/post-receive",
            "remove /r/hooks/chained",
            "remove /r/record",
            "remove from the timer's list, in /list",
        ];
        assert_eq!(words(&plan_uninstall(&found, Some(entry))), expect);
    }

    #[test]
    fn uninstall_completes_what_was_stopped() {
        let missing = || HookPlace {
            is_taken: false,
            is_own: false,
            ..own_place("pre-receive")
        };
        // An install had moved the hook and not set its link.
        let moved = HookPlace {
            kept: Kept::Other,
            ..missing()
        };
        let expect = [
            "move /r/hooks/chained/pre-receive back to /r/hooks/pre-receive",
            "remove /r/hooks/chained",
        ];
        check_uninstall(vec![moved], kept_folder(false, false), &expect);

        // An uninstall had put a link back and not removed the kept one, or an install had kept the
        // hook and not set its link.
        let put_back = HookPlace {
            is_taken: true,
            kept: Kept::ThisHook,
            ..missing()
        };
        let expect = ["remove /r/hooks/chained/pre-receive"];
        check_uninstall(vec![put_back], kept_folder(false, false), &expect);

        // An install had made its link beside the place.
        let aside = HookPlace {
            left_aside: Some("/r/hooks/.pre-receive.deploy-by-code".into()),
            ..missing()
        };
        let expect = ["remove /r/hooks/.pre-receive.deploy-by-code"];
        check_uninstall(vec![aside], None, &expect);

        // It had made the folder, or links in it.
        check_uninstall(
            vec![missing()],
            kept_folder(false, true),
            &["remove /r/hooks/chained"],
        );
        check_uninstall(
            vec![missing()],
            kept_folder(true, false),
            &["remove /r/hooks/chained"],
        );
        check_uninstall(vec![missing()], kept_folder(false, false), &[]);
    }

    #[test]
    fn what_was_never_installed_is_left_alone() {
        let place = HookPlace {
            is_taken: false,
            is_own: false,
            kept: Kept::Other,
            ..own_place("pre-receive")
        };
        let found = Installed {
            has_state: false,
            record_file: None,
            places: vec![place],
            kept_folders: kept_folder(false, true).into_iter().collect(),
        };
        assert_eq!(plan_uninstall(&found, None), []);
    }
}
