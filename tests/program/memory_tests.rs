//! The allocator of the program, which is that of these tests, too.

use std::alloc::{GlobalAlloc, Layout};
use std::thread;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::MEMORY;

/// A piece filled with one value.
struct Piece {
    pointer: *mut u8,
    layout: Layout,
    value: u8,
}

impl Piece {
    fn new(size: usize, align: usize, value: u8) -> Self {
        let layout = Layout::from_size_align(size, align).expect("a layout");
        // SAFETY: the size is not 0.
        let pointer = unsafe { MEMORY.alloc_zeroed(layout) };
        assert!(!pointer.is_null());
        assert_eq!(pointer.addr() % align, 0);
        let piece = Self {
            pointer,
            layout,
            value: 0,
        };
        assert!(piece.is_intact());
        piece.filled(value)
    }

    fn filled(mut self, value: u8) -> Self {
        // SAFETY: the piece has so many bytes.
        unsafe { self.pointer.write_bytes(value, self.layout.size()) };
        self.value = value;
        self
    }

    fn is_intact(&self) -> bool {
        self.first(self.layout.size())
    }

    /// Whether the first `count` bytes are as they were filled.
    fn first(&self, count: usize) -> bool {
        // SAFETY: the piece has at least so many bytes, all of them written.
        let bytes = unsafe { std::slice::from_raw_parts(self.pointer, count) };
        bytes.iter().all(|&byte| byte == self.value)
    }

    fn resized(self, size: usize) -> Self {
        // SAFETY: the piece is of this allocator and has this layout; the size is not 0.
        let pointer = unsafe { MEMORY.realloc(self.pointer, self.layout, size) };
        assert!(!pointer.is_null());
        assert_eq!(pointer.addr() % self.layout.align(), 0);
        let layout = Layout::from_size_align(size, self.layout.align()).expect("a layout");
        let kept = size.min(self.layout.size());
        let piece = Self {
            pointer,
            layout,
            value: self.value,
        };
        assert!(piece.first(kept));
        piece.filled(self.value)
    }

    fn free(self) {
        assert!(self.is_intact());
        // SAFETY: the piece is of this allocator, has this layout and is not used any more.
        unsafe { MEMORY.dealloc(self.pointer, self.layout) };
    }
}

proptest! {
    // The first cases are served from the block, the others by the system, one from both.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn pieces_are_aligned_zeroed_and_apart(
        steps in vec((0..3_u8, 1..5000_usize, 0..14_u32, any::<u8>(), any::<prop::sample::Index>()), 1..60),
    ) {
        let mut pieces: Vec<Piece> = Vec::new();
        for (step, size, align, value, which) in steps {
            match step {
                1 if !pieces.is_empty() => {
                    let piece = pieces.swap_remove(which.index(pieces.len()));
                    pieces.push(piece.resized(size));
                }
                2 if !pieces.is_empty() => pieces.swap_remove(which.index(pieces.len())).free(),
                _ => pieces.push(Piece::new(size, 1 << align, value)),
            }
            prop_assert!(pieces.iter().all(Piece::is_intact));
        }
        pieces.into_iter().for_each(Piece::free);
    }
}

#[test]
fn threads_get_pieces_of_their_own() {
    let threads: Vec<_> = (0..4_u8)
        .map(|value| {
            thread::spawn(move || {
                let pieces: Vec<_> = (1..400)
                    .map(|size| Piece::new(size, 8, value).resized(size + 7))
                    .collect();
                assert!(pieces.iter().all(Piece::is_intact));
                pieces.into_iter().for_each(Piece::free);
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("the thread's assertions hold");
    }
}

#[test]
fn what_is_larger_than_the_block_comes_from_the_system() {
    let piece = Piece::new(5 << 20, 4096, 7).resized(6 << 20);
    piece.resized(1000).free();
}
