//! Compiles the protos without a protoc on the machine and keeps the descriptor set for reflection.

use std::error::Error;
use std::path::PathBuf;

use prost::Message as _;

const FILES: [&str; 4] = [
    "openclaw/cluster/v1/task.proto",
    "openclaw/cluster/v1/node.proto",
    "openclaw/cluster/v1/cluster.proto",
    "openclaw/cluster/v1/worker.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    for file in FILES {
        println!("cargo::rerun-if-changed={file}");
    }
    let descriptors = protox::compile(FILES, ["."])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        .bytes(".openclaw.cluster.v1")
        // The service has a method of its own named `connect`; callers make their channel themselves.
        .build_transport(false)
        .compile_fds(descriptors)?;
    Ok(())
}
