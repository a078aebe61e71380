//! The steps of a checkout, each in a process that runs as the user whom the folder belongs to.

use std::ffi::OsStr;
use std::io::{self, BufRead};

use super::error::{CheckoutError, at};
use super::folder::{Checkout, ReleaseChoice};
use super::order::CheckoutOrder;
use super::read::{ERROR, NEEDS_FILES};
use super::release_name::ReleaseName;
use super::went_back::WentBack;
use super::write::write_tree;
use crate::sys::surroundings::set_umask;
use crate::text;

/// Writes the release of an order, where it needs to be written: first the order is read, and then
/// the files of the release, if the answer asks for them. Each of the answers is one line; the last
/// one says what was done, and the name of the release's folder, or what went wrong. `false`:
/// something went wrong.
///
/// # Errors
/// Nobody reads the answers.
pub fn write(
    input: &mut impl BufRead,
    answer: &mut dyn FnMut(&str) -> io::Result<()>,
    say: &mut dyn FnMut(&str),
) -> io::Result<bool> {
    let done = CheckoutOrder::read(&mut *input)
        .map_err(CheckoutError::Order)
        .and_then(|order| write_release(&order, input, answer, say));
    match done {
        Ok(done) => answer(&done).map(|()| true),
        Err(error) => {
            let error = text::escape(error.to_string(), 2000);
            answer(&format!("{ERROR}{error}")).map(|()| false)
        }
    }
}

fn write_release(
    order: &CheckoutOrder,
    input: &mut impl BufRead,
    answer: &mut dyn FnMut(&str) -> io::Result<()>,
    say: &mut dyn FnMut(&str),
) -> Result<String, CheckoutError> {
    set_umask(order.is_shared);
    let mut checkout = Checkout::open(order, say)?;
    let name = match checkout.choose()? {
        ReleaseChoice::Reuse(name) => return Ok(format!("reused {name}")),
        ReleaseChoice::Export(name) => name,
    };

    answer(NEEDS_FILES).map_err(|error| CheckoutError::Gone("reader", error.to_string()))?;
    let root = checkout.begin(&name)?;
    let path = checkout.release_path(&name);
    let written = write_tree(input, &root, &path)
        .and_then(|()| checkout.add_own_files(&name, &root))
        .and_then(|()| checkout.complete(&name, &root));
    if let Err(error) = written {
        checkout.give_up(&name);
        return Err(error);
    }
    Ok(format!("exported {name}"))
}

/// Makes the release of an order the current one.
///
/// # Errors
/// There is no such release, or `current` can't be written.
pub fn make_current(order: &CheckoutOrder, say: &mut dyn FnMut(&str)) -> Result<(), CheckoutError> {
    set_umask(order.is_shared);
    let name = order.release.as_deref().map(OsStr::new);
    let missing = || at(order.folder.join("releases"))(io::ErrorKind::NotFound.into());
    let name = name.and_then(ReleaseName::parse).ok_or_else(missing)?;
    Checkout::open(order, say)?.make_current(&name)
}

/// Makes `current` lead again to the release that it led to before the deployment of an order moved
/// it.
///
/// # Errors
/// `current` can't be read or written.
pub fn go_back(
    order: &CheckoutOrder,
    say: &mut dyn FnMut(&str),
) -> Result<WentBack, CheckoutError> {
    set_umask(order.is_shared);
    Checkout::open(order, say)?.go_back()
}

/// Removes the releases that an order does not keep, and what was left unfinished.
///
/// # Errors
/// Something can't be removed.
pub fn prune(order: &CheckoutOrder, say: &mut dyn FnMut(&str)) -> Result<(), CheckoutError> {
    set_umask(order.is_shared);
    match Checkout::open(order, say) {
        // The deployment has failed for this reason already.
        Err(CheckoutError::Taken { .. }) => Ok(()),
        checkout => checkout?.prune(),
    }
}
