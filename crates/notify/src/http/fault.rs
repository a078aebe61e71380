//! Why a request was not answered.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use rustls::CertificateError;

/// Why a request was not answered. [`Fault::Certificate`] and [`Fault::Request`] hold words of
/// others, which can have a part of the URL in them; see [`super::hidden`].
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The file with the URL can't be used.
    #[error("url_file {}: {}", .0.display(), .1)]
    UrlFile(PathBuf, #[source] io::Error),

    /// The text is no URL.
    #[error("it is no URL like https://example.org/path")]
    NoUrl,

    /// The file with certificates can't be used.
    #[error("ca_file {}: {}", .0.display(), .1)]
    CaFile(PathBuf, #[source] io::Error),

    /// The machine trusts nobody.
    #[error(
        "no certificate of an authority is found on this machine; install ca-certificates, or name \
         a ca_file"
    )]
    NoAuthorities,

    /// There was no answer in time.
    #[error("it gave no answer within {} s", .0.as_secs())]
    TooSlow(Duration),

    /// It redirects for ever.
    #[error("it redirected more than {0} times")]
    Redirects(usize),

    /// The server's certificate is not accepted.
    #[error("its certificate is not accepted: {}", certificate(.0))]
    Certificate(CertificateError),

    /// The request failed.
    #[error("{}", request(.0))]
    Request(ureq::Error),
}

impl Fault {
    /// The fault of a request that may take so long.
    pub(super) fn of(error: ureq::Error, time_max: Duration) -> Self {
        match error {
            ureq::Error::Timeout(_) => Self::TooSlow(time_max),
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => Self::NoUrl,
            error => match certificate_error(&error) {
                Some(why) => Self::Certificate(why),
                None => Self::Request(error),
            },
        }
    }
}

/// What is wrong with the server's certificate, if that is why a request failed.
fn certificate_error(error: &ureq::Error) -> Option<CertificateError> {
    let error = match error {
        ureq::Error::Rustls(error) => error,
        ureq::Error::Io(error) => error.get_ref()?.downcast_ref()?,
        _ => return None,
    };
    match error {
        rustls::Error::InvalidCertificate(why) => Some(why.clone()),
        _ => None,
    }
}

fn certificate(error: &CertificateError) -> String {
    let why = match error {
        CertificateError::UnknownIssuer => "no authority that is trusted here signed it",
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is for another name"
        }
        error => return error.to_string(),
    };
    why.to_owned()
}

fn request(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Io(error) => error.to_string(),
        ureq::Error::HostNotFound => "no address is found for its name".to_owned(),
        ureq::Error::ConnectionFailed => "no connection can be made".to_owned(),
        error => error.to_string(),
    }
}
