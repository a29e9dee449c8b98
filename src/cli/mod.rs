//! One file per command.

pub mod catalog;
pub mod check;

pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
