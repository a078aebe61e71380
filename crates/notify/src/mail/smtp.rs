//! Sending by an SMTP server.
//!
//! Protocol: the connection is encrypted, by STARTTLS or from its first byte (RFC 8314), and the
//! server's certificate is checked. Only to this machine itself may it be plain, and then STARTTLS
//! is used where the server offers it. Each step has a time limit. A password is sent only after
//! the encryption stands.
//!
//! An answer of 5xx is for good, except about the login: an administrator can mend a password.

use std::time::Duration;

use deploy_by_code::config::SmtpServer;
use deploy_by_code::publish::Told;
use deploy_by_code::sys::{open, secret};
use deploy_by_code::text::{escape, with_causes};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::{Error, SmtpTransport};
use lettre::{Message, Transport};

/// How long each step of the conversation may take.
const STEP_MAX: Duration = Duration::from_secs(10);

/// The ports of mail submission (RFC 8314, 7) and of a mail server on this machine.
const PORT_STARTTLS: u16 = 587;
const PORT_SMTPS: u16 = 465;
const PORT_PLAIN: u16 = 25;

/// How large a file with certificates can be, in bytes.
const CERTIFICATES_MAX: u64 = 1024 * 1024;

/// How much of an answer is shown, in characters.
const SHOWN_MAX: usize = 200;

/// Hands a message over.
pub(super) fn send(server: &SmtpServer, message: &Message) -> Told {
    let transport = match transport(server) {
        Ok(transport) => transport,
        Err(why) => return Told::Later(why),
    };
    match transport.send(message) {
        Ok(response) => {
            let said: Vec<&str> = response.message().collect();
            let said = escape(said.join(" "), SHOWN_MAX);
            Told::Delivered(format!("{} {said}", response.code()))
        }
        Err(error) => {
            let why = escape(with_causes(&error), SHOWN_MAX);
            if error.is_permanent() && !is_about_login(&error) {
                Told::Refused(why)
            } else {
                Told::Later(why)
            }
        }
    }
}

fn transport(server: &SmtpServer) -> Result<SmtpTransport, String> {
    let tls = tls(server)?;
    let port = match &tls {
        Tls::Wrapper(_) => PORT_SMTPS,
        Tls::Required(_) => PORT_STARTTLS,
        Tls::Opportunistic(_) | Tls::None => PORT_PLAIN,
    };
    let host = server.host.trim_start_matches('[').trim_end_matches(']');
    let mut builder = SmtpTransport::builder_dangerous(host)
        .port(server.port.unwrap_or(port))
        .timeout(Some(STEP_MAX))
        .tls(tls);
    if let Some((user, file)) = &server.login {
        let password = secret::read(file);
        let password =
            password.map_err(|error| format!("password_file {}: {error}", file.display()))?;
        let login = Credentials::new(user.clone(), password.expose().to_owned());
        builder = builder.credentials(login);
    }
    Ok(builder.build())
}

fn tls(server: &SmtpServer) -> Result<Tls, String> {
    let host = server.host.trim_start_matches('[').trim_end_matches(']');
    let mut parameters = TlsParameters::builder(host.to_owned());
    if let Some(file) = &server.ca_file {
        let certificate = open::read(file, CERTIFICATES_MAX)
            .map_err(|error| error.to_string())
            .and_then(|pem| Certificate::from_pem(&pem).map_err(|error| with_causes(&error)));
        let error = |error| format!("ca_file {}: {error}", file.display());
        parameters = parameters.add_root_certificate(certificate.map_err(error)?);
    }
    let parameters = parameters.build_rustls();
    let parameters = parameters.map_err(|error| with_causes(&error))?;

    Ok(if server.is_smtps {
        Tls::Wrapper(parameters)
    } else if server.is_this_machine() && server.login.is_none() {
        Tls::Opportunistic(parameters)
    } else {
        Tls::Required(parameters)
    })
}

/// Whether the server refused the login (RFC 4954, 6).
fn is_about_login(error: &Error) -> bool {
    let code = error.status().map(u16::from);
    matches!(code, Some(530 | 534 | 535 | 538))
}
