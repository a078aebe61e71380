//! Messages in a chat, in the form of incoming webhooks that Slack, Mattermost and Rocket.Chat
//! share: `{"text": …}`.
//!
//! Slack has a markup of its own, in which `<`, `>` and `&` must be escaped
//! (<https://docs.slack.dev/messaging/formatting-message-text/>). The others read Markdown, and
//! take `@name` for a mention and `[text](url)` for a link. What marks text as bold or as code does
//! no harm, so it stays as it is.

use deploy_by_code::config::HttpAddress;
use deploy_by_code::publish::Told;
use deploy_by_code::report::{CommitsRow, EventRow, to_json};
use deploy_by_code::text::escape;
use serde::Serialize;

use crate::http::post;

/// The longest line of somebody else's text, in characters.
const LINE_MAX: usize = 300;

/// The longest message, as it is sent, in units of UTF-16: what JavaScript counts. Slack and old
/// versions of Mattermost cut what is longer than 4,000 characters. Rocket.Chat refuses what is
/// longer than 5,000 of these units, and most emoji have two.
const TEXT_MAX: usize = 3500;

/// Separates two characters, and is not seen.
const NO_WIDTH: char = '\u{200b}';

#[derive(Serialize)]
struct Message {
    text: String,
    /// Slack shows nothing of the pages that are linked.
    unfurl_links: bool,
    unfurl_media: bool,
}

/// Sends an event.
pub(crate) fn send(address: &HttpAddress, row: &EventRow) -> Told {
    let body = to_json(&Message {
        text: text(row),
        unfurl_links: false,
        unfurl_media: false,
    });
    let headers = [("content-type", "application/json".to_owned())];
    post(address, &headers, body.as_bytes())
}

/// What happened, who, the reason, what was excepted, what comes and goes, and what the deploy file
/// says.
fn text(row: &EventRow) -> String {
    let repository = row.repository.rsplit('/').next().unwrap_or_default();
    let place = row.environment.as_ref();
    let place = place.map_or(repository, |environment| environment.as_str());
    let title = row.title.replace(" -> ", " \u{2192} ");
    let mut lines = vec![format!("[{}] {}", plain(place), plain(&title))];

    let number = row.deployment.as_ref().map(|row| row.id.to_string());
    let by = row.by.as_ref().map(|by| format!("by {}", plain(by)));
    let both: Vec<String> = number.into_iter().chain(by).collect();
    lines.push(both.join(" "));
    lines.extend(row.reason.iter().map(|reason| plain(reason)));
    let until = row
        .until
        .map(|until| format!("until {} UTC", until.minute()));
    lines.extend(until);
    let approvals = row.approvals.iter();
    lines.extend(approvals.map(|approval| format!("approved by {}", plain(&approval.by))));
    let exceptions = row.exceptions.iter();
    lines.extend(exceptions.map(|exception| {
        let (kind, reason) = (exception.kind.as_str(), plain(&exception.reason));
        match &exception.signed_by {
            Some(by) => format!("{kind}: {reason} (signed by {})", plain(by)),
            None => format!("{kind}: {reason}"),
        }
    }));
    lines.extend(commits("gained", row.gained.as_ref()));
    lines.extend(commits("lost", row.lost.as_ref()));
    // The text of others comes last: where it is long, it is what is cut.
    lines.extend(row.why.iter().map(|line| format!("> {}", plain(line))));

    lines.retain(|line| !line.is_empty());
    within(&lines, TEXT_MAX)
}

/// How many commits a deployment gained or lost; `None`: there is nothing to say.
fn commits(what: &str, commits: Option<&CommitsRow>) -> Option<String> {
    let commits = commits?;
    match commits.count {
        Some(0) => None,
        _ => Some(match commits.in_words(what) {
            Some(words) => plain(&words),
            None => format!("commits {what}: unknown"),
        }),
    }
}

/// As many of the lines as fit. Where some are left out, the last line says so.
fn within(lines: &[String], max: usize) -> String {
    let mut text = String::new();
    let mut left = max;
    for line in lines {
        let Some(rest) = left.checked_sub(line.encode_utf16().count() + 1) else {
            text.push('…');
            return text;
        };
        left = rest;
        text.push_str(line);
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text
}

/// Somebody else's text in one line, which mentions nobody and leads nowhere else than it says.
fn plain(text: &str) -> String {
    let mut shown = String::new();
    for c in escape(text, LINE_MAX).chars() {
        match c {
            '&' => shown.push_str("&amp;"),
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            // Neither `@here`, nor `[text](url)`, nor `[text]: url`.
            '@' | ']' => shown.extend([c, NO_WIDTH]),
            c => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use deploy_by_code::time::Timestamp;

    use super::*;

    #[test]
    fn hostile_text_mentions_nobody_and_hides_no_link() {
        let table = [
            (
                "Use `foo` in *bar* of my_app",
                "Use `foo` in *bar* of my_app",
            ),
            (
                "<!channel> & <@U123>",
                "&lt;!channel&gt; &amp; &lt;@\u{200b}U123&gt;",
            ),
            ("@here @all", "@\u{200b}here @\u{200b}all"),
            ("<http://a|http://b>", "&lt;http://a|http://b&gt;"),
            ("[good](http://evil)", "[good]\u{200b}(http://evil)"),
            ("[1]: http://evil", "[1]\u{200b}: http://evil"),
            ("a\nb\u{202e}c", "a\\nb\\u{202e}c"),
        ];
        for (text, expect) in table {
            assert_eq!(plain(text), expect, "{text:?}");
        }
    }

    #[test]
    fn commits_stand_above_the_text_of_others() {
        let commits = |count| {
            Some(CommitsRow {
                count: Some(count),
                subdirectory: Some("a|<b>".to_owned()),
                in_subdirectory: Some(count - 1),
                newest: Vec::new(),
                unknown: None,
            })
        };
        let row = EventRow {
            id: "x-1".to_owned(),
            event: "succeeded",
            at: Timestamp::from_ms(0),
            test: false,
            repository: "/srv/git/deploy.git".to_owned(),
            branch: "refs/heads/main".to_owned(),
            environment: None,
            application: None,
            title: "web succeeded".to_owned(),
            path: None,
            by: None,
            by_known_by: None,
            reason: None,
            until: None,
            exceptions: Vec::new(),
            approvals: Vec::new(),
            deployment: None,
            why: vec!["x".repeat(LINE_MAX); 20],
            gained: commits(2),
            lost: commits(1),
        };
        let text = text(&row);
        let begin = "[deploy.git] web succeeded\n\
                     2 commits gained, 1 of them in a|&lt;b&gt;\n\
                     1 commit lost, which is not in a|&lt;b&gt;\n\
                     > x";
        assert!(text.starts_with(begin), "{text}");
        assert!(
            text.ends_with('…'),
            "what is cut is the text of others: {text}"
        );
    }

    #[test]
    fn long_message_is_cut_between_lines() {
        let lines: Vec<String> = ["one", "two", "three"].map(str::to_owned).to_vec();
        let table = [
            (14, "one\ntwo\nthree"),
            (13, "one\ntwo\n…"),
            (8, "one\ntwo\n…"),
            (7, "one\n…"),
            (0, "…"),
        ];
        for (max, expect) in table {
            assert_eq!(within(&lines, max), expect, "{max}");
        }
    }

    #[test]
    fn length_is_counted_as_rocket_chat_counts_it() {
        let lines: Vec<String> = ["ünï", "🚀🚀"].map(str::to_owned).to_vec();
        let table = [(9, "ünï\n🚀🚀"), (8, "ünï\n…"), (4, "ünï\n…"), (3, "…")];
        for (max, expect) in table {
            assert_eq!(within(&lines, max), expect, "{max}");
        }
    }
}
