use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use reqwest::RequestBuilder;

use super::ServerError;

/// The most that a credentials file may hold; more is certainly another file.
const MAX_BYTES: u64 = 8 * 1024;

/// What proves us to a server or a proxy. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Credentials {
    Basic { user: String, password: String },
    Bearer(String),
}

impl Credentials {
    /// Reads a file of one line: `user:password`, or a token without a colon.
    pub(super) fn load(path: &Path) -> Result<Self, ServerError> {
        let refused = |reason: String, hint: Option<String>| ServerError::Refused {
            what: format!("credentials file {}", path.display()),
            reason,
            hint,
        };
        let read = || -> std::io::Result<(u32, String)> {
            let file = File::open(path)?;
            let mode = file.metadata()?.permissions().mode();
            let mut text = String::new();
            file.take(MAX_BYTES + 1).read_to_string(&mut text)?;
            Ok((mode, text))
        };
        let (mode, text) =
            read().map_err(|error| refused(format!("cannot be read: {error}"), None))?;
        if mode & 0o007 != 0 {
            return Err(refused(
                format!("its mode {:04o} lets every user at it", mode & 0o7777),
                Some(format!("chmod 0600 {}", path.display())),
            ));
        }
        let line = text.trim();
        if line.is_empty() || text.len() as u64 > MAX_BYTES || line.contains(char::is_control) {
            let reason = "does not hold exactly one line `user:password` or one token";
            return Err(refused(reason.into(), None));
        }
        Ok(match line.split_once(':') {
            Some((user, password)) => Self::Basic {
                user: user.to_owned(),
                password: password.to_owned(),
            },
            None => Self::Bearer(line.to_owned()),
        })
    }

    pub(super) fn apply(&self, request: RequestBuilder) -> RequestBuilder {
        match self {
            Self::Basic { user, password } => request.basic_auth(user, Some(password)),
            Self::Bearer(token) => request.bearer_auth(token),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str, mode: u32) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        file
    }

    #[test]
    fn a_line_with_a_colon_is_basic_and_one_without_is_bearer() {
        let basic = written("user:pass:word\n", 0o600);
        let expected = Credentials::Basic {
            user: "user".into(),
            password: "pass:word".into(),
        };
        assert!(Credentials::load(basic.path()).unwrap() == expected);
        let bearer = written("token\n", 0o640);
        assert!(Credentials::load(bearer.path()).unwrap() == Credentials::Bearer("token".into()));
    }

    #[test]
    fn files_that_are_refused_do_not_leak() {
        for (text, mode) in [
            ("secret", 0o644),
            ("secret", 0o604),
            ("secret", 0o602),
            ("", 0o600),
            ("secret:a\nsecret:b", 0o600),
            (&"secret".repeat(2000), 0o600),
        ] {
            let error = Credentials::load(written(text, mode).path()).unwrap_err();
            assert!(
                !format!("{error} {error:?} {:?}", error.hint()).contains("secret"),
                "{error}"
            );
        }
        let error = Credentials::load(Path::new("/nonexistent/file")).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("/nonexistent/file: cannot be read"),
            "{error}"
        );
        assert_eq!(
            format!("{:?}", Credentials::Bearer("secret".into())),
            "Credentials(…)"
        );
    }
}
