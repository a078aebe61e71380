//! Whose certificates are trusted: those that the authorities of a file have signed, or those of
//! the machine.

use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use deploy_by_code::sys::open;
use ureq::tls::{Certificate, PemItem, RootCerts, parse_pem};

use super::fault::Fault;

/// How large a file with certificates can be, in bytes.
const CERTIFICATES_MAX: u64 = 1024 * 1024;

/// The machine's authorities, read once: they are more than a hundred.
static OF_MACHINE: Mutex<Option<RootCerts>> = Mutex::new(None);

/// The authorities of a file, or those that the machine trusts.
///
/// # Errors
/// The file can't be used, or the machine trusts nobody.
pub(super) fn authorities(ca_file: Option<&Path>) -> Result<RootCerts, Fault> {
    match ca_file {
        Some(file) => of_file(file).map_err(|error| Fault::CaFile(file.to_owned(), error)),
        None => of_machine(),
    }
}

/// Lets the machine's authorities be read once more. An administrator may have added the one that
/// was missing, and the next try must see that.
pub(super) fn forget() {
    *known() = None;
}

fn known() -> MutexGuard<'static, Option<RootCerts>> {
    // A thread that panicked has left what was known before.
    OF_MACHINE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn of_machine() -> Result<RootCerts, Fault> {
    let mut known = known();
    if let Some(known) = &*known {
        return Ok(known.clone());
    }

    // Files that can't be read are passed over, as other programs do: the others count.
    let found = rustls_native_certs::load_native_certs().certs;
    if found.is_empty() {
        return Err(Fault::NoAuthorities);
    }
    let certificates = found
        .iter()
        .map(|der| Certificate::from_der(der).to_owned());
    let authorities: RootCerts = certificates.into();
    *known = Some(authorities.clone());
    Ok(authorities)
}

fn of_file(file: &Path) -> io::Result<RootCerts> {
    let pem = open::read(file, CERTIFICATES_MAX)?;
    let mut certificates = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item.map_err(io::Error::other)? {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        return Err(io::Error::other("there is no certificate in it"));
    }
    Ok(certificates.into())
}
