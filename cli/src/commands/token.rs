//! `token show`: the token as this user has it, and how another machine joins with it. Asks nobody.

use std::net::IpAddr;

use openclaw_runtime::identity;
use serde_json::{Value, json};

use crate::address::Address;
use crate::args::Global;
use crate::client::FoundToken;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::find::{Surroundings, coordinator, tokens};
use crate::output::{Look, Printer, Report};

pub(super) fn show(
    global: &Global,
    around: &Surroundings,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let address = coordinator(global, around)?.address;
    let found = tokens(global, around, &address)?.into_iter().next().ok_or_else(|| {
        Failure::not_found(format!("no token for the coordinator at {address} was found"))
            .hint("run this on the coordinator's machine as the same user, in its folder or with -c FILE; the first start of openclaw-coordinator makes the token")
    })?;
    let report = TokenReport {
        join: reach(&address),
        address,
        found,
    };
    printer.report(&report)?;
    printer.note(&format!(
        "On the other machine:\n  {}",
        report.join_command()
    ));
    Ok(Exit::Ok)
}

/// The address under which other machines reach the coordinator.
fn reach(address: &Address) -> Address {
    if !address.is_loopback() {
        return address.clone();
    }
    let own: Option<IpAddr> =
        identity::tailscale_address().or_else(|| identity::outbound_address(None));
    let host = own.map_or_else(identity::hostname, |ip| ip.to_string());
    Address {
        host,
        port: address.port,
    }
}

struct TokenReport {
    address: Address,
    found: FoundToken,
    join: Address,
}

impl TokenReport {
    fn join_command(&self) -> String {
        format!("openclaw-worker join {} {}", self.join, self.found.token)
    }
}

impl Report for TokenReport {
    fn json(&self) -> Value {
        json!({
            "token": self.found.token,
            "source": self.found.source,
            "address": self.address.to_string(),
            "join": self.join_command(),
        })
    }

    fn ids(&self) -> Vec<String> {
        vec![self.found.token.clone()]
    }

    fn text(&self, _look: Look) -> String {
        format!("{}\n", self.found.token)
    }
}
