//! The services that every gRPC tool knows: health, and reflection in both its versions.

use tonic::service::Routes;
use tonic_health::server::HealthReporter;
use tonic_reflection::server::{Builder, Error};

/// The services whose health is told, beside the server as a whole (`""`).
pub const HEALTH_SERVICES: [&str; 3] = [
    "",
    "openclaw.cluster.v1.ClusterService",
    "openclaw.cluster.v1.WorkerService",
];

/// Health and reflection, to which the other services are added.
pub struct Standard {
    /// Tells clients how the coordinator is.
    pub reporter: HealthReporter,
    /// Serves both.
    pub routes: Routes,
}

impl std::fmt::Debug for Standard {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Standard").finish_non_exhaustive()
    }
}

impl Standard {
    /// Tells every client that asks, and every client that watches, whether the coordinator can serve.
    pub async fn tell(reporter: &HealthReporter, ready: bool) {
        let status = if ready {
            tonic_health::ServingStatus::Serving
        } else {
            tonic_health::ServingStatus::NotServing
        };
        for service in HEALTH_SERVICES {
            reporter.set_service_status(service, status).await;
        }
    }
}

/// Makes both services. Fails only when the descriptors built into this program are damaged.
pub fn standard() -> Result<Standard, Error> {
    let describe = || {
        Builder::configure()
            .register_encoded_file_descriptor_set(openclaw_proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            // So that tools can show the details of errors.
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
    };
    let (reporter, health) = tonic_health::server::health_reporter();
    let routes = Routes::new(health)
        .add_service(describe().build_v1()?)
        .add_service(describe().build_v1alpha()?);
    Ok(Standard { reporter, routes })
}
