//! The pages, for people. HTML is made by maud, which escapes every text that is put into it.

mod application;
mod cells;
mod deployment;
mod environment;
mod history;
mod layout;
mod links;
mod list;
mod matrix;
mod search;

pub(crate) use application::application;
pub(crate) use deployment::deployment;
pub(crate) use environment::environment;
pub(crate) use layout::fault;
pub(crate) use links::Links;
pub(crate) use list::list;
pub(crate) use matrix::matrix;
pub(crate) use search::search;
