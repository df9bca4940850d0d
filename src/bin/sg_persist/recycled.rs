//! Memory that is used again, for a process of many threads that lives for longer than the block of
//! [`crate::memory`] lasts.
//!
//! Each size has a list of free pieces and a lock that is held for some instructions. (One C library
//! has a single lock for all sizes, whose threads sleep and wake each other for each piece.) What is
//! free is never given back: it is what was in use at one time.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

/// The smallest pieces: room for a link, and as aligned as the C library's.
const SMALLEST: usize = 16;
/// How many sizes there are: each is twice the one before.
const SIZES: usize = 11;
/// The largest pieces. Larger ones are the system's.
const LARGEST: usize = SMALLEST << (SIZES - 1);
/// Bytes that are taken from the system at once.
const CHUNK: usize = 4 * LARGEST;

/// The free pieces of one size.
struct List {
    is_locked: AtomicBool,
    inside: UnsafeCell<Inside>,
}

struct Inside {
    /// The first piece that is free; each begins with a pointer to the next.
    first: *mut u8,
    /// What is left of the last chunk.
    rest: *mut u8,
    left: usize,
}

// SAFETY: what is inside is touched by one thread at a time, by the lock.
unsafe impl Sync for List {}

static LISTS: [List; SIZES] = [const {
    List {
        is_locked: AtomicBool::new(false),
        inside: UnsafeCell::new(Inside {
            first: ptr::null_mut(),
            rest: ptr::null_mut(),
            left: 0,
        }),
    }
}; SIZES];

impl List {
    /// Does something to what is inside.
    fn with<T>(&self, what: impl FnOnce(&mut Inside) -> T) -> T {
        let mut tries = 0_u32;
        while self.is_locked.swap(true, Ordering::Acquire) {
            tries += 1;
            match tries % 64 {
                0 => std::thread::yield_now(),
                _ => std::hint::spin_loop(),
            }
        }
        // SAFETY: whoever has the lock is alone.
        let result = what(unsafe { &mut *self.inside.get() });
        self.is_locked.store(false, Ordering::Release);
        result
    }
}

/// Which size a piece of this layout has, and its list; `None` if it is the system's.
fn place(layout: Layout) -> Option<(usize, &'static List)> {
    if layout.size() > LARGEST || layout.align() > SMALLEST {
        return None;
    }
    let size = layout.size().next_power_of_two().max(SMALLEST);
    let index = size.trailing_zeros() - SMALLEST.trailing_zeros();
    let list = LISTS.get(usize::try_from(index).ok()?)?;
    Some((size, list))
}

impl Inside {
    fn pop(&mut self, size: usize) -> *mut u8 {
        if !self.first.is_null() {
            let piece = self.first;
            // SAFETY: a free piece begins with a pointer to the next one, as `push` has left it.
            self.first = unsafe { piece.cast::<*mut u8>().read() };
            return piece;
        }
        if self.left < size {
            // SAFETY: a size that is not 0 and no alignment that is none.
            let chunk = unsafe { System.alloc(Layout::new::<[u128; CHUNK / 16]>()) };
            if chunk.is_null() {
                return chunk;
            }
            // What is left is smaller than a piece: there is nothing left.
            self.rest = chunk;
            self.left = CHUNK;
        }
        let piece = self.rest;
        self.rest = piece.wrapping_add(size);
        self.left -= size;
        piece
    }

    fn push(&mut self, piece: *mut u8) {
        // SAFETY: nobody has the piece any more; it is as large as a pointer and as aligned.
        unsafe { piece.cast::<*mut u8>().write(self.first) };
        self.first = piece;
    }
}

/// The allocator.
#[derive(Debug)]
pub(crate) struct Recycled;

// SAFETY: a piece comes from one chunk of the system's, has one owner, and is as large as its list has
// them, which is not smaller than its layout; it lies at a multiple of 16. All others are the system's.
unsafe impl GlobalAlloc for Recycled {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match place(layout) {
            Some((size, list)) => list.with(|inside| inside.pop(size)),
            // SAFETY: the caller's promises about `layout` are those that System asks for.
            None => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        match place(layout) {
            Some((_, list)) => list.with(|inside| inside.push(pointer)),
            // SAFETY: with this layout it came from System.
            None => unsafe { System.dealloc(pointer, layout) },
        }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises that `size` is not 0 and, rounded up to the alignment, fits an isize.
        let new_layout = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        match (place(layout), place(new_layout)) {
            (Some((old, _)), Some((new, _))) if old == new => return pointer,
            // SAFETY: with this layout it came from System, and `size` is as the caller promises.
            (None, None) => return unsafe { System.realloc(pointer, layout, size) },
            _ => {}
        }
        // SAFETY: the layout's size is not 0.
        let new = unsafe { self.alloc(new_layout) };
        if !new.is_null() {
            // SAFETY: both have so many bytes, and they are two.
            unsafe { ptr::copy_nonoverlapping(pointer, new, layout.size().min(size)) };
            // SAFETY: nobody uses it from now on.
            unsafe { self.dealloc(pointer, layout) };
        }
        new
    }
}
