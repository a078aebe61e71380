//! Messages in a chat, in the form of incoming webhooks that Slack, Mattermost and Rocket.Chat
//! share: `{"text": …}` with `<`, `>` and `&` escaped
//! (<https://docs.slack.dev/messaging/formatting-message-text/>).

use deploy_by_code::config::HttpAddress;
use deploy_by_code::publish::Told;
use deploy_by_code::report::EventRow;
use deploy_by_code::text::escape;
use serde::Serialize;

use crate::http::post;

/// The longest line, in characters.
const LINE_MAX: usize = 300;

#[derive(Serialize)]
struct Message {
    text: String,
}

/// Sends an event.
pub(crate) fn send(address: &HttpAddress, row: &EventRow) -> Told {
    let message = Message { text: text(row) };
    let Ok(body) = serde_json::to_vec(&message) else {
        return Told::Refused("the message can't be written as JSON".to_owned());
    };
    let headers = [("content-type", "application/json".to_owned())];
    post(address, &headers, &body)
}

/// The lines of a message: what happened, who, and why.
fn text(row: &EventRow) -> String {
    let place = row
        .environment
        .as_ref()
        .map_or_else(|| row.repository.clone(), std::string::ToString::to_string);
    let mut lines = vec![format!("*[{}]* {}", plain(&place), plain(&row.title))];
    if let Some(by) = &row.by {
        lines.push(format!("by {}", plain(by)));
    }
    if let Some(reason) = &row.reason {
        lines.push(plain(reason));
    }
    lines.extend(row.why.iter().map(|line| format!("> {}", plain(line))));
    lines.join("\n")
}

/// A text in which no character means anything to a chat: neither a mention nor a link.
fn plain(text: &str) -> String {
    let text = escape(text, LINE_MAX);
    let text = text.replace('&', "&amp;");
    let text = text.replace('<', "&lt;").replace('>', "&gt;");
    // A character of no width keeps `@here`, `*bold*` and `_so_` from meaning anything.
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        shown.push(c);
        if matches!(c, '@' | '*' | '_' | '~' | '`') {
            shown.push('\u{200b}');
        }
    }
    shown
}
