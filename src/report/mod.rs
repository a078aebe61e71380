//! What is shown of the state: rows for people and for programs. Values keep their types up to the
//! last step, in which they become text. Nothing here prints.

mod cells;
mod deployment_row;
mod event_row;
mod json;
mod not_deployed;
mod outcome_summary;
mod plan_markdown;
mod plan_rows;
mod plan_text;
mod plan_words;
mod refusal;
mod status_rows;
mod table;
mod tail;
mod wrap;

pub use cells::{colour, name_cell, who_cell};
pub use deployment_row::{DeploymentRow, outcome_line, remark};
pub use event_row::{CommitsRow, EventRow, entry_lines, event_row};
pub use json::to_json;
pub use not_deployed::not_deployed_lines;
pub use outcome_summary::{outcome_summary, some_names};
pub use plan_markdown::plan_markdown;
pub use plan_rows::{Action, CommitRow, PlanRow, plan_rows};
pub use plan_text::plan_text;
pub use refusal::{RefusalRow, refusal_lines};
pub use status_rows::{HoldRow, Standing, StatusRow, status_rows};
pub use table::{Colour, Table};
pub use tail::Tail;
pub use wrap::wrap;
