//! What a device server with two nodes does with their persistent reservations: the rules of SPC-5 5.14, as far as the
//! commands of the races need them.

/// A node: the I_T nexus that its commands come through.
pub(crate) type Node = usize;

/// How many there are.
pub(crate) const NODES: usize = 2;

/// The types that this program deals in.
pub(crate) const TYPES: [u8; 6] = [1, 3, 5, 6, 7, 8];

/// A command of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// REGISTER: the key that the node says it has, the key it wants (0: none).
    Register(u64, u64),
    /// REGISTER AND IGNORE EXISTING KEY.
    RegisterIgnore(u64),
    /// RESERVE: the node's key, the type.
    Reserve(u64, u8),
    /// RELEASE.
    Release(u64, u8),
    /// CLEAR.
    Clear(u64),
    /// PREEMPT: the node's key, the victim's, the type.
    Preempt(u64, u64, u8),
    /// READ KEYS.
    ReadKeys,
    /// READ RESERVATION.
    ReadReservation,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Carried out.
    Done,
    /// RESERVATION CONFLICT.
    Conflict,
    /// A unit attention in place of it.
    Attention,
    /// ILLEGAL REQUEST.
    Illegal,
    /// NOT READY, which is how Linux tells a node that it is not registered; SPC-5 asks for a conflict.
    NotRegistered,
    /// READ KEYS: PRGENERATION and the keys, sorted.
    Keys(u32, Vec<u64>),
    /// READ RESERVATION: PRGENERATION, the holder's key and the type.
    Reservation(u32, Option<(u64, u8)>),
    /// Killed on its way: nobody knows.
    Unknown,
}

/// What differs between device servers, and is found out before the races.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Habits {
    /// Whether taking back a registration counts in PRGENERATION. SPC-5 says so, Linux does not do so.
    pub(crate) unregister_counts: bool,
    /// Whether a reservation of all registrants passes to whoever preempts the one that made it. After SPC-5 it stays as it
    /// is, unless all of them are preempted by the key 0; with Linux it passes.
    pub(crate) maker_is_preempted: bool,
}

/// The device server's state.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct State {
    generation: u32,
    keys: [Option<u64>; NODES],
    /// Who made it (anybody else holds it as well, with types 7 and 8, if registered), and its type.
    reservation: Option<(Node, u8)>,
    /// Whether a unit attention waits for the node's next command.
    attention: [bool; NODES],
}

fn is_for_all_registrants(kind: u8) -> bool {
    kind >= 7
}

impl State {
    /// The state with nothing registered.
    pub(crate) fn empty(generation: u32) -> Self {
        Self {
            generation,
            ..Self::default()
        }
    }

    /// The key with which the node is registered.
    pub(crate) fn key(&self, node: Node) -> Option<u64> {
        self.keys[node]
    }

    /// The key of the reservation's holder and its type.
    pub(crate) fn held(&self) -> Option<(u64, u8)> {
        let (node, kind) = self.reservation?;
        let key = if is_for_all_registrants(kind) {
            0
        } else {
            self.keys[node].unwrap_or_default()
        };
        Some((key, kind))
    }

    /// Whether a unit attention waits for the node.
    pub(crate) fn has_attention(&self, node: Node) -> bool {
        self.attention[node]
    }

    fn holds(&self, node: Node) -> bool {
        self.reservation
            .is_some_and(|(holder, kind)| holder == node || is_for_all_registrants(kind))
            && self.keys[node].is_some()
    }

    fn others(node: Node) -> impl Iterator<Item = Node> {
        (0..NODES).filter(move |&other| other != node)
    }

    fn tell_other_registrants(&mut self, node: Node) {
        for other in Self::others(node) {
            self.attention[other] |= self.keys[other].is_some();
        }
    }

    fn count(&mut self) {
        self.generation = self.generation.wrapping_add(1);
    }

    /// The state after the unit attention was told.
    pub(crate) fn told(&self, node: Node) -> Self {
        let mut state = self.clone();
        state.attention[node] = false;
        state
    }

    /// Carries a command out; a unit attention that waits stays where it is.
    pub(crate) fn apply(&self, node: Node, action: Action, habits: Habits) -> (Self, Outcome) {
        let mut state = self.clone();
        let outcome = state.change(node, action, habits);
        (state, outcome)
    }

    fn change(&mut self, node: Node, action: Action, habits: Habits) -> Outcome {
        let own = self.keys[node];
        match action {
            Action::ReadKeys => {
                let mut keys: Vec<u64> = self.keys.iter().copied().flatten().collect();
                keys.sort_unstable();
                return Outcome::Keys(self.generation, keys);
            }
            Action::ReadReservation => return Outcome::Reservation(self.generation, self.held()),
            Action::Register(said, wanted) => {
                if said != own.unwrap_or(0) {
                    return Outcome::Conflict;
                }
                self.register(node, wanted, habits);
            }
            Action::RegisterIgnore(wanted) => self.register(node, wanted, habits),
            // Linux looks at the key of who has something to release alone; SPC-5 would refuse a wrong one here, too.
            // Nothing is released either way.
            Action::Release(..) if own.is_some() && !self.holds(node) => {}
            // All others are for registered nodes that know their key.
            Action::Reserve(..) | Action::Release(..) | Action::Clear(..) | Action::Preempt(..)
                if own.is_none() =>
            {
                return Outcome::NotRegistered;
            }
            Action::Reserve(said, _)
            | Action::Release(said, _)
            | Action::Clear(said)
            | Action::Preempt(said, ..)
                if own != Some(said) =>
            {
                return Outcome::Conflict;
            }
            Action::Reserve(_, kind) => match self.reservation {
                None => self.reservation = Some((node, kind)),
                Some((_, held)) if self.holds(node) && held == kind => {}
                Some(_) => return Outcome::Conflict,
            },
            Action::Release(_, kind) => {
                if self.reservation.is_none_or(|(_, held)| held != kind) {
                    // SPC-5 asks for ILLEGAL REQUEST, Linux answers with a conflict. Either is a refusal.
                    return Outcome::Conflict;
                }
                self.release(node);
            }
            Action::Clear(_) => {
                self.tell_other_registrants(node);
                self.keys = [None; NODES];
                self.reservation = None;
                self.count();
            }
            Action::Preempt(_, victim, kind) => return self.preempt(node, victim, kind, habits),
        }
        Outcome::Done
    }

    fn register(&mut self, node: Node, wanted: u64, habits: Habits) {
        match (self.keys[node], wanted) {
            (None, 0) => {}
            (Some(_), 0) => {
                self.unregister(node);
                if habits.unregister_counts {
                    self.count();
                }
            }
            _ => {
                self.keys[node] = Some(wanted);
                self.count();
            }
        }
    }

    /// Ends the reservation; those who may be surprised are told.
    fn release(&mut self, node: Node) {
        if let Some((_, 5..)) = self.reservation.take() {
            self.tell_other_registrants(node);
        }
    }

    fn unregister(&mut self, node: Node) {
        self.keys[node] = None;
        match self.reservation {
            Some((holder, kind)) if !is_for_all_registrants(kind) && holder == node => {
                self.release(node)
            }
            Some((holder, kind)) if is_for_all_registrants(kind) => {
                match Self::others(node).find(|&other| self.keys[other].is_some()) {
                    Some(heir) if holder == node => self.reservation = Some((heir, kind)),
                    Some(_) => {}
                    None => self.reservation = None,
                }
            }
            _ => {}
        }
    }

    fn preempt(&mut self, node: Node, victim: u64, kind: u8, habits: Habits) -> Outcome {
        let takes_over = self.reservation.is_some_and(|(holder, held)| {
            let all = is_for_all_registrants(held);
            let makers = self.keys[holder] == Some(victim);
            all && victim == 0 || makers && (!all || habits.maker_is_preempted)
        });
        if victim == 0 && !takes_over {
            return Outcome::Illegal;
        }
        let is_victim = |other: &Node| victim == 0 || self.keys[*other] == Some(victim);
        let victims: Vec<Node> = Self::others(node)
            .filter(|&other| self.keys[other].is_some())
            .filter(is_victim)
            .collect();
        if victims.is_empty() && !takes_over {
            return Outcome::Conflict;
        }
        let old_kind = self.reservation.map(|(_, kind)| kind);
        for &other in &victims {
            self.unregister_quietly(other);
            self.attention[other] = true;
        }
        if takes_over {
            self.reservation = Some((node, kind));
            if old_kind != Some(kind) {
                self.tell_other_registrants(node);
            }
        }
        self.count();
        Outcome::Done
    }

    /// A victim's registration: its reservation is not released but taken over, if it had one.
    fn unregister_quietly(&mut self, node: Node) {
        self.keys[node] = None;
        if let Some((holder, kind)) = self.reservation
            && is_for_all_registrants(kind)
            && holder == node
        {
            let heir = Self::others(node).find(|&other| self.keys[other].is_some());
            self.reservation = heir.map(|heir| (heir, kind));
        }
    }
}
