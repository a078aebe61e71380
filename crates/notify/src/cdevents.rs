//! CDEvents 0.5.1 (<https://cdevents.dev>) as CloudEvents 1.0 over HTTP in binary mode: the context
//! is in headers, the event is the body.
//!
//! A deployment that succeeded is `service.deployed` if it brought the application to the
//! environment or deployed the same revision again, `service.rolledback` if it went back, and
//! otherwise `service.upgraded`. A retry is what the deployment would have been that it retries. An
//! application that retired is `service.removed`. When it comes back, it is `service.upgraded`:
//! nothing was removed from the machine.
//!
//! The specification has no event for a deployment that did not succeed: it is `taskrun.finished`,
//! with the outcome `failure`, with `cancel` if somebody cancelled it, or with `error` if nobody
//! knows how it ended. It has nothing for other events, so they are not sent.

use deploy_by_code::config::HttpAddress;
use deploy_by_code::id::{Application, Environment};
use deploy_by_code::publish::Told;
use deploy_by_code::report::{DeploymentRow, EventRow, to_json};
use serde_json::{Value, json};

use crate::http::post;

/// The version of the specification.
const VERSION: &str = "0.5.1";

/// Sends an event, if the specification has one for it.
pub(crate) fn send(address: &HttpAddress, row: &EventRow) -> Told {
    let Some(Described { kind, id, content }) = describe(row) else {
        return Told::Delivered("CDEvents has no event for this, so nothing was sent".to_owned());
    };
    let source = source(&row.repository);
    let at = row.at.to_string();
    let event = json!({
        "context": {
            "specversion": VERSION,
            "id": row.id,
            "source": source,
            "type": kind,
            "timestamp": at,
        },
        "subject": { "id": id, "content": content },
        "customData": row,
        "customDataContentType": "application/json",
    });

    let headers = [
        ("content-type", "application/json".to_owned()),
        ("ce-specversion", "1.0".to_owned()),
        ("ce-id", header(&row.id)),
        ("ce-type", header(kind)),
        ("ce-source", header(&source)),
        ("ce-subject", header(&id)),
        ("ce-time", header(&at)),
    ];
    post(address, &headers, to_json(&event).as_bytes())
}

/// What the specification says of an event: its type, and its subject's id and content.
struct Described {
    kind: &'static str,
    id: String,
    content: Value,
}

/// `None`: the specification has nothing for it.
fn describe(row: &EventRow) -> Option<Described> {
    if row.test {
        return Some(Described {
            kind: "dev.cdeventsx.deploybycode-test.sent.0.1.0",
            id: row.id.clone(),
            content: json!({}),
        });
    }

    let (environment, application) = (row.environment.as_ref()?, row.application.as_ref()?);
    let place = json!({ "id": environment });
    let service = format!("{environment}/{application}");
    if row.event == "retired" {
        return Some(Described {
            kind: "dev.cdevents.service.removed.0.3.0",
            id: service,
            content: json!({ "environment": place }),
        });
    }

    let deployment = row.deployment.as_ref()?;
    if row.event == "succeeded" {
        let artifact = format!("pkg:generic/{application}@{}", deployment.revision);
        return Some(Described {
            kind: succeeded(deployment),
            id: service,
            content: json!({ "environment": place, "artifactId": artifact }),
        });
    }
    let outcome = match row.event {
        "failed" => "failure",
        "cancelled" => "cancel",
        "interrupted" => "error",
        _ => return None,
    };
    Some(finished(row, environment, application, deployment, outcome))
}

/// The type of a deployment that succeeded.
fn succeeded(deployment: &DeploymentRow) -> &'static str {
    match &deployment.previous_revision {
        None => "dev.cdevents.service.deployed.0.3.0",
        Some(_) if deployment.rolled_back.is_some() => "dev.cdevents.service.rolledback.0.3.0",
        Some(previous) if *previous == deployment.revision => "dev.cdevents.service.deployed.0.3.0",
        Some(_) => "dev.cdevents.service.upgraded.0.3.0",
    }
}

/// A deployment that ended in another way.
fn finished(
    row: &EventRow,
    environment: &Environment,
    application: &Application,
    deployment: &DeploymentRow,
    outcome: &str,
) -> Described {
    let mut content = json!({
        "taskName": format!("deploy {environment}/{application}"),
        "outcome": outcome,
    });
    if let Some(reason) = &row.reason {
        content["errors"] = json!(reason);
    }
    Described {
        kind: "dev.cdevents.taskrun.finished.0.3.0",
        id: format!("deployment/{}", deployment.id.0),
        content,
    }
}

/// Where an event comes from, as a URI reference (RFC 3986, 3.3).
fn source(repository: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/.-_~".contains(&byte);
    format!("/deploy-by-code{}", encode(repository, is_plain))
}

/// The value of a header (CloudEvents 1.0.2, HTTP Protocol Binding, 3.1.3.2).
fn header(value: &str) -> String {
    encode(value, |byte| {
        byte.is_ascii_graphic() && !b"\"%".contains(&byte)
    })
}

/// A text in which every other byte of its UTF-8 is encoded with a percent sign.
fn encode(text: &str, is_plain: impl Fn(u8) -> bool) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if is_plain(byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_values_are_encoded_as_cloudevents_has_it() {
        let table = [
            ("production/web", "production/web"),
            ("a b\"c%d", "a%20b%22c%25d"),
            ("Euro \u{20ac} \u{1f600}", "Euro%20%E2%82%AC%20%F0%9F%98%80"),
            ("a\r\nX: y", "a%0D%0AX:%20y"),
        ];
        for (text, expect) in table {
            assert_eq!(header(text), expect, "{text:?}");
        }
    }

    #[test]
    fn source_is_a_uri_reference() {
        let table = [
            ("/srv/git/deploy.git", "/deploy-by-code/srv/git/deploy.git"),
            (
                "/srv/a b?c#d:é",
                "/deploy-by-code/srv/a%20b%3Fc%23d%3A%C3%A9",
            ),
        ];
        for (path, expect) in table {
            assert_eq!(source(path), expect, "{path:?}");
        }
    }
}
