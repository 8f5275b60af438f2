//! The program `detective`.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = detective::cli::Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(service::run(detective::run(cli)));
    // Does not wait for a running training.
    runtime.shutdown_background();
    code
}
