//! Plays `tests/cases/simulation`: what the simulated disk and network promise, as plain text.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests say what is wrong by failing"
)]

use kernel::{Span, Timestamp};
use simulation::scenario::{ScenarioError, Stage, Step, play_folder};
use simulation::{Happening, Link, Node, Random, SimDisk, World};

/// A disk, and a network of nodes named by one letter.
struct WorldStage {
    disk: SimDisk,
    world: World<String>,
    received: Vec<String>,
}

impl WorldStage {
    fn new(seed: u64) -> Self {
        Self {
            disk: SimDisk::new(Random::new(seed)),
            world: World::new(seed, Timestamp::EPOCH),
            received: Vec::new(),
        }
    }

    /// Lets everything happen that is due by the time of `step`.
    fn catch_up(&mut self, step: &Step) {
        while let Some(happening) = self.world.step_until(Timestamp::EPOCH + step.at) {
            self.received.push(match happening {
                Happening::Timer { node, .. } => format!("{}:timer", letter(node)),
                Happening::Delivery { to, message, .. } => format!("{}:{message}", letter(to)),
            });
        }
    }

    fn disk(&mut self, step: &Step) -> Result<(), ScenarioError> {
        let name: String = if step.words().len() > 1 { step.arg(1, "a file")? } else { String::new() };
        let refused: String = step.option("refused")?.unwrap_or_default();
        let done = match step.verb() {
            "write" => self.disk.append(&name, step.arg::<String>(2, "a text")?.as_bytes()),
            "sync" => self.disk.sync(&name),
            _ => self.disk.sync_folder(),
        };
        let said = done.map_or_else(|error| format!("{error:?}"), |()| String::new());
        step.check(step.verb(), &refused, &said)
    }

    fn expect(&mut self, step: &Step) -> Result<(), ScenarioError> {
        let words = step.words();
        match words[1] {
            "received" => {
                let wanted = words[2..].iter().filter(|word| **word != "nothing");
                let wanted: Vec<String> = wanted.map(|word| (*word).to_owned()).collect();
                step.check("received", &wanted, &std::mem::take(&mut self.received))
            }
            "traffic" => {
                let traffic = self.world.traffic();
                step.check("sent", &step.option("sent")?.unwrap_or(0), &traffic.sent)?;
                step.check("delivered", &step.option("delivered")?.unwrap_or(0), &traffic.delivered)?;
                step.check("lost", &step.option("lost")?.unwrap_or(0), &traffic.lost)
            }
            file => {
                let content = self.disk.read(file).map(|bytes| String::from_utf8(bytes).unwrap());
                let allowed: Vec<&str> = words[2..].iter().filter(|word| **word != "or").copied().collect();
                // Bytes that were lost beyond the old end read as zeros; a shorter file keeps a part.
                let fits = |content: &str| {
                    allowed.iter().any(|word| {
                        *word == content
                            || word.starts_with(content.trim_end_matches('\0'))
                                && content.starts_with(allowed[0])
                    })
                };
                match content {
                    Ok(content) if fits(&content) => Ok(()),
                    Err(_) if allowed.contains(&"absent") => Ok(()),
                    other => Err(step.fail(format!("{file} is {other:?}"))),
                }
            }
        }
    }
}

impl Stage for WorldStage {
    fn play(&mut self, step: &Step) -> Result<(), ScenarioError> {
        self.catch_up(step);
        let span = |name: &str| Ok(step.option::<Span>(name)?.unwrap_or(Span::ZERO));
        match step.verb() {
            "write" | "sync" | "sync-folder" => return self.disk(step),
            "expect" => return self.expect(step),
            "power-loss" => {
                self.disk.crash();
                self.disk.restart();
            }
            "capacity" => self.disk.set_capacity(step.arg(1, "a number of bytes")?),
            "network" => self.world.set_network(Link {
                least_delay: span("least")?,
                most_delay: span("most")?,
                ..Link::PERFECT
            }),
            "send" => self.world.send(node(step, 1)?, node(step, 2)?, step.arg(3, "a message")?),
            "timer" => {
                self.world.set_timer(node(step, 1)?, step.arg(2, "a span")?);
            }
            "partition" => self.world.partition(node(step, 1)?, node(step, 2)?),
            "heal" => self.world.heal(),
            "stop" => self.world.stop(node(step, 1)?),
            "start" => self.world.start(node(step, 1)?),
            other => return Err(step.unknown(other, &["write", "sync", "expect", "send", "timer"])),
        }
        Ok(())
    }
}

#[test]
fn the_scenarios_come_true() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/cases/simulation");
    for seed in 0..40 {
        assert_eq!(play_folder(folder.as_ref(), || WorldStage::new(seed)).unwrap(), 2, "seed {seed}");
    }
}

fn node(step: &Step, index: usize) -> Result<Node, ScenarioError> {
    step.arg::<char>(index, "a node's letter").map(|letter| Node(letter.into()))
}

fn letter(node: Node) -> char {
    char::from_u32(node.0).unwrap()
}
