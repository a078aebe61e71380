//! What could not be found out.

/// Something could not be found out. The text says why, and it is escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown(pub String);
