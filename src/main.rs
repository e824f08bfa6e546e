//! The `firstmile` program: arguments in, one subcommand, an exit code out.

/// Everything that is freed is wiped: what libraries copied of a secret does not outlive its use.
#[global_allocator]
static ALLOCATOR: zeroizing_alloc::ZeroAlloc<std::alloc::System> =
    zeroizing_alloc::ZeroAlloc(std::alloc::System);

fn main() -> std::process::ExitCode {
    firstmile::cli::main()
}
