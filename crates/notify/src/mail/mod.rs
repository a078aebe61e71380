//! Telling people by mail.

mod body;
mod log_end;
mod message;
mod send;
mod sendmail;
mod smtp;

pub(crate) use send::send;
