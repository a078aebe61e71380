//! Telling people by mail.

mod address;
mod body;
mod fate;
mod log_end;
mod message;
mod send;
mod sendmail;
mod smtp;
mod smtp_connection;

pub(crate) use send::send;
