//! Memory that is used again.

use std::alloc::{GlobalAlloc, Layout};
use std::collections::BTreeSet;

use crate::recycled::Recycled;

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 8).unwrap()
}

fn take(size: usize) -> *mut u8 {
    // SAFETY: the size is not 0.
    let pointer = unsafe { Recycled.alloc(layout(size)) };
    assert!(!pointer.is_null());
    pointer
}

fn give_back(pointer: *mut u8, size: usize) {
    // SAFETY: it came from there with this layout, and nobody uses it.
    unsafe { Recycled.dealloc(pointer, layout(size)) };
}

#[test]
fn pieces_of_all_sizes_do_not_overlap() {
    let mut pieces = Vec::new();
    for size in (1..600).chain([4096, 8704, 16384, 16385, 100_000]) {
        let piece = take(size);
        assert_eq!(piece.addr() % 8, 0);
        // SAFETY: so many bytes are its own.
        unsafe { piece.write_bytes(u8::try_from(size % 251).unwrap(), size) };
        pieces.push((piece, size));
    }
    for &(piece, size) in &pieces {
        let expected = u8::try_from(size % 251).unwrap();
        // SAFETY: so many bytes were written.
        let bytes = unsafe { std::slice::from_raw_parts(piece, size) };
        assert!(bytes.iter().all(|&byte| byte == expected), "{size}");
    }
    for (piece, size) in pieces {
        give_back(piece, size);
    }
}

#[test]
fn what_grows_and_shrinks_keeps_what_is_in_it() {
    let mut piece = take(10);
    let mut size = 10;
    // SAFETY: ten bytes are its own.
    unsafe { piece.copy_from_nonoverlapping(b"0123456789".as_ptr(), 10) };
    for next in [16, 17, 5000, 16384, 16385, 70_000, 20_000, 9000, 12] {
        // SAFETY: it came from there with this layout; the size is not 0.
        piece = unsafe { Recycled.realloc(piece, layout(size), next) };
        size = next;
        // SAFETY: it has ten bytes and more.
        let bytes = unsafe { std::slice::from_raw_parts(piece, 10) };
        assert_eq!(bytes, b"0123456789", "{next}");
    }
    give_back(piece, size);
}

#[test]
fn threads_have_pieces_of_their_own() {
    let threads: Vec<_> = (0..8_u8)
        .map(|number| {
            std::thread::spawn(move || {
                for round in 0..2000_usize {
                    let size = 1 + round * 7 % 9000;
                    let pieces: Vec<usize> =
                        (0..4).map(|_| take(size).expose_provenance()).collect();
                    let different: BTreeSet<_> = pieces.iter().collect();
                    assert_eq!(different.len(), 4);
                    for &piece in &pieces {
                        let piece = std::ptr::with_exposed_provenance_mut::<u8>(piece);
                        // SAFETY: so many bytes are its own.
                        unsafe { piece.write_bytes(number, size) };
                    }
                    for piece in pieces {
                        let piece = std::ptr::with_exposed_provenance_mut::<u8>(piece);
                        // SAFETY: so many bytes were written.
                        let bytes = unsafe { std::slice::from_raw_parts(piece, size) };
                        assert!(bytes.iter().all(|&byte| byte == number));
                        give_back(piece, size);
                    }
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}
