//! What a person, a hook, a page or an agent can ask for. Verbs return values and print nothing.

pub mod install;
