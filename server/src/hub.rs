//! Who is connected to this relay; passes wakes on to them. Holds no entries.
//!
//! A wake is a bit in a mailbox: many make no more work than one, and none is lost by a full queue.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiashu_proto::frame::Lane;
use jiashu_proto::id::{DeviceId, Scope};
use tokio::sync::Notify;

/// Slots of the wheel that looks after quiet connections: one turn is one heartbeat.
pub const WHEEL_SLOTS: usize = 60;

/// What waits for a session to look at it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mail {
    /// Lanes whose log has grown, a bit each.
    pub grown: u64,
    /// Cursors have moved: [`Mailbox::take_cursors`], not at once.
    pub cursors: bool,
    /// Lanes that a newer connection took over, a bit each.
    pub replaced: u64,
    /// The wheel came round: ping, and look whatever was said.
    pub heartbeat: bool,
}

/// One session's letterbox.
#[derive(Debug, Default)]
pub struct Mailbox {
    mail: Mutex<Mail>,
    /// Lanes whose family's cursors have moved since the session last told them.
    moved: AtomicU64,
    notify: Notify,
}

impl Mailbox {
    fn put(&self, change: impl FnOnce(&mut Mail)) {
        change(&mut self.mail.lock().unwrap_or_else(PoisonError::into_inner));
        self.notify.notify_one();
    }

    /// Cursors move with every ack and are told once a second: only the first of a second wakes.
    fn put_cursors(&self, bit: u64) {
        if self.moved.fetch_or(bit, Ordering::AcqRel) == 0 {
            self.put(|mail| mail.cursors = true);
        }
    }

    /// The lanes whose family's cursors have moved, a bit each; the next that moves wakes again.
    pub fn take_cursors(&self) -> u64 {
        self.moved.swap(0, Ordering::AcqRel)
    }

    /// Waits until there is something, and empties the box.
    pub async fn take(&self) -> Mail {
        loop {
            let mail =
                std::mem::take(&mut *self.mail.lock().unwrap_or_else(PoisonError::into_inner));
            if mail != Mail::default() {
                return mail;
            }
            self.notify.notified().await;
        }
    }
}

#[derive(Debug)]
struct Listener {
    mailbox: Arc<Mailbox>,
    lane: Lane,
    device: DeviceId,
}

impl Listener {
    fn bit(&self) -> u64 {
        1 << (self.lane % 64)
    }
}

#[derive(Debug, Default)]
struct Connected {
    by_scope: HashMap<Scope, Vec<Listener>>,
    wheel: Vec<Vec<Arc<Mailbox>>>,
    next_slot: usize,
}

/// The sessions of this relay, by family.
#[derive(Debug)]
pub struct Hub {
    /// Of one device; a newer one replaces the oldest.
    connections_per_device: usize,
    connected: Mutex<Connected>,
}

impl Hub {
    /// A relay without connections, of which a device may have so many.
    #[must_use]
    pub fn new(connections_per_device: usize) -> Self {
        Self { connections_per_device, connected: Mutex::default() }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Connected) -> T) -> T {
        act(&mut self.connected.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts a new session on the wheel and says where.
    pub fn connect(&self, mailbox: &Arc<Mailbox>) -> usize {
        self.with(|connected| {
            connected.wheel.resize_with(WHEEL_SLOTS, Vec::new);
            let slot = connected.next_slot;
            connected.next_slot = (slot + 1) % WHEEL_SLOTS;
            if let Some(sessions) = connected.wheel.get_mut(slot) {
                sessions.push(mailbox.clone());
            }
            slot
        })
    }

    /// Takes a session off its slot of the wheel.
    pub fn disconnect(&self, mailbox: &Arc<Mailbox>, slot: usize) {
        self.with(|connected| {
            if let Some(sessions) = connected.wheel.get_mut(slot) {
                sessions.retain(|other| !Arc::ptr_eq(other, mailbox));
            }
        });
    }

    /// From now on wakes of `scope` reach this lane. Register before reading the head. The oldest
    /// connection of the device is told that it is replaced, if this is one too many.
    pub fn register(&self, scope: Scope, device: DeviceId, mailbox: &Arc<Mailbox>, lane: Lane) {
        self.with(|connected| {
            let listeners = connected.by_scope.entry(scope).or_default();
            let same = listeners.iter().enumerate().filter(|(_, other)| other.device == device);
            let same: Vec<_> = same.map(|(index, _)| index).collect();
            if let Some(oldest) = same.first().filter(|_| same.len() >= self.connections_per_device)
            {
                let replaced = listeners.remove(*oldest);
                let bit = replaced.bit();
                replaced.mailbox.put(|mail| mail.replaced |= bit);
            }
            let listener = Listener { mailbox: mailbox.clone(), lane, device };
            // What was said of the lane before is not of this device.
            let bit = listener.bit();
            mailbox.put(|mail| mail.replaced &= !bit);
            // A family has few phones: no room for those that it has not.
            listeners.reserve_exact(1);
            listeners.push(listener);
        });
    }

    /// Wakes of `scope` reach this lane no more.
    pub fn unregister(&self, scope: Scope, mailbox: &Arc<Mailbox>, lane: Lane) {
        self.with(|connected| {
            connected.leave(scope, |listener| {
                Arc::ptr_eq(&listener.mailbox, mailbox) && listener.lane == lane
            });
        });
    }

    /// Tells all sessions of the scope to look.
    pub fn wake(&self, scope: Scope) {
        self.with(|connected| {
            for listener in connected.by_scope.get(&scope).into_iter().flatten() {
                listener.mailbox.put(|mail| mail.grown |= listener.bit());
            }
        });
    }

    /// Tells everybody to look: hints were lost.
    pub fn wake_all(&self) {
        self.with(|connected| {
            for listener in connected.by_scope.values().flatten() {
                listener.mailbox.put(|mail| mail.grown |= listener.bit());
            }
        });
    }

    /// Tells the scope's other sessions that `device` has read on.
    pub fn cursor_moved(&self, scope: Scope, device: DeviceId) {
        self.with(|connected| {
            let listeners = connected.by_scope.get(&scope).into_iter().flatten();
            for listener in listeners.filter(|listener| listener.device != device) {
                listener.mailbox.put_cursors(listener.bit());
            }
        });
    }

    /// One step of the wheel: a sixtieth of the sessions have their heartbeat.
    pub fn turn_wheel(&self, slot: usize) {
        self.with(|connected| {
            for mailbox in connected.wheel.get(slot % WHEEL_SLOTS).into_iter().flatten() {
                mailbox.put(|mail| mail.heartbeat = true);
            }
        });
    }

    /// How many lanes are open here.
    #[must_use]
    pub fn lanes(&self) -> usize {
        self.with(|connected| connected.by_scope.values().map(Vec::len).sum())
    }
}

impl Connected {
    fn leave(&mut self, scope: Scope, gone: impl Fn(&Listener) -> bool) {
        if let Some(listeners) = self.by_scope.get_mut(&scope) {
            listeners.retain(|listener| !gone(listener));
            if listeners.is_empty() {
                self.by_scope.remove(&scope);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCOPE: Scope = Scope(7);

    #[tokio::test]
    async fn many_wakes_are_one_look() {
        let (hub, mailbox) = (Hub::new(2), Arc::new(Mailbox::default()));
        hub.register(SCOPE, DeviceId(1), &mailbox, 3);

        (0..1000).for_each(|_| hub.wake(SCOPE));

        assert_eq!(mailbox.take().await, Mail { grown: 1 << 3, ..Mail::default() });
        assert_eq!(*mailbox.mail.lock().unwrap(), Mail::default());
    }

    #[tokio::test]
    async fn the_third_connection_of_a_device_replaces_its_oldest() {
        let hub = Hub::new(2);
        let boxes: Vec<_> = (0..3).map(|_| Arc::new(Mailbox::default())).collect();

        for mailbox in &boxes {
            hub.register(SCOPE, DeviceId(1), mailbox, 0);
        }

        assert_eq!(boxes[0].take().await.replaced, 1);
        assert_eq!(hub.lanes(), 2);
    }

    #[tokio::test]
    async fn a_device_is_not_told_of_its_own_cursor() {
        let hub = Hub::new(2);
        let (own, other) = (Arc::new(Mailbox::default()), Arc::new(Mailbox::default()));
        hub.register(SCOPE, DeviceId(1), &own, 0);
        hub.register(SCOPE, DeviceId(2), &other, 0);

        hub.cursor_moved(SCOPE, DeviceId(1));

        assert!(other.take().await.cursors);
        assert_eq!(other.take_cursors(), 1);
        assert_eq!(*own.mail.lock().unwrap(), Mail::default());
    }

    #[test]
    fn nothing_stays_behind_when_a_session_goes() {
        let (hub, mailbox) = (Hub::new(2), Arc::new(Mailbox::default()));
        let slot = hub.connect(&mailbox);
        hub.register(SCOPE, DeviceId(1), &mailbox, 0);

        hub.unregister(SCOPE, &mailbox, 0);
        hub.disconnect(&mailbox, slot);

        assert_eq!(hub.lanes(), 0);
        assert_eq!(Arc::strong_count(&mailbox), 1);
    }
}
