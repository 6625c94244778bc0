//! Placeholders for the types of other modules, until those are here.

use std::path::PathBuf;
use url::Url;

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PackageName(String);
impl PackageName {
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() >= 2
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+.-".contains(&b))
        {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("package name {text:?} is refused"))
        }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TargetVersion;
impl TargetVersion {
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.split('.').count() == 3 {
            Ok(Self)
        } else {
            Err(format!("version {text:?} is refused"))
        }
    }
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ScheduleDocument(String);
impl ScheduleDocument {
    pub fn parse(body: impl AsRef<[u8]>) -> Result<Self, String> {
        Ok(Self(String::from_utf8_lossy(body.as_ref()).into_owned()))
    }
}

#[derive(Clone, Debug, Eq, PartialEq, serde::Deserialize)]
pub struct Freeze {
    pub start: chrono::DateTime<chrono::Utc>,
    pub stop: chrono::DateTime<chrono::Utc>,
    #[serde(default)]
    pub reason: String,
    #[serde(default)]
    pub allow: Vec<String>,
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ServerOptions {
    pub url: String,
    pub ca_file: Option<PathBuf>,
    pub credentials_file: Option<PathBuf>,
    pub proxy: Option<Proxy>,
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Proxy {
    pub url: String,
    pub credentials_file: Option<PathBuf>,
    pub no_proxy: Option<String>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub enum HttpTarget {
    Loopback(Url),
    Unix { socket: PathBuf, path: String },
}
impl HttpTarget {
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.strip_prefix("unix:") {
            Some(rest) => match rest.split_once(':').unwrap_or((rest, "/")) {
                (socket, path) if socket.starts_with('/') && path.starts_with('/') => {
                    Ok(Self::Unix {
                        socket: socket.into(),
                        path: path.to_owned(),
                    })
                }
                _ => Err(format!("{text}: no socket")),
            },
            None => Url::parse(text)
                .map(Self::Loopback)
                .map_err(|error| error.to_string()),
        }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ManagerKind {
    Apt,
    Yum,
    Zypper,
}
