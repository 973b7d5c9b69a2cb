//! Simulated time and network: happenings in an order that follows from the seed, and no others.
//!
//! The world knows no threads: whoever drives it takes the next happening, lets its node act, and sends or sets timers
//! in answer. Time passes only between happenings.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use kernel::{Span, Timestamp};

use crate::Random;

/// A place that sends, receives and keeps time: a process, a machine, a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node(pub u32);

/// Names a timer of a node; a world never gives the same twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimerId(u64);

/// How messages fare between two nodes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    /// The shortest way a message takes.
    pub least_delay: Span,
    /// The longest. A spread means that messages overtake one another.
    pub most_delay: Span,
    /// How many are lost, 0 to 1.
    pub loss: f64,
    /// How many arrive twice, 0 to 1.
    pub duplication: f64,
}

/// Something that happens to a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening<M> {
    /// A timer it set ran out.
    Timer {
        /// Whose.
        node: Node,
        /// Which.
        timer: TimerId,
    },
    /// A message reached it.
    Delivery {
        /// The sender.
        from: Node,
        /// The receiver.
        to: Node,
        /// The message.
        message: M,
    },
}

/// What a world has done; equal for equal seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Messages handed to the network.
    pub sent: u64,
    /// Messages that arrived, duplicates counted.
    pub delivered: u64,
    /// Messages lost by chance, at a partition, or at a node that is down.
    pub lost: u64,
}

/// Time, a network, and the dice.
#[derive(Debug)]
pub struct World<M> {
    random: Random,
    now: Timestamp,
    ordinal: u64,
    /// What is to happen: when, and in which order it was arranged.
    queue: BinaryHeap<Reverse<(Timestamp, u64)>>,
    arranged: BTreeMap<u64, Happening<M>>,
    usual: Link,
    links: BTreeMap<(Node, Node), Link>,
    partitioned: BTreeSet<(Node, Node)>,
    down: BTreeSet<Node>,
    traffic: Traffic,
}

// === impl Link ===

impl Link {
    /// At once, every time.
    pub const PERFECT: Self =
        Self { least_delay: Span::ZERO, most_delay: Span::ZERO, loss: 0.0, duplication: 0.0 };
}

// === impl World ===

impl<M: Clone> World<M> {
    /// A world at `start` whose links are perfect. Print the seed: it is the whole test case.
    pub fn new(seed: u64, start: Timestamp) -> Self {
        Self {
            random: Random::new(seed),
            now: start,
            ordinal: 0,
            queue: BinaryHeap::new(),
            arranged: BTreeMap::new(),
            usual: Link::PERFECT,
            links: BTreeMap::new(),
            partitioned: BTreeSet::new(),
            down: BTreeSet::new(),
            traffic: Traffic::default(),
        }
    }

    /// What time it is.
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// The world's dice.
    pub const fn random(&mut self) -> &mut Random {
        &mut self.random
    }

    /// What the network has done so far.
    pub const fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// Sets how every link is that has no own setting.
    pub const fn set_network(&mut self, link: Link) {
        self.usual = link;
    }

    /// Sets the link from one node to another, in this direction.
    pub fn set_link(&mut self, from: Node, to: Node, link: Link) {
        self.links.insert((from, to), link);
    }

    /// Cuts both directions between two nodes. What is under way arrives.
    pub fn partition(&mut self, a: Node, b: Node) {
        self.partitioned.extend([(a, b), (b, a)]);
    }

    /// Ends every partition.
    pub fn heal(&mut self) {
        self.partitioned.clear();
    }

    /// Stops a node: its timers are forgotten, and what is sent to it until [`World::start`] is lost on arrival.
    pub fn stop(&mut self, node: Node) {
        self.down.insert(node);
        self.arranged
            .retain(|_, happening| !matches!(happening, Happening::Timer { node: of, .. } if *of == node));
    }

    /// Starts a stopped node.
    pub fn start(&mut self, node: Node) {
        self.down.remove(&node);
    }

    /// Hands a message to the network.
    pub fn send(&mut self, from: Node, to: Node, message: M) {
        self.traffic.sent += 1;
        let link = self.links.get(&(from, to)).copied().unwrap_or(self.usual);
        // The dice are thrown whatever happens, so that a partition does not change the fate of other messages.
        let lost = self.random.chance(link.loss);
        let twice = self.random.chance(link.duplication);
        let delays = [self.delay(&link), self.delay(&link)];
        if lost || self.partitioned.contains(&(from, to)) {
            self.traffic.lost += 1;
            return;
        }
        for delay in delays.into_iter().take(if twice { 2 } else { 1 }) {
            let message = message.clone();
            self.arrange(self.now + delay, Happening::Delivery { from, to, message });
        }
    }

    /// Sets a timer of `node`.
    pub fn set_timer(&mut self, node: Node, after: Span) -> TimerId {
        let timer = TimerId(self.ordinal);
        self.arrange(self.now + after, Happening::Timer { node, timer });
        timer
    }

    /// Takes a timer back; nothing if it has run out.
    pub fn cancel(&mut self, timer: TimerId) {
        self.arranged.remove(&timer.0);
    }

    /// Lets time pass up to the next happening and returns it; `None` when nothing is left to happen.
    pub fn step(&mut self) -> Option<Happening<M>> {
        self.step_until(Timestamp::MAX)
    }

    /// Like [`World::step`], but no further than `deadline`: then the clock stands there and the answer is `None`.
    pub fn step_until(&mut self, deadline: Timestamp) -> Option<Happening<M>> {
        while let Some(Reverse((at, ordinal))) = self.queue.peek().copied() {
            if at > deadline {
                break;
            }
            self.queue.pop();
            let Some(happening) = self.arranged.remove(&ordinal) else { continue };
            self.now = self.now.max(at);
            match &happening {
                Happening::Delivery { to, .. } if self.down.contains(to) => self.traffic.lost += 1,
                Happening::Delivery { .. } => {
                    self.traffic.delivered += 1;
                    return Some(happening);
                }
                Happening::Timer { .. } => return Some(happening),
            }
        }
        if deadline < Timestamp::MAX {
            self.now = self.now.max(deadline);
        }
        None
    }

    fn delay(&mut self, link: &Link) -> Span {
        Span::from_nanos(self.random.between(link.least_delay.as_nanos(), link.most_delay.as_nanos()))
    }

    fn arrange(&mut self, at: Timestamp, happening: Happening<M>) {
        self.queue.push(Reverse((at, self.ordinal)));
        self.arranged.insert(self.ordinal, happening);
        self.ordinal += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Node = Node(1);
    const B: Node = Node(2);

    fn world(seed: u64) -> World<u32> {
        World::new(seed, Timestamp::EPOCH)
    }

    fn rough() -> Link {
        Link {
            least_delay: Span::from_millis(1),
            most_delay: Span::from_millis(50),
            loss: 0.2,
            duplication: 0.1,
        }
    }

    /// Sends a thousand numbers and returns them as they arrive.
    fn arrivals(seed: u64) -> (Vec<u32>, Traffic) {
        let mut world = world(seed);
        world.set_network(rough());
        for number in 0..1_000 {
            world.send(A, B, number);
        }
        let mut arrived = Vec::new();
        while let Some(Happening::Delivery { message, .. }) = world.step() {
            arrived.push(message);
        }
        (arrived, world.traffic())
    }

    #[test]
    fn the_same_seed_is_the_same_world() {
        let (arrived, traffic) = arrivals(5);
        assert_eq!((arrived.clone(), traffic), arrivals(5));
        assert_ne!(arrived, arrivals(6).0);
        assert_eq!(traffic.sent, 1_000);
        assert!((150..250).contains(&traffic.lost), "{traffic:?}");
        assert!(traffic.delivered > traffic.sent - traffic.lost, "some came twice: {traffic:?}");
        assert!(!arrived.is_sorted(), "messages overtake one another");
    }

    #[test]
    fn timers_run_out_in_order_and_can_be_taken_back() {
        let mut world = world(0);
        let late = world.set_timer(A, Span::from_secs(9));
        let never = world.set_timer(A, Span::from_secs(3));
        let early = world.set_timer(B, Span::from_secs(2));
        world.cancel(never);
        assert_eq!(world.step_until(Timestamp::from_secs(1)), None);
        assert_eq!(world.now(), Timestamp::from_secs(1), "the clock moves also when nothing happens");
        assert_eq!(world.step(), Some(Happening::Timer { node: B, timer: early }));
        assert_eq!(world.step(), Some(Happening::Timer { node: A, timer: late }));
        assert_eq!((world.step(), world.now()), (None, Timestamp::from_secs(9)));
    }

    #[test]
    fn partitions_and_stopped_nodes_lose_messages() {
        let mut world = world(0);
        world.partition(A, B);
        world.send(A, B, 1);
        world.heal();
        world.send(A, B, 2);
        assert_eq!(world.step(), Some(Happening::Delivery { from: A, to: B, message: 2 }));
        world.set_timer(B, Span::from_secs(1));
        world.send(A, B, 3);
        world.stop(B);
        assert_eq!(world.step(), None, "neither the timer nor the message reaches a node that is down");
        world.start(B);
        world.send(A, B, 4);
        assert_eq!(world.step(), Some(Happening::Delivery { from: A, to: B, message: 4 }));
        assert_eq!(world.traffic(), Traffic { sent: 4, delivered: 2, lost: 2 });
    }
}
