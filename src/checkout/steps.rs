//! The steps of a checkout, each in a process that runs as the user whom the folder belongs to.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, BufRead};

use super::base::{BaseRelease, KeptLinks};
use super::error::{CheckoutError, at};
use super::folder::{Checkout, ReleaseChoice};
use super::manifest::{Manifest, ManifestWriter};
use super::order::{CheckoutOrder, RELEASES};
use super::read::{BASE_CHANGED, ERROR, NEEDS, SEND};
use super::release_name::ReleaseName;
use super::sync::syncing;
use super::threads::threads;
use super::went_back::WentBack;
use super::work::Maker;
use super::write::{write_needed, write_tree};
use crate::sys::folder::OpenFolder;
use crate::sys::surroundings::set_umask;
use crate::text;

/// How many files one line asks for.
const ASKED: usize = 256;

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
    let base = link.filter(|_| !order.is_alone);
    let base = base.and_then(|_| BaseRelease::open(&checkout, &name));
    let (base, base_list) = base.unzip();
    let base_name = base.as_ref().map(|base| base.name.clone());
    let known = base_name.as_ref().zip(base_list.as_ref());
    let known = known.map(|(name, list)| format!(" {} {}", name.revision(), list.tree));
    answer(&format!("{SEND}{}", known.unwrap_or_default())).map_err(gone)?;

    let root = checkout.begin(&name)?;
    // Without a list, the next release takes nothing from this one.
    let list = link.and_then(|_| checkout.begin_manifest(&name).ok());
    let lists = (list, base_list);
    let written = write_files(
        &checkout,
        (&name, &root),
        base.as_ref(),
        lists,
        input,
        answer,
    );
    if let Some(base) = base {
        // What is not noted is only written anew.
        let _ = base.note_links(&mut checkout);
    }
    let written = written
        .and_then(|()| checkout.add_own_files(&name, &root))
        .and_then(|()| checkout.complete(&name, &root));
    if let Err(error) = written {
        let links = base_name.and_then(|base| KeptLinks::before(&checkout, base));
        checkout.give_up(&name);
        if let Some(links) = links {
            // The files of the base have fewer names again.
            let _ = links.note(&mut checkout);
        }
        return Err(error);
    }
    Ok(format!("exported {name}"))
}

/// Writes the files of a release, and the list of them. Then it asks for those that could not be
/// taken from the base.
fn write_files(
    checkout: &Checkout<'_>,
    (name, root): (&ReleaseName, &OpenFolder),
    base: Option<&BaseRelease<'_>>,
    lists: (Option<ManifestWriter>, Option<Manifest>),
    input: &mut impl BufRead,
    answer: &mut dyn FnMut(&str) -> io::Result<()>,
) -> Result<(), CheckoutError> {
    let path = checkout.release_path(name);
    let maker = Maker::new(&path, base, lists.0.is_some());
    let list = syncing(root, || {
        let list = write_tree(input, root, &maker, lists, threads())?;
        let needed = maker.needed();
        if !needed.is_empty() {
            ask(&needed, answer).map_err(gone)?;
            write_needed(input, root, &maker, needed, threads())?;
        }
        Ok::<Option<ManifestWriter>, CheckoutError>(list)
    })?;

    if list.is_none_or(|list| list.finish(&maker.statuses()).is_err()) {
        checkout.drop_manifest(name);
    }
    Ok(())
}

/// Asks the reader for files.
fn ask(needed: &[usize], answer: &mut dyn FnMut(&str) -> io::Result<()>) -> io::Result<()> {
    for some in needed.chunks(ASKED) {
        let numbers: Vec<String> = some.iter().map(usize::to_string).collect();
        answer(&format!("{NEEDS}{}", numbers.join(" ")))?;
    }
    answer(SEND)
}

fn gone(error: io::Error) -> CheckoutError {
    CheckoutError::Gone("reader", error.to_string())
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
                false => {
                    let current = checkout.good_releases().into_iter().next();
                    current.and_then(|current| KeptLinks::before(&checkout, current))
                }
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
