//! `--check`: looks at what each target needs, and tries whether its server can be reached. Nothing
//! is sent. `deploy-by-code doctor` reads the answer.
//!
//! Protocol: each target is looked at on a thread of its own, for at most [`TIME_MAX`]: the look-up
//! of a name can hang. A connection is made and closed again, before a byte is sent.
//!
//! It does not promise that the server takes anything.

use std::io::{self, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use deploy_by_code::config::{HttpAddress, HttpUrl, NotifyKind, SmtpServer};
use deploy_by_code::deploy_repository::DeployRepository;
use deploy_by_code::publish::target_faults;
use deploy_by_code::report::to_json;
use deploy_by_code::sys::clock::Deadline;
use deploy_by_code::sys::{open, secret};
use serde::Serialize;
use ureq::http::Uri;
use ureq::tls::{PemItem, parse_pem};

/// How long it takes to look at all targets, at most.
const TIME_MAX: Duration = Duration::from_secs(6);

/// How long a connection may take.
const CONNECT_MAX: Duration = Duration::from_secs(3);

/// How large a file with certificates can be, in bytes.
const CERTIFICATES_MAX: u64 = 1024 * 1024;

/// What was found about one target. `fix` is null where nothing needs to be done.
#[derive(Serialize)]
struct Looked {
    target: String,
    found: String,
    fix: Option<String>,
}

/// Something is wrong: what was found, and what to do.
struct Fault(String, &'static str);

/// Looks at each target and prints what was found.
pub(crate) fn check(deploy: &DeployRepository) {
    let deadline = Deadline::after(TIME_MAX);
    let mut waiting = Vec::new();
    for (name, section) in &deploy.config.notify {
        let kind = section.kind.clone();
        let (sender, answer) = mpsc::channel();
        // A thread that can't be started sends nothing, and is reported as one that hangs.
        let _ = thread::Builder::new().spawn(move || sender.send(look(&kind)));
        waiting.push((name, answer));
    }

    let looked: Vec<Looked> = waiting
        .into_iter()
        .map(|(name, answer)| {
            let answer = answer.recv_timeout(deadline.left());
            let (found, fix) = answer.unwrap_or_else(|_| {
                let fix = "look at the name servers that this machine asks";
                (
                    "its address can't be looked up in time".to_owned(),
                    Some(fix.to_owned()),
                )
            });
            let target = name.to_string();
            Looked { target, found, fix }
        })
        .collect();
    let _ = writeln!(io::stdout(), "{}", to_json(&looked));
}

/// What was found about a target, and what to do about it.
fn look(kind: &NotifyKind) -> (String, Option<String>) {
    if let Some(fault) = target_faults(kind).into_iter().next() {
        return (fault.found, Some(fault.fix));
    }
    let looked = match kind {
        NotifyKind::Webhook { address, .. }
        | NotifyKind::Slack(address)
        | NotifyKind::CdEvents(address) => http(address),
        NotifyKind::Mail(mail) => match mail.server() {
            Some(server) => smtp(server),
            None => Ok("sendmail is there".to_owned()),
        },
        NotifyKind::Command(_) => Ok("the program is there".to_owned()),
    };
    match looked {
        Ok(found) => (found, None),
        Err(Fault(found, fix)) => (found, Some(fix.to_owned())),
    }
}

fn http(address: &HttpAddress) -> Result<String, Fault> {
    certificates(address.ca_file.as_deref())?;
    let (url, key) = match &address.url {
        HttpUrl::Plain(url) => (url.clone(), "url"),
        HttpUrl::File(file) => {
            let fix = "write the URL into the file";
            let read = secret::read(file);
            let read = read.map_err(|error| Fault(format!("url_file: {error}"), fix))?;
            (read.expose().to_owned(), "url_file")
        }
    };

    let uri: Option<Uri> = url.parse().ok();
    let place = uri.as_ref().and_then(|uri| {
        let usual = match uri.scheme_str()? {
            "https" => 443,
            "http" => 80,
            _ => return None,
        };
        Some((uri.host()?, uri.port_u16().unwrap_or(usual)))
    });
    let Some((host, port)) = place else {
        let found = format!("{key} has no URL that a request can be sent to");
        return Err(Fault(found, "write a URL that begins with https://"));
    };
    connect(host, port)
}

fn smtp(server: &SmtpServer) -> Result<String, Fault> {
    certificates(server.ca_file.as_deref())?;
    let usual = match (
        server.is_smtps,
        server.is_this_machine() && server.login.is_none(),
    ) {
        (true, _) => 465,
        (false, true) => 25,
        (false, false) => 587,
    };
    connect(&server.host, server.port.unwrap_or(usual))
}

/// Connects to a server, and sends nothing.
fn connect(host: &str, port: u16) -> Result<String, Fault> {
    let name = host.trim_start_matches('[').trim_end_matches(']');
    let addresses = (name, port).to_socket_addrs().map_err(|error| {
        let found = format!("the address of {host} can't be looked up: {error}");
        Fault(
            found,
            "correct the name, or the name servers that this machine asks",
        )
    })?;

    let deadline = Deadline::after(CONNECT_MAX);
    let mut last = io::Error::other("it has no address");
    for address in addresses {
        // A time limit of zero is an error.
        let limit = deadline.left().max(Duration::from_millis(1));
        match TcpStream::connect_timeout(&address, limit) {
            Ok(_) => return Ok(format!("{host}:{port} can be reached")),
            Err(error) => last = error,
        }
    }
    let found = format!("{host}:{port} can't be reached: {last}");
    Err(Fault(
        found,
        "correct the address, or let this machine connect to it",
    ))
}

/// Checks that a file has certificates in it.
fn certificates(file: Option<&Path>) -> Result<(), Fault> {
    let Some(file) = file else { return Ok(()) };
    let shown = file.display();
    let fix = "write the certificates of the authority into it, as PEM";
    let pem = open::read(file, CERTIFICATES_MAX);
    let pem = pem.map_err(|error| Fault(format!("ca_file {shown}: {error}"), fix))?;
    let mut count = 0;
    for item in parse_pem(&pem) {
        match item {
            Ok(PemItem::Certificate(_)) => count += 1,
            Ok(_) => {}
            Err(error) => return Err(Fault(format!("ca_file {shown}: {error}"), fix)),
        }
    }
    match count {
        0 => Err(Fault(
            format!("ca_file {shown}: there is no certificate in it"),
            fix,
        )),
        _ => Ok(()),
    }
}
