//! Places whose values are read without a lock, and freed when nobody can be reading them any more.
//!
//! - A reader says so in a word of its own thread, with a plain store when it begins and another when
//!   it ends: no other thread writes there, and no store waits for another core.
//! - The price is paid by who takes a value out. A barrier that the system has every running thread
//!   of the process pass parts the readers who may have found it from those who cannot; it is freed
//!   when the former have ended, by the last of them at the latest.
//! - Where the system has no such barrier, readers pass one of their own.
//!
//! This is read-copy-update as programs can have it: Desnoyers, `McKenney`, Stern, Dagenais and Walpole,
//! "User-Level Implementations of Read-Copy Update", IEEE Transactions on Parallel and Distributed
//! Systems 23 (2), 2012. Libraries that free what concurrent maps give up have each reader pass a
//! barrier or exchange a shared word, which was a sixth of a near hit.
//!
//! Of all that is near, only this has unsafe code, but for one call of it in [`table`](super::table): a
//! reference is made of a place's pointer for a reader, and a box again of one that was taken out.

#![allow(unsafe_code)]

mod barrier;

use std::cell::Cell;
use std::hint::spin_loop;
use std::marker::PhantomData;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering, compiler_fence, fence};

use parking_lot::{Mutex, RwLock};

/// Holds a value, or none.
///
/// What it holds when it is dropped is never freed: it has to be [taken](Self::take) before.
pub(super) struct Place<T> {
    pointer: AtomicPtr<T>,
    owns: PhantomData<Box<T>>,
}

impl<T: Send + Sync + 'static> Place<T> {
    pub(super) const fn empty() -> Self {
        Self { pointer: AtomicPtr::new(ptr::null_mut()), owns: PhantomData }
    }

    /// What it holds now.
    #[inline]
    pub(super) fn get<'r>(&self, _: &'r Reading) -> Option<&'r T> {
        let pointer = self.pointer.load(Ordering::Acquire);
        // SAFETY: it was a box's, and is so again only when everybody has ended who had begun to read
        // before it was taken out. This reader finds it there, so it has, and reads until `'r` ends.
        unsafe { pointer.as_ref() }
    }

    /// Holds this from now on; what it has held is to be freed.
    pub(super) fn put(&self, value: Box<T>) -> Option<Taken> {
        Taken::of(self.pointer.swap(Box::into_raw(value), Ordering::AcqRel))
    }

    /// Holds nothing from now on; what it has held is to be freed.
    pub(super) fn take(&self) -> Option<Taken> {
        Taken::of(self.pointer.swap(ptr::null_mut(), Ordering::AcqRel))
    }

    /// Holds this from now on if it holds nothing; says whether it does.
    pub(super) fn offer(&self, value: Box<T>) -> bool {
        let value = Box::into_raw(value);
        let (success, failure) = (Ordering::AcqRel, Ordering::Relaxed);
        let put = self.pointer.compare_exchange(ptr::null_mut(), value, success, failure);
        if put.is_err() {
            // SAFETY: it was a box's a moment ago, and nobody has seen it.
            drop(unsafe { Box::from_raw(value) });
        }
        put.is_ok()
    }

    /// Holds nothing from now on, if it is this that it holds.
    pub(super) fn take_this(&self, value: &T) -> Option<Taken> {
        let value = ptr::from_ref(value).cast_mut();
        let (success, failure) = (Ordering::AcqRel, Ordering::Relaxed);
        let taken = self.pointer.compare_exchange(value, ptr::null_mut(), success, failure);
        taken.ok().and_then(Taken::of)
    }

    /// Another place that holds the same.
    ///
    /// # Safety
    ///
    /// From now on nothing is taken out of this one, nor put into it. Once anything is taken out of the
    /// other, nobody finds this one who has not begun to read before.
    pub(super) unsafe fn moved(&self) -> Self {
        Self { pointer: AtomicPtr::new(self.pointer.load(Ordering::Acquire)), owns: PhantomData }
    }
}

/// What was taken out of its place and may still be read. Dropped, it is never freed.
#[must_use]
pub(super) struct Taken {
    pointer: *mut (),
    free: unsafe fn(*mut ()),
}

// SAFETY: made only of what is `Send`; nobody gets at it but to free it.
unsafe impl Send for Taken {}

impl Taken {
    fn of<T: Send + Sync + 'static>(pointer: *mut T) -> Option<Self> {
        /// # Safety
        ///
        /// The pointer was a box's of this type, and nobody else has it.
        unsafe fn free<T>(pointer: *mut ()) {
            // SAFETY: the caller's.
            drop(unsafe { Box::from_raw(pointer.cast::<T>()) });
        }
        (!pointer.is_null()).then(|| Self { pointer: pointer.cast(), free: free::<T> })
    }
}

/// What nobody can be reading any more; freed when it is dropped.
struct Unread(Taken);

impl Drop for Unread {
    fn drop(&mut self) {
        // SAFETY: who makes one says so, and it is dropped once.
        unsafe { (self.0.free)(self.0.pointer) }
    }
}

/// Where a thread says that it reads. Never freed, and had by one thread after another.
#[repr(align(128))] // so that no two share a cache line, nor a pair of them that is fetched at once
struct Seat {
    /// Odd while its thread reads; another number each time.
    turn: AtomicU64,
    /// Whether somebody waits for the turn to end.
    is_awaited: AtomicBool,
    is_taken: AtomicBool,
    /// Whether readers pass a barrier of their own.
    is_fenced: bool,
}

static SEATS: RwLock<Vec<&'static Seat>> = RwLock::new(Vec::new());

#[derive(Clone, Copy)]
enum Stage {
    New,
    Seated(&'static Seat),
    /// What is taken out may be freed before this thread's last destructor has run.
    Ended,
}

thread_local! {
    static STAGE: Cell<Stage> = const { Cell::new(Stage::New) };
    static END: End = const { End };
}

/// Gives the thread's seat back.
struct End;

impl Drop for End {
    fn drop(&mut self) {
        if let Stage::Seated(seat) = STAGE.replace(Stage::Ended)
            && seat.turn.load(Ordering::Relaxed).is_multiple_of(2)
        {
            seat.is_taken.store(false, Ordering::Release);
        }
    }
}

impl Seat {
    /// That of this thread; `None` when it is about to end.
    #[inline]
    fn mine() -> Option<&'static Self> {
        match STAGE.get() {
            Stage::Seated(seat) => Some(seat),
            Stage::New => Self::sit(),
            Stage::Ended => None,
        }
    }

    #[cold]
    fn sit() -> Option<&'static Self> {
        END.try_with(|_| ()).ok()?;
        let take = |seat: &&'static Self| !seat.is_taken.swap(true, Ordering::Acquire);
        let free = SEATS.read().iter().copied().find(take);
        let seat = free.unwrap_or_else(|| {
            let seat: &'static Self = Box::leak(Box::new(Self {
                turn: AtomicU64::new(0),
                is_awaited: AtomicBool::new(false),
                is_taken: AtomicBool::new(true),
                is_fenced: !barrier::is_there(),
            }));
            SEATS.write().push(seat);
            seat
        });
        STAGE.set(Stage::Seated(seat));
        Some(seat)
    }

    /// What this thread has stored is seen by whoever passes the barrier of all threads later, and
    /// what was stored before that is seen by what this thread loads from now on.
    #[inline]
    fn light_barrier(&self) {
        if self.is_fenced {
            fence(Ordering::SeqCst);
        } else {
            compiler_fence(Ordering::SeqCst);
        }
    }
}

/// While it is there, nothing is freed that this thread finds in a [`Place`].
pub(crate) struct Reading {
    seat: &'static Seat,
    /// Whether it is not within another one of its thread.
    is_outer: bool,
    stays_in_its_thread: PhantomData<*const ()>,
}

impl Reading {
    /// Begins to read; `None` when this thread is about to end.
    #[inline]
    pub(super) fn begin() -> Option<Self> {
        let seat = Seat::mine()?;
        let turn = seat.turn.load(Ordering::Relaxed);
        let is_outer = turn.is_multiple_of(2);
        if is_outer {
            seat.turn.store(turn + 1, Ordering::Relaxed);
            seat.light_barrier();
        }
        Some(Self { seat, is_outer, stays_in_its_thread: PhantomData })
    }
}

impl Drop for Reading {
    #[inline]
    fn drop(&mut self) {
        if !self.is_outer {
            return;
        }
        let Self { seat, .. } = self;
        let turn = seat.turn.load(Ordering::Relaxed);
        seat.turn.store(turn + 1, Ordering::Release);
        seat.light_barrier();
        if seat.is_awaited.load(Ordering::Relaxed) {
            seat.is_awaited.store(false, Ordering::Relaxed);
            free_unread();
        }
    }
}

/// What waits to be freed.
struct Waste {
    /// Taken out since it was last asked who reads.
    loose: Vec<Taken>,
    /// What somebody read who has not ended.
    awaiting: Vec<Awaiting>,
}

struct Awaiting {
    taken: Vec<Taken>,
    /// Who read, and which turn of theirs it was.
    turns: Vec<(&'static Seat, u64)>,
}

static WASTE: Mutex<Waste> = Mutex::new(Waste { loose: Vec::new(), awaiting: Vec::new() });

/// So much may be taken out before any of it is freed, if there is no hurry.
pub(super) const BATCH: usize = 32;

/// Has this freed when nobody reads it any more: at once if nobody does and `now`, and otherwise with
/// what is taken out later. Values' destructors run here, so no lock may be held.
pub(super) fn retire(taken: impl IntoIterator<Item = Taken>, now: bool) {
    let waiting = {
        let mut waste = WASTE.lock();
        waste.loose.extend(taken);
        waste.loose.len()
    };
    if waiting >= BATCH || (now && waiting > 0) {
        free_unread();
    }
}

/// Whether this thread frees, and is to look once more.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Freeing {
    No,
    Once,
    OnceMore,
}

thread_local!(static FREEING: Cell<Freeing> = const { Cell::new(Freeing::No) });

/// Ends it, though a destructor panic.
struct Ends;

impl Drop for Ends {
    fn drop(&mut self) {
        FREEING.set(Freeing::No);
    }
}

/// Frees what nobody reads any more.
#[cold]
fn free_unread() {
    // A destructor that takes out is not run within another one, and so on until the stack ends.
    if FREEING.get() != Freeing::No {
        return FREEING.set(Freeing::OnceMore);
    }
    let _ends = Ends;
    loop {
        FREEING.set(Freeing::Once);
        let unread = WASTE.lock().unread();
        drop(unread); // after the lock is given back: destructors may read, and take out
        if FREEING.get() == Freeing::Once {
            break;
        }
    }
}

impl Waste {
    fn unread(&mut self) -> Vec<Unread> {
        if !self.loose.is_empty() && barrier::pass() {
            // Who begins from now on finds the places as they are without it.
            let taken = std::mem::take(&mut self.loose);
            self.awaiting.push(Awaiting { taken, turns: turns() });
        }
        let mut unread = Vec::new();
        self.awaiting.retain_mut(|Awaiting { taken, turns }| {
            turns.retain(still_reads);
            let over = turns.is_empty();
            if over {
                unread.extend(taken.drain(..).map(Unread));
            }
            !over
        });
        unread
    }
}

/// The turns of those who read now. They will look for what is to be freed when they have ended.
fn turns() -> Vec<(&'static Seat, u64)> {
    let seats = SEATS.read();
    let turn = |seat: &&'static Seat| (*seat, seat.turn.load(Ordering::Acquire));
    let mut turns: Vec<_> = seats.iter().map(turn).filter(|(_, turn)| turn % 2 == 1).collect();
    // A reader that runs has ended in a moment; one that does not run may take longer.
    for _ in 0..MOMENT {
        turns.retain(still_reads);
        if turns.is_empty() {
            return turns;
        }
        spin_loop();
    }
    for (seat, _) in &turns {
        seat.is_awaited.store(true, Ordering::Relaxed);
    }
    // Who ends after it sees that it is awaited; of who has ended before, it is seen here.
    barrier::pass();
    turns.retain(still_reads);
    turns
}

/// How often a reader is looked at before it is left to itself.
const MOMENT: usize = 100;

fn still_reads((seat, turn): &(&'static Seat, u64)) -> bool {
    seat.turn.load(Ordering::Acquire) == *turn
}

#[cfg(test)]
mod tests;
