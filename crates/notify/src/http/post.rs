//! One request to a server.
//!
//! Protocol: one POST takes at most [`TIME_MAX`], from the look-up of the name to the end of the
//! answer, with all redirects, and at most [`ANSWER_MAX`] bytes of an answer are read. A redirect
//! that keeps the method (307, 308; RFC 9110, 15.4) is followed to the same scheme, host and port,
//! [`REDIRECTS_MAX`] times. Every other redirect is an answer like any other that is no success:
//! what is sent can be confidential, and only the administrator decides who gets it. No proxy is
//! taken from the environment.
//!
//! A URL that stands in a file is a secret. Nothing that is returned here has a part of it.
//!
//! It does not promise that the server keeps what it has acknowledged.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use deploy_by_code::config::{HttpAddress, HttpUrl};
use deploy_by_code::publish::Told;
use deploy_by_code::sys::clock::Deadline;
use deploy_by_code::sys::secret;
use deploy_by_code::text::decode;
use ureq::http::uri::PathAndQuery;
use ureq::http::{Response, StatusCode, Uri};
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};
use ureq::{Agent, Body};

use super::fault::Fault;
use super::{hidden, trust};

/// How long a request may take with its answer.
const TIME_MAX: Duration = Duration::from_secs(10);

/// How much of an answer is read, in bytes.
const ANSWER_MAX: u64 = 64 * 1024;

/// How much of an answer is kept, in characters.
const KEPT_MAX: usize = 200;

/// How often a redirect is followed.
const REDIRECTS_MAX: usize = 3;

/// Sends a request, and says what became of it.
pub(crate) fn post(address: &HttpAddress, headers: &[(&str, String)], body: &[u8]) -> Told {
    let url = match url(&address.url) {
        Ok(url) => url,
        Err(fault) => return Told::Later(fault.to_string()),
    };
    let shown = |text: String| match &address.url {
        HttpUrl::Plain(_) => text,
        HttpUrl::File(_) => hidden::without(&url, text),
    };

    match exchange(&url, address, headers, body) {
        Ok(response) => answer(response, shown),
        Err(fault @ (Fault::Certificate(_) | Fault::Request(_))) => {
            trust::forget();
            Told::Later(shown(fault.to_string()))
        }
        Err(fault) => Told::Later(match &address.url {
            HttpUrl::File(file) if matches!(fault, Fault::NoUrl) => {
                format!("url_file {}: {fault}", file.display())
            }
            _ => fault.to_string(),
        }),
    }
}

fn url(from: &HttpUrl) -> Result<String, Fault> {
    match from {
        HttpUrl::Plain(url) => Ok(url.clone()),
        HttpUrl::File(file) => match secret::read(file) {
            Ok(secret) => Ok(secret.expose().to_owned()),
            Err(error) => Err(Fault::UrlFile(file.clone(), error)),
        },
    }
}

/// Sends a request, and once more where it is redirected. Returns the last answer.
fn exchange(
    url: &str,
    address: &HttpAddress,
    headers: &[(&str, String)],
    body: &[u8],
) -> Result<Response<Body>, Fault> {
    let mut uri: Uri = url.parse().map_err(|_| Fault::NoUrl)?;
    // Who is trusted does not matter where nothing is encrypted.
    let is_plain = uri.scheme_str() == Some("http");
    let authorities = if is_plain {
        RootCerts::from([])
    } else {
        trust::authorities(address.ca_file.as_deref())?
    };
    let agent = agent(authorities);

    let deadline = Deadline::after(TIME_MAX);
    for _ in 0..=REDIRECTS_MAX {
        let mut request = agent.post(uri.clone());
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = request.config().timeout_global(Some(deadline.left()));
        let response = request.build().send(body);
        let response = response.map_err(|error| Fault::of(error, TIME_MAX))?;
        match redirect(&uri, &response) {
            Some(next) => uri = next,
            None => return Ok(response),
        }
    }
    Err(Fault::Redirects(REDIRECTS_MAX))
}

/// What sends requests over HTTP/1.1, each over a connection of its own: a server may close one
/// that waits at any moment, and then the next request would fail.
fn agent(authorities: RootCerts) -> Agent {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(provider)
        .root_certs(authorities)
        .build();
    Agent::config_builder()
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .max_idle_connections(0)
        .proxy(None)
        .user_agent(concat!("deploy-by-code/", env!("CARGO_PKG_VERSION")))
        .tls_config(tls)
        .build()
        .new_agent()
}

/// Where a request is repeated: at the same scheme, host and port. `None`: the answer is the last
/// one.
fn redirect(uri: &Uri, response: &Response<Body>) -> Option<Uri> {
    let status = response.status();
    let keeps_method =
        status == StatusCode::TEMPORARY_REDIRECT || status == StatusCode::PERMANENT_REDIRECT;
    let location = response.headers().get("location")?.to_str().ok()?;
    let path = path_at(uri, location).filter(|_| keeps_method)?;

    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(path);
    Uri::from_parts(parts).ok()
}

/// The path of a location, if it is at the scheme, the host and the port of a URI.
fn path_at(uri: &Uri, location: &str) -> Option<PathAndQuery> {
    if location.starts_with('/') && !location.starts_with("//") {
        return location.parse().ok();
    }
    let next: Uri = location.parse().ok()?;
    let port = |uri: &Uri| match uri.scheme_str() {
        Some("https") => uri.port_u16().or(Some(443)),
        _ => uri.port_u16().or(Some(80)),
    };
    let is_same = next.scheme() == uri.scheme()
        && next.host()?.eq_ignore_ascii_case(uri.host()?)
        && port(&next) == port(uri);
    next.into_parts().path_and_query.filter(|_| is_same)
}

/// What an answer means: 2xx is taken; 408, 425, 429, 3xx and 5xx may be taken later; every other
/// 4xx never will.
fn answer(mut response: Response<Body>, shown: impl Fn(String) -> String) -> Told {
    let status = response.status();
    let leads_elsewhere = status.is_redirection() && response.headers().contains_key("location");
    let mut bytes = Vec::new();
    // What can't be read any more changes nothing about the status.
    let reader = response.body_mut().as_reader();
    let _ = reader.take(ANSWER_MAX).read_to_end(&mut bytes);

    let lines = bytes.split(|byte| *byte == b'\n' || *byte == b'\r');
    let line = lines.map(<[u8]>::trim_ascii).find(|line| !line.is_empty());
    let mut said = status.to_string();
    if let Some(line) = line {
        let line = shown(String::from_utf8_lossy(line).into_owned());
        said.push_str(": ");
        said.push_str(&decode(line.as_bytes(), KEPT_MAX));
    }

    let may_pass = matches!(
        status,
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
    );
    if status.is_success() {
        Told::Delivered(said)
    } else if leads_elsewhere {
        Told::Later(format!("{said}; it leads elsewhere, and is not followed"))
    } else if status.is_client_error() && !may_pass {
        Told::Refused(said)
    } else {
        Told::Later(said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_path_of_the_same_server_is_followed() {
        let uri: Uri = "https://Example.org/a".parse().unwrap();
        let table = [
            ("/b?c", Some("/b?c")),
            ("https://example.org/b", Some("/b")),
            ("https://example.org:443/b", Some("/b")),
            ("https://me:secret@example.org/b", Some("/b")),
            ("https://example.org:8443/b", None),
            ("http://example.org/b", None),
            ("http://example.org:443/b", None),
            ("https://example.org.evil.example/b", None),
            ("https://example.org@evil.example/b", None),
            ("//evil.example/b", None),
            ("/\\evil.example/b", Some("/\\evil.example/b")),
            ("b", None),
            ("", None),
        ];
        for (location, expect) in table {
            let path = path_at(&uri, location);
            let path = path.as_ref().map(PathAndQuery::as_str);
            assert_eq!(path, expect, "{location:?}");
        }
    }
}
