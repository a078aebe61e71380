//! An answer before it is sent: what kind of text it is, and its bytes.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderMap, HeaderName,
    HeaderValue, IF_NONE_MATCH, RETRY_AFTER, VARY,
};
use axum::response::Response;
use deploy_by_code::text::with_causes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::Stream;

use crate::fault::Fault;

/// What is shorter is sent as it is.
const COMPRESSED_MIN: usize = 1024;

/// A text of some kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextKind {
    Html,
    Plain,
    Json,
    Atom,
    Svg,
    Css,
    Script,
    Figures,
}

impl TextKind {
    fn media_type(self) -> &'static str {
        match self {
            Self::Html => "text/html; charset=utf-8",
            Self::Plain => "text/plain; charset=utf-8",
            Self::Json => "application/json",
            Self::Atom => "application/atom+xml; charset=utf-8",
            Self::Svg => "image/svg+xml",
            Self::Css => "text/css; charset=utf-8",
            Self::Script => "text/javascript; charset=utf-8",
            // Prometheus, "Exposition formats".
            Self::Figures => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// See the head of the file.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    kind: TextKind,
    text: Vec<u8>,
    /// Whether it is the same for everybody, so that what stands in between may keep it.
    is_public: bool,
}

impl Reply {
    pub(crate) fn new(status: StatusCode, kind: TextKind, text: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            kind,
            text: text.into(),
            is_public: false,
        }
    }

    /// What was asked for.
    pub(crate) fn ok(kind: TextKind, text: impl Into<Vec<u8>>) -> Self {
        Self::new(StatusCode::OK, kind, text)
    }

    /// A file of the page itself, which is the same for everybody.
    pub(crate) fn asset(kind: TextKind, text: impl Into<Vec<u8>>) -> Self {
        Self {
            is_public: true,
            ..Self::ok(kind, text)
        }
    }

    /// Why nothing can be shown, without a page around it.
    pub(crate) fn plain(fault: &Fault) -> Self {
        let mut text = format!("{}\n", with_causes(fault));
        if let Some(hint) = fault.hint() {
            text.push_str(&format!("  hint: {hint}\n"));
        }
        Self::new(fault.status(), TextKind::Plain, text)
    }

    /// The answer to a request with some headers: none if the client has it already, and
    /// compressed if the client can read that.
    pub(crate) fn answer(self, asked: &HeaderMap) -> Response {
        let tag = tag(&self.text);
        let is_known = self.status == StatusCode::OK && has_tag(asked, &tag);
        let is_long = self.text.len() >= COMPRESSED_MIN;
        let compressed = match accepts_gzip(asked) && is_long && !is_known {
            true => compress(&self.text).ok(),
            false => None,
        };

        let is_compressed = compressed.is_some();
        let body = match is_known {
            true => Bytes::new(),
            false => compressed.unwrap_or(self.text).into(),
        };
        let mut answer = Response::new(Body::from(body));
        *answer.status_mut() = match is_known {
            true => StatusCode::NOT_MODIFIED,
            false => self.status,
        };

        let headers = answer.headers_mut();
        let mut set =
            |name: HeaderName, value| headers.insert(name, HeaderValue::from_static(value));
        set(CONTENT_TYPE, self.kind.media_type());
        set(VARY, "accept-encoding");
        if is_compressed {
            set(CONTENT_ENCODING, "gzip");
        }
        if self.status == StatusCode::OK {
            let cache = match self.is_public {
                true => "no-cache",
                // A web server that asks people who they are must not keep it for others.
                false => "private, no-cache",
            };
            set(CACHE_CONTROL, cache);
            if let Ok(tag) = HeaderValue::from_str(&tag) {
                headers.insert(ETAG, tag);
            }
        } else {
            set(CACHE_CONTROL, "no-store");
            if self.status == StatusCode::SERVICE_UNAVAILABLE {
                set(RETRY_AFTER, "5");
            }
        }
        answer
    }
}

/// An answer that comes in pieces. Each is made when there is room for it. After an error the
/// connection is broken off, so that nobody takes what came for all of it.
pub(crate) fn stream(
    media_type: &'static str,
    pieces: impl Stream<Item = Result<Bytes, Fault>> + Send + 'static,
) -> Response {
    let mut answer = Response::new(Body::from_stream(pieces));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// Server-sent events.
pub(crate) fn events(
    events: impl Stream<Item = Result<Bytes, Fault>> + Send + 'static,
) -> Response {
    let mut answer = stream("text/event-stream", events);
    // nginx would keep the events until it has many.
    let headers = answer.headers_mut();
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    answer
}

/// A weak validator (RFC 9110, 8.8.1): it is the same for the compressed text.
fn tag(text: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("W/\"{:016x}\"", hasher.finish())
}

fn has_tag(asked: &HeaderMap, tag: &str) -> bool {
    let known = asked.get_all(IF_NONE_MATCH).into_iter();
    let known = known.filter_map(|value| value.to_str().ok());
    let strong = tag.trim_start_matches("W/");
    known
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|one| one == "*" || one.trim_start_matches("W/") == strong)
}

/// Whether a client can read gzip (RFC 9110, 12.5.3).
fn accepts_gzip(asked: &HeaderMap) -> bool {
    let values = asked.get_all(ACCEPT_ENCODING).into_iter();
    let mut codings = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    codings.any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let is_gzip = parts
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let is_refused = |part: &str| {
            let weight = part
                .strip_prefix("q=")
                .and_then(|weight| weight.parse::<f32>().ok());
            weight.is_some_and(|weight| weight <= 0.0)
        };
        is_gzip && !parts.any(is_refused)
    })
}

fn compress(text: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(4));
    encoder.write_all(text)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use axum::body::HttpBody as _;

    use super::*;

    fn asked(name: HeaderName, value: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_static(value));
        headers
    }

    #[test]
    fn text_is_compressed_only_for_those_who_can_read_it() {
        let table = [
            ("gzip", true),
            ("br, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("identity", false),
            ("xgzip", false),
        ];
        for (value, expect) in table {
            let headers = asked(ACCEPT_ENCODING, value);
            let answer = Reply::ok(TextKind::Plain, "a".repeat(5000)).answer(&headers);
            let is_compressed = answer.headers().contains_key(CONTENT_ENCODING);
            assert_eq!(is_compressed, expect, "{value}");
            assert_eq!(
                answer.body().size_hint().exact() < Some(5000),
                expect,
                "{value}"
            );
        }
    }

    #[test]
    fn what_a_client_has_is_not_sent_again() {
        let first = Reply::ok(TextKind::Plain, "text").answer(&HeaderMap::new());
        let tag = first.headers()[ETAG].to_str().unwrap().to_owned();
        for (known, status) in [
            (tag.clone(), StatusCode::NOT_MODIFIED),
            (format!("\"x\", {}", &tag[2..]), StatusCode::NOT_MODIFIED),
            ("*".to_owned(), StatusCode::NOT_MODIFIED),
            ("\"x\"".to_owned(), StatusCode::OK),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(IF_NONE_MATCH, HeaderValue::from_str(&known).unwrap());
            let answer = Reply::ok(TextKind::Plain, "text").answer(&headers);
            assert_eq!(answer.status(), status, "{known}");
        }

        let headers = asked(IF_NONE_MATCH, "*");
        let error = Reply::new(StatusCode::NOT_FOUND, TextKind::Plain, "").answer(&headers);
        assert_eq!(error.status(), StatusCode::NOT_FOUND);
        assert!(!error.headers().contains_key(ETAG));
    }
}
