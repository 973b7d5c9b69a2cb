//! Merging blocks: those of a two-hour window into one, those of a day into one. Of equal times the older block's sample
//! stays, so that a merge never changes what is served.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use kernel::Timestamp;
use metrics::sample::Sample;

use crate::block::reader::Block;
use crate::block::walk::{self, Walk};
use crate::block::writer::{BlockWriter, Identity};
use crate::block::{DAY_LEVEL, window};
use crate::blocks::{ASK_EVERY, BlockSet, Blocks, GoOn, Publication, block_id, partition};
use crate::options::Options;
use crate::port::StoreError;
use crate::select::merge;

/// So many blocks of one window are merged although the window is not over.
const CROWDED: usize = 16;
/// How many bytes of chunks a merge reads at once, per block.
const READ_AHEAD: usize = 256 << 10;

/// Blocks to merge into one of `level`.
pub(crate) struct Merge {
    pub level: u8,
    pub inputs: Vec<Arc<Block>>,
}

/// The next merge that is due at `now`, the smallest level first.
///
/// Windows in `stuck` (level and start) are left alone, and so are those with a block that could not be opened.
pub(crate) fn due(
    set: &BlockSet,
    stuck: &HashSet<(u8, i64)>,
    options: &Options,
    now: Timestamp,
) -> Option<Merge> {
    // A window takes stragglers until the out-of-order window has passed, and then the flush that brings the last ones.
    let settled = (now - options.out_of_order_window - options.flush_interval).as_millis();
    [1, DAY_LEVEL].into_iter().find_map(|level| {
        let mut groups: BTreeMap<(i64, &str), Vec<Arc<Block>>> = BTreeMap::new();
        for block in set.sound.iter().filter(|block| block.meta.level <= level) {
            let (start, _) = window(level, block.meta.window_start);
            groups.entry((start, &block.meta.tenant)).or_default().push(Arc::clone(block));
        }
        groups.into_iter().find_map(|((start, _), inputs)| {
            let over = window(level, start).1 <= settled;
            let whole = set.broken.iter().all(|broken| window(level, broken.meta.window_start).0 != start);
            if !whole || stuck.contains(&(level, start)) {
                return None;
            }
            let lower = inputs.iter().any(|block| block.meta.level < level);
            // A single block of two hours waits for its day.
            let wanted = if level == DAY_LEVEL { lower } else { lower && inputs.len() > 1 };
            let crowded = level < DAY_LEVEL && inputs.len() >= CROWDED;
            (wanted && (over || crowded)).then_some(Merge { level, inputs })
        })
    })
}

/// Merges, publishes the result in place of the inputs, and gives the number of inputs. Asks `go_on` now and then; after any
/// error all is as before.
pub(crate) fn run(
    blocks: &Blocks,
    merge: &Merge,
    now: Timestamp,
    go_on: GoOn<'_>,
) -> Result<u64, StoreError> {
    let Some(first) = merge.inputs.first() else { return Ok(0) };
    let seq = merge.inputs.iter().map(|block| block.meta.seq).max().unwrap_or(0);
    let identity = Identity {
        id: block_id(now.as_millis(), seq),
        seq,
        tenant: first.meta.tenant.clone(),
        level: merge.level,
        time: first.meta.window_start,
        flushed_lsn: merge.inputs.iter().map(|block| block.flushed_lsn()).max().unwrap_or(0),
    };
    let mut writer = blocks.begin(&identity)?;
    if let Err(error) = fill(&mut writer, &merge.inputs, go_on) {
        writer.abandon();
        return Err(error);
    }
    let (start, _) = window(merge.level, first.meta.window_start);
    let meta =
        writer.finish(&identity.id, &partition(start)).inspect_err(|_| blocks.discard(&identity.id))?;
    let count = merge.inputs.len() as u64;
    blocks.publish(Publication {
        add: vec![meta],
        remove: merge.inputs.iter().map(|block| block.meta.clone()).collect(),
        flushed_lsn: None,
        at: now.as_millis(),
    })?;
    Ok(count)
}

impl Merge {
    /// The level, and the start of the window.
    pub(crate) fn window(&self) -> (u8, i64) {
        let start = self.inputs.first().map_or(0, |block| window(self.level, block.meta.window_start).0);
        (self.level, start)
    }
}

fn fill(writer: &mut BlockWriter, inputs: &[Arc<Block>], go_on: GoOn<'_>) -> Result<(), StoreError> {
    let all = |block: &Block| (0..block.meta.series as u32).collect();
    let mut walks = inputs
        .iter()
        .map(|block| Walk::new(block, all(block), (i64::MIN, i64::MAX), READ_AHEAD))
        .collect::<Result<Vec<_>, _>>()?;
    for number in 0_usize.. {
        if number.is_multiple_of(ASK_EVERY) {
            go_on()?;
        }
        let Some(labels) = walk::least(&walks).cloned() else { break };
        let mut runs = Vec::new();
        for walk in &mut walks {
            let mut run: Vec<Sample> = Vec::new();
            for chunk in walk.take(&labels)?.unwrap_or_default() {
                walk.reader.samples(&chunk, &mut run)?;
            }
            runs.push(run);
        }
        writer.add(&labels, &merge(runs))?;
    }
    Ok(())
}
