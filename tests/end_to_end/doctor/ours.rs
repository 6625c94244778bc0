//! What this program itself left, who is told by it, and what calls it.

use super::{Expected, assert_named, broken, doctor, found, told, well};
use crate::laboratory::{Host, Setup};

#[test]
fn what_this_program_itself_left() {
    let host = well(&Setup::new("apt"));
    assert_eq!(host.updater(&["run"]).code, 0);
    host.server.set("/version", told("1.1.0"));
    let journal = "/var/lib/agent-updater/journal/demo.json";
    let state = "/var/lib/agent-updater/agents/demo.json";
    host.shell(&format!(
        "cp {state} /root/state; touch {journal}; cp {journal} /root/journal"
    ));
    host.write(state, "{\"schema\": 1, ");
    assert_named(
        &host,
        "state",
        &Expected {
            code: 1,
            name: "state",
            verdict: "problem",
            found: "is damaged",
            hint: "mv ",
        },
    );
    host.shell(&format!("cp /root/state {state}"));
    host.write(journal, "{\"schema\": 1, \"phase\": \"stuck\"}");
    assert_named(
        &host,
        "journal",
        &Expected {
            code: 32,
            name: "journal",
            verdict: "problem",
            found: "neither the new version",
            hint: "next run takes it",
        },
    );
    host.shell(&format!("rm {journal}"));
    host.write(
        "/etc/agent-updater/config.d/typo.toml",
        "[agents.demo]\nspraed = \"1h\"\n",
    );
    let typo = doctor(&host);
    assert_eq!(typo.code, 20, "{}", typo.all());
    let problem = &found(&typo, "configuration", "problem")[0];
    assert!(
        problem["found"]
            .as_str()
            .unwrap()
            .starts_with("/etc/agent-updater/config.d/typo.toml:2"),
        "{problem}"
    );
    assert!(
        problem["hint"].as_str().unwrap().contains("spread"),
        "{problem}"
    );
    host.shell("rm -r /etc/agent-updater");
    let nothing = doctor(&host);
    assert_eq!(nothing.code, 20, "{}", nothing.all());
    assert_eq!(found(&nothing, "timer", "ok").len(), 1, "{}", nothing.all());
}

#[test]
fn who_is_told_of_what_happens() {
    let host = well(&Setup::new("apt"));
    host.configure("on_event = [\"/root/tell\"]\nmetrics.file = \"/root/textfiles/demo.prom\"");
    host.shell("mkdir /root/textfiles; printf '#!/bin/sh\\ncat >>/root/told\\n' >/root/tell; chmod 755 /root/tell");
    assert_eq!(host.updater(&["run"]).code, 0);
    let output = doctor(&host);
    for name in ["on_event", "metrics"] {
        assert_eq!(found(&output, name, "ok").len(), 1, "{}", output.all());
    }
    let expected = |name, found, hint| Expected {
        code: 0,
        name,
        verdict: "warning",
        found,
        hint,
    };
    broken(
        &host,
        "a program that nobody may execute",
        "chmod a-x /root/tell",
        "chmod a+x /root/tell",
        &expected("on_event", "/root/tell is not executable", "chmod 0755"),
    );
    broken(
        &host,
        "a program that is gone",
        "mv /root/tell /root/gone",
        "mv /root/gone /root/tell",
        &expected("on_event", "/root/tell is not there", "on_event"),
    );
    broken(
        &host,
        "a folder that is gone",
        "mv /root/textfiles /root/away",
        "mv /root/away /root/textfiles",
        &expected("metrics", "/root/textfiles is not there", "mkdir -p"),
    );
    broken(
        &host,
        "a file that a run could not write",
        "touch -d '2 hours ago' /root/textfiles/demo.prom",
        "touch /root/textfiles/demo.prom",
        &expected(
            "metrics",
            "the last run did not write it",
            "metrics-folder.conf",
        ),
    );
}

#[test]
fn without_systemd_cron_has_to_be_there() {
    let host = Host::up(&Setup {
        without_systemd: true,
        ..Setup::new("apt")
    });
    host.server.set("/version", told("1.1.0"));
    let expected = |found, hint| Expected {
        code: 26,
        name: "timer",
        verdict: "problem",
        found,
        hint,
    };
    assert_named(
        &host,
        "no file",
        &expected("there is no /etc/cron.d/agent-updater", "scripts/install"),
    );
    host.write("/etc/cron.d/agent-updater", "# as the package leaves it\n");
    let output = doctor(&host);
    assert_eq!(output.code, 0, "{}", output.all());
    assert_eq!(found(&output, "timer", "ok").len(), 1, "{}", output.all());
    assert!(
        found(&output, "installer", "ok").is_empty(),
        "{}",
        output.all()
    );
}
