//! The verb: start, wait until ready, show, wait for Ctrl-C, stop in order.

use std::path::{Path, PathBuf};
use std::time::Duration;

use openclaw_proto::v1;
use serde_json::json;

use super::child::Program;
use super::{banner, ready};
use crate::address::Address;
use crate::args::{DevArgs, Global};
use crate::client::{Client, FoundToken, Tokens};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::find::{self, Surroundings};
use crate::follow::{Stop, Watcher};
use crate::output::Printer;

/// A worker may take its `drain_timeout` and the grace of what it ends.
const WORKER_PATIENCE: Duration = Duration::from_secs(50);
/// What takes longer is worth a line.
const SHORT: Duration = Duration::from_secs(1);
const COORDINATOR_PATIENCE: Duration = Duration::from_secs(15);

pub(crate) async fn dev(
    args: &DevArgs,
    around: &Surroundings,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let place = Place::new(args)?;
    ready::check_port(place.address.port).await?;
    let mut watcher = Watcher::new(printer, None)?;
    let mut coordinator = Program::start("openclaw-coordinator", &place.dir, &place.coordinator())?;
    let ended = match ready::coordinator(&mut coordinator, place.address.port, &mut watcher).await {
        Ok(()) => with_worker(&place, around, &mut coordinator, printer, &mut watcher).await,
        Err(stop) => Err(stop),
    };
    stop(
        &mut coordinator,
        COORDINATOR_PATIENCE,
        &mut watcher,
        is_interrupt(&ended),
    )
    .await;
    match ended {
        Ok(never) => match never {},
        Err(Stop::Failed(failure)) => Err(failure),
        Err(Stop::Interrupted | Stop::TimedOut) => {
            printer.note(&format!(
                "stopped; the data stays in {}",
                place.shown.display()
            ));
            Ok(Exit::Ok)
        }
    }
}

/// The part of the life during which the worker runs too.
async fn with_worker(
    place: &Place,
    around: &Surroundings,
    coordinator: &mut Program,
    printer: &Printer,
    watcher: &mut Watcher,
) -> Result<std::convert::Infallible, Stop> {
    let mut worker = Program::start("openclaw-worker", &place.dir, &place.worker())?;
    let client = place.client()?;
    let ended = match ready::worker(&mut worker, &client, watcher).await {
        Ok(node) => match show(place, around, printer, &node) {
            Ok(()) => until_one_ends(coordinator, &mut worker, watcher).await,
            Err(failure) => Stop::Failed(failure),
        },
        Err(stop) => stop,
    };
    let ended = Err(ended);
    stop(&mut worker, WORKER_PATIENCE, watcher, is_interrupt(&ended)).await;
    ended
}

async fn until_one_ends(
    coordinator: &mut Program,
    worker: &mut Program,
    watcher: &mut Watcher,
) -> Stop {
    let either = async {
        tokio::select! {
            failure = coordinator.ended() => failure,
            failure = worker.ended() => failure,
        }
    };
    match watcher.until(either).await {
        Ok(failure) => Stop::Failed(failure),
        Err(stop) => stop,
    }
}

const fn is_interrupt<T>(ended: &Result<T, Stop>) -> bool {
    matches!(ended, Err(Stop::Interrupted))
}

/// Ends a program in good order; a second Ctrl-C asks it to hurry.
async fn stop(program: &mut Program, patience: Duration, watcher: &mut Watcher, interrupted: bool) {
    if !program.ask_to_stop() && !interrupted {
        // Nobody told it and nobody can.
        program.finish(Duration::ZERO).await;
        return;
    }
    if !program.ends_within(SHORT).await {
        watcher.say(&format!(
            "waiting for {} to stop  (Ctrl-C again stops it at once)",
            program.name()
        ));
    }
    if watcher
        .until_hurried(program.finish(patience))
        .await
        .is_none()
    {
        program.ask_to_stop();
        program.finish(COORDINATOR_PATIENCE).await;
    }
}

fn show(
    place: &Place,
    around: &Surroundings,
    printer: &Printer,
    node: &v1::Node,
) -> Result<(), Failure> {
    if printer.is_json() {
        return printer.document(&json!({
            "address": place.address.to_string(),
            "dir": place.dir.display().to_string(),
            "node_id": node.node_id,
            "token_file": place.token_file().display().to_string(),
        }));
    }
    // Other terminals find it by themselves where it is the default.
    let found = find::coordinator(&Global::default(), around);
    let program = if found.is_ok_and(|chosen| chosen.address.same_as(&place.address)) {
        "openclaw-cluster".to_owned()
    } else {
        format!("openclaw-cluster --addr {}", place.address)
    };
    let lines = banner::lines(&place.address, &program, &place.shown, node);
    printer.text(&(lines.join("\n") + "\n"))
}

/// The folder and what is derived from it.
struct Place {
    dir: PathBuf,
    shown: PathBuf,
    skills: PathBuf,
    node_id: Option<String>,
    address: Address,
}

impl Place {
    fn new(args: &DevArgs) -> Result<Self, Failure> {
        let failed = |path: &Path, error: std::io::Error| {
            Failure::local(
                "DEV_DIR",
                format!("cannot use the folder {}: {error}", path.display()),
            )
            .hint("name another with --dir")
        };
        std::fs::create_dir_all(&args.dir).map_err(|error| failed(&args.dir, error))?;
        let dir = std::path::absolute(&args.dir).map_err(|error| failed(&args.dir, error))?;
        let skills = match &args.skills_dir {
            Some(path) => path.clone(),
            None if Path::new("skills").is_dir() => PathBuf::from("skills"),
            None => dir.join("skills"),
        };
        std::fs::create_dir_all(&skills).map_err(|error| failed(&skills, error))?;
        let skills = std::path::absolute(&skills).map_err(|error| failed(&skills, error))?;
        let address = Address {
            port: args.port.get(),
            ..Address::local()
        };
        Ok(Self {
            dir,
            shown: args.dir.clone(),
            skills,
            node_id: args.node_id.clone(),
            address,
        })
    }

    fn token_file(&self) -> PathBuf {
        self.dir.join("coordinator").join("token")
    }

    /// Settings of both programs.
    fn common(&self) -> Vec<(&'static str, String)> {
        vec![
            (
                "OPENCLAW__STORAGE__PATH",
                self.dir.join("cluster.db").display().to_string(),
            ),
            (
                "OPENCLAW__LOG__DIR",
                self.dir.join("logs").display().to_string(),
            ),
            ("OPENCLAW__LOG__FORMAT", "text".to_owned()),
        ]
    }

    fn coordinator(&self) -> Vec<(&'static str, String)> {
        let mut settings = self.common();
        settings.push(("OPENCLAW__COORDINATOR__HOST", self.address.host.clone()));
        settings.push(("OPENCLAW__COORDINATOR__PORT", self.address.port.to_string()));
        settings
    }

    fn worker(&self) -> Vec<(&'static str, String)> {
        let mut settings = self.common();
        settings.push(("OPENCLAW__WORKER__COORDINATOR", self.address.to_string()));
        settings.push((
            "OPENCLAW__WORKER__SKILLS_DIR",
            self.skills.display().to_string(),
        ));
        settings.push(("OPENCLAW__WORKER__ALLOW_COMMANDS", "true".to_owned()));
        settings.extend(
            self.node_id
                .clone()
                .map(|name| ("OPENCLAW__WORKER__NODE_ID", name)),
        );
        settings
    }

    /// A client with the token that the coordinator has just made or read.
    fn client(&self) -> Result<Client, Failure> {
        let path = self.token_file();
        let text = std::fs::read_to_string(&path).map_err(|error| {
            Failure::local(
                "TOKEN",
                format!(
                    "the coordinator is ready, but its token {} cannot be read: {error}",
                    path.display()
                ),
            )
        })?;
        let found = FoundToken {
            token: text.trim().to_owned(),
            source: path.display().to_string(),
        };
        Client::new(
            self.address.clone(),
            "started here".to_owned(),
            Tokens::new(vec![found])?,
        )
    }
}
