//! Exit codes, and the one place where errors become text.

use super::error::Error;
use crate::text;
use crate::verbs::Kind;

/// The exit codes, as the manual page lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// The command is done.
    Done = 0,
    /// Something was refused, or what was asked about failed.
    Refused = 1,
    /// The usage was wrong.
    Usage = 2,
    /// The configuration is wrong.
    Configuration = 3,
    /// The state can't be read or written, or another input or output failed.
    State = 4,
}

impl Exit {
    /// The exit code for an answer: whether what was asked about is as it should be.
    pub(super) fn of(is_good: bool) -> Self {
        if is_good { Self::Done } else { Self::Refused }
    }
}

impl From<Exit> for u8 {
    fn from(exit: Exit) -> Self {
        exit as Self
    }
}

impl From<Kind> for Exit {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Refused => Self::Refused,
            Kind::Usage => Self::Usage,
            Kind::Configuration => Self::Configuration,
            Kind::State => Self::State,
        }
    }
}

/// Says what went wrong and what to do, and returns the exit code of the program. `complain` takes
/// the message and the hint.
pub(super) fn fail(error: &Error, complain: impl FnOnce(&str, Option<&str>)) -> Exit {
    if !error.is_reader_gone() {
        complain(&text::with_causes(error), error.hint());
    }
    error.kind().into()
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::config::Mistake;
    use crate::deploy_repository::{self, ConfigError};
    use crate::git::Repository;
    use crate::verbs::install;
    use crate::{clone, git, judging, planning, runner, store, verbs};

    fn io() -> io::Error {
        io::Error::other("the disk is full")
    }

    fn git() -> git::Error {
        Repository::open(Path::new("/nonexistent")).err().unwrap()
    }

    fn database() -> store::Error {
        store::Error::Missing(PathBuf::from("/srv/state.db"))
    }

    fn config() -> ConfigError {
        ConfigError {
            file: PathBuf::from("/srv/config.toml"),
            problems: vec![Mistake::unreadable(&io())],
            config: Box::default(),
        }
    }

    #[track_caller]
    fn check<const N: usize>(errors: [verbs::Error; N], exit: Exit, hint: Option<&str>) {
        for error in errors.map(Error::from) {
            let shown = text::with_causes(&error);
            assert_eq!(Exit::from(error.kind()), exit, "{shown}");
            assert_eq!(error.hint(), hint, "{shown}");
        }
    }

    #[test]
    fn errors_of_a_verb_have_an_exit_code_and_a_hint() {
        let store = [
            database().into(),
            planning::Error::Store(database()).into(),
            judging::Error::Store(database()).into(),
            runner::Error::Store(database()).into(),
            install::Error::Store(database()).into(),
        ];
        check(store, Exit::State, Some(database().hint()));

        let git = [
            git().into(),
            deploy_repository::Error::Git(git()).into(),
            planning::Error::Git(git()).into(),
            judging::Error::Git(git()).into(),
            install::Error::Git(git()).into(),
        ];
        let read = "make sure that this user can read the repository";
        check(git, Exit::State, Some(read));

        let start = clone::Error::Start(io()).into();
        let install = "install git, and make sure that PATH names its folder";
        check([start], Exit::State, Some(install));
        let unnamed = clone::Error::Unnamed {
            message: "there is no remote".to_owned(),
            hint: "add one".to_owned(),
        };
        check([unnamed.into()], Exit::Refused, Some("add one"));

        let overtaken = [
            planning::Error::Overtaken(100).into(),
            judging::Error::NotInMemory.into(),
        ];
        check(overtaken, Exit::State, Some("run the command again"));

        let lock = [runner::Error::Lock(PathBuf::from("/srv/x.lock"), io()).into()];
        let give = "if it is root's, run as root: deploy-by-code install; if it is another \
                    user's, give it to the state's owner with chown; then: deploy-by-code \
                    reconcile";
        check(lock, Exit::State, Some(give));

        let refused = [verbs::Error::refused("no", "ask again")];
        check(refused, Exit::Refused, Some("ask again"));
        let system = [verbs::Error::system("no runner can be started", "wait")(
            io(),
        )];
        check(system, Exit::State, Some("wait"));
    }

    /// Their messages say what to do.
    #[test]
    fn errors_whose_message_says_what_to_do_have_no_hint() {
        let configuration = [
            deploy_repository::Error::Config(config()).into(),
            runner::Error::Config(config()).into(),
        ];
        check(configuration, Exit::Configuration, None);

        let state = [
            planning::Error::NotInstalled.into(),
            planning::Error::OtherBranch {
                state: "refs/heads/main".to_owned(),
                config: "refs/heads/next".to_owned(),
            }
            .into(),
        ];
        check(state, Exit::State, None);

        let refused = [install::Error::Taken(PathBuf::from("/srv/x")).into()];
        check(refused, Exit::Refused, None);
    }

    #[test]
    fn errors_of_a_command_have_an_exit_code_and_a_hint() {
        let path = || PathBuf::from("/srv/hooks/pre-receive");
        let correct = "correct it or remove it, and push again";
        let folder = "make sure that this user can read it";

        let table = [
            (Error::Output(io()), None),
            (Error::Input(io()), None),
            (Error::Program(io()), None),
            (Error::Folder(path(), io()), Some(folder)),
            (Error::KeptHook(path(), io()), Some(correct)),
        ];
        for (error, hint) in table {
            let found = (Exit::from(error.kind()), error.hint());
            assert_eq!(found, (Exit::State, hint), "{error}");
        }
    }

    #[test]
    fn kinds_of_error_have_the_exit_codes_of_the_manual() {
        let codes = [Kind::Refused, Kind::Usage, Kind::Configuration, Kind::State];
        assert_eq!(codes.map(|kind| Exit::from(kind) as u8), [1, 2, 3, 4]);
        assert_eq!(
            (Exit::of(true), Exit::of(false)),
            (Exit::Done, Exit::Refused)
        );
    }

    #[test]
    fn cause_of_an_error_is_shown_after_it() {
        let shown = |error: Error| text::with_causes(&error);
        let system = verbs::Error::system("the log of #7 can't be read", "look")(io());
        assert_eq!(
            shown(system.into()),
            "the log of #7 can't be read: the disk is full"
        );
        let lock = runner::Error::Lock(PathBuf::from("/srv/locks/x.lock"), io());
        assert_eq!(
            shown(verbs::Error::from(lock).into()),
            "the lock /srv/locks/x.lock can't be taken: the disk is full"
        );
        assert_eq!(
            shown(Error::KeptHook(PathBuf::from("/srv/a\nb"), io())),
            "the earlier hook /srv/a\\nb can't be run: the disk is full"
        );
    }

    #[test]
    fn reader_that_went_away_is_told_nothing() {
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(Error::Output(gone()).is_reader_gone());
        assert!(!Error::Output(io()).is_reader_gone());
        assert!(!Error::Input(gone()).is_reader_gone());
    }
}
