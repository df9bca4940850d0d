//! Memory for a process that lives for milliseconds: a bump allocator over one static block. Nothing is
//! freed.
//!
//! A run allocates a few tens of kilobytes in a few hundred pieces, most of them for clap. Tracking
//! them for reuse would cost more instructions than the rest of the run, and three system calls. What
//! does not fit in the block comes from [`crate::recycled`].
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::recycled::Recycled;

/// Bytes in the block. It costs address space; only what is used becomes memory.
const SIZE: usize = 4 * 1024 * 1024;

/// The block, all zeros at first.
#[repr(C, align(16))]
struct Block(UnsafeCell<[u8; SIZE]>);

// SAFETY: no reference to the bytes is ever made; each piece of them goes to one owner.
unsafe impl Sync for Block {}

// SAFETY: a section of zeros, like any other that begins with `.bss.`: every linker puts it with them. Its
// own name lets a linker script place it last, where it begins on a page that is in use already.
#[unsafe(link_section = ".bss.block")]
static BLOCK: Block = Block(UnsafeCell::new([0; SIZE]));
/// How much of the block is taken. Starts at 16 rather than 0 so that this counter lives in .data, on a
/// page that is already resident.
static TAKEN: AtomicUsize = AtomicUsize::new(16);

/// The allocator.
#[derive(Debug)]
pub(crate) struct OneBlock;

/// The first byte of the block.
fn first() -> *mut u8 {
    BLOCK.0.get().cast()
}

/// Where in the block `pointer` is; `None` when it is elsewhere.
fn position(pointer: *mut u8) -> Option<usize> {
    let position = pointer.addr().checked_sub(first().addr())?;
    (position < SIZE).then_some(position)
}

/// Takes a piece; `None` when it does not fit.
fn take(layout: Layout) -> Option<*mut u8> {
    let mut start = 0;
    TAKEN
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |taken| {
            let address = first().addr() + taken;
            start = taken + (address.checked_next_multiple_of(layout.align())? - address);
            start.checked_add(layout.size()).filter(|&end| end <= SIZE)
        })
        .ok()?;
    Some(first().wrapping_add(start))
}

// SAFETY: pieces of the block do not overlap, for each begins where the one before it ended, or
// behind; they begin at an address that is a multiple of their alignment, and they end within the
// block. All others are of Recycled, whose contract is this one.
unsafe impl GlobalAlloc for OneBlock {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises about `layout` are those that Recycled asks for.
        take(layout).unwrap_or_else(|| unsafe { Recycled.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // Nobody has written to a piece of the block before it is taken.
        // SAFETY: the caller's promises about `layout` are those that Recycled asks for.
        take(layout).unwrap_or_else(|| unsafe { Recycled.alloc_zeroed(layout) })
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if position(pointer).is_none() {
            // SAFETY: what is not in the block came from Recycled with this layout.
            unsafe { Recycled.dealloc(pointer, layout) }
        }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Some(start) = position(pointer) else {
            // SAFETY: what is not in the block came from Recycled with this layout; the caller's
            // promises about `size` are those that Recycled asks for.
            return unsafe { Recycled.realloc(pointer, layout, size) };
        };
        // The last piece grows where it is.
        let (end, new_end) = (start + layout.size(), start.saturating_add(size));
        let grown = size >= layout.size()
            && new_end <= SIZE
            && TAKEN
                .compare_exchange(end, new_end, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if grown || size <= layout.size() {
            return pointer;
        }
        // SAFETY: the caller promises that `size` is not 0 and, rounded up to the alignment, fits
        // an isize.
        let new_layout = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        // SAFETY: the layout's size is not 0.
        let new = unsafe { self.alloc(new_layout) };
        if !new.is_null() {
            // SAFETY: the old piece has `layout.size()` bytes and the new one more; they are two.
            unsafe { ptr::copy_nonoverlapping(pointer, new, layout.size()) };
        }
        new
    }
}
