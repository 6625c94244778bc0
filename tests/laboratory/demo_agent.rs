//! The demo agent: what the laboratory's packages install and keep running.
//!
//! Compiled by plain `rustc`, once per version, with `DEMO_AGENT_VERSION` in the environment.
//! Its configuration can make it sick without another package:
//!
//! ```text
//! healthy=false     /healthz answers 503
//! crash=at-start    aborts at once
//! crash=after:5s    aborts five seconds after its start
//! ```
//!
//! `DEMO_AGENT_TRAIT` at its compilation makes a version of it that always is. `/reload` has it
//! execute its file anew, as the same process.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

const VERSION: &str = env!("DEMO_AGENT_VERSION");
const TRAIT: &str = env!("DEMO_AGENT_TRAIT");
const PROGRAM: &str = "/usr/bin/demo-agent";
const ADDRESS: &str = "127.0.0.1:7777";
const CONFIGURATION: &str = "/etc/demo-agent/config";

#[derive(Default)]
struct Configuration {
    unhealthy: bool,
    crash_after: Option<Duration>,
}

fn read_configuration(text: &str) -> Configuration {
    let mut configuration = Configuration::default();
    for line in text.lines().map(str::trim) {
        match line.split_once('=') {
            Some(("healthy", value)) => configuration.unhealthy = value == "false",
            Some(("crash", "at-start")) => configuration.crash_after = Some(Duration::ZERO),
            Some(("crash", value)) => {
                configuration.crash_after = value
                    .strip_prefix("after:")
                    .and_then(|rest| rest.strip_suffix('s'))
                    .and_then(|seconds| seconds.parse().ok())
                    .map(Duration::from_secs);
            }
            _ => {}
        }
    }
    configuration
}

/// Answers one request; whether it was the one to reload.
fn answer(mut stream: TcpStream, configuration: &Configuration) -> std::io::Result<bool> {
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    let mut request = [0; 2048];
    let length = stream.read(&mut request)?;
    let request = String::from_utf8_lossy(&request[..length]);
    let path = request.split(' ').nth(1);
    let (status, body) = match path {
        Some("/healthz") if configuration.unhealthy => ("503 Service Unavailable", "sick".into()),
        Some("/healthz") => ("200 OK", "ok".into()),
        Some("/version") => ("200 OK", VERSION.to_owned()),
        Some("/pid") => ("200 OK", std::process::id().to_string()),
        Some("/reload") => ("200 OK", "executing the file anew".into()),
        _ => ("404 Not Found", "not found".into()),
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}\n",
        body.len() + 1
    )?;
    Ok(path == Some("/reload"))
}

fn main() -> std::io::Result<()> {
    if std::env::args().nth(1).as_deref() == Some("--version") {
        println!("demo-agent {VERSION}");
        return Ok(());
    }
    let text = std::fs::read_to_string(CONFIGURATION).unwrap_or_default();
    let always = match TRAIT {
        "crashes-at-start" => "crash=at-start",
        "crashes-after-5s" => "crash=after:5s",
        "answers-503" => "healthy=false",
        _ => "",
    };
    let configuration = read_configuration(&format!("{text}\n{always}"));
    println!("demo-agent {VERSION} starts");
    if let Some(delay) = configuration.crash_after {
        if delay.is_zero() {
            std::process::abort();
        }
        std::thread::spawn(move || {
            std::thread::sleep(delay);
            eprintln!("demo-agent crashes, as configured");
            std::process::abort();
        });
    }
    let listener = TcpListener::bind(ADDRESS)?;
    for stream in listener.incoming().flatten() {
        match answer(stream, &configuration) {
            Ok(false) => {}
            // Only a failure returns; the listener is closed when it succeeds.
            Ok(true) => eprintln!("demo-agent: {}", Command::new(PROGRAM).exec()),
            Err(error) => eprintln!("demo-agent: {error}"),
        }
    }
    Ok(())
}
