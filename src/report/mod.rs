//! What is shown of the state: rows for people and for programs. Values keep their types up to the
//! last step, in which they become text. Nothing here prints.

mod approval_text;
mod badge;
mod cells;
mod deployment_row;
mod event_row;
mod hold_row;
mod json;
mod markdown;
mod metrics;
mod not_deployed;
mod notification_row;
mod outcome_summary;
mod plan_markdown;
mod plan_rows;
mod plan_text;
mod plan_words;
mod proposal_rows;
mod proposal_text;
mod published_history;
mod published_message;
mod published_pages;
mod published_row;
mod refusal;
mod status_file;
mod status_line;
mod status_rows;
mod table;
mod tail;
mod wrap;
mod xml;

pub use approval_text::{CommitsUnseen, FileToApprove, approval_lines, shown_entry};
pub use badge::Badge;
pub use cells::{colour, duration_cell, name_cell, summary_cell, who_cell};
pub use deployment_row::{DeploymentRow, PhaseRow, duration, lasted, outcome_line, remark, waited};
pub use event_row::{CommitsRow, EventRow, entry_lines, event_row};
pub use hold_row::HoldRow;
pub use json::{to_json, to_json_line, write_json_array};
pub use metrics::{ApplicationFigures, EnvironmentFigures, Figures, metrics_text};
pub use not_deployed::{NotDeployedRow, not_deployed_lines};
pub use notification_row::NotificationRow;
pub use outcome_summary::{outcome_summary, some_names};
pub use plan_markdown::{PLAN_MARKER, plan_markdown};
pub use plan_rows::{Action, CommitRow, PlanRow, plan_rows};
pub use plan_text::plan_text;
pub use proposal_rows::ProposalRow;
pub use proposal_text::{proposal_diff, proposal_text};
pub use published_history::PublishedHistory;
pub use published_message::{
    Happened, last_published, message_of_configuration, published_message,
};
pub use published_pages::PublishedPages;
pub use published_row::{PublishedDeployment, PublishedRow, PublishedState};
pub use refusal::{RefusalRow, refusal_lines};
pub use status_file::{PublishedEnvironment, PublishedFreeze, StatusFile};
pub use status_line::StatusLine;
pub use status_rows::{Standing, StatusRow, status_rows};
pub use table::{Colour, Table};
pub use tail::Tail;
pub use wrap::wrap;
pub use xml::xml;
