//! The authorities that sign the certificates of servers.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use deploy_by_code::sys::open;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// How large a file with certificates can be, in bytes.
const CERTIFICATES_MAX: u64 = 1024 * 1024;

/// Why a server's certificate can't be checked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthorityError {
    /// The file can't be read, or has something else than certificates in it.
    #[error("ca_file {}: {error}", file.display())]
    File { file: PathBuf, error: io::Error },
    /// The machine trusts nobody.
    #[error(
        "this machine trusts no authority: install the package ca-certificates, or set ca_file"
    )]
    Nobody,
    /// The library has no protocol that it can use.
    #[error("TLS can't be used: {0}")]
    Tls(#[source] rustls::Error),
}

/// How a client does TLS that trusts the authorities of a file, or those that the machine trusts.
pub(crate) fn tls_client(ca_file: Option<&Path>) -> Result<ClientConfig, AuthorityError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(AuthorityError::Tls)?
        .with_root_certificates(authorities(ca_file)?);
    Ok(client.with_no_client_auth())
}

fn authorities(ca_file: Option<&Path>) -> Result<RootCertStore, AuthorityError> {
    let Some(file) = ca_file else {
        let mut trusted = RootCertStore::empty();
        // Some of what a machine trusts is older than what can be read today.
        trusted.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return if trusted.is_empty() {
            Err(AuthorityError::Nobody)
        } else {
            Ok(trusted)
        };
    };
    of_file(file).map_err(|error| AuthorityError::File {
        file: file.to_owned(),
        error,
    })
}

fn of_file(file: &Path) -> io::Result<RootCertStore> {
    let mut trusted = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&open::read(file, CERTIFICATES_MAX)?) {
        let certificate = certificate.map_err(io::Error::other)?;
        trusted.add(certificate).map_err(io::Error::other)?;
    }
    if trusted.is_empty() {
        return Err(io::Error::other("there is no certificate in it"));
    }
    Ok(trusted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_without_certificates_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        let name = file.display().to_string();
        let table = [
            ("", "there is no certificate in it"),
            ("no certificate\n", "there is no certificate in it"),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                "invalid peer certificate: BadEncoding",
            ),
        ];
        for (content, why) in table {
            std::fs::write(&file, content).unwrap();
            let error = tls_client(Some(&file)).unwrap_err().to_string();
            assert_eq!(error, format!("ca_file {name}: {why}"));
        }

        std::fs::remove_file(&file).unwrap();
        let error = tls_client(Some(&file)).unwrap_err().to_string();
        assert!(error.starts_with(&format!("ca_file {name}: ")), "{error}");
    }
}
