//! Completions for the shells, from the definition of the command line.
//!
//! clap's own know commands and options; what is added here is the names of the configured agents,
//! which the completion asks this program for when it is used.

use crate::cli::{Cli, Shell};
use anyhow::{Context as _, Result};
use clap::CommandFactory as _;
use clap_complete::aot;
use std::fmt::Write as _;

/// The commands whose arguments are agents.
const TAKE_AGENTS: &[&str] = &[
    "run", "status", "schedule", "history", "doctor", "check", "hold", "unhold", "rollback",
    "allow", "trust",
];

/// Prints the names. The configuration is readable for everybody.
const NAMES: &str = r"agent-updater config show 2>/dev/null | sed -n 's/^\[agents\.\(.*\)\]$/\1/p'";

/// The completion script of a shell.
///
/// # Errors
/// A fault of this program: the generator's script is not the one that is extended here.
pub(crate) fn script(shell: Shell) -> Result<String> {
    let mut command = Cli::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    match shell {
        Shell::Bash => aot::generate(aot::Bash, &mut command, name, &mut script),
        Shell::Zsh => aot::generate(aot::Zsh, &mut command, name, &mut script),
        Shell::Fish => aot::generate(aot::Fish, &mut command, name, &mut script),
    }
    let script = String::from_utf8(script).context("completions are text")?;
    Ok(match shell {
        Shell::Bash => bash(&script)?,
        Shell::Zsh => zsh(&script)?,
        Shell::Fish => fish(&script),
    })
}

/// The generated function first, then the names beside its proposals where no option is typed.
fn bash(script: &str) -> Result<String> {
    // clap_complete 4.6.11 takes the dash of our name for the space before a command where it lists
    // the options, and so finds none.
    let mut script = script.replace("agent__subcmd__updater", "agent__updater");
    let (generated, _) = script
        .split_once("() {")
        .context("the completions for bash do not begin as expected")?;
    let generated = generated.to_owned();
    let commands = TAKE_AGENTS.join("|");
    let with_values = options_with_values().join("|");
    let _ = write!(
        script,
        r#"
_agent-updater_with_agents() {{
    local word
    {generated} "$@"
    case "${{COMP_WORDS[COMP_CWORD]}}" in -*) return 0 ;; esac
    # The value of an option is no agent.
    case "${{COMP_WORDS[COMP_CWORD-1]}}" in = | {with_values}) return 0 ;; esac
    # The command is the first word that is no option and no option's value.
    local before=
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        # bash takes `--option=value` for three words.
        [ "$word" != = ] || continue
        case "$before" in {with_values}) before= && continue ;; esac
        before="$word"
        case "$word" in
        -*) ;;
        {commands})
            COMPREPLY=($(compgen -W "$({NAMES})" -- "${{COMP_WORDS[COMP_CWORD]}}"))
            return 0
            ;;
        *) return 0 ;;
        esac
    done
}}

complete -F _agent-updater_with_agents -o nosort -o bashdefault -o default agent-updater 2>/dev/null ||
    complete -F _agent-updater_with_agents -o bashdefault -o default agent-updater
"#
    );
    Ok(script)
}

/// Every option of any command that takes a value, as it is typed.
fn options_with_values() -> Vec<String> {
    let command = Cli::command();
    let all = std::iter::once(&command).chain(command.get_subcommands());
    let options = all.flat_map(clap::Command::get_opts);
    let mut typed: Vec<String> = options
        .filter(|option| option.get_action().takes_values())
        .flat_map(|option| {
            let long = option.get_long().map(|long| format!("--{long}"));
            let short = option.get_short().map(|short| format!("-{short}"));
            long.into_iter().chain(short)
        })
        .collect();
    typed.sort();
    typed.dedup();
    typed
}

/// In the generated specifications the action of an agent's argument is that of any file.
fn zsh(script: &str) -> Result<String> {
    let mut out = String::new();
    let mut found = 0;
    for line in script.lines() {
        let is_agent = line.starts_with("'*::agents ") || line.starts_with("':agent ");
        match line.split_once(":_default'") {
            Some((before, after)) if is_agent => {
                found += 1;
                let _ = writeln!(out, "{before}:_agent-updater_agents'{after}");
            }
            _ => {
                out.push_str(line);
                out.push('\n');
            }
        }
    }
    anyhow::ensure!(found > 0, "the completions for zsh name no agent");
    // Before the last paragraph, which may call the completion at once.
    let function = format!(
        "(( $+functions[_agent-updater_agents] )) ||\n_agent-updater_agents() {{\n    local -a agents\n    \
         agents=(${{(f)\"$({NAMES})\"}})\n    _describe agent agents\n}}\n\n"
    );
    let last = out
        .find("if [ \"$funcstack[1]\"")
        .context("the completions for zsh do not end as expected")?;
    out.insert_str(last, &function);
    Ok(out)
}

/// Without the options that are hidden, which clap proposes to this shell all the same.
fn fish(generated: &str) -> String {
    let command = Cli::command();
    let all = std::iter::once(&command).chain(command.get_subcommands());
    let hidden: Vec<String> = all
        .flat_map(clap::Command::get_arguments)
        .filter(|option| option.is_hide_set())
        .filter_map(|option| Some(format!(" -l {} ", option.get_long()?)))
        .collect();
    let mut script = String::new();
    for line in generated.lines() {
        if !hidden.iter().any(|option| line.contains(option)) {
            script.push_str(line);
            script.push('\n');
        }
    }
    let _ = writeln!(
        script,
        "complete -c agent-updater -n \"__fish_seen_subcommand_from {}\" -f -a \"({})\"",
        TAKE_AGENTS.join(" "),
        NAMES.replace('\\', "\\\\").replace('$', "\\$")
    );
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_that_takes_agents_is_known() {
        let command = Cli::command();
        let taking = command.get_subcommands().filter(|sub| {
            !sub.is_hide_set()
                && sub
                    .get_positionals()
                    .any(|argument| matches!(argument.get_id().as_str(), "agent" | "agents"))
        });
        let mut taking: Vec<&str> = taking.map(clap::Command::get_name).collect();
        let mut known = TAKE_AGENTS.to_vec();
        taking.sort_unstable();
        known.sort_unstable();
        assert_eq!(taking, known);
    }

    /// What bash proposes for the last of the words.
    fn proposed(words: &[&str]) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), script(Shell::Bash).unwrap()).unwrap();
        let (last, before) = words.split_last().unwrap();
        let line = format!(
            "agent-updater() {{ printf '[agents.demo]\\npin = true\\n[agents.other]\\n'; }}
             . {}
             COMP_WORDS=({} '{last}') COMP_CWORD={}
             _agent-updater_with_agents agent-updater '{last}' '{}'
             echo \"${{COMPREPLY[*]}}\"",
            file.path().display(),
            before.join(" "),
            before.len(),
            before.last().unwrap()
        );
        let output = std::process::Command::new("bash")
            .args(["-c", &line])
            .output();
        let output = output.unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    #[test]
    fn bash_completes_commands_options_and_agents() {
        assert_eq!(proposed(&["agent-updater", "hold", ""]), "demo other");
        assert_eq!(proposed(&["agent-updater", "rollback", "de"]), "demo");
        assert!(proposed(&["agent-updater", "hold", "--u"]).contains("--until"));
        assert!(proposed(&["agent-updater", "rollb"]).contains("rollback"));
        assert!(!proposed(&["agent-updater", "config", ""]).contains("demo"));
        // Files, and values of options.
        for words in [
            &["agent-updater", "config", "check", ""][..],
            &["agent-updater", "schedule", "--check", ""],
            &["agent-updater", "hold", "--reason", ""],
        ] {
            assert!(!proposed(words).contains("demo"), "{words:?}");
        }
        let words = ["agent-updater", "--color", "never", "status", "-v", ""];
        assert_eq!(proposed(&words), "demo other");
        let words = ["agent-updater", "--color", "=", "never", "status", ""];
        assert_eq!(proposed(&words), "demo other");
    }

    #[test]
    fn zsh_completes_agents_where_there_are_some() {
        let script = script(Shell::Zsh).unwrap();
        let uses = script.matches(":_agent-updater_agents'").count();
        // Hidden commands have completions, too.
        assert!(uses >= TAKE_AGENTS.len(), "{uses}");
    }
}
