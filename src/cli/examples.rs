//! The examples below the help texts: what an operator reads first.

pub(super) const EXAMPLES: &str = "\
Examples:
  agent-updater run --dry-run     what would happen now, and why
  agent-updater run               decide, and update if the decision says so
  agent-updater run --now         the same without waiting for a window
  agent-updater status            what is installed and wanted, each gate
  agent-updater schedule          the next maintenance windows
  agent-updater history           who changed what, when and why
  agent-updater doctor            what keeps updates away, and the way out
  agent-updater check             the last findings, for a monitoring system
  agent-updater hold teleport     pause one agent; `unhold` goes on
  agent-updater rollback teleport back to the last good version

Exit codes: 0 done or waiting, 1 fault of this program, 2 usage, 10 and 11 only with \
--exit-code, 20 configuration, 21 version server, 22 target not offered, 23 repository not \
trusted, 24 package manager busy, 25 package manager broken, 26 refused before anything was \
changed, 27 repository unreachable, 30 install failed, 31 rolled back, 32 new version \
unhealthy, 33 target quarantined, 75 another instance is running, 77 needs root.";

pub(super) const RUN_EXAMPLES: &str = "\
Examples:
  agent-updater run --dry-run             what would happen now, and why
  agent-updater run --now teleport        without waiting for a window
  agent-updater run --to 15.4.2 teleport  this version, until `unhold`
  agent-updater run --to 15.4.2 --until-target-changes teleport
                                          the same until the version server
                                          names another one

Every gate but timing stays with --to; the version server may be away.";

pub(super) const HISTORY_EXAMPLES: &str = "\
Examples:
  agent-updater history                     the last 20 events, newest last
  agent-updater history teleport -n 0       all of one agent, and those of all
  agent-updater history --long -n 1         everything of the last one
  agent-updater history --since 7d --reason rolled_back
  agent-updater history -n 0 --json | jq '.events[] | [.time, .reason, .why]'

Any user may ask. WHO is the user who logged in, also behind sudo, or `timer` for what the \
timer or cron did. Who finds the configuration changed need not be who wrote it. Events are \
kept for 400 days.";
pub(super) const CHECK_EXAMPLES: &str = "\
Examples:
  agent-updater check              every agent; the worst one counts
  agent-updater check teleport --pending-warning 3d --pending-critical 14d
  agent-updater check --stale 5h   where the timer was made slower

It reads what the last run left, and needs neither root nor a network. CRITICAL: the agent is \
unhealthy, a roll-back failed, the repository is not trusted, the package manager is broken, \
the configuration is invalid, this program is at fault. WARNING: rolled back or quarantined, \
an install that failed, a refusal before anything was changed, a restart that somebody has to \
make. A fault from outside that may pass (version server, repository, lock) counts when it \
lasts, and so does a change that waits, whatever for.";

pub(super) const HOLD_EXAMPLES: &str = "\
Examples:
  agent-updater hold teleport --reason \"audit, ticket 4711\"
  agent-updater hold teleport --until 3d
  agent-updater hold --all --until \"2026-12-01 06:00\"

`agent-updater status` shows it; not even an unhealthy agent or a critical update passes it.";

pub(super) const UNHOLD_EXAMPLES: &str = "\
Examples:
  agent-updater unhold teleport
  agent-updater unhold --all

A hold of the package manager (apt-mark, versionlock, zypper addlock) is the administrator's: \
`agent-updater run --dry-run` names the command that releases it.";

pub(super) const ROLLBACK_EXAMPLES: &str = "\
Examples:
  agent-updater rollback teleport              back to the last good version
  agent-updater rollback teleport --to 15.4.1  back, or on, to this one
  agent-updater rollback teleport --dry-run    what would be done

A version that our own cache keeps needs neither repository nor version server. The agent is \
held there until `agent-updater unhold`.";

pub(super) const ALLOW_EXAMPLES: &str = "\
Example:
  agent-updater allow teleport 15.4.2              the next run may try it again

Quarantine also ends when the version server names another version, or `none` on two ticks in \
a row.";

pub(super) const ADOPT_EXAMPLES: &str = "\
Examples:
  agent-updater adopt --dry-run   what would be written, disabled, released
  agent-updater adopt
  agent-updater adopt --name teleport --keep-holds

It reads /etc/teleport-upgrade.d, writes a drop-in below /etc/agent-updater/config.d, disables \
teleport-upgrade.timer and takes over the hold, exclude or lock on the package. Until then \
every tick leaves that package to the earlier updater.";

pub(super) const RESET_EXAMPLES: &str = "\
Example:
  agent-updater reset --image

Every host that is made of the image starts with its own history.";

pub(super) const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  agent-updater completions bash \\
      > /usr/share/bash-completion/completions/agent-updater
  agent-updater completions zsh > /usr/share/zsh/site-functions/_agent-updater
  agent-updater completions fish \\
      > /usr/share/fish/vendor_completions.d/agent-updater.fish

They complete the names of the configured agents, too.";

pub(super) const MAN_EXAMPLES: &str = "\
Examples:
  agent-updater man | man -l -
  agent-updater man agent-updater.toml.5 | man -l -";

pub(super) const DOCTOR_EXAMPLES: &str = "\
Examples:
  agent-updater doctor
  agent-updater doctor --json | jq '.checks[] | select(.verdict != \"ok\")'

It changes nothing. As an ordinary user it says which checks only root can make. The exit code \
is that of the most urgent problem, as a run would give it; warnings alone are 0.";

pub(super) const SCHEDULE_EXAMPLES: &str = "\
Examples:
  agent-updater schedule --count 10
  agent-updater schedule --check schedule.json   before it is published
  generate-schedule | agent-updater schedule --check -

--check takes JSON, lines of `<start> <stop>` in Unix seconds, `nop`, or a .toml file with the \
keys of the configuration's `schedule` table.";

#[cfg(test)]
mod tests {
    use crate::cli::Cli;
    use clap::{Command, CommandFactory as _};

    fn assert_fits(command: &mut Command) {
        let help = command.render_long_help().to_string();
        for line in help.lines() {
            assert!(line.chars().count() <= 80, "{}: {line}", command.get_name());
        }
        for below in command.get_subcommands_mut() {
            assert_fits(below);
        }
    }

    /// Paragraphs are wrapped by clap, examples stand as they are.
    #[test]
    fn every_help_fits_a_terminal_of_80_columns() {
        let mut command = Cli::command().term_width(80);
        command.build();
        assert_fits(&mut command);
    }
}
