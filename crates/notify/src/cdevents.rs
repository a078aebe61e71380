//! CDEvents 0.5 (<https://cdevents.dev>) as CloudEvents 1.0 over HTTP in binary mode: the context
//! is in headers, the event is the body.
//!
//! A deployment that succeeded is `service.deployed`, `service.upgraded` or `service.rolledback`; a
//! retired application is `service.removed`. There is no event for a deployment that failed: it is
//! `taskrun.finished` with the outcome `failure`. The specification has nothing for other events,
//! so they are not sent.

use deploy_by_code::config::HttpAddress;
use deploy_by_code::publish::Told;
use deploy_by_code::report::EventRow;
use serde_json::{Value, json};

use crate::http::post;

/// The version of the specification.
const VERSION: &str = "0.5.0";

/// Sends an event, if the specification has one for it.
pub(crate) fn send(address: &HttpAddress, row: &EventRow) -> Told {
    let Some((kind, subject)) = subject(row) else {
        return Told::Delivered("CDEvents has no event for this, so nothing was sent".to_owned());
    };
    let id = subject["id"].as_str().unwrap_or_default().to_owned();
    let source = source(row);
    let at = row.at.to_string();
    let event = json!({
        "context": {
            "specversion": VERSION,
            "id": row.id,
            "source": source,
            "type": kind,
            "timestamp": at,
        },
        "subject": subject,
    });

    let headers = [
        ("content-type", "application/json".to_owned()),
        ("ce-specversion", "1.0".to_owned()),
        ("ce-id", row.id.clone()),
        ("ce-type", kind.to_owned()),
        ("ce-source", source),
        ("ce-subject", id),
        ("ce-time", at),
    ];
    post(address, &headers, event.to_string().as_bytes())
}

/// The type and the subject of an event.
fn subject(row: &EventRow) -> Option<(&'static str, Value)> {
    let environment = row.environment.as_ref();
    let application = row.application.as_ref();
    let id = match (environment, application) {
        (Some(environment), Some(application)) => format!("{environment}/{application}"),
        _ if row.test => "test".to_owned(),
        _ => return None,
    };
    let place = json!({ "id": environment.map_or("test", |name| name.as_str()) });
    let revision = row.deployment.as_ref().map(|row| row.revision.as_str());
    let name = application.map_or("test", |name| name.as_str());
    let artifact = format!("pkg:generic/{name}@{}", revision.unwrap_or("0"));

    let service = |kind| {
        let content = json!({ "environment": place, "artifactId": artifact });
        (kind, json!({ "id": id, "content": content }))
    };
    match row.event {
        "succeeded" => {
            let deployment = row.deployment.as_ref();
            let is_rollback = deployment.is_some_and(|row| row.rolled_back.is_some());
            let is_first = deployment.is_none_or(|row| row.previous_revision.is_none());
            Some(service(if is_rollback {
                "dev.cdevents.service.rolledback.0.3.0"
            } else if is_first {
                "dev.cdevents.service.deployed.0.3.0"
            } else {
                "dev.cdevents.service.upgraded.0.3.0"
            }))
        }
        "retired" => {
            let content = json!({ "environment": place });
            let removed = json!({ "id": id, "content": content });
            Some(("dev.cdevents.service.removed.0.3.0", removed))
        }
        "failed" | "interrupted" => {
            let content = json!({
                "taskName": format!("deploy {id}"),
                "outcome": "failure",
                "errors": row.reason,
            });
            let finished = json!({ "id": row.id, "content": content });
            Some(("dev.cdevents.taskrun.finished.0.3.0", finished))
        }
        _ => None,
    }
}

/// Where an event comes from: a URI reference without characters that need escaping.
fn source(row: &EventRow) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/.-_~".contains(&byte);
    let mut source = "/deploy-by-code".to_owned();
    for byte in row.repository.bytes() {
        if is_plain(byte) {
            source.push(char::from(byte));
        } else {
            source.push_str(&format!("%{byte:02X}"));
        }
    }
    source
}
