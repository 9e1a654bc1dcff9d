//! The content of one file: a mark, a version, a checksum, the cluster, the result.

use openclaw_common::id::ClusterId;
use openclaw_proto::v1;
use prost::Message as _;

use crate::state::Finished;

const MARK: &[u8; 4] = b"OCSP";
const VERSION: u8 = 1;
/// Mark, version, checksum.
const HEAD: usize = 9;
/// Head and cluster.
const PREFIX: usize = HEAD + 16;

/// Writes one result for `cluster`.
pub(super) fn encode(cluster: ClusterId, finished: &Finished) -> Vec<u8> {
    let result = v1::TaskResult::from(finished);
    let mut bytes = Vec::with_capacity(PREFIX + result.encoded_len());
    bytes.extend_from_slice(MARK);
    bytes.push(VERSION);
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&cluster.0.to_be_bytes());
    result.encode_raw(&mut bytes);
    let checksum = crc32fast::hash(&bytes[HEAD..]);
    bytes[HEAD - 4..HEAD].copy_from_slice(&checksum.to_be_bytes());
    bytes
}

/// Reads one result with its cluster; the error says what is wrong with the file.
pub(super) fn decode(bytes: &[u8]) -> Result<(ClusterId, Finished), String> {
    let (mark, rest) = bytes
        .split_at_checked(MARK.len())
        .ok_or("it is cut short")?;
    let (version, rest) = rest.split_first().ok_or("it is cut short")?;
    let (checksum, body) = rest.split_first_chunk::<4>().ok_or("it is cut short")?;
    if mark != MARK {
        return Err("it is no result".to_owned());
    }
    if *version != VERSION {
        return Err(format!("its version {version} is unknown to this build"));
    }
    if crc32fast::hash(body) != u32::from_be_bytes(*checksum) {
        return Err("its checksum is wrong".to_owned());
    }
    let (cluster, result) = body.split_first_chunk::<16>().ok_or("it is cut short")?;
    let result = v1::TaskResult::decode(result).map_err(|error| error.to_string())?;
    let finished = Finished::try_from(result).map_err(|error| error.to_string())?;
    Ok((ClusterId(u128::from_be_bytes(*cluster)), finished))
}
