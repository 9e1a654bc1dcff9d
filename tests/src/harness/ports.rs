//! Free ports.

use std::net::TcpListener;

/// A port that nobody listens on, on any address, at this moment. Somebody else may take it before it is used: who
/// starts a server on it tries again with another.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("0.0.0.0", 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}
