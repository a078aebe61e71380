//! Releases: `<checkout>/releases/<revision>` and the symbolic link `<checkout>/current`.
//!
//! Protocol: a checkout's folder is touched by processes of their own alone, which run as the user
//! of the deployment: a reader, which may read the application's repository, sends the files to a
//! writer. A tree is written into a folder of another name, synced, and renamed. So a release under
//! its final name is complete, also after a power cut. `current` is replaced by renaming a new link
//! over it, and the command never runs in the folder that it leads to. The file
//! `<checkout>/.deploy-by-code` says to whom the folder belongs and which of the releases are good.
//! What releases share is in `<checkout>/shared`; a release has its links to it before its name.
//!
//! The writer may take files from another release that is there, if they are what was written into
//! it. The list `.manifests/<release>` says what that was. Nothing else depends on these lists.
//!
//! It does not promise that a release stays as it is: whoever may write to it can change it. Such a
//! change is noticed before the release is used again.

mod base;
mod check_sum;
mod claim;
mod error;
mod fetch;
mod folder;
mod kept;
mod lock;
mod manifest;
mod order;
mod progress;
mod read;
mod release_name;
mod shared;
mod steps;
mod stream;
mod sync;
mod threads;
mod went_back;
mod work;
mod write;

pub use error::CheckoutError;
pub use fetch::FetchOrder;
pub use order::{
    CURRENT, CheckoutOrder, CheckoutOwner, CheckoutStep, STEP_COMMAND, StepOrder, TRY_AGAIN,
    UnknownStep,
};
pub use read::{OWN_PROGRAM, export};
pub use release_name::ReleaseName;
pub use shared::SHARED;
pub use steps::{go_back, make_current, prune, write};
pub use went_back::WentBack;
