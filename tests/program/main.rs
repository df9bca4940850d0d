//! The tests of what belongs to the program alone: its allocator, its thread and what watches over its commands.
//!
//! They are no part of the suite: a program has one allocator, and here it is the program's own; and signals are for
//! whole processes, so most of these tests start this program once more to have one to send them to.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![allow(
    unsafe_code,
    reason = "allocators, signal actions and limits have no other interface"
)]

#[path = "../../src/bin/sg_persist/memory.rs"]
mod memory;
#[path = "../../src/bin/sg_persist/news.rs"]
mod news;
#[path = "../../src/bin/sg_persist/recycled.rs"]
mod recycled;
#[path = "../../src/bin/sg_persist/thread.rs"]
mod thread;
#[path = "../../src/bin/sg_persist/watch.rs"]
mod watch;

mod memory_tests;
mod recycled_tests;
mod thread_tests;
mod watch_tests;

#[global_allocator]
static MEMORY: memory::OneBlock = memory::OneBlock;
