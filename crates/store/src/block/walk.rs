//! Several blocks read as one, in order of labels: each goes forward when its series has had its turn.

use kernel::Labels;

use super::ChunkRef;
use super::reader::{Block, SeriesReader};
use crate::port::StoreError;

/// A block's series that are wanted, at the next one.
pub(crate) struct Walk<'a> {
    pub(crate) reader: SeriesReader<'a>,
    numbers: std::vec::IntoIter<u32>,
    start: i64,
    end: i64,
    current: Option<(Labels, Vec<ChunkRef>)>,
}

impl<'a> Walk<'a> {
    /// The series `numbers` of `block`, ascending, as far as they have chunks within `start..=end`; `ahead` bytes of samples
    /// are fetched at once.
    pub(crate) fn new(
        block: &'a Block,
        numbers: Vec<u32>,
        (start, end): (i64, i64),
        ahead: usize,
    ) -> Result<Self, StoreError> {
        let reader = block.series_reader(ahead);
        let mut walk = Self { reader, numbers: numbers.into_iter(), start, end, current: None };
        walk.advance()?;
        Ok(walk)
    }

    /// The chunks of the series at hand, when it is the one with `labels`; the walk goes on to the next.
    pub(crate) fn take(&mut self, labels: &Labels) -> Result<Option<Vec<ChunkRef>>, StoreError> {
        if self.current.as_ref().is_none_or(|(other, _)| other != labels) {
            return Ok(None);
        }
        let chunks = self.current.take().map(|(_, chunks)| chunks);
        self.advance()?;
        Ok(chunks)
    }

    fn advance(&mut self) -> Result<(), StoreError> {
        for number in self.numbers.by_ref() {
            let (labels, mut chunks) = self.reader.series(number)?;
            chunks.retain(|chunk| chunk.first <= self.end && self.start <= chunk.last);
            if !chunks.is_empty() {
                self.current = Some((labels, chunks));
                break;
            }
        }
        Ok(())
    }
}

/// The least labels that any of `walks` is at.
pub(crate) fn least<'w>(walks: &'w [Walk<'_>]) -> Option<&'w Labels> {
    walks.iter().filter_map(|walk| walk.current.as_ref().map(|(labels, _)| labels)).min()
}
