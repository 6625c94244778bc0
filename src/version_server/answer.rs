use std::fmt;

use adapters::version::TargetVersion;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::error::excerpt;

/// What `<base>/version` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionAnswer {
    /// `none`: nothing is to be installed.
    None,
    /// The version the cluster wants.
    Target(TargetVersion),
}

/// What `<base>/schedule` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleAnswer {
    /// This server has no schedule.
    Absent,
    /// The text of a schedule, not parsed yet.
    Document(String),
}

/// A body that is no answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// An excerpt of it that is safe to print.
    pub found: String,
    /// What would be one.
    pub expected: &'static str,
}

const EXPECTED_VERSION: &str = "a version such as `1.2.3` or `v1.2.3-rc.1`, or `none`";

impl VersionAnswer {
    /// Reads the body of `<base>/version`: white space around it is ignored, `none` counts in any case.
    pub fn read(body: &[u8]) -> Result<Self, Unreadable> {
        let unreadable = || Unreadable {
            found: excerpt(body),
            expected: EXPECTED_VERSION,
        };
        let text = trimmed(body).ok_or_else(unreadable)?;
        if text.eq_ignore_ascii_case("none") {
            return Ok(Self::None);
        }
        TargetVersion::parse(text.strip_prefix('v').unwrap_or(text))
            .map(Self::Target)
            .map_err(|_| unreadable())
    }

    /// The version, unless the server said `none`.
    pub fn target(&self) -> Option<&TargetVersion> {
        match self {
            Self::None => None,
            Self::Target(version) => Some(version),
        }
    }
}

/// As the server writes it: `none` or `1.2.3`.
impl fmt::Display for VersionAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Target(version) => version.fmt(f),
        }
    }
}

impl Serialize for VersionAnswer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for VersionAnswer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::read(text.as_bytes()).map_err(|error| {
            serde::de::Error::custom(format!("{}; expected {}", error.found, error.expected))
        })
    }
}

/// Reads the body of `<base>/critical`.
pub fn read_critical(body: &[u8]) -> Result<bool, Unreadable> {
    let is = |word: &str| trimmed(body).is_some_and(|text| text.eq_ignore_ascii_case(word));
    if is("yes") || is("true") {
        Ok(true)
    } else if is("no") || is("false") {
        Ok(false)
    } else {
        Err(Unreadable {
            found: excerpt(body),
            expected: "`yes`, `true`, `no` or `false`",
        })
    }
}

/// Reads the body of `<base>/schedule` as far as this module does: is there text, and is it text.
pub fn read_schedule(body: &[u8]) -> Result<ScheduleAnswer, Unreadable> {
    if body.trim_ascii().is_empty() {
        return Ok(ScheduleAnswer::Absent);
    }
    std::str::from_utf8(body)
        .map(|text| ScheduleAnswer::Document(text.to_owned()))
        .map_err(|_| Unreadable {
            found: excerpt(body),
            expected: "a schedule as UTF-8 text",
        })
}

/// Reads a cluster's own version: what a Teleport proxy answers at `/webapi/find`, or a document that is a version.
pub fn read_cluster_version(body: &[u8]) -> Result<TargetVersion, Unreadable> {
    #[derive(Deserialize)]
    struct Find {
        server_version: String,
    }

    let unreadable = || Unreadable {
        found: excerpt(body),
        expected: "JSON with a `server_version` such as `1.2.3`, or a version by itself",
    };
    let found: Find;
    let text = if body.trim_ascii_start().starts_with(b"{") {
        found = serde_json::from_slice(body).map_err(|_| unreadable())?;
        found.server_version.as_str()
    } else {
        trimmed(body).ok_or_else(unreadable)?
    };
    TargetVersion::parse(text.strip_prefix('v').unwrap_or(text)).map_err(|_| unreadable())
}

fn trimmed(body: &[u8]) -> Option<&str> {
    let body = body.trim_ascii();
    if body.is_ascii() {
        std::str::from_utf8(body).ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_bodies_that_count() {
        for (body, expected) in [
            ("12.0.3", "12.0.3"),
            ("12.0.3\n", "12.0.3"),
            ("v12.0.3", "12.0.3"),
            (" v13.1.1 \n \r\n", "13.1.1"),
            ("1.2.3-rc.1", "1.2.3-rc.1"),
            ("none", "none"),
            ("none\n", "none"),
            ("\tNone \r\n", "none"),
        ] {
            assert_eq!(
                VersionAnswer::read(body.as_bytes()).unwrap().to_string(),
                expected,
                "{body:?}"
            );
        }
    }

    #[test]
    fn version_bodies_that_are_refused_whole() {
        for body in [
            "",
            " \n",
            "hello",
            "v",
            "V1.2.3",
            "vv1.2.3",
            "v 1.2.3",
            "vnone",
            "1.2",
            "1.2.3.4",
            "01.2.3",
            "1.2.3-dev.bartmoss.1",
            "1.2.3-rc",
            "1.2.3+meta",
            "1.2.3 4.5.6",
            "1.2.3\n4.5.6",
            "1.2.3;id",
            "$(id)",
            "-1.2.3",
            "1.2.3\0",
            "\u{feff}1.2.3",
            "１.2.3",
            "<html>1.2.3</html>",
            "\u{a0}1.2.3",
            "none none",
        ] {
            let error = VersionAnswer::read(body.as_bytes()).unwrap_err();
            assert_eq!(error.expected, EXPECTED_VERSION, "{body:?}");
            assert!(
                !error
                    .found
                    .contains(|character: char| character.is_control()),
                "{body:?}"
            );
        }
        VersionAnswer::read(b"1.2.\xff").unwrap_err();
    }

    proptest::proptest! {
        /// Whatever a server sends, an accepted version is made of these characters, and a refusal is safe to print.
        #[test]
        fn no_byte_of_a_server_goes_further(
            body in r"v?[0-9]{0,3}\.[0-9]{1,2}\.[0-9][-a-z.0-9 ]{0,6}|(?s:.{0,80})"
        ) {
            let of = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
            match VersionAnswer::read(body.as_bytes()) {
                Ok(version) => assert!(version.to_string().bytes().all(of)),
                Err(error) => assert!(!error.found.contains(char::is_control)),
            }
        }
    }

    #[test]
    fn critical_bodies() {
        for (body, expected) in [
            ("yes", Some(true)),
            ("yes\n", Some(true)),
            (" TRUE\r\n", Some(true)),
            ("no", Some(false)),
            ("False", Some(false)),
            ("", None),
            ("hello", None),
            ("y", None),
            ("1", None),
            ("yes no", None),
            ("<html>yes</html>", None),
        ] {
            assert_eq!(read_critical(body.as_bytes()).ok(), expected, "{body:?}");
        }
    }

    #[test]
    fn schedule_bodies() {
        for blank in ["", " ", "\n\r\n\t"] {
            assert_eq!(
                read_schedule(blank.as_bytes()),
                Ok(ScheduleAnswer::Absent),
                "{blank:?}"
            );
        }
        assert_eq!(
            read_schedule(b"nop\n"),
            Ok(ScheduleAnswer::Document("nop\n".into()))
        );
        read_schedule(b"\xff").unwrap_err();
    }

    #[test]
    fn cluster_versions() {
        for (body, expected) in [
            (
                r#"{"auth": {}, "server_version": "17.1.2", "min_client_version": "16.0.0-aa"}"#,
                Some("17.1.2"),
            ),
            (" {\"server_version\":\"v17.1.2\"}\n", Some("17.1.2")),
            ("17.1.2\n", Some("17.1.2")),
            (r#"{"server_version": "17.1.2-dev"}"#, None),
            (r#"{"server_version": 17}"#, None),
            ("{}", None),
            ("{", None),
            ("none", None),
            ("", None),
        ] {
            let version = read_cluster_version(body.as_bytes())
                .ok()
                .map(|version| version.to_string());
            assert_eq!(version.as_deref(), expected, "{body:?}");
        }
    }

    #[test]
    fn answers_survive_the_state_file() {
        for (answer, json) in [
            (VersionAnswer::None, r#""none""#),
            (
                VersionAnswer::Target(TargetVersion::parse("1.2.3").unwrap()),
                r#""1.2.3""#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&answer).unwrap(), json);
            assert_eq!(serde_json::from_str::<VersionAnswer>(json).unwrap(), answer);
        }
        serde_json::from_str::<VersionAnswer>(r#""1.2.3; id""#).unwrap_err();
        assert_eq!(
            serde_json::to_string(&ScheduleAnswer::Absent).unwrap(),
            r#""absent""#
        );
    }
}
