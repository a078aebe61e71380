//! What the pusher asked for with `git push -o`.

use std::time::Duration;

use crate::text;
use crate::time::parse_duration;
use crate::verbs::Watch;

/// The longest option or value that is shown, in characters.
const SHOWN_MAX: usize = 40;

/// What the pusher wants to see of the deployments of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WatchOption {
    /// What is shown.
    pub(super) watch: Watch,
    /// How long at most; `None`: until all have ended.
    pub(super) limit: Option<Duration>,
}

/// Reads the push options: what the pusher wants to watch, and remarks about options that are not
/// known. Other programs have push options too, so an unknown one gets a remark only if it
/// resembles one of this program. Of several lengths of time the last one counts.
pub(super) fn read(options: &[String]) -> (Option<WatchOption>, String) {
    let mut wanted: Option<WatchOption> = None;
    let mut remarks = String::new();
    for option in options {
        let (name, value) = match option.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (option.as_str(), None),
        };
        let watch = match name {
            "follow" => Watch::Output,
            "wait" => Watch::End,
            _ => {
                remarks.extend(remark(option, name, value));
                continue;
            }
        };
        match value.map(parse_duration).transpose() {
            Ok(limit) => {
                let before = wanted.unwrap_or(WatchOption { watch, limit });
                wanted = Some(WatchOption {
                    watch: if before.watch == Watch::Output {
                        before.watch
                    } else {
                        watch
                    },
                    limit: limit.or(before.limit),
                });
            }
            Err(error) => {
                let shown = text::escape(option, SHOWN_MAX);
                let why = text::escape(error.to_string(), 200);
                let why = without_unit(name, value).unwrap_or(why);
                remarks.push_str(&format!(
                    "deploy-by-code: the push option {shown} does not count: {why}\n"
                ));
            }
        }
    }
    (wanted, remarks)
}

/// What is said about a length of time that is a number alone; `None`: it is something else.
fn without_unit(name: &str, value: Option<&str>) -> Option<String> {
    let is_number =
        |value: &&str| !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    let number = text::escape(value.filter(is_number)?, SHOWN_MAX);
    Some(format!(
        "{number} has no unit; did you mean {name}={number}m?"
    ))
}

/// What is said about an option that is not known; `None`: it is meant for another program.
fn remark(option: &str, name: &str, value: Option<&str>) -> Option<String> {
    let shown = text::escape(option, SHOWN_MAX);
    Some(
        match text::nearest(name, ["follow", "wait", "skip-deploy"])? {
            "skip-deploy" => format!(
                "deploy-by-code: there is no push option {shown}: what is merged gets deployed\n"
            ),
            near => {
                let value = value.map(|value| format!("={}", text::escape(value, SHOWN_MAX)));
                let near = format!("{near}{}", value.unwrap_or_default());
                format!("deploy-by-code: unknown push option {shown}; did you mean {near}?\n")
            }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(options: &[&str]) -> (Option<WatchOption>, String) {
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        read(&options)
    }

    #[test]
    fn known_options_say_what_is_watched_and_how_long() {
        use Watch::{End, Output};
        let table: [(&[&str], Watch, Option<u64>); 8] = [
            (&["follow"], Output, None),
            (&["wait", "ci.skip"], End, None),
            (&["wait", "follow"], Output, None),
            (&["follow", "wait"], Output, None),
            (&["wait=10m"], End, Some(600)),
            (&["follow=1h 30m"], Output, Some(5400)),
            (&["follow", "wait=90s"], Output, Some(90)),
            (&["wait=10m", "wait=5s", "wait"], End, Some(5)),
        ];
        for (options, watch, seconds) in table {
            let limit = seconds.map(Duration::from_secs);
            let wanted = Some(WatchOption { watch, limit });
            assert_eq!(read_all(options), (wanted, String::new()), "{options:?}");
        }
    }

    #[test]
    fn option_that_is_not_known_gets_a_remark_if_it_resembles_one() {
        for (option, remark) in [
            ("folow", "unknown push option folow; did you mean follow?"),
            (
                "wiat=10m",
                "unknown push option wiat=10m; did you mean wait=10m?",
            ),
            (
                "skip-deploy",
                "there is no push option skip-deploy: what is merged gets deployed",
            ),
            (
                "wait=\u{1b}",
                "the push option wait=\\u{1b} does not count: \"\\u{1b}\" is not a length of time \
                 like \"90s\", \"30m\", \"1h 30m\" or \"2d\"",
            ),
            (
                "wait=10",
                "the push option wait=10 does not count: 10 has no unit; did you mean wait=10m?",
            ),
            (
                "follow=-1h",
                "the push option follow=-1h does not count: \"-1h\" is negative",
            ),
        ] {
            let expected = format!("deploy-by-code: {remark}\n");
            assert_eq!(read_all(&[option]), (None, expected), "{option:?}");
        }
        assert_eq!(read_all(&["merge_request.create=x"]), (None, String::new()));
        let still = Some(WatchOption {
            watch: Watch::Output,
            limit: None,
        });
        assert_eq!(read_all(&["follow", "wait=x"]).0, still);
    }
}
