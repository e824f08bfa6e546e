//! The `firstmile` program: arguments in, one subcommand, an exit code out.

fn main() -> std::process::ExitCode {
    firstmile::cli::main()
}
