//! Tasks of this repository: `cargo xtask TASK`.

use std::process::ExitCode;

use clap::Parser;

mod ci;
mod cli;
mod compose_check;
mod http;
mod kafka;
mod measure;
mod reference;
mod repository;
mod rust_source;
mod sample;
mod scoped_child;
mod soak;
mod source_file;
mod tidy;
mod time;
mod vm;

fn main() -> ExitCode {
    match cli::Xtask::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
