//! Sending by an SMTP server.
//!
//! Protocol: the connection is encrypted, by STARTTLS (RFC 3207) or from its first byte (RFC 8314),
//! and the server's certificate is checked. Only on this machine itself may it be plain. A password
//! is sent only over an encrypted connection, and what a server says about it is not repeated: it
//! could repeat the password. The whole takes [`TIME_MAX`] at most.
//!
//! Recipients are taken, refused or put off one by one: if the server takes some of them, these get
//! the mail. An answer of 5xx about the mail is for good, and one of 4xx is
//! not. An answer about the connection or the login is never for good: an administrator can mend
//! it.
//!
//! It does not promise that a mail is sent only once: a connection can be lost before the answer.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use deploy_by_code::config::SmtpServer;
use deploy_by_code::sys::clock::Deadline;
use deploy_by_code::sys::host::mail_name;
use deploy_by_code::sys::secret::{self, Secret};
use lettre::Message;
use rustls::ClientConfig;

use super::fate::{Fate, Fates, all};
use super::smtp_connection::{Answer, SmtpConnection};
use crate::authorities::{AuthorityError, tls_client};

/// How long everything may take.
const TIME_MAX: Duration = Duration::from_secs(60);

/// The ports of mail submission (RFC 8314, 7) and of a mail server on this machine.
const PORT_STARTTLS: u16 = 587;
const PORT_SMTPS: u16 = 465;
const PORT_PLAIN: u16 = 25;

/// Answers that are about the login (RFC 4954, 6).
const LOGIN_CODES: &[u16] = &[530, 534, 535, 538];

/// Why a mail was not sent.
#[derive(Debug, thiserror::Error)]
enum SmtpError {
    #[error("connecting to {host}, port {port}: {error}")]
    Connect {
        host: String,
        port: u16,
        error: io::Error,
    },
    #[error("{0}: {1}")]
    Io(&'static str, #[source] io::Error),
    #[error("{0}: {1}")]
    Answer(&'static str, Answer),
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    #[error("password_file {}: {error}", file.display())]
    Password { file: PathBuf, error: io::Error },
    #[error("the server does not offer STARTTLS, so nothing was sent to it")]
    NoEncryption,
    #[error("the server does not offer a login with PLAIN or LOGIN")]
    NoLogin,
    #[error("the server refuses the login: {0}; see login and password_file")]
    Login(u16),
    #[error("the server has no SMTPUTF8, which the address in from needs, as it is not ASCII")]
    NoUtf8,
}

impl SmtpError {
    /// Whether it stays so, whatever an administrator of the server does.
    fn is_final(&self) -> bool {
        match self {
            Self::Answer("MAIL" | "DATA" | "the message", answer) => is_final(answer),
            Self::NoUtf8 => true,
            _ => false,
        }
    }
}

/// Whether an answer is about the mail, and for good.
fn is_final(answer: &Answer) -> bool {
    answer.code >= 500 && !LOGIN_CODES.contains(&answer.code)
}

/// Hands a message over.
pub(super) fn send(server: &SmtpServer, message: &Message) -> Fates {
    try_send(server, message).unwrap_or_else(|error| {
        let why = error.to_string();
        let fate = match error.is_final() {
            true => Fate::Refused(why),
            false => Fate::Failed(why),
        };
        all(message.envelope().to(), &fate)
    })
}

/// Sends a message to those whom the server takes.
fn try_send(server: &SmtpServer, message: &Message) -> Result<Fates, SmtpError> {
    let end = Deadline::after(TIME_MAX);
    let host = server.host.trim_start_matches('[').trim_end_matches(']');
    let encryption = Encryption::of(server)?;
    let login = match &server.login {
        Some((user, file)) => {
            let password = secret::read(file);
            let password = password.map_err(|error| SmtpError::Password {
                file: file.clone(),
                error,
            })?;
            Some((user, password))
        }
        None => None,
    };

    let port = server.port.unwrap_or(encryption.usual_port());
    let connection = SmtpConnection::open(host, port, end);
    let mut connection = connection.map_err(|error| SmtpError::Connect {
        host: host.to_owned(),
        port,
        error,
    })?;
    let offers = begin(&mut connection, encryption, host)?;
    if let Some((user, password)) = login {
        log_in(&mut connection, &offers, user, &password)?;
    }
    let sent = hand_over(&mut connection, &offers, message)?;

    // The mail is the server's now, whatever becomes of this.
    let _ = connection.say("QUIT");
    Ok(sent)
}

/// How a connection is encrypted.
enum Encryption {
    FromTheBeginning(ClientConfig),
    StartTls(ClientConfig),
    None,
}

impl Encryption {
    fn of(server: &SmtpServer) -> Result<Self, AuthorityError> {
        // A mail server that was just installed has a certificate that nobody signed. It is not
        // needed for what does not leave this machine.
        let is_secret = server.login.is_some() || server.ca_file.is_some();
        if server.is_this_machine() && !server.is_smtps && !is_secret {
            return Ok(Self::None);
        }
        let client = tls_client(server.ca_file.as_deref())?;
        Ok(if server.is_smtps {
            Self::FromTheBeginning(client)
        } else {
            Self::StartTls(client)
        })
    }

    fn usual_port(&self) -> u16 {
        match self {
            Self::FromTheBeginning(_) => PORT_SMTPS,
            Self::StartTls(_) => PORT_STARTTLS,
            Self::None => PORT_PLAIN,
        }
    }
}

/// Greets the server and encrypts the connection. Returns what the server offers then, in capital
/// letters.
fn begin(
    connection: &mut SmtpConnection,
    encryption: Encryption,
    host: &str,
) -> Result<Vec<String>, SmtpError> {
    let tls = |error| SmtpError::Io("TLS", error);
    let (at_once, later) = match encryption {
        Encryption::FromTheBeginning(client) => (Some(client), None),
        Encryption::StartTls(client) => (None, Some(client)),
        Encryption::None => (None, None),
    };

    if let Some(client) = at_once {
        connection.encrypt(client, host).map_err(tls)?;
    }
    good("the greeting", connection.answer())?;
    let offers = hello(connection)?;
    let Some(client) = later else {
        return Ok(offers);
    };
    if !offers.iter().any(|offer| offer == "STARTTLS") {
        return Err(SmtpError::NoEncryption);
    }
    good("STARTTLS", connection.command("STARTTLS"))?;
    connection.encrypt(client, host).map_err(tls)?;
    hello(connection)
}

/// Says who this is. Returns what the server offers, in capital letters.
fn hello(connection: &mut SmtpConnection) -> Result<Vec<String>, SmtpError> {
    let answer = good("EHLO", connection.command(&format!("EHLO {}", mail_name())))?;
    let offers = answer.lines.iter().skip(1);
    Ok(offers
        .map(|line| line.trim().to_ascii_uppercase())
        .collect())
}

/// Logs in, by PLAIN (RFC 4616) or by LOGIN, whatever the server offers.
fn log_in(
    connection: &mut SmtpConnection,
    offers: &[String],
    user: &str,
    password: &Secret,
) -> Result<(), SmtpError> {
    let ways = offers.iter().find_map(|offer| offer.strip_prefix("AUTH "));
    let offers = |way| ways.is_some_and(|ways| ways.split(' ').any(|word| word == way));
    let (user, password) = (user, password.expose());
    let mut say = |line: &str| match connection.command(line) {
        Ok(answer) if answer.is_good() => Ok(()),
        Ok(answer) => Err(SmtpError::Login(answer.code)),
        Err(error) => Err(SmtpError::Io("the login", error)),
    };

    if offers("PLAIN") {
        let both = STANDARD.encode(format!("\0{user}\0{password}"));
        say(&format!("AUTH PLAIN {both}"))
    } else if offers("LOGIN") {
        say("AUTH LOGIN")?;
        say(&STANDARD.encode(user))?;
        say(&STANDARD.encode(password))
    } else {
        Err(SmtpError::NoLogin)
    }
}

/// Hands over one message. As [`try_send`].
fn hand_over(
    connection: &mut SmtpConnection,
    offers: &[String],
    message: &Message,
) -> Result<Fates, SmtpError> {
    let envelope = message.envelope();
    let from = envelope.from().map_or("", AsRef::as_ref);
    let mut message = message.formatted();
    // Nothing else of a message that was written here is not ASCII.
    let has_utf8 = !message.is_ascii();
    let takes_utf8 = offers.iter().any(|offer| offer == "SMTPUTF8");
    let parameters = match (has_utf8, takes_utf8) {
        (false, _) => "",
        (true, true) => " BODY=8BITMIME SMTPUTF8",
        (true, false) if !from.is_ascii() => return Err(SmtpError::NoUtf8),
        (true, false) => {
            message = in_ascii(&message);
            ""
        }
    };
    good(
        "MAIL",
        connection.command(&format!("MAIL FROM:<{from}>{parameters}")),
    )?;

    let mut taken = Vec::new();
    let mut fates = Fates::new();
    for to in envelope.to() {
        let answer = if takes_utf8 || AsRef::<str>::as_ref(to).is_ascii() {
            connection.command(&format!("RCPT TO:<{to}>"))
        } else {
            Ok(no_utf8())
        };
        let answer = answer.map_err(|error| SmtpError::Io("RCPT", error))?;
        match fate(&answer) {
            None => taken.push(to.clone()),
            Some(fate) => fates.push((to.clone(), fate)),
        }
    }
    if taken.is_empty() {
        return Ok(fates);
    }

    good("DATA", connection.command("DATA"))?;
    let answer = good("the message", connection.message(&message))?;
    fates.extend(all(&taken, &Fate::Taken(answer.to_string())));
    Ok(fates)
}

/// What an answer to a recipient means for them; `None`: the server takes them.
fn fate(answer: &Answer) -> Option<Fate> {
    match answer {
        answer if answer.is_good() => None,
        answer if is_final(answer) => Some(Fate::Refused(answer.to_string())),
        answer => Some(Fate::PutOff(answer.to_string())),
    }
}

/// What a server without SMTPUTF8 would answer to an address that is not ASCII: it can't even be
/// asked for it (RFC 6531, 3.5).
fn no_utf8() -> Answer {
    Answer {
        code: 553,
        lines: vec!["the server has no SMTPUTF8, which this address needs".to_owned()],
    }
}

/// A message for a server that takes only ASCII: the others in `To` are shown with question marks.
fn in_ascii(message: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(message);
    let shown = text.chars().map(|c| if c.is_ascii() { c } else { '?' });
    shown.collect::<String>().into_bytes()
}

/// The answer to a step of the conversation, if the server did it.
fn good(step: &'static str, answer: io::Result<Answer>) -> Result<Answer, SmtpError> {
    let answer = answer.map_err(|error| SmtpError::Io(step, error))?;
    if answer.is_good() {
        Ok(answer)
    } else {
        Err(SmtpError::Answer(step, answer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_about_the_mail_is_for_good() {
        let answer = |code| Answer {
            code,
            lines: Vec::new(),
        };
        let table = [
            (SmtpError::Answer("the greeting", answer(554)), false),
            (SmtpError::Answer("EHLO", answer(550)), false),
            (SmtpError::Answer("STARTTLS", answer(501)), false),
            (SmtpError::Login(535), false),
            (SmtpError::Answer("MAIL", answer(451)), false),
            (SmtpError::Answer("MAIL", answer(530)), false),
            (SmtpError::Answer("MAIL", answer(550)), true),
            (SmtpError::Answer("DATA", answer(554)), true),
            (SmtpError::Answer("the message", answer(452)), false),
            (SmtpError::Answer("the message", answer(552)), true),
            (SmtpError::NoUtf8, true),
            (SmtpError::NoEncryption, false),
        ];
        for (error, expect) in table {
            assert_eq!(error.is_final(), expect, "{error}");
        }
    }

    #[test]
    fn recipient_is_refused_or_put_off_as_the_server_says() {
        let table = [
            (250, None),
            (251, None),
            (450, Some(Fate::PutOff("450 x\\u{1b} y".to_owned()))),
            (530, Some(Fate::PutOff("530 x\\u{1b} y".to_owned()))),
            (550, Some(Fate::Refused("550 x\\u{1b} y".to_owned()))),
        ];
        for (code, expect) in table {
            let lines = vec!["x\u{1b}".to_owned(), "y".to_owned()];
            assert_eq!(fate(&Answer { code, lines }), expect, "{code}");
        }
    }
}
