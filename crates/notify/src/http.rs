//! HTTP requests, bounded in every direction.
//!
//! Protocol: one POST takes at most [`TIME_MAX`], from the look-up of the name to the end of the
//! answer, and at most [`ANSWER_MAX`] bytes of an answer are read. A redirect that keeps the method
//! (307, 308; RFC 9110, 15.4) is followed to the same scheme, host and port, [`REDIRECTS_MAX`]
//! times. Every other redirect is an answer like any other that is no success: what is sent can be
//! confidential, and only the administrator decides who gets it. No proxy is taken from the
//! environment.
//!
//! It does not promise that the server keeps what it has acknowledged.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use deploy_by_code::config::{HttpAddress, HttpUrl};
use deploy_by_code::publish::Told;
use deploy_by_code::sys::{open, secret};
use deploy_by_code::text::escape;
use ureq::http::{Response, StatusCode, Uri};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};
use ureq::{Agent, Body};

/// How long a request may take with its answer.
const TIME_MAX: Duration = Duration::from_secs(10);

/// How much of an answer is read, in bytes.
const ANSWER_MAX: u64 = 64 * 1024;

/// How much of an answer is shown, in characters.
const SHOWN_MAX: usize = 200;

/// How often a redirect is followed.
const REDIRECTS_MAX: usize = 3;

/// How large a file with certificates can be, in bytes.
const CERTIFICATES_MAX: u64 = 1024 * 1024;

/// Sends a request, and says what became of it. No message has the URL of a file in it.
pub(crate) fn post(address: &HttpAddress, headers: &[(&str, String)], body: &[u8]) -> Told {
    match try_post(address, headers, body) {
        Ok(told) => told,
        Err(why) => Told::Later(why),
    }
}

fn try_post(
    address: &HttpAddress,
    headers: &[(&str, String)],
    body: &[u8],
) -> Result<Told, String> {
    let url = match &address.url {
        HttpUrl::Plain(url) => url.clone(),
        HttpUrl::File(file) => secret::read(file)
            .map_err(|error| format!("url_file {}: {error}", file.display()))?
            .expose()
            .to_owned(),
    };
    let mut uri: Uri = url
        .parse()
        .map_err(|_| "the URL is not one that a request can be sent to".to_owned())?;
    let agent = agent(address.ca_file.as_deref())?;

    for _ in 0..=REDIRECTS_MAX {
        let mut request = agent.post(uri.clone());
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let response = request.send(body).map_err(|error| why(&error))?;
        let Some(next) = redirect(&uri, &response) else {
            return Ok(answer(response));
        };
        uri = next;
    }
    Err(format!("it redirected more than {REDIRECTS_MAX} times"))
}

/// An agent that trusts the authorities of a file, or those that the machine trusts.
fn agent(ca_file: Option<&Path>) -> Result<Agent, String> {
    let certificates = match ca_file {
        Some(file) => of_file(file)?,
        None => rustls_native_certs::load_native_certs()
            .certs
            .iter()
            .map(|found| Certificate::from_der(found).to_owned())
            .collect(),
    };

    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(provider)
        .root_certs(RootCerts::new_with_certs(&certificates))
        .build();
    let config = Agent::config_builder()
        .timeout_global(Some(TIME_MAX))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .proxy(None)
        .user_agent(concat!("deploy-by-code/", env!("CARGO_PKG_VERSION")))
        .tls_config(tls)
        .build();
    Ok(config.new_agent())
}

fn of_file(file: &Path) -> Result<Vec<Certificate<'static>>, String> {
    let shown = file.display();
    let pem = open::read(file, CERTIFICATES_MAX);
    let pem = pem.map_err(|error| format!("ca_file {shown}: {error}"))?;
    let mut certificates = Vec::new();
    for item in parse_pem(&pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => certificates.push(certificate),
            Ok(_) => {}
            Err(error) => return Err(format!("ca_file {shown}: {error}")),
        }
    }
    if certificates.is_empty() {
        return Err(format!("ca_file {shown}: there is no certificate in it"));
    }
    Ok(certificates)
}

/// Where a request is repeated; `None`: the answer is the last one.
fn redirect(uri: &Uri, response: &Response<Body>) -> Option<Uri> {
    let keeps_method = matches!(
        response.status(),
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT
    );
    let location = response.headers().get("location")?.to_str().ok()?;
    if !keeps_method {
        return None;
    }

    let next: Uri = if location.starts_with('/') && !location.starts_with("//") {
        let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
        format!("{scheme}://{authority}{location}").parse().ok()?
    } else {
        location.parse().ok()?
    };
    let is_same = next.scheme() == uri.scheme()
        && next.host() == uri.host()
        && next.port_u16() == uri.port_u16();
    is_same.then_some(next)
}

/// What an answer means: 2xx is taken; 408, 425, 429, 3xx and 5xx may be taken later; every other
/// 4xx never will.
fn answer(mut response: Response<Body>) -> Told {
    let status = response.status();
    let mut bytes = Vec::new();
    // What can't be read any more changes nothing about the status.
    let _ = response
        .body_mut()
        .as_reader()
        .take(ANSWER_MAX)
        .read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().find(|line| !line.trim().is_empty());
    let mut said = status.to_string();
    if let Some(line) = line {
        said.push_str(": ");
        said.push_str(&escape(line.trim(), SHOWN_MAX));
    }

    if status.is_success() {
        return Told::Delivered(said);
    }
    if status.is_redirection() {
        return Told::Later(format!("{said}; it leads elsewhere, and is not followed"));
    }
    let may_pass = matches!(
        status,
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
    );
    if status.is_client_error() && !may_pass {
        return Told::Refused(said);
    }
    Told::Later(said)
}

/// Why there was no answer. ureq's messages name no URL, except that of a host that is not found.
fn why(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => {
            format!("it gave no answer within {} s", TIME_MAX.as_secs())
        }
        ureq::Error::BadUri(_) => "the URL is not one that a request can be sent to".to_owned(),
        error => escape(error.to_string(), SHOWN_MAX),
    }
}
