//! Approving in a clone what a branch changes: a signed commit that the server counts.

mod draft;
mod files;
mod make;
mod place;

pub use draft::{ApprovalDraft, ApproveRequest, draft_approval, remote_branches};
