//! Writing the head out as blocks of level 0, one for each two-hour window that it has samples of.

use std::collections::BTreeMap;

use kernel::{Labels, Timestamp};
use metrics::sample::Sample;

use crate::block::window;
use crate::block::writer::{BlockWriter, Identity};
use crate::blocks::{ASK_EVERY, Blocks, GoOn, Publication, block_id, partition};
use crate::catalogue::BlockMeta;
use crate::head::{Head, Place};
use crate::port::StoreError;
use crate::store::TENANT;

/// Writes out all that is older than the head's generation, publishes it, and drops it from the head. With `flushed_lsn`,
/// the log up to there counts as written from then on. Gives the number of blocks. Asks `go_on` now and then; after
/// any error all is as before.
pub(crate) fn write_out(
    head: &Head,
    blocks: &Blocks,
    flushed_lsn: Option<u64>,
    now: Timestamp,
    go_on: GoOn<'_>,
) -> Result<u64, StoreError> {
    let frozen = head.freeze();
    let mut windows = Windows {
        blocks,
        writers: BTreeMap::new(),
        seq: blocks.last_seq(),
        at: now.as_millis(),
        flushed_lsn: flushed_lsn.unwrap_or(0),
    };
    let written = windows.fill(head, &frozen, go_on);
    let metas = match written {
        Ok(()) => windows.finish()?,
        Err(error) => {
            windows.abandon();
            return Err(error);
        }
    };
    let count = metas.len() as u64;
    if count > 0 || flushed_lsn.is_some() {
        let publication =
            Publication { add: metas, flushed_lsn, at: now.as_millis(), ..Publication::default() };
        blocks.publish(publication)?;
    }
    head.thaw(&frozen);
    Ok(count)
}

/// A block per window, as the windows turn up.
struct Windows<'a> {
    blocks: &'a Blocks,
    writers: BTreeMap<i64, (BlockWriter, String)>,
    seq: u64,
    at: i64,
    flushed_lsn: u64,
}

impl Windows<'_> {
    fn fill(&mut self, head: &Head, frozen: &[(Labels, Place)], go_on: GoOn<'_>) -> Result<(), StoreError> {
        let mut samples: Vec<Sample> = Vec::new();
        for (number, (labels, place)) in frozen.iter().enumerate() {
            if number % ASK_EVERY == 0 {
                go_on()?;
            }
            samples.clear();
            head.read_frozen(*place, &mut samples);
            samples.dedup_by_key(|sample| sample.t);
            for part in samples.chunk_by(|a, b| window(0, a.t).0 == window(0, b.t).0) {
                if let Some(first) = part.first() {
                    self.writer(first.t)?.add(labels, part)?;
                }
            }
        }
        Ok(())
    }

    fn writer(&mut self, t: i64) -> Result<&mut BlockWriter, StoreError> {
        let (start, _) = window(0, t);
        let entry = match self.writers.entry(start) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                self.seq += 1;
                let identity = Identity {
                    id: block_id(self.at, self.seq),
                    seq: self.seq,
                    tenant: TENANT.to_owned(),
                    level: 0,
                    time: t,
                    flushed_lsn: self.flushed_lsn,
                };
                entry.insert((self.blocks.begin(&identity)?, identity.id))
            }
        };
        Ok(&mut entry.0)
    }

    fn finish(self) -> Result<Vec<BlockMeta>, StoreError> {
        let mut metas = Vec::new();
        let mut failure = None;
        for (start, (writer, id)) in self.writers {
            match failure {
                None => match writer.finish(&id, &partition(start)) {
                    Ok(meta) => metas.push(meta),
                    Err(error) => {
                        self.blocks.discard(&id);
                        failure = Some(error);
                    }
                },
                Some(_) => writer.abandon(),
            }
        }
        if failure.is_some() {
            metas.iter().for_each(|meta| self.blocks.discard(&meta.id));
        }
        failure.map_or(Ok(metas), Err)
    }

    fn abandon(self) {
        self.writers.into_values().for_each(|(writer, _)| writer.abandon());
    }
}
