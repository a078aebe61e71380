//! What is shown of the state: rows for people and for programs, without printing anything.

mod json;
mod plan;
mod rows;
mod table;
mod tail;

pub use json::to_json;
pub use plan::{PlanRow, RefusalRow, plan_markdown, plan_rows, plan_text};
pub use rows::{
    DeploymentRow, ExceptionRow, StatusRow, Unwatched, has_runner, outcome_line, status_rows,
    unwatched,
};
pub use table::{Colour, Table};
pub use tail::Tail;
