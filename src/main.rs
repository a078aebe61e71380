//! The binary. Everything else is in the library.

#![no_main]

deploy_by_code::c_main!(deploy_by_code::cli::main);
