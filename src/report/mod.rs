//! What is shown of the state: rows for people and for programs, without printing anything. Values
//! keep their types up to the last step, in which they become text.

mod cells;
mod json;
mod plan_markdown;
mod plan_rows;
mod plan_text;
mod plan_words;
mod refusal;
mod rows;
mod table;
mod tail;

pub use cells::{colour, name_cell, who_cell};
pub use json::to_json;
pub use plan_markdown::plan_markdown;
pub use plan_rows::{Action, PlanRow, plan_rows};
pub use plan_text::plan_text;
pub use refusal::{RefusalRow, refusal_lines};
pub use rows::{DeploymentRow, HoldRow, Standing, StatusRow, outcome_line, remark, status_rows};
pub use table::{Colour, Table};
pub use tail::Tail;
