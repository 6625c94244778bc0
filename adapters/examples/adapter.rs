//! Runs one step of an adapter against the real tool, prints what the adapter reads in the answer,
//! and records the transcript that the tests read: `adapter MANAGER PACKAGE STEP [VERSION]`.
//!
//! Steps: installed, entries, locate, refresh, simulate, download, install, holds. The view is in
//! `$VIEW` (default `/var/cache/adapter-view`); `$TRANSCRIPT` names the folder to record in.
//! `$FROM` and `$ARCHITECTURE` stand in for what is installed when that is broken.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use adapters::{
    Apt, Change, CommandOutput, CommandSpec, ConfigurationFile, Exit, Installed, ManagerKind,
    NativeVersion, PackageManager, PackageName, PrivateView, ProcessRunner, RepositoryEntry,
    Runner, TargetVersion, Yum, Zypper,
};
use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (manager, package, step, version) = match words[..] {
        [manager, package, step] => (manager, package, step, None),
        [manager, package, step, version] => (manager, package, step, Some(version)),
        _ => return Err("usage: adapter MANAGER PACKAGE STEP [VERSION]".into()),
    };
    let package = PackageName::parse(package)?;
    let manager: Box<dyn PackageManager> = match manager {
        "apt" => Box::new(Apt),
        "yum" => Box::new(Yum::new("dnf")),
        "zypper" => Box::new(Zypper),
        other => return Err(format!("no package manager is called {other}").into()),
    };
    let manager = manager.as_ref();
    match step {
        "installed" => {
            let output = run(&manager.query_installed(&package)).await?;
            println!("{:#?}", manager.read_installed(&package, &output));
        }
        "entries" => println!(
            "{:#?}",
            manager.entries(&read(&manager.configuration_files())?)
        ),
        "holds" => {
            let holds = manager.holds(&package, &read(&manager.hold_files())?);
            println!("{holds:#?}");
            if let Some(question) = manager.ask_about_holds(&package, &view_folder()) {
                let output = run(&question).await?;
                let target = version.map(TargetVersion::parse).transpose()?;
                let confirmed = manager.confirmed_holds(&package, target.as_ref(), holds, &output);
                println!("confirmed: {confirmed:#?}");
            }
        }
        "locate" => {
            let output = run(&manager.locate(&package, &view_folder())).await?;
            println!(
                "{:#?}",
                manager.read_located(&package, &entries(manager)?, &output)
            );
        }
        "refresh" => {
            let output = run(&manager.refresh(&view(manager, &package)?)).await?;
            println!("{:#?}", manager.read_refresh(&output));
        }
        "simulate" => {
            let change = change(manager, &package, version).await?;
            let output = run(&manager.simulate(&view(manager, &package)?, &change)).await?;
            println!("{:#?}", manager.read_simulation(&change, &output));
        }
        "download" => {
            let change = change(manager, &package, version).await?;
            let output = run(&manager.download(&view(manager, &package)?, &change)).await?;
            println!("{:#?}", manager.read_download(&change, &output));
        }
        "install" => {
            let change = change(manager, &package, version).await?;
            let output = run(&manager.install(&view(manager, &package)?, &change, None)).await?;
            println!("{:#?}", manager.read_install(&change, &output));
        }
        other => return Err(format!("no step is called {other}").into()),
    }
    Ok(())
}

async fn run(command: &CommandSpec) -> Result<CommandOutput, Box<dyn Error>> {
    println!("$ {command}");
    let output = ProcessRunner::new().run(command).await?;
    println!("{} after {} ms", output.exit, output.duration.as_millis());
    if let Some(folder) = std::env::var_os("TRANSCRIPT").map(PathBuf::from) {
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("command"), format!("{command}\n"))?;
        fs::write(folder.join("stdout"), &output.stdout)?;
        fs::write(folder.join("stderr"), &output.stderr)?;
        let exit = match output.exit {
            Exit::Code(code) => code.to_string(),
            other => other.to_string(),
        };
        fs::write(folder.join("exit"), format!("{exit}\n"))?;
    }
    Ok(output)
}

fn read(paths: &[PathBuf]) -> Result<Vec<ConfigurationFile>, Box<dyn Error>> {
    let mut files = Vec::new();
    for path in paths.iter().filter(|path| path.exists()) {
        let mut inside = vec![path.clone()];
        if path.is_dir() {
            let listed: Result<Vec<_>, _> = fs::read_dir(path)?
                .map(|item| item.map(|i| i.path()))
                .collect();
            inside = listed?;
            inside.sort();
        }
        for path in inside {
            let text = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
            files.push(ConfigurationFile { path, text });
        }
    }
    Ok(files)
}

fn entries(manager: &dyn PackageManager) -> Result<Vec<RepositoryEntry>, Box<dyn Error>> {
    Ok(manager.entries(&read(&manager.configuration_files())?).0)
}

fn view_folder() -> PathBuf {
    std::env::var_os("VIEW").map_or_else(|| PathBuf::from("/var/cache/adapter-view"), PathBuf::from)
}

/// The view of the entry called `demo`, written to disk.
fn view(
    manager: &dyn PackageManager,
    package: &PackageName,
) -> Result<PrivateView, Box<dyn Error>> {
    let entries = entries(manager)?;
    let entry = entries
        .iter()
        .find(|entry| entry.id == "demo")
        .ok_or("no entry is called demo")?;
    let view = manager.private_view(entry, package, &view_folder());
    for folder in &view.folders {
        fs::create_dir_all(folder)?;
    }
    for file in &view.files {
        fs::write(&file.path, &file.text)?;
        let mode = if file.secret { 0o600 } else { 0o644 };
        fs::set_permissions(&file.path, fs::Permissions::from_mode(mode))?;
    }
    Ok(view)
}

async fn change(
    manager: &dyn PackageManager,
    package: &PackageName,
    version: Option<&str>,
) -> Result<Change, Box<dyn Error>> {
    let native = |text: &str| match manager.kind() {
        ManagerKind::Apt => NativeVersion::debian(text),
        ManagerKind::Yum | ManagerKind::Zypper => NativeVersion::rpm(text),
    };
    let to = native(version.ok_or("this step needs a version")?)?;
    let output = ProcessRunner::new()
        .run(&manager.query_installed(package))
        .await?;
    let (from, architecture) = match manager.read_installed(package, &output)? {
        Installed::Present(installed) => (installed.version, installed.architecture),
        // A broken package has no version of its own; a person names the one to start from.
        other => match std::env::var("FROM") {
            Ok(from) => (native(&from)?, std::env::var("ARCHITECTURE")?),
            Err(_) => return Err(format!("{package} is {other:?}, set FROM").into()),
        },
    };
    Ok(Change {
        package: package.clone(),
        from,
        to,
        architecture,
    })
}
