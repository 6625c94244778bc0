//! The configuration as a whole.

use super::finding::Finding;
use crate::config::{Configuration, Problem, Standing};
use crate::decision::Reason;
use crate::outcome::exit_code;

const NAME: &str = "configuration";

/// Every problem, or how many agents and files there are.
pub(super) fn check(configuration: &Configuration, folder: &str) -> Vec<Finding> {
    let code = exit_code(Reason::ConfigurationInvalid);
    match configuration.standing() {
        Standing::Valid => {
            let files: Vec<String> = configuration
                .files
                .iter()
                .map(|file| file.path.display().to_string())
                .collect();
            vec![Finding::ok(NAME, format!("valid: {}", files.join(", ")))]
        }
        Standing::NotConfigured => vec![Finding::problem(
            NAME,
            code,
            format!("no agent is configured in {folder}"),
            format!(
                "put `[agents.NAME]` with `package` and `version_server.url` into {folder}/config.toml"
            ),
        )],
        Standing::Invalid => configuration
            .all_problems()
            .into_iter()
            .map(problem)
            .collect(),
    }
}

fn problem(problem: &Problem) -> Finding {
    let told = Problem {
        hint: None,
        ..problem.clone()
    };
    let hint = problem.hint.clone().unwrap_or_else(|| {
        "mend it there; `agent-updater config check` says whether all is well".to_owned()
    });
    Finding::problem(
        NAME,
        exit_code(Reason::ConfigurationInvalid),
        told.to_string(),
        hint,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load;
    use crate::doctor::finding::Verdict;
    use std::fs;
    use std::path::Path;

    fn checked(text: Option<&str>) -> Vec<Finding> {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("etc/agent-updater");
        fs::create_dir_all(&folder).unwrap();
        if let Some(text) = text {
            fs::write(folder.join("config.toml"), text).unwrap();
        }
        check(
            &load(root.path(), Path::new("/etc/agent-updater")),
            "/etc/agent-updater",
        )
    }

    #[test]
    fn each_problem_is_told_with_its_way_out() {
        let good = "[agents.web]\npackage = \"web\"\nversion_server.url = \"https://a.example/\"\n";
        let found = checked(Some(good));
        assert_eq!(
            (found.len(), found[0].verdict),
            (1, Verdict::Ok),
            "{found:?}"
        );
        assert!(found[0].found.contains("/etc/agent-updater/config.toml"));
        let found = checked(None);
        assert_eq!(
            (found[0].verdict, found[0].exit_code),
            (Verdict::Problem, 20)
        );
        let found = checked(Some(&format!("{good}pim = 1\nspread = \"x\"\n")));
        assert_eq!(found.len(), 2, "{found:?}");
        for finding in found {
            assert_eq!((finding.verdict, finding.exit_code), (Verdict::Problem, 20));
            assert!(
                finding.found.starts_with("/etc/agent-updater/config.toml:"),
                "{finding:?}"
            );
            assert!(
                finding.hint.is_some() && !finding.found.contains("hint:"),
                "{finding:?}"
            );
        }
    }
}
