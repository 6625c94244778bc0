//! Keys in the rpm database, for repositories whose own key is not a local file.

use crate::command::{CommandOutput, CommandSpec, Exit};
use crate::failure::Failure;
use crate::outcome::{shorten, whole};
use crate::version::PackageName;
use std::time::Duration;

/// Asks the rpm database for every public key that was imported.
pub fn list() -> CommandSpec {
    CommandSpec::query(
        "rpm",
        ["-q", "gpg-pubkey", "--qf", "%{DESCRIPTION}\\n"],
        "ask the package database for its keys",
        Duration::from_secs(30),
    )
}

/// The armored keys, one after the other; empty when there are none.
pub fn read_list(output: &CommandOutput) -> Result<String, Failure> {
    let output = whole(output)?;
    let complains = output.stderr.lines().any(|line| line.contains("error:"));
    let absent = output.stdout.trim() == "package gpg-pubkey is not installed";
    match output.exit {
        Exit::Code(1) if absent && !complains => Ok(String::new()),
        Exit::Code(0) if !complains => Ok(output.stdout.clone()),
        _ => Err(unexpected("rpm's list of keys", output)),
    }
}

/// Asks with which key the installed package is signed. Of the tags, one is filled: which depends on
/// the algorithm, and on the version of rpm that signed.
pub fn signer(package: &PackageName) -> CommandSpec {
    CommandSpec::query(
        "rpm",
        [
            "-q",
            "--qf",
            "%|RSAHEADER?{%{RSAHEADER:pgpsig}}:{%|DSAHEADER?{%{DSAHEADER:pgpsig}}:{%|SIGPGP?{%{SIGPGP:pgpsig}}:{%|SIGGPG?{%{SIGGPG:pgpsig}}:{(none)}|}|}|}|\\n",
            "--",
            package.as_str(),
        ],
        format!("ask the package database who signed {package}"),
        Duration::from_secs(30),
    )
}

/// The id (or fingerprint) of that key in lower-case hexadecimal; `None` for an unsigned package.
pub fn read_signer(output: &CommandOutput) -> Result<Option<String>, Failure> {
    let output = whole(output)?;
    let mut lines = output.stdout.lines().filter(|line| !line.trim().is_empty());
    let (Some(line), None, Exit::Code(0)) = (lines.next(), lines.next(), output.exit) else {
        return Err(unexpected("rpm's word on the signature", output));
    };
    if line.trim() == "(none)" {
        return Ok(None);
    }
    // `RSA/SHA256, Sun Nov 22 14:30:30 2026, Key ID 28eb639d74ebb31e`
    let id = line.rsplit([' ', ':']).next().unwrap_or_default();
    let is_id = matches!(id.len(), 16 | 40 | 64) && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_id {
        Ok(Some(id.to_ascii_lowercase()))
    } else {
        Err(unexpected("rpm's word on the signature", output))
    }
}

fn unexpected(what: &str, output: &CommandOutput) -> Failure {
    let line = [&output.stderr, &output.stdout]
        .into_iter()
        .flat_map(|text| text.lines())
        .find(|line| !line.trim().is_empty());
    Failure::Unexpected(format!("{what}: {}", shorten(line.unwrap_or("nothing"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(code: i32, stdout: &str, stderr: &str) -> CommandOutput {
        CommandOutput::new(Exit::Code(code), stdout, stderr)
    }

    #[test]
    fn the_database_may_have_no_keys_but_not_be_broken() {
        let none = output(1, "package gpg-pubkey is not installed\n", "");
        assert_eq!(read_list(&none), Ok(String::new()));
        let broken = output(
            1,
            "package gpg-pubkey is not installed\n",
            "error: rpmdb: damaged\n",
        );
        assert!(read_list(&broken).is_err());
    }

    #[test]
    fn the_signer_of_the_installed_package() {
        for (line, id) in [
            (
                "RSA/SHA256, Sun Nov 22 14:30:30 2026, Key ID 28eb639d74ebb31e",
                Some("28eb639d74ebb31e"),
            ),
            (
                "EdDSA/SHA512, Sun 22 Nov 2026 02:30:30 PM UTC, Key ID 28EB639D74EBB31E",
                Some("28eb639d74ebb31e"),
            ),
            (
                "RSA/SHA512, Sun Nov 22 14:30:30 2026, Key Fingerprint: 213c810aab69bdd89712f38128eb639d74ebb31e",
                Some("213c810aab69bdd89712f38128eb639d74ebb31e"),
            ),
            ("(none)", None),
        ] {
            let read = read_signer(&output(0, &format!("{line}\n"), ""));
            assert_eq!(read, Ok(id.map(str::to_owned)), "{line}");
        }
        for strange in ["", "Key ID", "Key ID 28eb639d74ebb31\n", "(none)\n(none)\n"] {
            assert!(read_signer(&output(0, strange, "")).is_err(), "{strange}");
        }
        assert!(read_signer(&output(1, "package demo is not installed\n", "")).is_err());
    }
}
