//! What keeps a fault from becoming a leak: no core dump, no debugger of another user, and a panic that tells its
//! place but not its message, which may hold bytes of the wire.

use super::say;

/// Takes effect for the whole process; called before anything else.
pub fn protect() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

    // Refusals leave the process as it was; there is nobody to tell yet and nothing better to do.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        say(&format!("shadowtap: internal fault at {place}; please report it"));
    }));
}
