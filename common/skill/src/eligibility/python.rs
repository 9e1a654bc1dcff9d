//! Which Python this machine really has.

use std::ffi::OsString;

use crate::host::Host;

/// Exits with 0 under Python 3 only.
const CHECK: &str = "import sys; sys.exit(sys.version_info[0] != 3)";

/// The command that starts Python 3 here, its program with full path: `python3`, `py -3` or `python`, the first that
/// really runs. A name that is found proves nothing: Windows ships a `python3` that opens its store.
pub fn find_python(host: &dyn Host) -> Option<Vec<OsString>> {
    let candidates: [&[&str]; 3] = [&["python3"], &["py", "-3"], &["python"]];
    candidates.into_iter().find_map(|words| {
        let (name, options) = words.split_first()?;
        let mut argv = vec![host.find_program(name)?.into_os_string()];
        argv.extend(options.iter().map(OsString::from));
        let mut check = argv.clone();
        check.extend(["-c", CHECK].map(OsString::from));
        host.probe(&check).is_ok().then_some(argv)
    })
}
