use std::fmt;

/// A version a server may ask for: `X.Y.Z`, optionally `-alpha.N`, `-beta.N` or `-rc.N`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TargetVersion(String);

/// The text is not a version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a version of the form X.Y.Z")]
pub struct InvalidVersion;

impl TargetVersion {
    /// Reads a version, whole: no white space, no `v`, no leading zeros.
    pub fn parse(text: &str) -> Result<Self, InvalidVersion> {
        let (core, stage) = match text.split_once('-') {
            Some((core, stage)) => (core, Some(stage)),
            None => (text, None),
        };
        let numbers: Vec<&str> = core.split('.').collect();
        let stage_ok = stage.is_none_or(|stage| match stage.split_once('.') {
            Some(("alpha" | "beta" | "rc", number)) => is_number(number),
            _ => false,
        });
        if numbers.len() == 3 && numbers.iter().all(|number| is_number(number)) && stage_ok {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidVersion)
        }
    }
}

impl fmt::Display for TargetVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_number(text: &str) -> bool {
    (1..=9).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'))
}
