//! Webhooks, signed as Standard Webhooks 1.0 says
//! (<https://github.com/standard-webhooks/standard-webhooks>, spec/standard-webhooks.md).
//!
//! The signature is an HMAC-SHA256 over `ID.TIMESTAMP.BODY` with the bytes that the secret holds in
//! base64, with or without `whsec_` in front. The timestamp is that of the try, so that a receiver
//! can refuse what is old; the id stays the same for each try.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use deploy_by_code::config::HttpAddress;
use deploy_by_code::publish::Told;
use deploy_by_code::report::{EventRow, to_json};
use deploy_by_code::sys::{clock, secret};
use deploy_by_code::time::Timestamp;
use ring::hmac;
use serde::Serialize;

use crate::http::post;

/// The body, in the form that the specification recommends.
#[derive(Serialize)]
struct Payload<'r> {
    r#type: String,
    timestamp: Timestamp,
    data: &'r EventRow,
}

/// Sends an event.
pub(crate) fn send(address: &HttpAddress, secret_file: &Path, row: &EventRow) -> Told {
    let key = secret::read(secret_file).and_then(|secret| key(secret.expose()));
    let key = match key {
        Ok(key) => key,
        Err(error) => {
            return Told::Later(format!("secret_file {}: {error}", secret_file.display()));
        }
    };

    let body = to_json(&Payload {
        r#type: kind(row),
        timestamp: row.at,
        data: row,
    });
    let seconds = clock::now().as_ms() / 1000;
    let signature = sign(&key, &row.id, seconds, &body);
    let headers = [
        ("content-type", "application/json".to_owned()),
        ("webhook-id", row.id.clone()),
        ("webhook-timestamp", seconds.to_string()),
        ("webhook-signature", signature),
    ];
    post(address, &headers, body.as_bytes())
}

/// The key of a secret.
fn key(secret: &str) -> std::io::Result<hmac::Key> {
    let text = secret.strip_prefix("whsec_").unwrap_or(secret);
    let bytes = STANDARD.decode(text).map_err(|_| {
        std::io::Error::other("it is not base64, with or without \"whsec_\" in front")
    })?;
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

fn sign(key: &hmac::Key, id: &str, seconds: i64, body: &str) -> String {
    let signed = format!("{id}.{seconds}.{body}");
    let tag = hmac::sign(key, signed.as_bytes());
    format!("v1,{}", STANDARD.encode(tag.as_ref()))
}

/// The type of an event, as the specification recommends: words with points between them.
fn kind(row: &EventRow) -> String {
    let subject = match row.event {
        "frozen" | "thawed" | "released" => "environment",
        "refused" => "push",
        "problem" => "branch",
        "retired" => "application",
        _ => "deployment",
    };
    format!("{subject}.{}", row.event)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's reference implementations.
    #[test]
    fn signature_is_that_of_the_reference() {
        let key = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let found = sign(
            &key,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            "{\"test\": 2432232314}",
        );
        assert_eq!(found, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn secret_must_be_base64() {
        assert!(key("hunter2 is no base64").is_err());
        assert!(key("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").is_ok());
    }
}
