//! `on_event`: who is told what.

use super::{EVENTS, events, hook, reasons};
use crate::laboratory::{Host, Setup, future_window};
use crate::support::test_server::Reply;
use serde_json::Value;

#[test]
fn a_hook_hears_operators_and_one_that_hangs_disturbs_nothing() {
    let host = Host::up(&Setup::new("apt"));
    hook(&host, "");
    host.server.set("/schedule", Reply::ok(future_window()));
    assert_eq!(host.updater(&["hold", "demo"]).code, 0);
    assert_eq!(host.updater(&["unhold", "demo"]).code, 0);
    host.configure("on_event = [\"/root/hook\"]\npin = false");
    // The first that it hears of, and nothing from before it was configured.
    assert_eq!(
        host.updater(&["hold", "demo", "--reason", "audit 4711"])
            .code,
        0
    );
    let placed = events(&host);
    assert_eq!(
        (placed.len(), &placed[0]["why"]),
        (1, &"audit 4711".into()),
        "{placed:?}"
    );
    assert_eq!(placed[0]["actor"]["trigger"], "hold");
    assert_eq!(host.updater(&["unhold", "demo"]).code, 0);
    assert_eq!(reasons(&host), ["hold_placed", "hold_released"]);

    // It would go on for ever, with a child of its own.
    hook(&host, "sleep 1000");
    let hold = host.updater(&["hold", "demo"]);
    assert_eq!(hold.code, 0, "{}", hold.all());
    assert!(
        hold.stderr
            .contains("on_event of demo: /root/hook did not end within 10 s"),
        "{}",
        hold.all()
    );
    assert_eq!(host.shell("pgrep -x sleep || true"), "");
    hook(&host, "echo some secret >&2\nexit 3");
    let run = host.updater(&["run"]);
    assert_eq!(run.code, 0, "{}", run.all());
    assert!(
        run.stderr
            .contains("/root/hook returned 3; the next run tries again"),
        "{}",
        run.all()
    );
    hook(&host, "");
    assert_eq!(host.updater(&["run"]).code, 0);
    assert_eq!(
        reasons(&host),
        ["hold_placed", "hold_released", "hold_placed"]
    );
    // A record that was trimmed meanwhile, with what is new.
    host.shell("cd /var/lib/agent-updater && tail -n 1 history.jsonl >new && mv new history.jsonl");
    assert_eq!(host.updater(&["unhold", "demo"]).code, 0);
    assert_eq!(reasons(&host).last().unwrap(), "hold_released");
    assert_eq!(reasons(&host).len(), 4);
    // What is not there any more is no reason to fail, either.
    host.shell("rm /root/hook");
    let gone = host.updater(&["hold", "demo"]);
    assert_eq!(gone.code, 0, "{}", gone.all());
    assert!(gone.stderr.contains("on_event of demo: "), "{}", gone.all());
}

#[test]
fn a_hook_hears_what_the_first_run_found() {
    let host = Host::up(&Setup::new("apt"));
    hook(&host, "");
    host.server.set("/version", Reply::new(500, "away"));
    host.configure("on_event = [\"/root/hook\"]");
    assert_eq!(host.updater(&["run"]).code, 21);
    let first = events(&host).pop().unwrap();
    assert_eq!(first["reason"], "state_changed", "{first}");
    assert_eq!(first["before"], Value::Null, "{first}");
    assert_eq!(first["after"]["exit_code"], 21, "{first}");
    // As on a host whose first run comes to an update.
    host.shell(&format!(
        "rm -r {EVENTS} /var/lib/agent-updater/events /run/agent-updater/status.json"
    ));
    host.server.set("/version", Reply::ok("1.1.0"));
    assert_eq!(host.updater(&["run"]).code, 0);
    let heard = reasons(&host);
    assert!(heard.contains(&"updated".to_owned()), "{heard:?}");
}
