//! A coordinator and its workers, started together.

use super::cli::Cli;
use super::client::Client;
use super::http::Http;
use super::program::{Coordinator, Worker};
use super::sandbox::Sandbox;
use super::settings::Settings;
use super::skills::install;

/// A worker to be: its name, its settings, its test skills and the names they are given.
#[derive(Debug)]
struct Wanted {
    name: String,
    settings: Settings,
    skills: Vec<(String, String)>,
}

/// What a cluster shall be.
#[derive(Debug)]
pub struct ClusterBuilder {
    settings: Settings,
    host: String,
    workers: Vec<Wanted>,
}

/// A cluster of real programs; ends with the test. Fields in the order in which they are dropped.
#[derive(Debug)]
pub struct Cluster {
    /// Its workers, in the order in which they were named.
    pub workers: Vec<Worker>,
    /// Its coordinator.
    pub coordinator: Coordinator,
    /// Where all of them live.
    pub sandbox: Sandbox,
    settings: Settings,
}

impl Cluster {
    /// A coordinator on loopback and no worker yet.
    pub fn builder() -> ClusterBuilder {
        ClusterBuilder {
            settings: Settings::default(),
            host: "127.0.0.1".to_owned(),
            workers: Vec::new(),
        }
    }

    /// A client with the cluster token.
    pub fn client(&self) -> Client {
        Client::new(&self.coordinator.address(), Some(&self.coordinator.token()))
    }

    /// The HTTP face with the cluster token.
    pub fn http(&self) -> Http {
        Http::new(&self.coordinator.address(), Some(self.coordinator.token()))
    }

    /// The command line of a user who has the cluster token.
    pub fn cli(&self) -> Cli<'_> {
        Cli::new(&self.sandbox)
            .env("OPENCLAW_CLUSTER_ADDR", self.coordinator.address())
            .env("OPENCLAW_CLUSTER_TOKEN", self.coordinator.token())
    }

    /// The worker of this name.
    pub fn worker(&mut self, name: &str) -> &mut Worker {
        let found = self.workers.iter_mut().find(|worker| worker.name() == name);
        found.unwrap_or_else(|| panic!("no worker {name}"))
    }

    /// Starts another worker and waits until it is online.
    pub async fn add_worker(&mut self, name: &str, settings: Settings, skills: &[(&str, &str)]) {
        let settings = self
            .settings
            .clone()
            .with("worker.coordinator", vec![self.coordinator.address()])
            .and(&settings);
        let mut worker = Worker::new(
            &self.sandbox,
            name,
            settings,
            Some(self.coordinator.token()),
        );
        for (skill, called) in skills {
            install(&worker.skills(), skill, called);
        }
        worker.launch(&self.sandbox);
        self.workers.push(worker);
        self.client().online(name).await;
    }

    /// Starts the coordinator again, after a kill or an end.
    pub async fn start_coordinator(&mut self) {
        self.coordinator.start(&self.sandbox).await;
    }

    /// Starts the worker of this name again, after a kill or an end.
    pub fn launch_worker(&mut self, index: usize) {
        self.workers[index].launch(&self.sandbox);
    }

    /// Ends all programs in good order; the test fails when one doesn't, or when any process is left over.
    pub async fn end(mut self) {
        for worker in &mut self.workers {
            worker.end().await;
        }
        self.coordinator.end().await;
        assert_eq!(
            self.sandbox.leftovers(),
            Vec::<String>::new(),
            "processes left over"
        );
    }
}

impl ClusterBuilder {
    /// Settings of all programs.
    #[must_use]
    pub fn settings(mut self, settings: &Settings) -> Self {
        self.settings = self.settings.and(settings);
        self
    }

    /// Where the coordinator listens.
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    /// One more worker with these settings and test skills (skill, name it is given).
    #[must_use]
    pub fn worker(mut self, name: &str, settings: Settings, skills: &[(&str, &str)]) -> Self {
        let skills = skills
            .iter()
            .map(|(skill, called)| ((*skill).to_owned(), (*called).to_owned()));
        self.workers.push(Wanted {
            name: name.to_owned(),
            settings,
            skills: skills.collect(),
        });
        self
    }

    /// Starts everything and waits until all workers are online.
    pub async fn start(self) -> Cluster {
        let sandbox = Sandbox::new();
        let mut coordinator = Coordinator::new(&sandbox, &self.host, self.settings.clone());
        coordinator.start(&sandbox).await;
        let mut cluster = Cluster {
            workers: Vec::new(),
            coordinator,
            sandbox,
            settings: self.settings,
        };
        for Wanted {
            name,
            settings,
            skills,
        } in self.workers
        {
            let skills: Vec<(&str, &str)> = skills
                .iter()
                .map(|(skill, called)| (&**skill, &**called))
                .collect();
            cluster.add_worker(&name, settings, &skills).await;
        }
        cluster
    }
}
