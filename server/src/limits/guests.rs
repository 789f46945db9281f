//! Places at the door: how many connections there may be, in all and of one address.
//!
//! Who has shown no token that holds is a **stranger**, and of those there may be few: they cost
//! the relay work and have shown nothing. A device leaves that count with its `hello`, so a `POST`
//! is a stranger for the moment until its token is looked up. An address from which devices have
//! come lately may have as many more strangers as those were: so a school whose thirty phones knock
//! in the same minute is not taken for an attack.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::address::Address;

/// Devices that came in count for their address for one to two of these.
const LATELY: Duration = Duration::from_secs(600);

/// How many there may be.
#[derive(Clone, Copy, Debug)]
pub struct Places {
    /// Connections in all.
    pub all: usize,
    /// Connections of one address.
    pub of_address: usize,
    /// Strangers in all.
    pub strangers: usize,
    /// Strangers of an address from which no device has come lately.
    pub strangers_of_address: usize,
}

/// What there is no place for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// Any connection: the relay is full.
    All,
    /// One more stranger, of whatever address.
    Strangers,
    /// One more connection of this address.
    Address,
    /// One more stranger of this address.
    StrangersOfAddress,
}

impl Full {
    /// Its name in figures and in the log.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "connections",
            Self::Strangers => "strangers",
            Self::Address => "connections_per_address",
            Self::StrangersOfAddress => "strangers_per_address",
        }
    }

    /// Whether it is this address's own doing, and not the relay that is full.
    #[must_use]
    pub fn is_of_address(self) -> bool {
        matches!(self, Self::Address | Self::StrangersOfAddress)
    }

    /// The least and the most of seconds after which to come again: strangers are soon gone,
    /// phones stay. Each is told another time, lest all come back together.
    #[must_use]
    pub fn retry_after_s(self) -> (u32, u32) {
        match self {
            Self::StrangersOfAddress => (1, 5),
            Self::Strangers => (5, 15),
            Self::All | Self::Address => (15, 60),
        }
    }
}

/// All places and who has them.
#[derive(Debug)]
pub struct Guests {
    places: Places,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    strangers: usize,
    by_address: HashMap<Address, OfAddress>,
}

#[derive(Debug, Default)]
struct OfAddress {
    open: usize,
    strangers: usize,
    /// Devices that came in, in this span of time and in the one before.
    came_in: [usize; 2],
    /// When this span began.
    since: Option<Instant>,
}

impl OfAddress {
    fn forget(&mut self, now: Instant) {
        let Some(since) = self.since else { return };
        let passed = now.saturating_duration_since(since);
        if passed >= LATELY * 2 {
            (self.came_in, self.since) = ([0, 0], None);
        } else if passed >= LATELY {
            (self.came_in, self.since) = ([0, self.came_in[0]], Some(since + LATELY));
        }
    }

    fn came_in_lately(&self) -> usize {
        self.came_in.iter().sum()
    }
}

/// A place that is taken, until it is dropped.
#[derive(Debug)]
pub struct Ticket {
    guests: Arc<Guests>,
    address: Option<Address>,
    /// The connection of a proxy that carries this one.
    carrier: Option<Arc<Ticket>>,
    came_in: AtomicBool,
}

impl Ticket {
    /// Whose it is; `None` for a proxy's connection, which carries others'.
    #[must_use]
    pub fn address(&self) -> Option<Address> {
        self.address
    }

    /// Whether it has.
    #[must_use]
    pub fn has_come_in(&self) -> bool {
        self.came_in.load(Ordering::Relaxed)
    }

    /// It has shown a token that holds: it is no stranger any more.
    pub fn come_in(&self) {
        if self.came_in.swap(true, Ordering::Relaxed) {
            return;
        }
        let Some(address) = self.address else { return };
        let mut taken = self.guests.taken();
        taken.strangers = taken.strangers.saturating_sub(1);
        let of_address = taken.by_address.entry(address).or_default();
        of_address.strangers = of_address.strangers.saturating_sub(1);
        of_address.came_in[0] = of_address.came_in[0].saturating_add(1);
        of_address.since.get_or_insert_with(Instant::now);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut taken = self.guests.taken();
        if self.carrier.is_none() {
            taken.all = taken.all.saturating_sub(1);
        }
        let Some(address) = self.address else { return };
        let stranger = usize::from(!self.came_in.load(Ordering::Relaxed));
        taken.strangers = taken.strangers.saturating_sub(stranger);
        let Some(of_address) = taken.by_address.get_mut(&address) else { return };
        of_address.open = of_address.open.saturating_sub(1);
        of_address.strangers = of_address.strangers.saturating_sub(stranger);
        if of_address.open == 0 && of_address.since.is_none() {
            taken.by_address.remove(&address);
        }
    }
}

impl Guests {
    /// All places free.
    #[must_use]
    pub fn new(places: Places) -> Self {
        Self { places, taken: Mutex::default() }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place for a connection of this address.
    ///
    /// # Errors
    ///
    /// [`Full`].
    pub fn enter(self: &Arc<Self>, address: Address) -> Result<Arc<Ticket>, Full> {
        self.take(Some(address), None)
    }

    /// Takes a place for a connection of a trusted proxy, which stands for nobody yet.
    ///
    /// # Errors
    ///
    /// [`Full::All`].
    pub fn enter_proxy(self: &Arc<Self>) -> Result<Arc<Ticket>, Full> {
        self.take(None, None)
    }

    /// Takes a place for whom a proxy's connection carries.
    ///
    /// # Errors
    ///
    /// [`Full`].
    pub fn enter_by(
        self: &Arc<Self>,
        carrier: Arc<Ticket>,
        address: Address,
    ) -> Result<Arc<Ticket>, Full> {
        self.take(Some(address), Some(carrier))
    }

    fn take(
        self: &Arc<Self>,
        address: Option<Address>,
        carrier: Option<Arc<Ticket>>,
    ) -> Result<Arc<Ticket>, Full> {
        let mut taken = self.taken();
        if carrier.is_none() && taken.all >= self.places.all {
            return Err(Full::All);
        }
        if let Some(address) = address {
            self.take_of_address(&mut taken, address)?;
        }
        if carrier.is_none() {
            taken.all += 1;
        }
        drop(taken);
        let came_in = AtomicBool::new(false);
        Ok(Arc::new(Ticket { guests: self.clone(), address, carrier, came_in }))
    }

    fn take_of_address(&self, taken: &mut Taken, address: Address) -> Result<(), Full> {
        let (mut open, mut strangers, mut lately) = (0, 0, 0);
        if let Some(of_address) = taken.by_address.get_mut(&address) {
            of_address.forget(Instant::now());
            (open, strangers) = (of_address.open, of_address.strangers);
            lately = of_address.came_in_lately();
        }
        if open >= self.places.of_address {
            return Err(Full::Address);
        }
        if strangers >= self.places.strangers_of_address.saturating_add(lately) {
            return Err(Full::StrangersOfAddress);
        }
        if taken.strangers >= self.places.strangers {
            return Err(Full::Strangers);
        }
        let of_address = taken.by_address.entry(address).or_default();
        (of_address.open, of_address.strangers) = (open + 1, strangers + 1);
        taken.strangers += 1;
        Ok(())
    }

    /// How many connections there are, if there may be no more.
    #[must_use]
    pub fn full(&self) -> Option<usize> {
        let all = self.taken().all;
        (all >= self.places.all).then_some(all)
    }

    /// Forgets addresses from which nobody is here and nobody came lately.
    pub fn sweep(&self, now: Instant) {
        let mut taken = self.taken();
        taken.by_address.retain(|_, of_address| {
            of_address.forget(now);
            of_address.open > 0 || of_address.since.is_some()
        });
        taken.by_address.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    const PLACES: Places =
        Places { all: 500, of_address: 200, strangers: 50, strangers_of_address: 10 };

    fn guests() -> Arc<Guests> {
        Arc::new(Guests::new(PLACES))
    }

    fn address(last: u8) -> Address {
        Address::from(IpAddr::from([192, 0, 2, last]))
    }

    /// As many as get in, up to `most`, and why the next does not.
    fn fill(guests: &Arc<Guests>, last: u8, most: usize) -> (Vec<Arc<Ticket>>, Option<Full>) {
        let mut tickets = Vec::new();
        while tickets.len() < most {
            match guests.enter(address(last)) {
                Ok(ticket) => tickets.push(ticket),
                Err(full) => return (tickets, Some(full)),
            }
        }
        (tickets, None)
    }

    #[test]
    fn ten_strangers_of_one_address_pass_and_fifty_in_all() {
        let guests = guests();

        let ten: Vec<_> = (0..5).map(|last| fill(&guests, last, 11)).collect();
        let others = fill(&guests, 9, 1);

        for (tickets, full) in &ten {
            assert_eq!((tickets.len(), *full), (10, Some(Full::StrangersOfAddress)));
        }
        assert_eq!((others.0.len(), others.1), (0, Some(Full::Strangers)));
        drop(ten);
        assert_eq!(fill(&guests, 9, 1).1, None, "whose places are free again");
        assert!(guests.taken().by_address.is_empty(), "who has gone is forgotten");
    }

    #[test]
    fn a_school_of_two_hundred_gets_in_and_no_more() {
        let guests = guests();
        let mut inside = Vec::new();

        let full = loop {
            match guests.enter(address(1)) {
                Ok(ticket) => {
                    ticket.come_in();
                    ticket.come_in();
                    inside.push(ticket);
                }
                Err(full) => break full,
            }
        };

        assert_eq!((inside.len(), full), (200, Full::Address));
        assert_eq!(fill(&guests, 2, 1).1, None);
    }

    #[test]
    fn where_devices_came_from_lately_more_may_knock_at_once() {
        let guests = guests();
        for _ in 0..30 {
            guests.enter(address(1)).unwrap().come_in();
        }

        let (knocking, full) = fill(&guests, 1, 100);

        assert_eq!((knocking.len(), full), (40, Some(Full::StrangersOfAddress)));
        drop(knocking);
        let later = Instant::now() + LATELY * 2;
        guests.sweep(later);
        assert_eq!(fill(&guests, 1, 100).0.len(), 10, "but not for ever");
    }

    #[test]
    fn who_comes_by_a_proxy_counts_once_in_all_and_by_his_own_address() {
        let guests = Arc::new(Guests::new(Places { all: 2, ..PLACES }));
        let carrier = guests.enter_proxy().unwrap();

        let carried: Vec<_> =
            (0..11).map(|_| guests.enter_by(carrier.clone(), address(1))).collect();
        let other = guests.enter_by(carrier.clone(), address(2));
        let second = guests.enter_proxy().unwrap();

        assert_eq!(carried.iter().filter(|carried| carried.is_ok()).count(), 10);
        assert!(other.is_ok());
        assert_eq!(guests.full(), Some(2));
        assert_eq!(guests.enter_proxy().unwrap_err(), Full::All);
        drop((carried, other, second, carrier));
        assert_eq!(guests.taken().all, 0);
    }
}
