//! The binary. Everything else is in the library.

fn main() -> std::process::ExitCode {
    deploy_by_code::cli::main()
}
