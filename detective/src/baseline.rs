//! `detective baseline`: declares the host healthy for a while.

use std::{path::Path, time::Duration};

use anyhow::Context;
use clap::Args;
use rustix::process::getuid;
use scorer::api::token::Token;
use serde_json::{Value, json};
use service::Hint;

use crate::{config::Config, output::print};

/// Timeout of the request.
const TIMEOUT: Duration = Duration::from_secs(30);

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
    /// Learn during incidents too, when something fails or waits because of one.
    #[arg(long)]
    pub include_incidents: bool,
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
/// If no detective runs at the address, its token cannot be read, or it refuses.
pub async fn run(config: Config, args: &BaselineArgs) -> anyhow::Result<()> {
    let url = format!("http://{}/api/baseline", config.api.listen);
    let body = json!({
        "for": humantime::format_duration(args.duration).to_string(),
        "host": args.host,
        "include_incidents": args.include_incidents,
        "by": operator(),
    });
    let token = read_token(&config.scorer().api.token_file)?;
    let answer = tokio::task::spawn_blocking(move || post(&url, &token, &body)).await??;
    print(&describe(&answer))
}

fn read_token(path: &Path) -> anyhow::Result<Token> {
    Token::read(path)
        .with_context(|| format!("cannot read the token `{}`", path.display()))
        .hint("start one with `detective up`, run this as the same user, and name its directory with `--data DIR`")
}

/// Name of the user, for the record of the baseline.
fn operator() -> String {
    let name = ["SUDO_USER", "USER", "LOGNAME"].into_iter().find_map(|variable| std::env::var(variable).ok());
    let uid = getuid().as_raw();
    name.map_or_else(|| format!("uid {uid}"), |name| format!("{name} (uid {uid})"))
}

fn describe(answer: &Value) -> String {
    let until = answer["until"].as_str().unwrap_or("then");
    match answer["excluded_incidents"].as_u64() {
        Some(excluded) if excluded > 0 => format!(
            "learning until {until}, except during incidents, of which {excluded} are open: `--include-incidents` \
             learns during them too\n"
        ),
        _ => format!("learning from all snapshots until {until}\n"),
    }
}

fn post(url: &str, token: &Token, body: &Value) -> anyhow::Result<Value> {
    // The token must not pass through a proxy that the environment names.
    let agent = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).timeout_global(Some(TIMEOUT));
    let agent: ureq::Agent = agent.build().into();
    let mut response = agent
        .post(url)
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {}", token.as_str()))
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
