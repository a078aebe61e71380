//! The steps of a checkout, each in a process that runs as the user whom the folder belongs to.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, BufRead};
use std::sync::Mutex;

use super::base::{BaseRelease, KeptLinks};
use super::error::{CheckoutError, at};
use super::file_key::PlaceNumber;
use super::folder::{Checkout, ReleaseChoice};
use super::manifest::ManifestWriter;
use super::order::{CheckoutOrder, RELEASES};
use super::read::{BASE_CHANGED, ERROR, KNOWN, NEEDS_FILES};
use super::release_name::ReleaseName;
use super::sync::syncing;
use super::threads::threads;
use super::went_back::WentBack;
use super::work::Maker;
use super::write::write_tree;
use crate::config::Link;
use crate::sys::folder::OpenFolder;
use crate::sys::surroundings::set_umask;
use crate::text;

/// How long a line is that lists files, before the next one begins, in bytes.
const LISTED: usize = 3500;

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
        Err(CheckoutError::BaseChanged) => answer(BASE_CHANGED).map(|()| false),
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

    let link = checkout.link();
    let base = link
        .filter(|_| !order.is_alone)
        .and_then(|link| BaseRelease::open(&checkout, link, &name));
    let answered = base.as_ref().map_or(Ok(()), |base| list(base, answer));
    answered
        .and_then(|()| answer(NEEDS_FILES))
        .map_err(|error| CheckoutError::Gone("reader", error.to_string()))?;

    let root = checkout.begin(&name)?;
    let written = write_files(order, &mut checkout, (&name, &root), link, base, input)
        .and_then(|()| checkout.add_own_files(&name, &root))
        .and_then(|()| checkout.complete(&name, &root));
    if let Err(error) = written {
        checkout.give_up(&name);
        return Err(error);
    }
    Ok(format!("exported {name}"))
}

/// Tells the reader which files are taken from another release.
fn list(base: &BaseRelease, answer: &mut dyn FnMut(&str) -> io::Result<()>) -> io::Result<()> {
    let mut line = KNOWN.to_owned();
    for key in base.keys() {
        line.push_str(&format!("{key} "));
        if line.len() > LISTED {
            answer(&line)?;
            KNOWN.clone_into(&mut line);
        }
    }
    answer(&line)
}

/// Writes the files of a release, and the list of them.
fn write_files(
    order: &CheckoutOrder,
    checkout: &mut Checkout<'_>,
    (name, root): (&ReleaseName, &OpenFolder),
    link: Option<Link>,
    base: Option<BaseRelease>,
    input: &mut impl BufRead,
) -> Result<(), CheckoutError> {
    // Without a list, the next release takes nothing from this one.
    let list = link.and_then(|_| checkout.begin_manifest(name).ok());
    let maker = Maker {
        path: &checkout.release_path(name),
        base: base.as_ref(),
        list: Mutex::new(list.map(ManifestWriter::new)),
    };
    let number = PlaceNumber::root(order);
    syncing(root, || write_tree(input, root, number, &maker, threads()))?;

    let list = maker.list.into_inner().ok().flatten();
    if list.is_none_or(|list| list.finish().is_err()) {
        checkout.drop_manifest(name);
    }
    if let Some(base) = base {
        // What is not noted is only written anew.
        let _ = base.note_links(checkout);
    }
    Ok(())
}

/// Makes the release of an order the current one.
///
/// # Errors
/// There is no such release, or `current` can't be written.
pub fn make_current(order: &CheckoutOrder, say: &mut dyn FnMut(&str)) -> Result<(), CheckoutError> {
    set_umask(order.is_shared);
    let name = order.release.as_deref().map(OsStr::new);
    let missing = || at(order.folder.join(RELEASES))(io::ErrorKind::NotFound.into());
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
    // There is nothing to go back to in a folder that is gone, and none is made.
    fs::metadata(&order.folder).map_err(at(&order.folder))?;
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
        checkout => {
            let mut checkout = checkout?;
            let kept = checkout.kept()?;
            let others = checkout.others(&kept)?;
            let links = match others.is_empty() {
                true => None,
                false => KeptLinks::before(&checkout),
            };
            let pruned = checkout.prune(&kept, &others);
            if let Some(links) = links {
                // What is not noted is only written anew.
                let _ = links.note(&mut checkout);
            }
            pruned
        }
    }
}
