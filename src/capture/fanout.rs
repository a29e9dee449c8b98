//! Several rings of one interface share its frames: `PACKET_FANOUT` (packet(7)). In: a capture handle and the number
//! of the group; out: the kernel hands each flow's frames to one ring of the group.

use std::{ffi::c_int, io, os::fd::AsRawFd as _};

use pcap::{Active, Capture};

/// Whole packets by hash of their flow; IP fragments are put together before they are hashed.
const MODE: u32 = libc::PACKET_FANOUT_HASH | libc::PACKET_FANOUT_FLAG_DEFRAG;

/// Joins `group`; the first to join makes it.
pub(super) fn join(capture: &Capture<Active>, group: u16) -> io::Result<()> {
    let argument: u32 = u32::from(group) | MODE << 16;
    // SAFETY: the descriptor is the handle's own and open as long as the borrow; the option's value is the u32 that
    // packet(7) asks for, which lives until the call returns, with its size. No crate offers this option safely.
    #[allow(unsafe_code)]
    let answer = unsafe {
        libc::setsockopt(
            capture.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_FANOUT,
            (&raw const argument).cast(),
            size_of::<u32>() as libc::socklen_t,
        )
    };
    if answer == 0 as c_int { Ok(()) } else { Err(io::Error::last_os_error()) }
}
