//! HTTP requests, bounded in every direction.

mod fault;
mod hidden;
mod post;
mod trust;

pub(crate) use post::post;
