//! The tick that finds nothing to do: what it costs is what the fleet pays.

use crate::laboratory::{Host, Setup};
use crate::support::test_server::Reply;
use crate::with_each_manager;

with_each_manager! {
    fn it_opens_one_connection_makes_one_request_and_runs_one_query(setup: Setup) {
        let host = Host::up(&setup);
        host.server.set("/version", Reply::ok("1.0.0").etag("\"one\""));
        // The first tick of a host looks at the schedule, too, and keeps it for six hours.
        assert_eq!(host.updater(&["run"]).code, 0);
        assert!(host.server.targets().contains(&"/schedule".to_owned()));
        host.server.forget();
        let state = "find /var/lib/agent-updater -type f -newermt @0 -printf '%p %T@ %i\\n' | sort";
        let before = host.shell(state);

        let output = host.exec(&[
            "strace", "-f", "-qq", "-e", "trace=execve,connect", "-e", "signal=none", "-o", "/tmp/trace",
            "/opt/updater/agent-updater", "run",
        ]);
        assert_eq!(output.code, 0, "{}", output.all());
        assert_eq!((host.server.connections(), host.server.targets()), (1, vec!["/version".to_owned()]));

        let trace = host.shell("cat /tmp/trace");
        let calls = |name: &str| {
            let pattern = format!("{name}(");
            let lines = trace.lines().filter(|line| line.contains(&pattern) && line.ends_with("= 0"));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        let programs = calls("execve");
        let query = if host.manager == "apt" { "dpkg-query\", \"-W\"" } else { "rpm\", \"-q\"" };
        assert_eq!(programs.len(), 2, "ourselves and one query of the package database: {trace}");
        assert!(programs[1].contains(query), "{}", programs[1]);
        let connects: Vec<_> = trace.lines().filter(|line| line.contains("connect(") && line.contains("AF_INET")).collect();
        assert_eq!(connects.len(), 1, "{trace}");
        assert_eq!(host.shell(state), before, "an idle tick writes nothing that lasts");
    }
}
