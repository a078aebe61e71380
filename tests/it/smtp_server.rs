//! A real SMTP server, which misbehaves as a test wants, and an authority that signs its
//! certificate.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;

use serde::Deserialize;
use serde_json::Value;

use crate::processes::{in_background, kill_child};
use crate::run::run;
use crate::world::World;

/// The program, see its head.
const PROGRAM: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/data/notify/smtp_server.py"
);

/// The interpreter that Debian's package aiosmtpd belongs to.
const PYTHON: &str = "/usr/bin/python3";

/// What openssl(1) needs to know to make an authority and a certificate that it signs.
const OPENSSL: &str = "\
[req]
distinguished_name = name
prompt = no
[name]
CN = localhost
[authority]
basicConstraints = critical, CA:TRUE
[server]
basicConstraints = CA:FALSE
subjectAltName = DNS:localhost, IP:127.0.0.1
";

/// A mail that the server took.
#[derive(Debug, Deserialize)]
pub struct Mail {
    /// The sender in the envelope.
    pub from: String,
    /// The recipients in the envelope.
    pub to: Vec<String>,
    pub encrypted: bool,
    /// As whom the client logged in.
    pub login: Option<String>,
    /// The whole mail as it arrived.
    pub raw: String,
    headers: Vec<(String, String)>,
    /// The text, decoded.
    pub body: String,
}

impl Mail {
    /// A header, decoded. There must be no more than one of its name.
    #[track_caller]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(found, _)| found == name);
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} is there twice: {self:#?}");
        value
    }

    /// The names of all headers.
    pub fn header_names(&self) -> Vec<&str> {
        self.headers.iter().map(|(name, _)| name.as_str()).collect()
    }

    #[track_caller]
    pub fn subject(&self) -> &str {
        self.header("Subject").unwrap()
    }
}

/// See the head of the file.
pub struct SmtpServer {
    folder: PathBuf,
    /// `None`: it does not run.
    child: Option<Child>,
    pub port: u16,
}

impl SmtpServer {
    /// Starts a server in the folder `smtp` of the world.
    #[track_caller]
    pub fn start(world: &World, behaviour: Value) -> Self {
        let folder = world.path("smtp");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("openssl.cnf"), OPENSSL).unwrap();
        certificate(world, "authority", "ca", &[]);
        let signed = ["-CA", "ca.pem", "-CAkey", "ca.key"];
        certificate(world, "server", "server", &signed);

        let (child, port) = spawn(world, &folder, 0, &behaviour);
        Self {
            folder,
            child: Some(child),
            port,
        }
    }

    /// Ends the server, in the middle of whatever it does.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            kill_child(&mut child);
        }
    }

    /// Ends the server, and starts it again at the same port with another behaviour.
    #[track_caller]
    pub fn behave(&mut self, world: &World, behaviour: Value) {
        self.stop();
        self.child = Some(spawn(world, &self.folder, self.port, &behaviour).0);
    }

    /// The file with the authority's certificate.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// The mails that it took, in their order.
    pub fn mails(&self) -> Vec<Mail> {
        let files = (0..).map(|number| self.folder.join(format!("mail.{number}")));
        let texts = files.map_while(|file| fs::read_to_string(file).ok());
        texts
            .map(|text| serde_json::from_str(&text).unwrap())
            .collect()
    }

    /// Waits until it has taken this many mails.
    #[track_caller]
    pub fn wait_for_mails(&self, world: &World, count: usize) -> Vec<Mail> {
        world.wait_until("the mails arrive", || self.mails().len() >= count);
        let mails = self.mails();
        assert_eq!(mails.len(), count, "{mails:#?}");
        mails
    }
}

/// Makes a key and a certificate for it, `NAME.key` and `NAME.pem`.
fn certificate(world: &World, section: &str, name: &str, signed: &[&str]) {
    let (key, pem) = (format!("{name}.key"), format!("{name}.pem"));
    let mut openssl = world.command("openssl", "smtp");
    openssl
        .args(["req", "-x509", "-days", "2", "-nodes", "-newkey", "ec"])
        .args(["-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-config", "openssl.cnf", "-extensions", section])
        .args(["-keyout", &key, "-out", &pem])
        .args(signed);
    run(&mut openssl, b"").ok();
}

/// Starts the program and waits until it listens.
#[track_caller]
fn spawn(world: &World, folder: &Path, port: u16, behaviour: &Value) -> (Child, u16) {
    let ready = folder.join("port");
    let _ = fs::remove_file(&ready);
    fs::write(folder.join("behaviour"), behaviour.to_string()).unwrap();

    let mut python = world.command(PYTHON, "smtp");
    python.arg(PROGRAM).arg(folder).arg(port.to_string());
    let child = in_background(&mut python);
    world.wait_until("the SMTP server listens", || ready.exists());
    let port = fs::read_to_string(ready).unwrap().parse().unwrap();
    (child, port)
}
