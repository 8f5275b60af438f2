//! `detective baseline`: declares the host healthy for a while.

use std::time::Duration;

use anyhow::Context;
use clap::Args;
use serde_json::{Value, json};
use service::Hint;

use crate::{config::Config, output::print};

/// Flags of `baseline`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  detective baseline --for 10m        while the nightly backup runs")]
pub struct BaselineArgs {
    /// How long the host is healthy, such as `10m`.
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub duration: Duration,
    /// Only the cohort of this host.
    #[arg(long)]
    pub host: Option<String>,
    /// Address of the HTTP API of the running detective [default: 127.0.0.1:7117].
    #[arg(long, value_name = "IP:PORT")]
    pub listen: Option<String>,
}

impl BaselineArgs {
    /// Keys and values of the settings that these flags override.
    pub fn settings(&self) -> Vec<(&'static str, Option<String>)> {
        vec![("api.listen", self.listen.clone())]
    }
}

/// Requests from the running detective that it learns from the next snapshots.
///
/// # Errors
/// If no detective runs at the address, or it refuses.
pub async fn run(config: Config, args: &BaselineArgs) -> anyhow::Result<()> {
    let url = format!("http://{}/api/baseline", config.api.listen);
    let body = json!({"for": humantime::format_duration(args.duration).to_string(), "host": args.host});
    let answer = tokio::task::spawn_blocking(move || post(&url, &body)).await??;
    print(&format!("learning from all snapshots until {}\n", answer["until"].as_str().unwrap_or("then")))
}

fn post(url: &str, body: &Value) -> anyhow::Result<Value> {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut response = agent
        .post(url)
        .header("content-type", "application/json")
        .send(body.to_string().as_bytes())
        .with_context(|| format!("no detective answers at {url}"))
        .hint("start one with `detective up`, or name its address with `--listen IP:PORT`")?;
    let text = response.body_mut().read_to_string()?;
    let answer: Value = serde_json::from_str(&text).with_context(|| format!("expected JSON from {url}"))?;
    if !response.status().is_success() {
        anyhow::bail!("{url} refuses: {}", answer["error"].as_str().unwrap_or(&text));
    }
    Ok(answer)
}
