//! The `dispatch` program.

fn main() -> std::process::ExitCode {
    #[cfg(feature = "failpoints")]
    let _failpoints = fail::FailScenario::setup();
    dispatch::cli::main()
}
