//! Webhooks, signed as Standard Webhooks 1.0 says
//! (<https://github.com/standard-webhooks/standard-webhooks>, spec/standard-webhooks.md).
//!
//! A signature is an HMAC-SHA256 over `ID.TIMESTAMP.BODY` with the bytes that a secret holds in
//! base64, with or without `whsec_` in front. The timestamp is that of the try, so that a receiver
//! can refuse what is old; the id stays the same for each try. While a secret is replaced, the file
//! has the new one and the old one, and each of them signs.

use std::io;
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

/// The shortest secret, in bytes, as the specification has it.
const SECRET_MIN: usize = 24;

/// The body, in the form that the specification recommends.
#[derive(Serialize)]
struct Payload<'r> {
    r#type: String,
    timestamp: Timestamp,
    data: &'r EventRow,
}

/// Sends an event.
pub(crate) fn send(address: &HttpAddress, secret_file: &Path, row: &EventRow) -> Told {
    let keys = secret::read(secret_file).and_then(|secrets| keys(secrets.expose()));
    let keys = match keys {
        Ok(keys) => keys,
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
    let headers = [
        ("content-type", "application/json".to_owned()),
        ("webhook-id", row.id.clone()),
        ("webhook-timestamp", seconds.to_string()),
        ("webhook-signature", sign(&keys, &row.id, seconds, &body)),
    ];
    post(address, &headers, body.as_bytes())
}

/// The keys of a file's secrets, which have white space between them.
fn keys(secrets: &str) -> io::Result<Vec<hmac::Key>> {
    secrets.split_whitespace().map(key).collect()
}

fn key(secret: &str) -> io::Result<hmac::Key> {
    let text = secret.strip_prefix("whsec_").unwrap_or(secret);
    let bytes = STANDARD.decode(text).map_err(|_| {
        io::Error::other(
            "it is not base64, with or without whsec_ in front; make one with: openssl rand \
             -base64 32",
        )
    })?;
    if bytes.len() < SECRET_MIN {
        return Err(io::Error::other(format!(
            "a secret in it has {} bytes, and must have {SECRET_MIN}; make one with: openssl rand \
             -base64 32",
            bytes.len()
        )));
    }
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

/// The signatures of all keys, with spaces between them.
fn sign(keys: &[hmac::Key], id: &str, seconds: i64, body: &str) -> String {
    let signed = format!("{id}.{seconds}.{body}");
    let signature = |key| {
        let tag = hmac::sign(key, signed.as_bytes());
        format!("v1,{}", STANDARD.encode(tag.as_ref()))
    };
    let all: Vec<String> = keys.iter().map(signature).collect();
    all.join(" ")
}

/// The type of an event, as the specification recommends: words with points between them.
fn kind(row: &EventRow) -> String {
    let subject = match row.event {
        "test" => return row.event.to_owned(),
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

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    /// The example of the specification's reference implementations.
    #[test]
    fn signature_is_that_of_the_reference() {
        let expect = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        let signed = |secrets: &str| {
            sign(
                &keys(secrets).unwrap(),
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                "{\"test\": 2432232314}",
            )
        };
        assert_eq!(signed(SECRET), expect);
        assert_eq!(signed(SECRET.trim_start_matches("whsec_")), expect);

        let other = "OzQ2lu7mp8VC1vGyHnPvHzdcAHhZgaQ4kPQSTfwWo28=";
        let both = signed(&format!("{other}\n{SECRET}"));
        assert_eq!(both, format!("{} {expect}", signed(other)));
    }

    #[test]
    fn secret_must_be_base64_and_long_enough() {
        let table = [
            ("hunter2 is no base64", false),
            ("whsec_", false),
            ("c2hvcnQ=", false),
            ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw c2hvcnQ=", false),
            ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", true),
        ];
        for (secret, is_good) in table {
            let read = keys(secret);
            assert_eq!(read.is_ok(), is_good, "{secret}");
            if let Err(error) = read {
                assert!(!error.to_string().contains(secret), "{error}");
            }
        }
    }
}
