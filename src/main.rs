//! The `shadowtap` binary: hands the command line to the library and turns its answer into an exit code.

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    shadowtap::cli::main()
}
