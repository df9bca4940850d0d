//! A thread that waits for signals and ends with the process.
//!
//! The standard library takes memory for it from the kernel in three pieces, and puts down what
//! joining it and a word on stack overflow would need: more work than a command to a disk is.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::time::Duration;

use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use nix::sys::time::TimeSpec;

/// What a thread does.
type Task = Box<dyn FnOnce() + Send>;

/// Bytes of a thread's stack: the fewest that every C library takes (glibc on aarch64:
/// PTHREAD_STACK_MIN). What is not used of it becomes no memory.
const STACK: usize = 128 * 1024;
/// The same of one for any task.
const ROOM: usize = 1024 * 1024;

/// Room for a thread's frames and for what the C library keeps of it. There is no guard below it:
/// the task must not do much. It ends where a page ends: both are in that page as long as the thread
/// waits.
#[repr(align(4096))]
struct Stack {
    _bytes: [MaybeUninit<u8>; STACK],
}

/// Starts a thread for `task`, with this thread's signal mask. It ends with the process; the task must
/// not do much more than to put a line together, for the stack is small.
///
/// # Errors
/// What the C library says where there can be none; `task` is not run then.
pub(crate) fn start(task: Task) -> io::Result<()> {
    let stack = Box::leak(Box::<Stack>::new_uninit());
    let mut attributes = attributes()?;
    let lowest = stack.as_mut_ptr().cast();
    // SAFETY: so many bytes from there on are this thread's alone, for ever.
    check(unsafe { libc::pthread_attr_setstack(&raw mut attributes, lowest, STACK) })?;
    create(&attributes, task)
}

/// Starts a thread for a task of any kind. It takes no signal: one that lets a signal through for
/// which the others have something to take back first would have it end the process. Its stack is
/// the C library's, with a guard below it, and goes when it ends.
///
/// # Errors
/// Those of [`start`].
pub(crate) fn start_roomy(task: Task) -> io::Result<()> {
    let mut attributes = attributes()?;
    // SAFETY: the attributes are initialised.
    check(unsafe { libc::pthread_attr_setstacksize(&raw mut attributes, ROOM) })?;
    // SAFETY: likewise; nobody joins the thread.
    check(unsafe {
        libc::pthread_attr_setdetachstate(&raw mut attributes, libc::PTHREAD_CREATE_DETACHED)
    })?;
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
    let started = create(&attributes, task);
    before.thread_set_mask()?;
    started
}

fn check(code: c_int) -> io::Result<()> {
    match code {
        0 => Ok(()),
        _ => Err(io::Error::from_raw_os_error(code)),
    }
}

/// What a thread has unless it is told.
fn attributes() -> io::Result<libc::pthread_attr_t> {
    let mut attributes = MaybeUninit::uninit();
    // SAFETY: it is written to, and nothing else.
    check(unsafe { libc::pthread_attr_init(attributes.as_mut_ptr()) })?;
    // SAFETY: it has been written to.
    Ok(unsafe { attributes.assume_init() })
}

/// Starts a thread that runs `task`.
fn create(attributes: &libc::pthread_attr_t, task: Task) -> io::Result<()> {
    let task = Box::into_raw(Box::new(task));
    let mut thread = MaybeUninit::uninit();
    // SAFETY: the attributes are initialised, `run` takes the pointer that comes with it, and the
    // task may go to another thread.
    let created =
        check(unsafe { libc::pthread_create(thread.as_mut_ptr(), attributes, run, task.cast()) });
    if created.is_err() {
        // SAFETY: it was made of such a box just now, and no thread has got it.
        drop(unsafe { Box::from_raw(task) });
    }
    created
}

/// Runs the task behind `task`.
extern "C" fn run(task: *mut c_void) -> *mut c_void {
    // SAFETY: `start` made it of such a box, and gave it to this thread alone.
    let task = unsafe { Box::from_raw(task.cast::<Task>()) };
    task();
    ptr::null_mut()
}

/// Waits for one of `signals`, which every thread has blocked, and takes it. `None` where none came in
/// this time, if there is one.
pub(crate) fn wait(signals: &SigSet, patience: Option<Duration>) -> Option<Signal> {
    let patience = patience.map(TimeSpec::from_duration);
    let patience = patience.as_ref().map_or(ptr::null(), |patience| {
        ptr::from_ref(AsRef::<libc::timespec>::as_ref(patience))
    });
    // SAFETY: it reads the set and the time, if there is one, and writes nothing.
    let number = unsafe { libc::sigtimedwait(signals.as_ref(), ptr::null_mut(), patience) };
    Signal::try_from(number).ok()
}

/// Whether `signal` does nothing to the process: it was told to ignore it when it was started (nohup),
/// or it is the first one of a container, which the kernel lets no such signal end.
pub(crate) fn is_ignored(signal: Signal) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: it changes nothing where there is no new action, and writes the one that there is.
    let result = unsafe { libc::sigaction(signal as c_int, ptr::null(), action.as_mut_ptr()) };
    // SAFETY: it was written to; if not, zeros are an action, too.
    let action = unsafe { action.assume_init() };
    result == 0 && does_nothing(action.sa_sigaction, std::process::id())
}

/// Whether a signal with this action does nothing to the process of this number.
pub(crate) const fn does_nothing(action: libc::sighandler_t, process: u32) -> bool {
    action == libc::SIG_IGN || action == libc::SIG_DFL && process == 1
}
