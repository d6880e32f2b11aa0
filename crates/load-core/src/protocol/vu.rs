//! Who makes a call? A virtual user, and what is kept for it.

use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;

use load_suite::scope::Scope;
use rand::SeedableRng as _;
use rand_xoshiro::Xoshiro256PlusPlus;

/// A virtual user: its identity, and the randomness that belongs to its current iteration.
#[derive(Debug)]
pub struct Vu {
    /// Who, and which iteration.
    pub scope: Scope,
    /// Seeded by the global index of the iteration: the same draw in any division of the work.
    pub rng: Xoshiro256PlusPlus,
    /// What the protocol keeps for the user from session to session.
    pub keep: Keep,
}

/// A place for a value of the protocol's own: cookies, say. Calls that are made at the same time share it.
#[derive(Default)]
pub struct Keep(Option<Rc<Kept>>);

/// What is in such a place, whoever looks.
type Kept = RefCell<Option<Rc<dyn Any>>>;

impl Keep {
    /// The value of this type, its default when there is none yet. A user has one value: another type replaces it.
    pub fn get<T: Default + 'static>(&mut self) -> Rc<T> {
        let mut kept = self.0.get_or_insert_default().borrow_mut();
        if let Some(Ok(value)) = kept.clone().map(Rc::downcast) {
            return value;
        }
        let value = Rc::new(T::default());
        *kept = Some(Rc::<T>::clone(&value));
        value
    }

    /// The same place, for a call that is made at the same time.
    fn share(&mut self) -> Self {
        Self(Some(Rc::clone(self.0.get_or_insert_default())))
    }
}

impl std::fmt::Debug for Keep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Keep(..)" } else { "Keep" })
    }
}

impl Vu {
    /// User number `vu` before its first iteration.
    pub fn new(vu: u64) -> Self {
        Self { scope: Scope::of(vu), rng: Xoshiro256PlusPlus::seed_from_u64(0), keep: Keep::default() }
    }

    /// Begins iteration number `seq` over all users.
    pub(crate) fn begin(&mut self, seed: u64, seq: u64) {
        self.scope.begin(seed, seq);
        self.rng = Xoshiro256PlusPlus::seed_from_u64(seed ^ seq.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    }

    /// The same user in call number `branch` of several that are made at the same time: it knows what this one knows, and
    /// draws what follows from `salt` and `branch` alone, in whatever order the calls are made.
    pub(crate) fn fork(&mut self, salt: u64, branch: u64) -> Self {
        let scope = self.scope.fork(salt, branch);
        let rng = Xoshiro256PlusPlus::seed_from_u64(scope.draw());
        Self { scope, rng, keep: self.keep.share() }
    }
}
